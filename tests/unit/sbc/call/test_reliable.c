/* Reliable provisional replies and PRACK (RFC 3262): passed on, interworked, lost.
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

#define RELIABLE "Require: 100rel\r\nRSeq: %u\r\n"

static const char supported[] = "Supported: 100rel\r\n";

static void ring_reliably(const struct talk *talk, const char *status, uint32_t rseq,
			  const char *tag, const char *sdp)
{
	char lines[80];

	snprintf(lines, sizeof(lines), RELIABLE, rseq);
	bench_reply_with(&bench, PBX, talk->invite, status, tag, lines, sdp);
}

static void prack(const struct talk *talk, uint32_t cseq, const char *ringing, const char *sdp)
{
	char rack[80];

	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", bench_header(ringing, "RSeq"));
	bench_inside(&bench, talk, PHONE, "PRACK", cseq, rack, sdp);
}

static void answer(struct talk *talk, uint32_t cseq, const char *sdp, bool is_shown)
{
	bench_reply(&bench, PBX, talk->invite, "200 OK", talk->far_tag, sdp);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_int_equal(strstr(ok, "m=audio") != NULL, is_shown);
	bench_learn(talk, ok);
	bench_ack(&bench, talk, 1, NULL);
	bench_hang_up(&bench, talk, cseq);
}

static void a_prack_goes_on_when_both_sides_have_it(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, phone_sdp);
	assert_non_null(strstr(bench_header(talk.invite, "Supported"), "100rel"));
	ring_reliably(&talk, "183 Progress", 700, "b", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	assert_string_equal(bench_header(progress, "Require"), "100rel");
	bench_learn(&talk, progress);
	prack(&talk, 2, progress, NULL);
	const char *passed = bench_next(&bench, PBX, "PRACK ");
	assert_string_equal(bench_header(passed, "RAck"), "700 1 INVITE");
	bench_reply(&bench, PBX, passed, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_nothing(&bench);
	/* The answer has been given: the 200 needs none. */
	answer(&talk, 3, NULL, false);
	assert_string_equal(bench.relay_log, "offer answer delete ");
}

static void we_prack_for_a_caller_that_cannot(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	ring_reliably(&talk, "183 Progress", 5, "b", pbx_sdp);
	const char *prack = bench_next(&bench, PBX, "PRACK ");
	assert_string_equal(bench_header(prack, "RAck"), "5 1 INVITE");
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	assert_null(strstr(progress, "100rel"));
	bench_reply(&bench, PBX, prack, "200 OK", "b", NULL);
	ring_reliably(&talk, "183 Progress", 5, "b", pbx_sdp); /* repeated */
	ring_reliably(&talk, "183 Progress", 8, "b", pbx_sdp); /* 6 and 7 are missing */
	bench_nothing(&bench);
	ring_reliably(&talk, "180 Ringing", 6, "b", NULL);
	prack = bench_next(&bench, PBX, "PRACK ");
	assert_string_equal(bench_header(prack, "RAck"), "6 1 INVITE");
	bench_reply(&bench, PBX, prack, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	/* Over there the answer was given; here it has not been, reliably. */
	answer(&talk, 2, NULL, true);
}

static void a_caller_that_requires_it_gets_it_from_us(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "Require: 100rel\r\n", phone_sdp);
	assert_null(strstr(talk.invite, "Require:"));
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "b", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_learn(&talk, progress);
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_nothing(&bench); /* RFC 3262 3: no 2xx before the PRACK of an answer */
	bench_advance(&bench, 500);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_advance(&bench, 1000);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	prack(&talk, 2, progress, NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "INVITE"));
	bench_learn(&talk, ok);
	bench_ack(&bench, &talk, 1, NULL);
	bench_hang_up(&bench, &talk, 3);
}

static void a_provisional_without_prack_ends_the_call(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "Require: 100rel\r\n", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "b", NULL);
	for (int i = 0; i < 6; i++) {
		bench_next(&bench, PHONE, "SIP/2.0 180 ");
		bench_advance(&bench, 500u << i);
	}
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_advance(&bench, 500); /* 64*T1 in all */
	bench_next(&bench, PHONE, "SIP/2.0 504 ");
	const char *cancel = bench_next(&bench, PBX, "CANCEL ");
	bench_reply(&bench, PBX, cancel, "200 OK", "b", NULL);
	bench_reply(&bench, PBX, talk.invite, "487 Terminated", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	assert_int_equal(counter_get(&bench.calls->counters.no_prack), 1);
}

