/* supervisor.h - keeps a few programs running: starts them in order, restarts one that dies, stops
 * them in reverse order. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/loop.h"

#define SUPERVISOR_PROGRAMS 4
/* The descriptor a program writes "ready\n" to, given as --ready-fd. */
#define SUPERVISOR_READY_FD 3

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
	uint32_t ready_ms; /* how long a program may take to be ready */
	uint32_t stop_ms;  /* how long to stop by itself; then SIGKILL */
};

/* Until SIGTERM or SIGINT, or until a program fails in its first start. An enum cli_status. */
MUST_CHECK int supervisor_run(const struct supervisor_config *config);
