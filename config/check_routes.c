/* Routes that nothing reaches, ends that are nobody's, peers and interfaces that nothing uses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

/* --- routes --------------------------------------------------------------------------------------
 */

static bool end_covers(const struct raw_route *route, const struct config_end *end)
{
	for (size_t i = 0; i < route->from_count; i++)
		if (route->from[i].type == end->type &&
		    (end->type == CONFIG_END_PHONES || route->from[i].peer == end->peer))
			return true;
	return false;
}

static bool number_covers(const struct config_number *wide, const struct config_number *narrow)
{
	size_t length = strlen(wide->text);

	if (!wide->is_prefix)
		return !narrow->is_prefix && strcmp(wide->text, narrow->text) == 0;
	return strncmp(wide->text, narrow->text, length) == 0;
}

static bool domains_cover(const struct config_route *earlier, const struct config_route *later)
{
	for (size_t i = 0; i < later->domain_count; i++) {
		bool covered = false;
		for (size_t j = 0; j < earlier->domain_count && !covered; j++)
			covered = slice_equal_nocase(slice_from(earlier->domains[j]),
						     slice_from(later->domains[i]));
		if (!covered)
			return false;
	}
	return later->domain_count > 0;
}

/* Whatever `later` matches, `earlier` has matched before. */
static bool route_covers(const struct raw_route *earlier, const struct raw_route *later,
			 unsigned *budget)
{
	if (earlier->public.registered && !later->public.registered)
		return false;
	if (earlier->public.time_count)
		return false; /* closed at some time, or nearly: nothing to warn of */
	if (earlier->public.domain_count && !domains_cover(&earlier->public, &later->public))
		return false;
	for (size_t i = 0; i < later->from_count; i++)
		if (!end_covers(earlier, &later->from[i]))
			return false;
	if (earlier->number_count == 0)
		return true;
	if (later->number_count == 0)
		return false;
	for (size_t i = 0; i < later->number_count; i++) {
		bool covered = false;
		for (size_t j = 0; j < earlier->number_count && !covered; j++) {
			if (*budget == 0)
				return false;
			--*budget;
			covered = number_covers(&earlier->numbers[j], &later->numbers[i]);
		}
		if (!covered)
			return false;
	}
	return true;
}

static struct place route_place(const struct loaded *loaded, const struct raw_route *route)
{
	return value_place(loaded, &route->name, route->node);
}

static void shadow_check(struct loaded *loaded)
{
	unsigned budget = LINT_BUDGET;

	for (size_t n = 0; n < loaded->route_count; n++) {
		const struct raw_route *later = &loaded->routes[n];
		for (size_t m = 0; m < n && later->is_whole && budget; m++, budget -= budget > 0) {
			const struct raw_route *earlier = &loaded->routes[m];
			if (!earlier->is_whole || !route_covers(earlier, later, &budget))
				continue;
			finding_warn(&loaded->findings, route_place(loaded, later),
				     "route \"%s\" is never reached: route \"%s\" before it takes "
				     "all of "
				     "its calls",
				     later->name, earlier->name);
			finding_note(&loaded->findings, route_place(loaded, earlier),
				     "route \"%s\" is here", earlier->name);
			break;
		}
	}
}

static void phones_in_routes_check(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->route_count && loaded->phones_count == 0; i++) {
		const struct raw_route *route = &loaded->routes[i];
		const void *value = NULL;
		if (!route->is_whole)
			continue;
		for (size_t j = 0; j < route->to_count; j++)
			if (route->to[j].type == CONFIG_END_PHONES)
				value = &route->to[j];
		for (size_t j = 0; j < route->from_count; j++)
			if (route->from[j].type == CONFIG_END_PHONES)
				value = &route->from[j];
		if (!value)
			continue;
		finding_error(&loaded->findings, value_place(loaded, value, route->node),
			      "no phones can register, so none can call or be called");
		finding_note(&loaded->findings, PLACE_NONE,
			     "add phones: [{from: INTERFACE, registrar: PEER}]");
	}
	for (size_t n = 0; n < loaded->route_count; n++)
		for (size_t m = 0; m < n && n < 256; m++)
			if (origin_of(loaded, &loaded->routes[n].name) &&
			    strcmp(loaded->routes[n].name, loaded->routes[m].name) == 0) {
				finding_error(
					&loaded->findings, route_place(loaded, &loaded->routes[n]),
					"two routes are named \"%s\"", loaded->routes[n].name);
				finding_note(&loaded->findings,
					     route_place(loaded, &loaded->routes[m]), "first here");
				break;
			}
}

/* --- what nothing uses ---------------------------------------------------------------------------
 */

static bool peer_is_used(const struct loaded *loaded, uint32_t peer)
{
	for (size_t i = 0; i < loaded->phones_count; i++)
		if (loaded->phones[i].public.registrar == peer)
			return true;
	for (size_t i = 0; i < loaded->route_count; i++) {
		const struct raw_route *route = &loaded->routes[i];
		if (!route->is_whole) /* who knows what it was to say */
			return true;
		for (size_t j = 0; j < route->to_count; j++)
			if (route->to[j].type == CONFIG_END_PEER && route->to[j].peer == peer)
				return true;
		for (size_t j = 0; j < route->from_count; j++)
			if (route->from[j].type == CONFIG_END_PEER && route->from[j].peer == peer)
				return true;
	}
	return false;
}

static bool interface_is_used(const struct loaded *loaded, uint32_t interface)
{
	for (size_t i = 0; i < loaded->peer_count; i++)
		if ((!loaded->peers[i].interface_known && !loaded->peers[i].public.retired) ||
		    loaded->peers[i].public.interface == interface)
			return true;
	for (size_t i = 0; i < loaded->phones_count; i++)
		if (loaded->phones[i].public.from >= loaded->interface_count ||
		    loaded->phones[i].public.from == interface)
			return true;
	return false;
}

void check_unused(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->peer_count && i < 512; i++)
		if (!loaded->peers[i].public.retired && !peer_is_used(loaded, (uint32_t)i))
			finding_warn(&loaded->findings,
				     value_place(loaded, NULL, loaded->peers[i].node),
				     "peer \"%s\" is not used: no route leads from or to it",
				     loaded->peers[i].public.name);
	for (size_t i = 0; i < loaded->interface_count && i < 512; i++)
		if (!loaded->interfaces[i].public.retired &&
		    !interface_is_used(loaded, (uint32_t)i))
			finding_warn(&loaded->findings,
				     value_place(loaded, NULL, loaded->interfaces[i].node),
				     "interface \"%s\" is not used: no peer is on it and no phones "
				     "register from it",
				     loaded->interfaces[i].public.name);
}

void check_routes(struct loaded *loaded)
{
	phones_in_routes_check(loaded);
	shadow_check(loaded);
}
