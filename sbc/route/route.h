/* route.h - which route a call takes: the first that matches, as the file has them in order.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <time.h>
#include "config/config.h"

struct route_query {
	int peer;            /* it came from this peer; -1 = from a phone */
	struct slice number; /* of the Request-URI (numbers.h) */
	struct slice domain; /* its host; empty of a tel: URI */
	bool is_registered;  /* the called address-of-record is registered through us */
	time_t now;          /* Unix time */
};

/* NULL: nothing matches. */
const struct config_route *route_find(const struct config *config, const struct route_query *query);
