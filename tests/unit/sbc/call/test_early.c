/* Early dialogs of a callee's side that forks: each is the caller's own, one becomes the call.
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

static const char other_sdp[] =
	"v=0\r\no=q 7 7 IN IP4 10.0.0.20\r\ns=x\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
	"m=audio 31000 RTP/AVP 8\r\n";

static const char *tag_of(const char *reply)
{
	return strstr(bench_header(reply, "To"), ";tag=") + 5;
}

static void finish(struct talk *talk, const char *ok)
{
	bench_learn(talk, ok);
	bench_ack(&bench, talk, 1, NULL);
	bench_hang_up(&bench, talk, 9);
}

static void each_fork_is_a_dialog_of_its_own(void **state)
{
	struct talk talk;
	char first[64], second[64];
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "one", pbx_sdp);
	snprintf(first, sizeof(first), "%s", tag_of(bench_next(&bench, PHONE, "SIP/2.0 183 ")));
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "two", other_sdp);
	snprintf(second, sizeof(second), "%s", tag_of(bench_next(&bench, PHONE, "SIP/2.0 183 ")));
	assert_string_not_equal(first, second);
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "one", NULL);
	const char *ringing = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	assert_string_equal(tag_of(ringing), first);
	assert_null(strstr(ringing, "m=audio"));
	bench_reply(&bench, PBX, talk.invite, "200 OK", "two", other_sdp);
	assert_non_null(strstr(bench_next(&bench, PBX, "ACK "), "tag=two\r\n"));
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(tag_of(ok), second);
	assert_string_equal(bench.relay_log, "offer answer answer ");
	finish(&talk, ok);
}

/* The relay has the answer of another fork than the one that wins. */
static void the_relay_hears_who_won(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "one", pbx_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "two", other_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "one", NULL);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "m=audio"));
	assert_string_equal(bench.relay_log, "offer answer answer answer ");
	finish(&talk, ok);
}

static void an_answer_may_change_between_183_and_200(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "b", pbx_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", other_sdp);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench.relay_log, "offer answer answer ");
	const struct call *call = calls_next(bench.calls, NULL);
	assert_true(slice_equal(call->session.agreed[CALLEE].received, slice_from(other_sdp)));
	finish(&talk, ok);
}

/* The 200 without SDP: the answer is the one of the 183. */
static void an_answer_given_early_is_given_again(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "b", pbx_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 183 ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "m=audio"));
	assert_string_equal(bench.relay_log, "offer answer ");
	finish(&talk, ok);
}

static void an_early_dialog_that_ended_is_told(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "Supported: 199\r\n", phone_sdp);
	assert_non_null(strstr(bench_header(talk.invite, "Supported"), "199"));
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "one", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "two", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_reply(&bench, PBX, talk.invite, "199 Gone", "one", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 199 ");
	const struct call *call = calls_next(bench.calls, NULL);
	assert_non_null(call->early);
	assert_null(call->early->next);
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "two", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
}

static void more_forks_than_there_is_room_for_are_not_shown(void **state)
{
	struct talk talk;
	char tag[16];
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	for (unsigned i = 0; i < EARLY_MAX + 3; i++) {
		snprintf(tag, sizeof(tag), "fork%u", i);
		bench_reply(&bench, PBX, talk.invite, "180 Ringing", tag, NULL);
		if (i < EARLY_MAX)
			bench_next(&bench, PHONE, "SIP/2.0 180 ");
		bench_nothing(&bench);
	}
	/* But whoever answers has answered. */
	bench_reply(&bench, PBX, talk.invite, "200 OK", "last", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	finish(&talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
}

static void a_bye_ends_one_of_several_early_dialogs(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "one", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "two", NULL);
	bench_learn(&talk, bench_next(&bench, PHONE, "SIP/2.0 180 "));
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	const char *bye = bench_next(&bench, PBX, "BYE ");
	assert_non_null(strstr(bye, "tag=two\r\n"));
	bench_reply(&bench, PBX, bye, "200 OK", "two", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "one", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	finish(&talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
}

/* Each early dialog has its own route set, and its own target. */
static void each_early_dialog_has_its_own_way(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply_with(&bench, PBX, talk.invite, "180 Ringing", "one",
			 "Record-Route: <sip:p2@10.0.0.20;lr>, <sip:p1@10.0.0.20;lr>\r\n", NULL);
	bench_learn(&talk, bench_next(&bench, PHONE, "SIP/2.0 180 "));
	bench_reply_with(&bench, PBX, talk.invite, "180 Ringing", "two",
			 "Record-Route: <sip:p3@10.0.0.20;lr>\r\n", NULL);
	const char *second = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	assert_null(strstr(second, "Record-Route"));
	bench_inside(&bench, &talk, PHONE, "INFO", 2, "", NULL);
	const char *info = bench_next(&bench, PBX, "INFO sip:x@10.0.0.20 ");
	const char *p1 = strstr(info, "Route: <sip:p1@"), *p2 = strstr(info, "Route: <sip:p2@");
	assert_true(p1 && p2 && p1 < p2);
	bench_reply(&bench, PBX, info, "200 OK", "one", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "x", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_fork_is_a_dialog_of_its_own),
		TEST(the_relay_hears_who_won),
		TEST(an_answer_may_change_between_183_and_200),
		TEST(an_answer_given_early_is_given_again),
		TEST(an_early_dialog_that_ended_is_told),
		TEST(more_forks_than_there_is_room_for_are_not_shown),
		TEST(a_bye_ends_one_of_several_early_dialogs),
		TEST(each_early_dialog_has_its_own_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
