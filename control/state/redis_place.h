/* redis_place.h - where Redis is: a server, or Sentinels that know which server is the master.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

enum { REDIS_PLACES_MAX = 16 };

struct redis_place {
	const char *unix_path; /* when set, instead */
	struct addr address;
};

struct redis_sentinels { /* zeroed = none: the server is asked itself */
	const char *master;
	const char *password; /* of the Sentinels; NULL = none */
	struct addr servers[REDIS_PLACES_MAX];
	size_t count;
};

static inline void redis_sentinels_add(struct redis_sentinels *sentinels, const struct addr *server)
{
	if (sentinels->count < REDIS_PLACES_MAX)
		sentinels->servers[sentinels->count++] = *server;
}
