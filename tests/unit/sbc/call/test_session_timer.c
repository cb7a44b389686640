/* Session timers (RFC 4028) on each leg by itself, and calls that last.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"

static struct bench bench;

static int close_bench(void **state)
{
	(void)state;
	bench_close(&bench);
	return 0;
}

static const char timer[] = "Supported: timer\r\n";

static void talk_with(struct talk *talk, const char *phone, const char *pbx)
{
	bench_invite_with(&bench, talk, phone, phone_sdp);
	bench_reply_with(&bench, PBX, talk->invite, "200 OK", "b", pbx, pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_learn(talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
	bench_ack(&bench, talk, 1, NULL);
	bench_nothing(&bench);
}

/* The relay is one that tells: no queries between. */
static int open_timed(void **state)
{
	(void)state;
	bench_open(&bench);
	bench.relay_instance = "one";
	bench.peers[PHONE].dialog.session_timer_ms = 1800000;
	bench.peers[PBX].dialog.session_timer_ms = 600000;
	return 0;
}

static void both_expire(void)
{
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_int_equal(counter_get(&bench.calls->counters.expired), 1);
}

static void each_leg_has_its_own(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, timer, phone_sdp);
	assert_string_equal(bench_header(talk.invite, "Session-Expires"), "600");
	bench_reply_with(&bench, PBX, talk.invite, "200 OK", "b",
			 "Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench_header(ok, "Session-Expires"), "1800;refresher=uac");
	assert_string_equal(bench_header(ok, "Require"), "timer");
	bench_learn(&talk, ok);
	bench_ack(&bench, &talk, 1, NULL);
	for (int i = 0; i < 3; i++) {
		bench_advance(&bench, 300000);
		const char *update = bench_next(&bench, PBX, "UPDATE ");
		assert_string_equal(bench_header(update, "Session-Expires"), "600;refresher=uac");
		assert_null(strstr(update, "m=audio"));
		bench_reply_with(&bench, PBX, update, "200 OK", "b",
				 "Session-Expires: 600;refresher=uac\r\n", NULL);
		bench_nothing(&bench);
	}
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2,
		     "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_hang_up(&bench, &talk, 3);
}

static void a_peer_without_update_is_refreshed_by_reinvite(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, "", "Session-Expires: 600;refresher=uac\r\n");
	bench_advance(&bench, 300000);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	assert_non_null(strstr(invite, "m=audio"));
	/* An INVITE of the other side meets it. */
	bench_inside(&bench, &talk, PHONE, "INVITE", 2, "", phone_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 491 ");
	bench_inside(&bench, &talk, PHONE, "ACK", 2, "", NULL);
	bench_reply_with(&bench, PBX, invite, "200 OK", "b",
			 "Session-Expires: 600;refresher=uac\r\n", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_reply(&bench, PBX, invite, "200 OK", "b", pbx_sdp); /* the ACK was lost */
	bench_next(&bench, PBX, "ACK ");
	bench_nothing(&bench);
	assert_string_equal(bench.relay_log, "offer answer ");
	bench_hang_up(&bench, &talk, 3);
}

static void an_answer_changed_by_a_refresh_reaches_the_relay(void **state)
{
	static const char moved[] =
		"v=0\r\no=p 1 2 IN IP4 10.0.0.20\r\ns=x\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
		"m=audio 30010 RTP/AVP 8\r\n";
	struct talk talk;
	(void)state;

	talk_with(&talk, "", "Session-Expires: 600;refresher=uac\r\n");
	bench_advance(&bench, 300000);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	bench_reply_with(&bench, PBX, invite, "200 OK", "b",
			 "Session-Expires: 600;refresher=uac\r\n", moved);
	bench_next(&bench, PBX, "ACK ");
	bench_advance(&bench, 10);
	assert_string_equal(bench.relay_log, "offer answer offer answer ");
	bench_hang_up(&bench, &talk, 3);
}

static void the_peers_refresh_keeps_the_call(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, timer, "");
	bench_advance(&bench, 1700000);
	bench_inside(&bench, &talk, PHONE, "INVITE", 2,
		     "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", phone_sdp);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench_header(ok, "Session-Expires"), "1800;refresher=uac");
	bench_ack(&bench, &talk, 2, NULL);
	bench_advance(&bench, 1767000);
	bench_nothing(&bench);
	bench_advance(&bench, 1000); /* 32 s before the end */
	both_expire();
}

