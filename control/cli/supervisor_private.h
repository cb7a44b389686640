/* supervisor_private.h - what supervisor.c and successor.c know of the programs.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <signal.h>
#include <sys/types.h>
#include "control/cli/guardian.h"
#include "control/cli/supervisor.h"

enum child_state {
	CHILD_IDLE,     /* not started yet, or waiting for its next start */
	CHILD_STARTING, /* runs, not ready */
	CHILD_READY,
	CHILD_STOPPING, /* told to stop */
	CHILD_GONE,     /* stopped for good */
};

struct child {
	struct supervisor *supervisor;
	const struct supervisor_program *program;
	enum child_state state;
	pid_t pid;
	int pid_fd;
	int ready_fd;
	struct loop_io *pid_io;
	struct loop_io *ready_io;
	struct timer timer;              /* start again, not ready in time, not stopped in time */
	int sockets[SUPERVISOR_SOCKETS]; /* that it listens on: the next one has them too */
	uint32_t socket_count;
	bool was_ready; /* once, since the supervisor began */
	uint64_t ready_at_ms;
	uint32_t backoff_ms;
};

/* The binary that would take our place is asked whether it can. */
struct trial {
	pid_t pid;
	int pid_fd; /* -1 = none is under way */
	struct loop_io *io;
	struct timer timer;
};

struct supervisor {
	const struct supervisor_config *config;
	struct child children[SUPERVISOR_PROGRAMS];
	struct guardian guardian;
	struct trial trial;
	bool stopping;
	int status;
};

/* --- sockets.c --- */
enum { CHILD_WORD_MAX = 16 };
void child_forget_sockets(struct child *child);
/* A word, and with it the sockets it listens on. As long as we have them too, what comes while
 * the program is down waits in them. */
ssize_t child_read_word(struct child *child, char text[CHILD_WORD_MAX]);
/* In the new process: behind the descriptor to say ready on, in their order. They go out of the way
 * first. */
bool child_pass_sockets(struct child *child, int ready_fd);
