/* test_control.c - commands on calls in progress: block, silence, play.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define EVENTS "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"

/* lan 10.0.0.20:4000 ("a", labelled "caller") calls wan 198.51.100.7:5000 ("b"); our ports are
 * 20000 and 30000. */
static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	bench_start(b);
	*state = b;
	const char *offer =
		"v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8 101\r\n" EVENTS;
	const char *answer =
		"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
		"m=audio 5000 RTP/AVP 8 101\r\n" EVENTS;
	bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "label", "caller", "sdp", offer,
		  "direction[]", "lan,wan", NULL);
	bench_ask(b, "answer", "call-id", "c", "from-tag", "a", "to-tag", "b", "sdp", answer, NULL);
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static const struct flow_alter *caller(struct bench *b)
{
	return &fake_flow_at(&b->datapath, LAN, 20000)->rule.alter;
}

static const struct flow_alter *callee(struct bench *b)
{
	return &fake_flow_at(&b->datapath, WAN, 30000)->rule.alter;
}

static void ok(const struct ng_value *reply)
{
	if (*bench_text(reply, "error-reason"))
		fail_msg("%s", bench_text(reply, "error-reason"));
	assert_string_equal(bench_text(reply, "result"), "ok");
}

static void refused(const struct ng_value *reply, const char *reason)
{
	assert_string_equal(bench_text(reply, "error-reason"), reason);
}

static void the_whole_call_is_blocked_and_let_go(void **state)
{
	struct bench *b = *state;

	/* A from-tag alone is what Kamailio sends with everything. */
	ok(bench_ask(b, "block media", "call-id", "c", "from-tag", "a", NULL));
	assert_int_equal(caller(b)->media, FLOW_MEDIA_BLOCK);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_BLOCK);
	assert_int_equal(caller(b)->event_types[0], 101);
	ok(bench_ask(b, "unblock media", "call-id", "c", NULL));
	assert_int_equal(caller(b)->media, FLOW_MEDIA_PASS);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
}

static void one_participant_is_meant_by_tag_label_or_address(void **state)
{
	static const char *const rows[][4] = {
		{"from-tag", "a", "flags[]", "directional"},
		{"label", "caller", NULL, NULL},
		{"address", "10.0.0.20", NULL, NULL},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++) {
		ok(bench_ask(b, "silence media", "call-id", "c", rows[i][0], rows[i][1], rows[i][2],
			     rows[i][3], NULL));
		assert_int_equal(caller(b)->media, FLOW_MEDIA_SILENCE);
		assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
		ok(bench_ask(b, "unsilence media", "call-id", "c", rows[i][0], rows[i][1],
			     rows[i][2], rows[i][3], NULL));
		assert_int_equal(caller(b)->media, FLOW_MEDIA_PASS);
	}
	refused(bench_ask(b, "block DTMF", "call-id", "c", "label", "nobody", NULL),
		"no such participant in this call");
	refused(bench_ask(b, "block DTMF", "call-id", "c", "address", "x", NULL),
		"address: \"x\" is no IP address");
	refused(bench_ask(b, "block DTMF", "call-id", "d", NULL), "Unknown call-id");
	refused(bench_ask(b, "block DTMF", NULL), "No call-id in message");
}

static void what_one_is_denied_outlives_the_calls_own(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "block DTMF", "call-id", "c", "label", "caller", NULL));
	ok(bench_ask(b, "block DTMF", "call-id", "c", NULL));
	assert_true(callee(b)->blocks_events);
	ok(bench_ask(b, "unblock DTMF", "call-id", "c", NULL));
	assert_true(caller(b)->blocks_events);
	assert_false(callee(b)->blocks_events);
	ok(bench_ask(b, "unblock DTMF", "call-id", "c", "flags[]", "all", NULL));
	assert_false(caller(b)->blocks_events);
}

static void a_reinvite_keeps_the_block(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "block media", "call-id", "c", NULL));
	bench_offer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 4000, ""), "");
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	assert_int_equal(caller(b)->media, FLOW_MEDIA_BLOCK);
}

static void report_played(struct bench *b, uint32_t id)
{
	b->datapath.events[0] =
		(struct datapath_event){.type = DATAPATH_PLAYED,
					.flow = fake_flow_at(&b->datapath, LAN, 20000)->id,
					.play = id};
	b->datapath.event_count = 1;
	sessions_events(b->sessions);
}

static void digits_are_played_one_after_the_other(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", "1#", "duration",
		     "200", "volume", "-9", NULL));
	assert_int_equal(callee(b)->play.id, 0);
	struct flow_play first = caller(b)->play;
	assert_int_not_equal(first.id, 0);
	assert_int_equal(first.type, 101);
	assert_int_equal(first.event, 1);
	assert_int_equal(first.volume, 9);
	assert_int_equal(first.duration, 1600);
	report_played(b, first.id + 1); /* not ours */
	assert_int_equal(caller(b)->play.id, first.id);
	report_played(b, first.id);
	assert_int_equal(caller(b)->play.id, 0);
	bench_advance(b, 110); /* the pause */
	assert_int_equal(caller(b)->play.event, 11);
	assert_int_not_equal(caller(b)->play.id, first.id);
	report_played(b, caller(b)->play.id);
	bench_advance(b, 110);
	assert_int_equal(caller(b)->play.id, 0);
}

static void bad_digits_are_refused(void **state)
{
	static const char *const codes[] = {"", "x", "1x", "16"};
	static const char reason[] = "code: 0 to 15, or 1 to 32 characters of 0-9*#A-D";
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++)
		refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", codes[i],
				  NULL),
			reason);
	refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", NULL), reason);
	refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "z", "code", "1", NULL),
		"no participant with telephone-event in its audio");
	for (unsigned i = 0; i < 32; i++)
		ok(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", "5", NULL));
	refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", "5", NULL),
		"too many events are waiting already");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_whole_call_is_blocked_and_let_go),
		TEST(one_participant_is_meant_by_tag_label_or_address),
		TEST(what_one_is_denied_outlives_the_calls_own),
		TEST(a_reinvite_keeps_the_block),
		TEST(digits_are_played_one_after_the_other),
		TEST(bad_digits_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