static void a_call_that_is_not_refreshed_ends(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, "", "Require: timer\r\nSession-Expires: 90;refresher=uas\r\n");
	bench_advance(&bench, 59000);
	bench_nothing(&bench);
	bench_advance(&bench, 1000);
	both_expire();
}

static void a_refresh_nobody_answers_ends_the_call(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, "", "Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
	bench_advance(&bench, 45000);
	const char *update = bench_next(&bench, PBX, "UPDATE ");
	bench_reply(&bench, PBX, update, "481 No", "b", NULL);
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_nothing(&bench);
}

static void a_refresh_that_crosses_is_sent_again(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, "", "Allow: UPDATE\r\nSession-Expires: 600;refresher=uac\r\n");
	bench_advance(&bench, 300000);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "UPDATE "), "491 Pending", "b", NULL);
	bench_advance(&bench, 2000);
	bench_nothing(&bench);
	for (int i = 0; i < 20 && bench.sent == bench.seen; i++)
		bench_advance(&bench, 100);
	const char *update = bench_next(&bench, PBX, "UPDATE ");
	/* Then it turns out not to know UPDATE after all. */
	bench_reply(&bench, PBX, update, "405 No", "b", NULL);
	bench_advance(&bench, 2);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	bench_reply_with(&bench, PBX, invite, "200 OK", "b",
			 "Session-Expires: 600;refresher=uac\r\n", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_hang_up(&bench, &talk, 2);
}

static void an_interval_too_short_is_told(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, timer, "");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2,
		     "Supported: timer\r\nSession-Expires: 60\r\n", NULL);
	const char *small = bench_next(&bench, PHONE, "SIP/2.0 422 ");
	assert_string_equal(bench_header(small, "Min-SE"), "90");
	bench_hang_up(&bench, &talk, 3);
}

static void a_422_is_met_with_what_it_asks_for(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply_with(&bench, PBX, talk.invite, "422 Small", "b", "Min-SE: 1200\r\n", NULL);
	bench_next(&bench, PBX, "ACK ");
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	assert_string_equal(bench_header(invite, "Session-Expires"), "1200");
	assert_string_equal(bench_header(invite, "Min-SE"), "1200");
	assert_string_equal(bench_header(invite, "CSeq"), "2 INVITE");
	bench_reply_with(&bench, PBX, invite, "422 Small", "b", "Min-SE: 1200\r\n", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 422 ");
}

/* Nothing is said for ten hours: the record is renewed, and the BYE finds its way. */
static void a_call_of_ten_hours_keeps_its_record(void **state)
{
	struct talk talk;
	(void)state;

	bench.peers[PHONE].dialog.session_timer_ms = 0;
	bench.peers[PBX].dialog.session_timer_ms = 0;
	talk_with(&talk, "", "");
	bench_advance(&bench, 36000000);
	bench_nothing(&bench);
	assert_true(bench.store.puts >= 9 && bench.store.puts <= 12);
	assert_int_equal(bench.store.deletes, 0);
	bench_hang_up(&bench, &talk, 2);
	assert_int_equal(bench.store.deletes, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_timed, close_bench)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_leg_has_its_own),
		TEST(a_peer_without_update_is_refreshed_by_reinvite),
		TEST(an_answer_changed_by_a_refresh_reaches_the_relay),
		TEST(the_peers_refresh_keeps_the_call),
		TEST(a_call_that_is_not_refreshed_ends),
		TEST(a_refresh_nobody_answers_ends_the_call),
		TEST(a_refresh_that_crosses_is_sent_again),
		TEST(an_interval_too_short_is_told),
		TEST(a_422_is_met_with_what_it_asks_for),
		TEST(a_call_of_ten_hours_keeps_its_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
