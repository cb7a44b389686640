/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int open_arena(void **state)
{
	struct arena *arena;

	assert_int_equal(arena_create(4096, 1 << 20, &arena), 0);
	*state = arena;
	return 0;
}

static int close_arena(void **state)
{
	arena_destroy(*state);
	return 0;
}

static void names_are_found_in_every_spelling(void **state)
{
	static const char *const spellings[] = {"call-id", "call id", "call_id", "Call-ID"};
	struct arena *arena = *state;

	for (unsigned i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		struct ng_value *dict = ng_dict_create(arena);

		ng_dict_add_string(arena, dict, "from-tag", SLICE("x"));
		ng_dict_add_string(arena, dict, spellings[i], SLICE("y"));
		for (unsigned j = 0; j < sizeof(spellings) / sizeof(spellings[0]); j++)
			assert_true(slice_equal(ng_get_string(dict, spellings[j]), SLICE("y")));
		assert_null(ng_get_string(dict, "call").data);
		assert_null(ng_get_string(dict, "callid").data);
		assert_null(ng_get_string(dict, "call-idx").data);
	}
}

static void the_first_of_two_equal_names_counts(void **state)
{
	struct arena *arena = *state;
	struct ng_value *dict = ng_dict_create(arena);
	int64_t delay;

	ng_dict_add_integer(arena, dict, "delete delay", 5);
	ng_dict_add_string(arena, dict, "delete-delay", SLICE("7"));
	assert_int_equal(ng_get_integer(dict, "delete-delay", &delay), 0);
	assert_int_equal(delay, 5);
	assert_null(ng_dict_get_exact(dict, SLICE("delete_delay")));
	assert_int_equal(ng_get_integer(dict, "x", &delay), -ERR_NOT_FOUND);
	assert_int_equal(ng_value_integer(ng_dict_get_exact(dict, SLICE("delete-delay")), &delay),
			 0);
	assert_int_equal(delay, 7);
}

static void integers_come_as_text_too(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t number;
	} rows[] = {
		{"42", 0, 42},
		{"-42", 0, -42},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERR_MALFORMED, 0},
		{"", -ERR_MALFORMED, 0},
		{"-", -ERR_MALFORMED, 0},
		{"4x", -ERR_MALFORMED, 0},
		{"+4", -ERR_MALFORMED, 0},
	};
	struct arena *arena = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ng_value *value = ng_string_create(arena, slice_from(rows[i].text));
		int64_t number = 0;

		assert_int_equal(ng_value_integer(value, &number), rows[i].err);
		assert_int_equal(number, rows[i].number);
	}
}

static void words_are_found_in_lists_and_lone_strings(void **state)
{
	struct arena *arena = *state;
	struct ng_value *dict = ng_dict_create(arena);
	struct ng_value *flags = ng_dict_add_list(arena, dict, "flags");

	ng_list_add_string(arena, flags, SLICE("trust address"));
	ng_list_add_integer(arena, flags, 5);
	ng_list_add_string(arena, flags, SLICE("symmetric"));
	ng_dict_add_string(arena, dict, "ICE", SLICE("remove"));
	assert_true(ng_list_has(dict, "flags", "trust-address"));
	assert_true(ng_list_has(dict, "flags", "symmetric"));
	assert_false(ng_list_has(dict, "flags", "asymmetric"));
	assert_true(ng_list_has(dict, "ice", "remove"));
	assert_false(ng_list_has(dict, "none", "remove"));
	assert_int_equal(ng_get_list(dict, "flags")->count, 3);
	assert_null(ng_get_list(dict, "ICE"));
	assert_null(ng_get_dict(dict, "flags"));
}

static void a_full_arena_is_noticed_at_the_end(void **state)
{
	struct arena *small;

	(void)state;
	assert_int_equal(arena_create(512, 512, &small), 0);
	struct ng_value *dict = ng_dict_create(small);
	struct ng_value *list = ng_dict_add_list(small, dict, "list");
	assert_true(ng_value_is_whole(dict));
	for (unsigned i = 0; i < 10; i++)
		ng_list_add_integer(small, list, i);
	assert_false(ng_value_is_whole(dict));
	assert_false(ng_value_is_whole(NULL));
	assert_null(ng_dict_add_integer(small, NULL, "x", 1));
	arena_destroy(small);
}

static void errors_are_formatted_and_cut(void **state)
{
	struct arena *arena = *state;
	struct ng_value *reply = ng_dict_create(arena);

	ng_reply_error(arena, reply, "no %s: %0600d", "port", 7);
	assert_true(slice_equal(ng_get_string(reply, "result"), SLICE("error")));
	assert_true(slice_starts(ng_get_string(reply, "error-reason"), SLICE("no port: 000")));
	assert_int_equal(ng_get_string(reply, "error-reason").len, 511);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_found_in_every_spelling),
		TEST(the_first_of_two_equal_names_counts),
		TEST(integers_come_as_text_too),
		TEST(words_are_found_in_lists_and_lone_strings),
		TEST(a_full_arena_is_noticed_at_the_end),
		TEST(errors_are_formatted_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
