/* redis_plain.h - Redis, one command after the other, waiting for each answer: for commands and
 * helper threads. Never on a worker (those have redis.h).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/redis_place.h"

struct redis_plain;

struct redis_plain_config {
	struct addr address;
	const char *unix_path;            /* when set, instead */
	struct redis_sentinels sentinels; /* when there are any: they say which server */
	const char *user;                 /* NULL = the default user */
	const char *password;             /* NULL = none */
	uint32_t database;
};

/* Two members of a list at a time (HGETALL). Other than 0 ends the walk with it. */
typedef int redis_pair_fn(void *owner, struct slice name, struct slice value);

MUST_CHECK int redis_plain_create(const struct redis_plain_config *config, struct buf *why,
				  struct redis_plain **out);
void redis_plain_destroy(struct redis_plain *redis); /* NULL is fine */
/* Connects again when the connection broke. `number` (may be NULL): an integer answer, or a text
 * that is one, 0 for nothing. -ERR_CLOSED, -ERR_DENIED (the server refuses). */
MUST_CHECK int redis_plain_run(struct redis_plain *redis, const struct slice *words, size_t count,
			       int64_t *number, redis_pair_fn *fn, void *owner);
const char *redis_plain_reason(const struct redis_plain *redis);
