/* guardian.h - a process whose only task is to stop the supervised programs when the supervisor is
 * gone without having done so (kill -9). The kernel's parent-death signal cannot: it is forgotten
 * when a program changes its user. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include "control/base/err.h"

struct guardian {
	pid_t pid;
	int fd; /* of the socket whose end tells it */
};

/* Before any other process or thread is started. */
MUST_CHECK int guardian_start(uint32_t stop_ms, struct guardian *out);
/* Program number `slot` is now the process of this pidfd (which stays the caller's). */
void guardian_watch(const struct guardian *guardian, uint8_t slot, int pid_fd);
/* It stops what is left of them, and is waited for. */
void guardian_end(struct guardian *guardian);
