/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void it_keeps_the_first_and_the_newest(void **state)
{
	struct ladder ladder = {0};
	(void)state;

	for (uint32_t i = 0; i < 100; i++) {
		struct ladder_message message = {.cseq = i, .text = SLICE("INFO")};
		ladder_add(&ladder, 1000 + i, &message);
	}
	assert_int_equal(ladder_count(&ladder), LADDER_EVENTS);
	assert_int_equal(ladder_lost(&ladder), 100 - LADDER_EVENTS);
	assert_int_equal(ladder_at(&ladder, 0)->cseq, 0);
	uint32_t last = 0;
	for (uint32_t i = 1; i < LADDER_EVENTS; i++) {
		assert_true(ladder_at(&ladder, i)->cseq > last);
		last = ladder_at(&ladder, i)->cseq;
	}
	assert_int_equal(last, 99);
	assert_null(ladder_at(&ladder, LADDER_EVENTS));
}

static void a_long_reason_is_cut(void **state)
{
	struct ladder ladder = {0};
	struct ladder_message message = {
		.code = 480,
		.has_sdp = true,
		.text = SLICE("A reason phrase that is a good deal longer than anybody reads")};
	(void)state;

	ladder_add(&ladder, 1, &message);
	assert_int_equal(ladder_at(&ladder, 0)->code, 480);
	assert_true(strlen(ladder_at(&ladder, 0)->text) < LADDER_TEXT);
	assert_non_null(strstr(ladder_at(&ladder, 0)->text, " sdp"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_keeps_the_first_and_the_newest),
		cmocka_unit_test(a_long_reason_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
