/* supervisor.h - keeps a few programs running: starts them in order, restarts one that dies, stops
 * them in reverse order. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/loop.h"

#define SUPERVISOR_PROGRAMS 4
/* The descriptor a program writes "ready\n" to, given as --ready-fd. */
#define SUPERVISOR_READY_FD 3
#define SUPERVISOR_SOCKETS  253 /* of one message (unix(7), SCM_MAX_FD) */

struct successor;

struct supervisor_program {
	const char *name;  /* for the log */
	const char *path;  /* of the executable */
	char *const *argv; /* NULL-terminated, with --ready-fd 3 */
};

struct supervisor_config {
	struct loop *loop; /* of the main thread; run and stopped by supervisor_run() */
	const struct log *log;
	const struct supervisor_program
		*programs; /* in order of start: each waits for the one before */
	size_t program_count;
	uint32_t ready_ms;               /* how long a program may take to be ready */
	uint32_t stop_ms;                /* how long to stop by itself; then SIGKILL */
	char *self;                      /* path of this program, and of what may take its place */
	char *file;                      /* the configuration that it runs with */
	const struct successor *resumed; /* that we are; NULL = we start everything */
};

/* Until SIGTERM or SIGINT, or until a program fails in its first start. An enum cli_status. */
MUST_CHECK int supervisor_run(const struct supervisor_config *config);
