/* redis.h - the shared store: one connection to a Redis server per worker, never waited for.
 * Writes of one wake-up leave in one send(2) at its end. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/log.h"
#include "control/base/loop.h"
#include "control/state/redis_place.h"
#include "control/state/store.h"

/* Texts are copied. The store must be destroyed before the loop, and the loop must not run again
 * after that (its burst-end hook stays registered). */
struct store_redis_config {
	struct loop *loop;
	const struct log *log;
	const char *unix_path; /* this or address */
	struct addr address;
	/* More of them, tried in turn when the one before is away, refuses us, or is a replica. */
	const struct redis_place *others;
	size_t other_count;
	/* Instead of all those: asked for the master, again with each connection. */
	struct redis_sentinels sentinels;
	const char *user;     /* NULL = default user */
	const char *password; /* NULL = none */
	uint32_t database;
	uint32_t timeout_ms;    /* until a verb is given up: done(-ERR_TIMEOUT); 0 = 20 */
	uint32_t dead_ms;       /* silence after which the connection is made anew; 0 = 3000 */
	uint32_t probe_ms;      /* how often it is tried whether writes are taken; 0 = 3000 */
	uint32_t pending_limit; /* commands in flight; 0 = 65536; beyond: done(-ERR_BUSY) */
	uint32_t output_limit;  /* bytes not yet sent; 0 = 64 MiB */
};

/* Starts connecting; a server that is not there is no error here. */
MUST_CHECK int store_redis_create(const struct store_redis_config *config, struct store **out);
