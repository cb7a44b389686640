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
	struct route_query query = {peer, slice_from(number), is_registered};
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_matches_is_taken)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
