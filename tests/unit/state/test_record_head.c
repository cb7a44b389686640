/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct record_head sample = {
	.node = 0x0102, .epoch = 0x1122334455667788, .worker = 3, .state = 2};

static void its_bytes_stay_as_they_are(void **state)
{
	static const uint8_t golden[] = {0xcb, 1,    1,    2,    0x11, 0x22, 0x33,
					 0x44, 0x55, 0x66, 0x77, 0x88, 3,    2};
	struct buf out;
	(void)state;

	buf_init(&out);
	record_head_write(&sample, &out);
	assert_int_equal(out.len, RECORD_HEAD_SIZE);
	assert_memory_equal(out.data, golden, sizeof(golden));
	buf_free(&out);
}

static void what_is_written_is_read(void **state)
{
	struct record_head head;
	struct slice body;
	struct buf out;
	(void)state;

	buf_init(&out);
	record_head_write(&sample, &out);
	buf_add(&out, SLICE("body"));
	assert_int_equal(record_head_split(buf_slice(&out), &head, &body), 0);
	assert_true(slice_equal(body, SLICE("body")));
	assert_int_equal(head.node, sample.node);
	assert_int_equal(head.epoch, sample.epoch);
	assert_int_equal(head.worker, sample.worker);
	assert_int_equal(head.state, sample.state);
	record_head_take(out.data, 7, sample.epoch + 1);
	assert_int_equal(record_head_read(buf_slice(&out), &head), 0);
	assert_int_equal(head.node, 7);
	assert_int_equal(head.epoch, sample.epoch + 1);
	assert_int_equal(head.worker, sample.worker);
	for (size_t len = 0; len < RECORD_HEAD_SIZE; len++)
		assert_int_equal(record_head_read(slice_sub(buf_slice(&out), 0, len), &head),
				 -ERR_MALFORMED);
	out.data[1] = 9;
	assert_int_equal(record_head_read(buf_slice(&out), &head), -ERR_VERSION);
	assert_int_equal(record_head_split(buf_slice(&out), &head, &body), -ERR_VERSION);
	buf_free(&out);
}

static void a_record_without_head_is_nobodys(void **state)
{
	struct record_head head = sample;
	struct slice body;
	(void)state;

	assert_int_equal(record_head_read(SLICE("PCR\1 of the version before"), &head),
			 -ERR_MALFORMED);
	assert_int_equal(record_head_split(SLICE("PCR\1 before"), &head, &body), 0);
	assert_int_equal(head.node, 0);
	assert_int_equal(head.epoch, 0);
	assert_true(slice_equal(body, SLICE("PCR\1 before")));
}

static void the_later_owner_wins(void **state)
{
	const struct record_head mine = {.node = 1, .epoch = 5}, other = {.node = 2, .epoch = 5},
				 later = {.node = 2, .epoch = 6};
	(void)state;

	assert_true(record_head_may_replace(&mine, &mine));
	assert_false(record_head_may_replace(&other, &mine));
	assert_false(record_head_may_replace(&later, &mine));
	assert_true(record_head_may_replace(&mine, &later));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_bytes_stay_as_they_are),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_record_without_head_is_nobodys),
		cmocka_unit_test(the_later_owner_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