/* 183 and 180 of one reliable callee: the second waits for the PRACK of the first. */
static void provisionals_go_one_at_a_time(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, phone_sdp);
	ring_reliably(&talk, "183 Progress", 1, "b", pbx_sdp);
	const char *first = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_learn(&talk, first);
	ring_reliably(&talk, "180 Ringing", 2, "b", NULL);
	bench_nothing(&bench);
	prack(&talk, 2, first, NULL);
	const char *passed = bench_next(&bench, PBX, "PRACK ");
	const char *second = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	assert_int_equal(atoi(bench_header(second, "RSeq")), atoi(bench_header(first, "RSeq")) + 1);
	bench_reply(&bench, PBX, passed, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	prack(&talk, 3, second, NULL);
	passed = bench_next(&bench, PBX, "PRACK ");
	assert_string_equal(bench_header(passed, "RAck"), "2 1 INVITE");
	bench_reply(&bench, PBX, passed, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	answer(&talk, 4, NULL, false);
}

/* The callee's tag changes between the 183 and the 180: another dialog, PRACKed there. */
static void a_prack_follows_a_changed_tag(void **state)
{
	struct talk talk, second;
	(void)state;

	bench_invite_with(&bench, &talk, supported, phone_sdp);
	second = talk;
	ring_reliably(&talk, "183 Progress", 1, "one", pbx_sdp);
	const char *first = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_learn(&talk, first);
	prack(&talk, 2, first, NULL);
	const char *passed = bench_next(&bench, PBX, "PRACK ");
	assert_non_null(strstr(passed, "tag=one\r\n"));
	bench_reply(&bench, PBX, passed, "200 OK", "one", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	ring_reliably(&talk, "180 Ringing", 900, "two", NULL);
	const char *ringing = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_learn(&second, ringing);
	prack(&talk, 3, ringing, NULL); /* in the wrong dialog */
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	prack(&second, 5, ringing, NULL);
	passed = bench_next(&bench, PBX, "PRACK ");
	assert_non_null(strstr(passed, "tag=two\r\n"));
	assert_string_equal(bench_header(passed, "RAck"), "900 1 INVITE");
	bench_reply(&bench, PBX, passed, "200 OK", "two", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	second.far_tag = "two";
	answer(&second, 6, pbx_sdp, true);
}

/* One fork's provisional has no PRACK when another one answers: nobody waits for it. */
static void another_forks_answer_does_not_wait(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, phone_sdp);
	ring_reliably(&talk, "183 Progress", 1, "one", pbx_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	talk.far_tag = "two";
	answer(&talk, 2, pbx_sdp, true);
	assert_string_equal(bench.relay_log, "offer answer answer delete ");
}

/* Nothing of the callee is known yet. */
static void a_request_before_any_dialog_is_refused(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	const struct call *call = calls_next(bench.calls, NULL);
	snprintf(talk.to, sizeof(talk.to), "<sip:1000@example.net>;tag=%.*s",
		 SLICE_ARG(call->legs[CALLER].dialog.local_tag));
	snprintf(talk.target, sizeof(talk.target), "sip:x@203.0.113.10");
	bench_inside(&bench, &talk, PHONE, "UPDATE", 2, "", phone_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	bench_inside(&bench, &talk, PHONE, "INFO", 3, "", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	bench_inside(&bench, &talk, PHONE, "BYE", 4, "", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_next(&bench, PHONE, "SIP/2.0 487 ");
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
}

static void a_prack_may_come_after_the_200(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, phone_sdp);
	ring_reliably(&talk, "180 Ringing", 3, "b", NULL);
	const char *ringing = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_learn(&talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
	prack(&talk, 2, ringing, NULL);
	const char *passed = bench_next(&bench, PBX, "PRACK ");
	assert_string_equal(bench_header(passed, "RAck"), "3 1 INVITE");
	bench_reply(&bench, PBX, passed, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_ack(&bench, &talk, 1, NULL);
	prack(&talk, 3, ringing, NULL); /* once is enough */
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	bench_hang_up(&bench, &talk, 4);
}

static void an_offer_in_a_provisional_is_answered_in_the_prack(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, NULL);
	ring_reliably(&talk, "183 Progress", 1, "b", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	assert_non_null(strstr(progress, "c=IN IP4 203.0.113.10\r\n"));
	bench_learn(&talk, progress);
	prack(&talk, 2, progress, phone_sdp);
	const char *passed = bench_next(&bench, PBX, "PRACK ");
	assert_non_null(strstr(passed, "c=IN IP4 10.0.0.1\r\n"));
	bench_reply(&bench, PBX, passed, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench.relay_log, "offer answer ");
	answer(&talk, 3, NULL, false);
	assert_string_equal(bench.relay_log, "offer answer delete ");
}

static void a_late_offer_is_not_made_where_it_cannot_be_answered(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", NULL);
	assert_null(strstr(talk.invite, "100rel"));
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
}

static void a_wrong_answer_in_a_prack_ends_the_call(void **state)
{
	static const char wrong[] =
		"v=0\r\no=a 1 1 IN IP4 192.168.7.10\r\ns=x\r\nc=IN IP4 192.168.7.10\r\nt=0 0\r\n"
		"m=audio 20000 RTP/AVP 8\r\nm=video 20002 RTP/AVP 31\r\n";
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, NULL);
	ring_reliably(&talk, "183 Progress", 1, "b", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_learn(&talk, progress);
	prack(&talk, 2, progress, wrong);
	assert_non_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 488 "), "PRACK"));
	assert_non_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 488 "), "INVITE"));
	const char *cancel = bench_next(&bench, PBX, "CANCEL ");
	bench_reply(&bench, PBX, cancel, "200 OK", "b", NULL);
	bench_reply(&bench, PBX, talk.invite, "487 Terminated", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	assert_int_equal(counter_get(&bench.calls->counters.wrong_answers), 1);
}

static void an_offer_in_a_prack_goes_on(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, supported, phone_sdp);
	ring_reliably(&talk, "183 Progress", 1, "b", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_learn(&talk, progress);
	prack(&talk, 2, progress, phone_sdp);
	const char *passed = bench_next(&bench, PBX, "PRACK ");
	assert_non_null(strstr(passed, "m=audio"));
	bench_reply(&bench, PBX, passed, "200 OK", "b", pbx_sdp);
	assert_non_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 200 "), "m=audio"));
	assert_string_equal(bench.relay_log, "offer answer offer answer ");
	answer(&talk, 3, NULL, false);
}

/* Only the caller has PRACK: its offer goes on as an UPDATE. */
static void an_offer_in_a_prack_for_us_goes_on_as_an_update(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "Require: 100rel\r\n", phone_sdp);
	bench_reply_with(&bench, PBX, talk.invite, "183 Progress", "b", "Allow: INVITE, UPDATE\r\n",
			 pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_learn(&talk, progress);
	prack(&talk, 2, progress, phone_sdp);
	const char *update = bench_next(&bench, PBX, "UPDATE ");
	bench_reply(&bench, PBX, update, "200 OK", "b", pbx_sdp);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "2 PRACK\r\n"));
	assert_non_null(strstr(ok, "m=audio"));
	answer(&talk, 3, NULL, false);
}

static void policy_decides(void **state)
{
	struct talk talk;
	(void)state;

	bench.peers[PBX].dialog.reliable = CONFIG_RELIABLE_REQUIRE;
	bench_invite_with(&bench, &talk, "", phone_sdp);
	assert_string_equal(bench_header(talk.invite, "Require"), "100rel");
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
}

static void policy_refuses(void **state)
{
	struct talk talk;
	(void)state;

	bench.peers[PBX].dialog.reliable = CONFIG_RELIABLE_NEVER;
	bench_invite_with(&bench, &talk, supported, phone_sdp);
	assert_null(strstr(talk.invite, "100rel"));
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_prack_goes_on_when_both_sides_have_it),
		TEST(we_prack_for_a_caller_that_cannot),
		TEST(a_caller_that_requires_it_gets_it_from_us),
		TEST(a_provisional_without_prack_ends_the_call),
		TEST(provisionals_go_one_at_a_time),
		TEST(a_prack_follows_a_changed_tag),
		TEST(another_forks_answer_does_not_wait),
		TEST(a_request_before_any_dialog_is_refused),
		TEST(a_prack_may_come_after_the_200),
		TEST(an_offer_in_a_provisional_is_answered_in_the_prack),
		TEST(a_late_offer_is_not_made_where_it_cannot_be_answered),
		TEST(a_wrong_answer_in_a_prack_ends_the_call),
		TEST(an_offer_in_a_prack_goes_on),
		TEST(an_offer_in_a_prack_for_us_goes_on_as_an_update),
		TEST(policy_decides),
		TEST(policy_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
