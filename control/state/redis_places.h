/* redis_places.h - private to control/state: which server the Redis store connects to next. With
 * Sentinels each connection begins by asking one of them for the master; else the servers are tried
 * in their order. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/socket.h>
#include "control/state/redis_place.h"

struct redis;
struct redis_answer;
struct store_redis_config;

struct redis_aim {
	struct sockaddr_storage address;
	socklen_t len;
	char text[128]; /* for people */
};

struct redis_places {
	struct redis_aim aims[REDIS_PLACES_MAX]; /* Sentinels, or else servers */
	uint32_t count;
	uint32_t at;
	struct redis_aim now; /* what we are connected to, or are about to be */
	char *master;         /* by Sentinel; NULL = none */
	char *password;       /* of the Sentinels; NULL = none */
	bool is_asking;       /* connected to a Sentinel */
};

MUST_CHECK int redis_places_init(struct redis_places *places,
				 const struct store_redis_config *config);
void redis_places_free(struct redis_places *places);
/* The connection, or the attempt, has ended: whom to try next. */
void redis_places_next(struct redis *redis);
/* What `now` says goes to the link and into the status. */
void redis_places_take_aim(struct redis *redis);
/* To a Sentinel, in place of the greeting. */
MUST_CHECK int redis_places_ask(struct redis *redis);
void redis_places_answered(struct redis *redis, const struct redis_answer *answer);
/* There is another one to turn to when this one is of no use. */
bool redis_places_has_choice(const struct redis_places *places);
