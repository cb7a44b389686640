/* UPDATE and offer/answer (RFC 3311, 3264): both ways, early and late, crossing, refused, wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"

static struct bench bench;

static int open_bench(void **state)
{
	(void)state;
	bench_open(&bench);
	return 0;
}

static int close_bench(void **state)
{
	(void)state;
	bench_close(&bench);
	return 0;
}

static const char allow_update[] = "Allow: INVITE, ACK, BYE, UPDATE\r\n";
static const char two_media[] =
	"v=0\r\no=p 1 2 IN IP4 10.0.0.20\r\ns=x\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
	"m=audio 30000 RTP/AVP 8\r\nm=video 30002 RTP/AVP 31\r\n";

/* A call whose sides both know UPDATE, or only the phone. */
static void talk_with(struct talk *talk, const char *phone, const char *pbx)
{
	bench_invite_with(&bench, talk, phone, phone_sdp);
	bench_reply_with(&bench, PBX, talk->invite, "200 OK", "b", pbx, pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_learn(talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
	bench_ack(&bench, talk, 1, NULL);
	bench_nothing(&bench);
}

static const struct session *session(void)
{
	return &calls_next(bench.calls, NULL)->session;
}

static void an_update_passes_both_ways(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, allow_update);
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	const char *update = bench_next(&bench, PBX, "UPDATE ");
	assert_non_null(strstr(update, "c=IN IP4 10.0.0.1\r\n"));
	assert_non_null(strstr(update, "\r\nContact: "));
	bench_reply(&bench, PBX, update, "200 OK", "b", pbx_sdp);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "c=IN IP4 203.0.113.10\r\n"));
	assert_int_equal(bench.store.puts, 2);
	bench_inside(&bench, &talk, PBX, "UPDATE", 1, "", pbx_sdp);
	update = bench_next(&bench, PHONE, "UPDATE ");
	bench_reply(&bench, PHONE, update, "200 OK", "a", phone_sdp);
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	assert_false(session()->is_open);
	assert_string_equal(bench.relay_log, "offer answer offer answer offer answer ");
	bench_hang_up(&bench, &talk, 3);
}

static void a_refused_update_leaves_the_session_as_it_was(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, allow_update);
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "UPDATE "), "488 No", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 488 ");
	assert_string_equal(bench.relay_log, "offer answer offer offer answer ");
	assert_false(session()->is_open);
	assert_int_equal(bench.store.puts, 1);
	bench_hang_up(&bench, &talk, 3);
}

static void an_update_becomes_a_reinvite_where_it_is_not_known(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, "");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	bench_reply(&bench, PBX, invite, "180 Ringing", "b", NULL);
	bench_nothing(&bench);
	bench_reply(&bench, PBX, invite, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "2 UPDATE\r\n"));
	assert_non_null(strstr(ok, "m=audio"));
	assert_int_equal(calls_next(bench.calls, NULL)->exchange.state, EXCHANGE_NONE);
	/* Refused, it is refused. */
	bench_inside(&bench, &talk, PHONE, "UPDATE", 3, "", phone_sdp);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "488 No", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	assert_non_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 488 "), "3 UPDATE\r\n"));
	bench_hang_up(&bench, &talk, 4);
}

static void an_update_that_waits_too_long_is_given_up(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, "");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	bench_reply(&bench, PBX, invite, "100 Trying", "b", NULL);
	bench_advance(&bench, 20000);
	bench_next(&bench, PHONE, "SIP/2.0 504 ");
	const char *cancel = bench_next(&bench, PBX, "CANCEL ");
	bench_reply(&bench, PBX, cancel, "200 OK", "b", NULL);
	bench_reply(&bench, PBX, invite, "487 Terminated", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	assert_string_equal(bench.relay_log, "offer answer offer offer answer ");
	bench_hang_up(&bench, &talk, 3);
}

static void an_update_without_sdp_is_answered_where_it_need_not_pass(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, allow_update);
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2,
		     "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", NULL);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench_header(ok, "Session-Expires"), "1800;refresher=uac");
	bench_nothing(&bench);
	bench_inside(&bench, &talk, PHONE, "UPDATE", 3, "Subject: x\r\n", NULL);
	const char *update = bench_next(&bench, PBX, "UPDATE ");
	assert_string_equal(bench_header(update, "Subject"), "x");
	bench_reply(&bench, PBX, update, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_hang_up(&bench, &talk, 4);
}

static void a_new_contact_is_the_target_from_then_on(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, "", allow_update);
	bench_receive(&bench, PBX,
		      "UPDATE sip:x@10.0.0.1 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 10.0.0.20;branch=z9hG4bKt\r\n"
		      "From: %s;tag=b\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 5 UPDATE\r\n"
		      "Contact: sip:10.0.0.20:5070;x=y\r\nContent-Length: 0\r\n\r\n",
		      bench_header(talk.invite, "To"), bench_header(talk.invite, "From"),
		      bench_header(talk.invite, "Call-ID"));
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE sip:10.0.0.20:5070 "), "200 OK", "b",
		    NULL);
}

