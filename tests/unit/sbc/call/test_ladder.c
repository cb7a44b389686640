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

static uint32_t cseq_at(const struct ladder *ladder, uint32_t index)
{
	struct ladder_event event;

	assert_true(ladder_at(ladder, index, &event));
	assert_int_equal(event.at_ms, 1000 + event.cseq);
	return event.cseq;
}

static void it_keeps_the_first_and_the_newest(void **state)
{
	struct ladder ladder = {0};
	struct ladder_event event;
	(void)state;

	for (uint32_t i = 0; i < 100; i++) {
		struct ladder_message message = {.cseq = i, .method = SLICE("INFO")};
		ladder_add(&ladder, 1000 + i, &message);
	}
	assert_int_equal(ladder_count(&ladder), LADDER_EVENTS);
	assert_int_equal(ladder_lost(&ladder), 100 - LADDER_EVENTS);
	assert_int_equal(cseq_at(&ladder, 0), 0);
	uint32_t last = 0;
	for (uint32_t i = 1; i < LADDER_EVENTS; i++) {
		assert_true(cseq_at(&ladder, i) > last);
		last = cseq_at(&ladder, i);
	}
	assert_int_equal(last, 99);
	assert_false(ladder_at(&ladder, LADDER_EVENTS, &event));
}

static void it_says_what_was_said(void **state)
{
	static const struct {
		struct ladder_message message;
		const char *text;
	} cases[] = {
		{{.method = {"INVITE", 6}, .has_sdp = true}, "INVITE sdp"},
		{{.method = {"FANCY", 5}, .leg = 1}, "another request"},
		{{.code = 480, .sent = true}, "480 Temporarily Unavailable"},
		{{.code = 200, .has_sdp = true}, "200 OK sdp"},
	};
	struct ladder ladder = {0};
	struct ladder_event event;
	(void)state;

	for (uint32_t i = 0; i < 4; i++) {
		ladder_add(&ladder, 5, &cases[i].message);
		assert_true(ladder_at(&ladder, i, &event));
		assert_string_equal(event.text, cases[i].text);
		assert_int_equal(event.code, cases[i].message.code);
		assert_int_equal(event.leg, cases[i].message.leg);
		assert_int_equal(event.sent, cases[i].message.sent);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_keeps_the_first_and_the_newest),
		cmocka_unit_test(it_says_what_was_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
