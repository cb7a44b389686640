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

static bool fits_domain(const struct config_route *route, struct slice domain)
{
	if (route->domain_count == 0)
		return true;
	if (domain.len > 1 && domain.data[domain.len - 1] == '.')
		domain.len--; /* the root's */
	for (size_t i = 0; i < route->domain_count; i++)
		if (slice_equal_nocase(slice_from(route->domains[i]), domain))
			return true;
	return false;
}

/* Hours that go over midnight belong to the day on which they begin. */
static bool is_within(const struct config_time *time, unsigned int day, unsigned int minute)
{
	bool today = time->days & (1u << day), yesterday = time->days & (1u << (day + 6) % 7);

	if (time->from_minute < time->to_minute)
		return today && minute >= time->from_minute && minute < time->to_minute;
	return (today && minute >= time->from_minute) || (yesterday && minute < time->to_minute);
}

static bool fits_time(const struct config_route *route, time_t now)
{
	struct tm local;

	if (route->time_count == 0)
		return true;
	if (!localtime_r(&now, &local))
		return false;
	for (size_t i = 0; i < route->time_count; i++)
		if (is_within(&route->times[i], (unsigned int)local.tm_wday,
			      (unsigned int)(local.tm_hour * 60 + local.tm_min)))
			return true;
	return false;
}

const struct config_route *route_find(const struct config *config, const struct route_query *query)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		if (comes_from(route, query->peer) && fits_number(route, query->number) &&
		    fits_domain(route, query->domain) &&
		    (!route->registered || query->is_registered) && fits_time(route, query->now))
			return route;
	}
	return NULL;
}
