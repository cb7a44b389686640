/* shared.h - the little that all workers of a process know together: how many calls each side has,
 * which servers are down. Made by the main thread, given to the workers as workers_config.shared,
 * read and written without locks. A worker without it (in tests) keeps its own.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdatomic.h>
#include "config/config.h"

struct shared_server {
	_Atomic bool is_down;
	_Atomic uint64_t since_ms; /* monotonic, the clock of all loops */
	_Atomic uint64_t until_ms; /* not pinged: passed over until then */
	_Atomic uint32_t ping_rtt_ms;
};

struct shared {
	_Atomic uint32_t *calls;       /* at once, per interface */
	struct shared_server *servers; /* of all peers, in the order of the configuration */
};

MUST_CHECK int shared_create(const struct config *config, struct shared **out);
void shared_destroy(struct shared *shared); /* NULL is fine */
