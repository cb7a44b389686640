/* route.h - which route a call takes: the first that matches, as the file has them in order.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"

struct route_query {
	int peer;            /* it came from this peer; -1 = from a phone */
	struct slice number; /* user part of the Request-URI */
	bool is_registered;  /* the called address-of-record is registered through us */
};

/* NULL: nothing matches. */
const struct config_route *route_find(const struct config *config, const struct route_query *query);
