/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/bencode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct bench {
	struct arena *arena;
	struct buf buf;
};

static int scan(struct slice text, size_t *len)
{
	struct bencode_scanner scanner = {.at = 0};

	return bencode_scan_more(&scanner, text, len);
}

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

static void what_is_written_is_what_was_read(void **state)
{
	static const char *const texts[] = {
		"de",
		"le",
		"0:",
		"i0e",
		"i-42e",
		"i9223372036854775807e",
		"i-9223372036854775808e",
		"5:he:lo",
		"d7:command4:ping1:ai1e1:ai2ee",
		"d3:sdp10:v=0\r\no=\r\n\r5:flagsl5:trust4:fastee",
		"lllleeee",
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct slice text = slice_from(texts[i]);
		struct ng_value *value;
		size_t len = 0;

		if (bencode_read(bench->arena, text, &value))
			fail_msg("%s", texts[i]);
		buf_clear(&bench->buf);
		bencode_write(&bench->buf, value);
		assert_string_equal(bench->buf.data, texts[i]);
		assert_int_equal(scan(text, &len), 0);
		assert_int_equal(len, text.len);
	}
}

static void malformed_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"d",
		"e",
		"x",
		"i",
		"ie",
		"i1",
		"i-e",
		"i-0e",
		"i01e",
		"i1.5e",
		"i 1e",
		"i+1e",
		"i1ee",
		"1",
		"1:",
		"2:a",
		"01:a",
		"-1:a",
		"1 :a",
		"99999999999:a",
		"d1:ae",
		"di1ei2ee",
		"dlee",
		"d1:a1:b",
		"l1:a",
		"deX",
		"de e",
		"i9223372036854775808e",
		"i-9223372036854775809e",
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ng_value *value = NULL;
		int err = bencode_read(bench->arena, slice_from(texts[i]), &value);

		if (err != -ERR_MALFORMED && err != -ERR_TOO_LARGE)
			fail_msg("%s: %d", texts[i], err);
		assert_null(value);
	}
	struct ng_value *value;
	assert_int_equal(bencode_read(bench->arena, SLICE("de\r\n "), &value), 0);
}

static void nest(struct buf *buf, unsigned depth)
{
	buf_clear(buf);
	for (unsigned i = 0; i < depth; i++)
		buf_add_char(buf, 'l');
	for (unsigned i = 0; i < depth; i++)
		buf_add_char(buf, 'e');
}

static void limits_hold(void **state)
{
	struct bench *bench = *state;
	struct ng_value *value;
	size_t len;

	nest(&bench->buf, NG_MAX_DEPTH);
	assert_int_equal(bencode_read(bench->arena, buf_slice(&bench->buf), &value), 0);
	assert_int_equal(scan(buf_slice(&bench->buf), &len), 0);
	nest(&bench->buf, NG_MAX_DEPTH + 1);
	assert_int_equal(bencode_read(bench->arena, buf_slice(&bench->buf), &value),
			 -ERR_TOO_LARGE);
	assert_int_equal(scan(buf_slice(&bench->buf), &len), -ERR_TOO_LARGE);

	buf_clear(&bench->buf);
	buf_add_char(&bench->buf, 'l');
	for (unsigned i = 0; i < NG_MAX_VALUES - 1; i++)
		buf_add_text(&bench->buf, "0:");
	buf_add_char(&bench->buf, 'e');
	assert_int_equal(bencode_read(bench->arena, buf_slice(&bench->buf), &value), 0);
	bench->buf.len--;
	buf_add_text(&bench->buf, "0:e");
	assert_int_equal(bencode_read(bench->arena, buf_slice(&bench->buf), &value),
			 -ERR_TOO_LARGE);

	buf_clear(&bench->buf);
	buf_add_text(&bench->buf, "65536:");
	for (unsigned i = 0; i < 65536; i++)
		buf_add_char(&bench->buf, 'x');
	assert_int_equal(bencode_read(bench->arena, buf_slice(&bench->buf), &value),
			 -ERR_TOO_LARGE);
	assert_int_equal(scan(buf_slice(&bench->buf), &len), -ERR_TOO_LARGE);
}

static void a_stream_is_cut_at_message_ends(void **state)
{
	const struct slice text = SLICE("d7:command4:ping1:xli1ei-2eee"
					"d1:a1:be");
	const size_t first = text.len - 8;
	size_t len;

	(void)state;
	for (size_t i = 0; i < first; i++)
		assert_int_equal(scan(slice_sub(text, 0, i), &len), -ERR_AGAIN);
	for (size_t i = first; i <= text.len; i++) {
		assert_int_equal(scan(slice_sub(text, 0, i), &len), 0);
		assert_int_equal(len, first);
	}
	/* Byte by byte with one scanner: every byte is looked at once. */
	struct bencode_scanner scanner = {.at = 0};
	for (size_t i = 0; i < first; i++)
		assert_int_equal(bencode_scan_more(&scanner, slice_sub(text, 0, i), &len),
				 -ERR_AGAIN);
	assert_true(scanner.at > first - 3);
	assert_int_equal(bencode_scan_more(&scanner, text, &len), 0);
	assert_int_equal(len, first);
	assert_int_equal(scan(SLICE("e"), &len), -ERR_MALFORMED);
	assert_int_equal(scan(SLICE("dx"), &len), -ERR_MALFORMED);
	assert_int_equal(scan(SLICE("123456"), &len), -ERR_TOO_LARGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_what_was_read),
		TEST(malformed_texts_are_refused),
		TEST(limits_hold),
		TEST(a_stream_is_cut_at_message_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
