/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void writes_follow_each_other_and_end_with_nul(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf);
	assert_null(buf.data);
	assert_string_equal(buf_slice(&buf).data, "");
	buf_add(&buf, SLICE("a=rtpmap:"));
	buf_add_u64(&buf, 0);
	buf_add_char(&buf, ' ');
	buf_add_text(&buf, "PCMU/");
	buf_printf(&buf, "%d", 8000);
	buf_add(&buf, SLICE_NONE);
	assert_string_equal(buf.data, "a=rtpmap:0 PCMU/8000");
	assert_int_equal(buf.len, strlen(buf.data));
	assert_false(buf_failed(&buf));
	buf_clear(&buf);
	assert_int_equal(buf_slice(&buf).len, 0);
	buf_add_u64(&buf, UINT64_MAX);
	assert_string_equal(buf.data, "18446744073709551615");
	buf_free(&buf);
	assert_null(buf.data);
}

static void a_buffer_grows(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf);
	for (unsigned i = 0; i < 100000; i++)
		buf_add_char(&buf, (char)('a' + i % 26));
	assert_int_equal(buf.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], 'a' + i % 26);
	buf_free(&buf);
}

static void formatted_text_of_any_length_fits(void **state)
{
	(void)state;
	/* Around the first capacity, where the room must also hold the NUL. */
	for (int len = 0; len < 1100; len++) {
		struct buf buf;
		buf_init(&buf);
		buf_add_char(&buf, '<');
		buf_printf(&buf, "%0*d", len, 7);
		buf_add_char(&buf, '>');
		assert_false(buf_failed(&buf));
		assert_int_equal(buf.len, (len ? len : 1) + 2);
		assert_int_equal(buf.data[buf.len - 1], '>');
		assert_int_equal(buf.data[buf.len - 2], '7');
		assert_int_equal(buf.data[buf.len], '\0');
		buf_free(&buf);
	}
}

static void reserved_room_is_for_the_caller_to_fill(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf);
	buf_add_text(&buf, "ab");
	char *at = buf_reserve(&buf, 1000);
	assert_ptr_equal(at, buf.data + 2);
	memset(at, 'x', 1000);
	buf.len += 1000;
	buf_add_char(&buf, 'y');
	assert_int_equal(buf.len, 1003);
	assert_int_equal(buf.data[1002], 'y');
	buf_free(&buf);
}

static void failure_sticks_until_clear(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf);
	buf_add_text(&buf, "kept");
	assert_null(buf_reserve(&buf, SIZE_MAX - 2));
	assert_true(buf_failed(&buf));
	buf_add_text(&buf, "lost");
	buf_printf(&buf, "lost");
	assert_string_equal(buf.data, "kept");
	buf_clear(&buf);
	assert_false(buf_failed(&buf));
	buf_add_text(&buf, "new");
	assert_string_equal(buf.data, "new");
	buf_free(&buf);
}

static void what_is_used_up_goes_from_the_front(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf);
	buf_consume(&buf, 3);
	buf_add_text(&buf, "abcdef");
	buf_consume(&buf, 0);
	buf_consume(&buf, 2);
	assert_string_equal(buf.data, "cdef");
	assert_int_equal(buf.len, 4);
	buf_consume(&buf, 99);
	assert_string_equal(buf.data, "");
	buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_follow_each_other_and_end_with_nul),
		cmocka_unit_test(a_buffer_grows),
		cmocka_unit_test(formatted_text_of_any_length_fits),
		cmocka_unit_test(reserved_room_is_for_the_caller_to_fill),
		cmocka_unit_test(failure_sticks_until_clear),
		cmocka_unit_test(what_is_used_up_goes_from_the_front),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
