/* successor.h - another binary of the supervisor in its place, by execve(2): what it passes to
 * itself through a memfd, and what the next one reads. Children, sockets, the guardian and the
 * process number stay. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/cli/guardian.h"
#include "control/cli/supervisor.h"

/* Of what is written here: another binary takes over only if it says that it knows this one. */
#define SUCCESSOR_VERSION  "1"
#define SUCCESSOR_NAME_MAX 32

struct successor_program {
	char name[SUCCESSOR_NAME_MAX];
	pid_t pid;
	int pid_fd;
	int ready_fd; /* -1 = it has closed it */
	int sockets[SUPERVISOR_SOCKETS];
	uint32_t socket_count;
};

struct successor { /* all that was handed over; descriptors are closed on exec again */
	struct guardian guardian;
	struct successor_program programs[SUPERVISOR_PROGRAMS];
	size_t count;
};

/* In the next process. -ERR_MALFORMED: what the file says is nothing of ours. The file is closed.
 */
MUST_CHECK int successor_read(int fd, struct successor *out);
const struct successor_program *successor_find(const struct successor *successor, const char *name);

/* In this one: tries whether what is at our path now would start with our file, and becomes it.
 * Nothing changes when it would not, or while a program is not ready: that is said in the log. */
struct supervisor;
void successor_begin(struct supervisor *supervisor);
void successor_cancel(struct supervisor *supervisor); /* we end */
