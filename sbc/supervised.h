/* supervised.h - what we tell the supervisor that started us: that we are ready, and the listening
 * sockets. It keeps them open for the process after this one, so that what comes meanwhile waits.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

struct supervised {
	int fd; /* owned; -1 = nobody listens */
};

/* That another binary of it takes its place. -ERR_NOT_FOUND: nobody listens. -ERR_SYSTEM. */
MUST_CHECK int supervised_upgrade(const struct supervised *supervised);

/* The first word. `fd` is ours from now on; -1 = nobody started us; a pipe takes the word alone. */
MUST_CHECK int supervised_ready(struct supervised *supervised, int fd,
				const struct workers *workers);
/* Other sockets, after a reload: it must not hold a port that we have given up, nor lack one. */
MUST_CHECK int supervised_sockets(const struct supervised *supervised,
				  const struct workers *workers);