static void an_early_update_goes_both_ways(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "Supported: 100rel\r\nAllow: UPDATE\r\n", phone_sdp);
	bench_reply_with(&bench, PBX, talk.invite, "183 Progress", "b",
			 "Require: 100rel\r\nRSeq: 1\r\nAllow: INVITE, UPDATE\r\n", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	char rack[80];
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", bench_header(progress, "RSeq"));
	assert_non_null(strstr(bench_header(progress, "Allow"), "UPDATE"));
	bench_learn(&talk, progress);
	bench_inside(&bench, &talk, PHONE, "PRACK", 2, rack, NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "PRACK "), "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 3, "", phone_sdp);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "UPDATE "), "200 OK", "b", pbx_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_inside(&bench, &talk, PBX, "UPDATE", 1, "", pbx_sdp);
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "UPDATE "), "200 OK", "a", phone_sdp);
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	assert_string_equal(bench.relay_log, "offer answer offer answer offer answer ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_ack(&bench, &talk, 1, NULL);
	bench_hang_up(&bench, &talk, 4);
}

/* The callee relies on its answer, the caller does not have it reliably yet. */
static void an_early_offer_before_the_answer_is_put_off(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, allow_update, phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "b", NULL);
	const char *ringing = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	assert_null(strstr(bench_header(ringing, "Allow"), "UPDATE"));
	bench_learn(&talk, ringing);
	bench_inside(&bench, &talk, PBX, "UPDATE", 1, "", pbx_sdp);
	bench_next(&bench, PBX, "SIP/2.0 491 ");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	assert_non_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 500 "), "Retry-After: "));
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
}

static void offers_that_cross_are_refused(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, allow_update);
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	const char *update = bench_next(&bench, PBX, "UPDATE ");
	bench_inside(&bench, &talk, PBX, "UPDATE", 1, "", pbx_sdp);
	bench_next(&bench, PBX, "SIP/2.0 491 ");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 3, "", phone_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 500 ");
	bench_inside(&bench, &talk, PBX, "INVITE", 2, "", pbx_sdp);
	bench_next(&bench, PBX, "SIP/2.0 491 ");
	bench_inside(&bench, &talk, PBX, "ACK", 2, "", NULL);
	bench_reply(&bench, PBX, update, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_int_equal(counter_get(&bench.calls->counters.glare), 2);
	/* And then they pass. */
	bench_inside(&bench, &talk, PBX, "UPDATE", 3, "", pbx_sdp);
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "UPDATE "), "200 OK", "a", phone_sdp);
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	bench_hang_up(&bench, &talk, 4);
}

static void a_wrong_answer_ends_both_sides(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, allow_update, allow_update);
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "UPDATE "), "200 OK", "b", two_media);
	bench_next(&bench, PHONE, "SIP/2.0 488 ");
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_string_equal(bench.relay_log, "offer answer offer delete ");
}

static void a_wrong_answer_is_no_call(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "b", two_media);
	assert_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 183 "), "m=")); /* rings on */
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", two_media);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 488 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_string_equal(bench.relay_log, "offer delete ");
	assert_int_equal(counter_get(&bench.calls->counters.wrong_answers), 2);
}

static void a_wrong_answer_in_an_ack_ends_both_sides(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", NULL);
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp);
	bench_learn(&talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
	bench_ack(&bench, &talk, 1, two_media);
	bench_next(&bench, PBX, "ACK ");
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
}

static void other_requests_pass_whatever_they_are(void **state)
{
	static const char *const methods[] = {"INFO", "MESSAGE", "OPTIONS", "FANCY"};
	struct talk talk;
	char line[32];
	(void)state;

	talk_with(&talk, "", "");
	for (uint32_t i = 0; i < 4; i++) {
		bench_inside(&bench, &talk, PHONE, methods[i], i + 2, "Subject: s\r\n", NULL);
		snprintf(line, sizeof(line), "%s ", methods[i]);
		const char *passed = bench_next(&bench, PBX, line);
		assert_string_equal(bench_header(passed, "Subject"), "s");
		bench_reply(&bench, PBX, passed, "200 OK", "b", NULL);
		bench_next(&bench, PHONE, "SIP/2.0 200 ");
		bench_inside(&bench, &talk, PBX, methods[i], i + 2, "", NULL);
		passed = bench_next(&bench, PHONE, line);
		bench_reply(&bench, PHONE, passed, "405 No", "a", NULL);
		bench_next(&bench, PBX, "SIP/2.0 405 ");
	}
	bench_inside(&bench, &talk, PHONE, "INFO", 9, "", phone_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 415 ");
	bench_hang_up(&bench, &talk, 10);
}

static void a_dialog_the_other_side_does_not_know_is_over(void **state)
{
	struct talk talk;
	(void)state;

	talk_with(&talk, "", "");
	bench_inside(&bench, &talk, PHONE, "INFO", 2, "", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INFO "), "481 No", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_update_passes_both_ways),
		TEST(a_refused_update_leaves_the_session_as_it_was),
		TEST(an_update_becomes_a_reinvite_where_it_is_not_known),
		TEST(an_update_that_waits_too_long_is_given_up),
		TEST(an_update_without_sdp_is_answered_where_it_need_not_pass),
		TEST(a_new_contact_is_the_target_from_then_on),
		TEST(an_early_update_goes_both_ways),
		TEST(an_early_offer_before_the_answer_is_put_off),
		TEST(offers_that_cross_are_refused),
		TEST(a_wrong_answer_ends_both_sides),
		TEST(a_wrong_answer_is_no_call),
		TEST(a_wrong_answer_in_an_ack_ends_both_sides),
		TEST(other_requests_pass_whatever_they_are),
		TEST(a_dialog_the_other_side_does_not_know_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
