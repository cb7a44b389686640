/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.len ? s.data : "", expected, s.len);
}

static void a_part_is_clamped_to_the_whole(void **state)
{
	(void)state;
	struct slice s = SLICE("INVITE");
	assert_slice(slice_sub(s, 0, 3), "INV");
	assert_slice(slice_sub(s, 2, 100), "VITE");
	assert_slice(slice_sub(s, 6, 1), "");
	assert_slice(slice_sub(s, SIZE_MAX, SIZE_MAX), "");
	assert_slice(slice_sub(SLICE_NONE, 3, 4), "");
}

static void comparison_knows_length_and_case(void **state)
{
	(void)state;
	assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
	assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
	assert_false(slice_equal(SLICE("ab"), SLICE("abc")));
	assert_true(slice_equal(SLICE_NONE, SLICE("")));
	assert_true(slice_equal_nocase(SLICE("Call-ID"), SLICE("cALL-id")));
	assert_false(slice_equal_nocase(SLICE("a["), SLICE("A{")));
	assert_false(slice_equal_nocase(SLICE("\xe4"), SLICE("\xc4"))); /* ASCII alone */
	assert_true(slice_starts(SLICE("SIP/2.0"), SLICE("SIP/")));
	assert_false(slice_starts(SLICE("SIP"), SLICE("SIP/")));
	assert_true(slice_starts(SLICE("SIP"), SLICE_NONE));
	assert_true(slice_starts_nocase(SLICE("sip/2.0"), SLICE("SIP/")));
	assert_false(slice_starts_nocase(SLICE("si"), SLICE("SIP")));
	assert_true(slice_ends(SLICE("a.example"), SLICE(".example")));
	assert_false(slice_ends(SLICE("example"), SLICE(".example")));
	assert_true(slice_ends(SLICE_NONE, SLICE("")));
}

static void search_gives_the_length_for_none(void **state)
{
	(void)state;
	struct slice s = SLICE("a=b=c");
	assert_int_equal(slice_find(s, '='), 1);
	assert_int_equal(slice_find(s, 'x'), 5);
	assert_int_equal(slice_find(SLICE_NONE, 'x'), 0);
	assert_int_equal(slice_find_slice(s, SLICE("=c")), 3);
	assert_int_equal(slice_find_slice(s, SLICE("=d")), 5);
	assert_int_equal(slice_find_slice(s, SLICE("")), 0);
	assert_int_equal(slice_find_slice(SLICE_NONE, SLICE("x")), 0);
}

static void trimming_takes_white_space_at_both_ends(void **state)
{
	(void)state;
	assert_slice(slice_trim(SLICE(" \t a b\r\n")), "a b");
	assert_slice(slice_trim(SLICE(" \r\n\t ")), "");
	assert_slice(slice_trim(SLICE_NONE), "");
}

static void cutting_leaves_the_rest(void **state)
{
	(void)state;
	struct slice s = SLICE("host:5060:x");
	assert_slice(slice_cut(&s, ':'), "host");
	assert_slice(s, "5060:x");
	assert_slice(slice_cut(&s, ';'), "5060:x");
	assert_slice(s, "");
	assert_slice(slice_cut(&s, ';'), "");
	s = SLICE("a:");
	assert_slice(slice_cut(&s, ':'), "a");
	assert_slice(s, "");
	s = SLICE_NONE;
	assert_slice(slice_cut(&s, ':'), "");
}

static void lines_end_with_crlf_or_lf_or_at_the_end(void **state)
{
	(void)state;
	struct slice s = SLICE("v=0\r\no=-\n\r\n\nlast\rx\r"), line;
	const char *const expected[] = {"v=0", "o=-", "", "", "last\rx"};
	for (size_t i = 0; i < 5; i++) {
		assert_true(slice_next_line(&s, &line));
		assert_slice(line, expected[i]);
	}
	assert_false(slice_next_line(&s, &line));
}

static void words_are_separated_by_spaces_and_tabs(void **state)
{
	(void)state;
	struct slice s = SLICE("  RTP/AVP\t0  8 "), word;
	const char *const expected[] = {"RTP/AVP", "0", "8"};
	for (size_t i = 0; i < 3; i++) {
		assert_true(slice_next_word(&s, &word));
		assert_slice(word, expected[i]);
	}
	assert_false(slice_next_word(&s, &word));
	s = SLICE_NONE;
	assert_false(slice_next_word(&s, &word));
}

static void numbers_are_whole_and_bounded(void **state)
{
	(void)state;
	uint64_t big = 7;
	uint32_t small = 7;
	assert_int_equal(slice_to_u64(SLICE("18446744073709551615"), UINT64_MAX, &big), 0);
	assert_true(big == UINT64_MAX);
	assert_int_equal(slice_to_u64(SLICE("000"), 0, &big), 0);
	assert_true(big == 0);
	const char *const bad[] = {"",
				   "-1",
				   "+1",
				   " 1",
				   "1 ",
				   "0x1",
				   "18446744073709551616",
				   "99999999999999999999999999",
				   "1a",
				   "65536"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t max = i == 9 ? 65535 : UINT64_MAX;
		big = 7;
		assert_int_equal(slice_to_u64(slice_from(bad[i]), max, &big), -ERR_MALFORMED);
		assert_true(big == 7); /* untouched */
	}
	assert_int_equal(slice_to_u32(SLICE("4294967295"), UINT32_MAX, &small), 0);
	assert_true(small == UINT32_MAX);
	assert_int_equal(slice_to_u32(SLICE("4294967296"), UINT32_MAX, &small), -ERR_MALFORMED);
	assert_int_equal(slice_to_u64(SLICE("1\0002"), 100, &big), -ERR_MALFORMED);
}

static void copies_are_terminated_and_cut(void **state)
{
	(void)state;
	char out[4] = "xyz";
	assert_int_equal(slice_copy(SLICE("abcdef"), out, sizeof(out)), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(slice_copy(SLICE_NONE, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(slice_copy(SLICE("abc"), out, 0), 0);
	char *copy = slice_dup(SLICE("abc"));
	assert_string_equal(copy, "abc");
	free(copy);
	copy = slice_dup(SLICE_NONE);
	assert_string_equal(copy, "");
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_is_clamped_to_the_whole),
		cmocka_unit_test(comparison_knows_length_and_case),
		cmocka_unit_test(search_gives_the_length_for_none),
		cmocka_unit_test(trimming_takes_white_space_at_both_ends),
		cmocka_unit_test(cutting_leaves_the_rest),
		cmocka_unit_test(lines_end_with_crlf_or_lf_or_at_the_end),
		cmocka_unit_test(words_are_separated_by_spaces_and_tabs),
		cmocka_unit_test(numbers_are_whole_and_bounded),
		cmocka_unit_test(copies_are_terminated_and_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
