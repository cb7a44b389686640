/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/show/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *read(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	assert_non_null(value);
	return value;
}

static void the_workers_numbers_are_added(void **state)
{
	json_t *mine =
		read("{\"n\":1,\"name\":\"x\",\"in\":{\"k\":2},\"list\":[{\"v\":3,\"up\":true}]}");
	json_t *theirs = read(
		"{\"n\":10,\"name\":\"y\",\"in\":{\"k\":20},\"list\":[{\"v\":30,\"up\":false}]}");
	json_t *wanted = read(
		"{\"n\":11,\"name\":\"x\",\"in\":{\"k\":22},\"list\":[{\"v\":33,\"up\":true}]}");
	(void)state;

	json_add_up(mine, theirs);
	assert_true(json_equal(mine, wanted));
	json_decref(mine);
	json_decref(theirs);
	json_decref(wanted);
}

static void bytes_of_a_peer_make_valid_json(void **state)
{
	json_t *text = json_text((struct slice){"a\xff\0b", 4});
	(void)state;

	assert_string_equal(json_string_value(text), "a??b");
	json_decref(text);
}

static void ng_values_keep_their_shape(void **state)
{
	struct arena *arena;
	(void)state;

	assert_int_equal(arena_create(4096, 65536, &arena), 0);
	struct ng_value *dict = ng_dict_create(arena);
	ng_dict_add_integer(arena, dict, "local port", 4000);
	struct ng_value *flags = ng_dict_add_list(arena, dict, "Flags");
	ng_list_add_string(arena, flags, SLICE("RTP"));
	json_t *made = json_from_ng(dict);
	json_t *wanted = read("{\"local_port\":4000,\"flags\":[\"RTP\"]}");
	assert_true(json_equal(made, wanted));
	json_decref(made);
	json_decref(wanted);
	arena_destroy(arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_workers_numbers_are_added),
		cmocka_unit_test(bytes_of_a_peer_make_valid_json),
		cmocka_unit_test(ng_values_keep_their_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
