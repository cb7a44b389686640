/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/route.h"

static bool comes_from(const struct config_route *route, int peer)
{
	for (size_t i = 0; i < route->from_count; i++) {
		const struct config_end *end = &route->from[i];
		if (end->type == CONFIG_END_PHONES ? peer < 0 : (int)end->peer == peer)
			return true;
	}
	return false;
}

static bool fits_number(const struct config_route *route, struct slice number)
{
	if (route->number_count == 0)
		return true;
	for (size_t i = 0; i < route->number_count; i++)
		if (config_number_matches(&route->numbers[i], number))
			return true;
	return false;
}

const struct config_route *route_find(const struct config *config, const struct route_query *query)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		if (comes_from(route, query->peer) && fits_number(route, query->number) &&
		    (!route->registered || query->is_registered))
			return route;
	}
	return NULL;
}
