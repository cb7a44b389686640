/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct config_end from_pbx[] = {{.type = CONFIG_END_PEER, .peer = 0}};
static const struct config_end from_phones[] = {{.type = CONFIG_END_PHONES}};
static const struct config_number emergency[] = {{"112", false}, {"15", false}};
static const struct config_number abroad[] = {{"+", true}};
static const struct config_end to_pbx = {.type = CONFIG_END_PEER, .peer = 0};
static const struct config_end to_emergency = {.type = CONFIG_END_PEER, .peer = 1};
static const struct config_end to_carrier = {.type = CONFIG_END_PEER, .peer = 2};
static const struct config_end to_phones = {.type = CONFIG_END_PHONES};
static const struct config_route routes[] = {
	{.name = "emergency",
	 .from = from_pbx,
	 .from_count = 1,
	 .numbers = emergency,
	 .number_count = 2,
	 .to = &to_emergency,
	 .to_count = 1},
	{.name = "abroad",
	 .from = from_pbx,
	 .from_count = 1,
	 .numbers = abroad,
	 .number_count = 1,
	 .to = &to_carrier,
	 .to_count = 1},
	{.name = "to-phones",
	 .from = from_pbx,
	 .from_count = 1,
	 .registered = true,
	 .to = &to_phones,
	 .to_count = 1},
	{.name = "from-phones", .from = from_phones, .from_count = 1, .to = &to_pbx, .to_count = 1},
};
static const struct config config = {.routes = routes, .route_count = 4};

static const char *taken(int peer, const char *number, bool is_registered)
{
	struct route_query query = {
		.peer = peer, .number = slice_from(number), .is_registered = is_registered};
	const struct config_route *route = route_find(&config, &query);
	return route ? route->name : "none";
}

static void the_first_that_matches_is_taken(void **state)
{
	(void)state;
	assert_string_equal(taken(0, "112", true), "emergency");
	assert_string_equal(taken(0, "1123", true), "to-phones");
	assert_string_equal(taken(0, "+33123", false), "abroad");
	assert_string_equal(taken(0, "alice", true), "to-phones");
	assert_string_equal(taken(0, "alice", false), "none");
	assert_string_equal(taken(-1, "112", false), "from-phones");
	assert_string_equal(taken(1, "112", true), "none");
}

static void a_domain_is_compared_without_case(void **state)
{
	static const char *const domains[] = {"falco.bz", "example.com"};
	static const struct config_route own[] = {{.name = "own",
						   .from = from_phones,
						   .from_count = 1,
						   .domains = domains,
						   .domain_count = 2}};
	static const struct config with_domains = {.routes = own, .route_count = 1};
	struct route_query query = {.peer = -1, .domain = SLICE("Example.COM.")};
	(void)state;

	assert_ptr_equal(route_find(&with_domains, &query), own);
	query.domain = SLICE("x.example.com");
	assert_null(route_find(&with_domains, &query));
	query.domain = SLICE_NONE; /* tel: */
	assert_null(route_find(&with_domains, &query));
}

static void hours_over_midnight_belong_to_their_day(void **state)
{
	static const struct config_time night[] = {
		{.days = 1 << 5, .from_minute = 22 * 60, .to_minute = 6 * 60}}; /* Friday */
	static const struct config_route own[] = {{.name = "night",
						   .from = from_phones,
						   .from_count = 1,
						   .times = night,
						   .time_count = 1}};
	static const struct config at_night = {.routes = own, .route_count = 1};
	/* local time: day of January 2027 (the 1st is a Friday), hour, minute, there? */
	static const struct {
		int day, hour, minute;
		bool fits;
	} cases[] = {{1, 21, 59, false}, {1, 22, 0, true}, {2, 5, 59, true},
		     {2, 6, 0, false},   {1, 3, 0, false}, {2, 23, 0, false}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tm at = {.tm_year = 127,
				.tm_mday = cases[i].day,
				.tm_hour = cases[i].hour,
				.tm_min = cases[i].minute,
				.tm_isdst = -1};
		struct route_query query = {.peer = -1, .now = mktime(&at)};
		assert_int_equal(route_find(&at_night, &query) != NULL, cases[i].fits);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_matches_is_taken),
		cmocka_unit_test(a_domain_is_compared_without_case),
		cmocka_unit_test(hours_over_midnight_belong_to_their_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
