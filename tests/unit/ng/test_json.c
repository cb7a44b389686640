/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/bencode.h"
#include "control/ng/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct bench {
	struct arena *arena;
	struct buf buf;
};

static int open_bench(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	assert_int_equal(arena_create(4096, 8 << 20, &bench->arena), 0);
	buf_init(&bench->buf);
	*state = bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	arena_destroy(bench->arena);
	buf_free(&bench->buf);
	test_free(bench);
	return 0;
}

static void json_becomes_the_same_tree_as_bencode(void **state)
{
	static const struct {
		const char *json;
		const char *bencode;
	} rows[] = {
		{"{}", "de"},
		{"{\"command\":\"ping\"}", "d7:command4:pinge"},
		{"{\"a\":[1,-2,\"3\",{}],\"b\":{\"c\":[]}}", "d1:ali1ei-2e1:3dee1:bd1:cleee"},
		{" { \"a\" : 1.9 , \"b\":true,\"c\":null, \"d\":false}\n",
		 "d1:ai1e1:b4:true1:d5:falsee"},
		{"{\"sdp\":\"v=0\\r\\n\"}", "d3:sdp5:v=0\r\ne"},
		{"{\"\\u00e9\":\"\\ud83d\\ude00\"}", "d2:\xc3\xa9"
						     "4:\xf0\x9f\x98\x80"
						     "e"},
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ng_value *value;

		assert_int_equal(ng_json_read(bench->arena, slice_from(rows[i].json), &value), 0);
		buf_clear(&bench->buf);
		bencode_write(&bench->buf, value);
		assert_string_equal(bench->buf.data, rows[i].bencode);
	}
}

static void malformed_json_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "{}x",
					    "null",
					    "{\"a\":}",
					    "{a:1}",
					    "[1,]",
					    "{\"a\":1e300}",
					    "{\"a\":\"\xff\"}",
					    "{'a':1}"};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ng_value *value = NULL;

		if (ng_json_read(bench->arena, slice_from(texts[i]), &value) != -ERR_MALFORMED)
			fail_msg("%s", texts[i]);
		assert_null(value);
	}
}

static void depth_and_number_are_limited(void **state)
{
	struct bench *bench = *state;
	struct ng_value *value;

	for (unsigned extra = 0; extra < 2; extra++) {
		buf_clear(&bench->buf);
		for (unsigned i = 0; i < NG_MAX_DEPTH + extra; i++)
			buf_add_char(&bench->buf, '[');
		for (unsigned i = 0; i < NG_MAX_DEPTH + extra; i++)
			buf_add_char(&bench->buf, ']');
		assert_int_equal(ng_json_read(bench->arena, buf_slice(&bench->buf), &value),
				 extra ? -ERR_TOO_LARGE : 0);
	}
	buf_clear(&bench->buf);
	buf_add_text(&bench->buf, "[0");
	for (unsigned i = 0; i < NG_MAX_VALUES; i++)
		buf_add_text(&bench->buf, ",0");
	buf_add_text(&bench->buf, "]");
	assert_int_equal(ng_json_read(bench->arena, buf_slice(&bench->buf), &value),
			 -ERR_TOO_LARGE);
}

static void any_bytes_are_written_as_valid_json(void **state)
{
	static const struct {
		const char *bytes;
		const char *json;
	} rows[] = {
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"\r\n\t\x01\x7f", "\"\\r\\n\\t\\u0001\\u007f\""},
		{"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		{"\xff", "\"\\ufffd\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xc3(", "\"\\ufffd(\""},
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* overlong */
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* surrogate */
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ng_value value = {.type = NG_STRING, .string = slice_from(rows[i].bytes)};
		struct ng_value *back;

		buf_clear(&bench->buf);
		ng_json_write(&bench->buf, &value);
		assert_string_equal(bench->buf.data, rows[i].json);
		buf_clear(&bench->buf);
		buf_add_char(&bench->buf, '[');
		ng_json_write(&bench->buf, &value);
		buf_add_char(&bench->buf, ']');
		assert_int_equal(ng_json_read(bench->arena, buf_slice(&bench->buf), &back), 0);
	}
}

static void trees_are_written(void **state)
{
	static const char text[] = "{\"a\":[1,-9223372036854775808,\"x\"],\"b\":{},\"c\":[]}";
	struct bench *bench = *state;
	struct ng_value *value;

	assert_int_equal(ng_json_read(bench->arena, slice_from(text), &value), 0);
	ng_json_write(&bench->buf, value);
	assert_string_equal(bench->buf.data, text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(json_becomes_the_same_tree_as_bencode),
		TEST(malformed_json_is_refused),
		TEST(depth_and_number_are_limited),
		TEST(any_bytes_are_written_as_valid_json),
		TEST(trees_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
