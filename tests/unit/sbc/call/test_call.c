/* The life of calls: set up, held, ended, in every way the founding report had trouble with.
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

static void neither_side_sees_the_other(void **state)
{
	static const char *const phones[] = {"192.168.7.10", "192.0.2.7", "203.0.113.10", "call-a",
					     "tag=a\r",      "secret",    "z9hG4bKinvite"};
	static const char *const pbxs[] = {"10.0.0.20", "10.0.0.1", "secret", "tag=b\r"};
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	bench_hang_up(&bench, &talk, 2);
	for (unsigned i = 0; i < bench.sent; i++) {
		bool to_pbx = bench.paths[i].interface == PBX;
		size_t count = to_pbx ? sizeof(phones) / sizeof(phones[0])
				      : sizeof(pbxs) / sizeof(pbxs[0]);
		for (size_t k = 0; k < count; k++)
			if (strstr(bench.texts[i], to_pbx ? phones[k] : pbxs[k]))
				fail_msg("%s in\n%s", to_pbx ? phones[k] : pbxs[k], bench.texts[i]);
	}
	assert_non_null(strstr(talk.invite, "\r\nMax-Forwards: 69\r\n"));
	assert_string_equal(bench.relay_log, "offer answer delete ");
	assert_int_equal(bench.store.puts, 1);
	assert_int_equal(bench.store.deletes, 1);
}

static void a_request_inside_goes_to_where_the_phone_really_is(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	const char *contact = bench_header(talk.invite, "Contact");
	bench_receive(
		&bench, PBX,
		"BYE %.*s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.20;branch=z9hG4bKb\r\n"
		"Max-Forwards: 70\r\nFrom: %s;tag=b\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 9 BYE\r\n"
		"Content-Length: 0\r\n\r\n",
		(int)strcspn(contact + 1, ">"), contact + 1, bench_header(talk.invite, "To"),
		bench_header(talk.invite, "From"), bench_header(talk.invite, "Call-ID"));
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	const char *bye = bench_next(&bench, PHONE, "BYE sip:alice@192.168.7.10 SIP/2.0");
	assert_true(addr_equal(&bench.paths[bench.sent - 1].remote, &bench.servers[PHONE].addr));
	bench_reply(&bench, PHONE, bye, "200 OK", "a", NULL);
}

static void an_answer_waits_for_the_store_but_not_for_long(void **state)
{
	struct talk talk;
	(void)state;

	bench.store.holds = true;
	bench_invite(&bench, phone_sdp);
	talk.invite = bench_next(&bench, PBX, "INVITE ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_advance(&bench, 19);
	bench_nothing(&bench);
	bench_advance(&bench, 1);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_int_equal(counter_get(&bench.calls->counters.unprotected), 1);
	snprintf(talk.to, sizeof(talk.to), "%s", bench_header(ok, "To"));
	snprintf(talk.target, sizeof(talk.target), "sip:x@203.0.113.10");
	bench_ack(&bench, &talk, 1, NULL);
	bench_hang_up(&bench, &talk, 2);
}

static void an_answer_is_repeated_until_its_ack_and_then_given_up(void **state)
{
	(void)state;
	bench_invite(&bench, phone_sdp);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_advance(&bench, 499);
	bench_nothing(&bench);
	bench_advance(&bench, 1);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_advance(&bench, 1000);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_advance(&bench, 30499); /* 64*T1 in all */
	for (int i = 0; i < 8; i++)
		bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_nothing(&bench);
	bench_advance(&bench, 1);
	const char *bye = bench_next(&bench, PHONE, "BYE ");
	bench_reply(&bench, PHONE, bye, "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_int_equal(counter_get(&bench.calls->counters.no_ack), 1);
}

static void a_late_offer_is_answered_in_the_ack(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite(&bench, NULL);
	talk.invite = bench_next(&bench, PBX, "INVITE ");
	bench_next(&bench, PHONE, "SIP/2.0 100 ");
	assert_non_null(strstr(talk.invite, "Content-Length: 0\r\n"));
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "c=IN IP4 203.0.113.10\r\n"));
	bench_nothing(&bench); /* its ACK needs the answer */
	snprintf(talk.to, sizeof(talk.to), "%s", bench_header(ok, "To"));
	snprintf(talk.target, sizeof(talk.target), "sip:x@203.0.113.10");
	bench_ack(&bench, &talk, 1, phone_sdp);
	assert_non_null(strstr(bench_next(&bench, PBX, "ACK "), "c=IN IP4 10.0.0.1\r\n"));
	assert_string_equal(bench.relay_log, "offer answer ");
	bench_hang_up(&bench, &talk, 2);
}

static void a_cancel_that_crosses_the_answer_ends_it(void **state)
{
	(void)state;
	bench_invite(&bench, phone_sdp);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	bench_reply(&bench, PBX, invite, "180 Ringing", "b", NULL);
	const char *ringing = bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_receive(&bench, PHONE,
		      "CANCEL sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKinvite;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: call-a\r\nCSeq: 1 CANCEL\r\n"
		      "Content-Length: 0\r\n\r\n");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_next(&bench, PHONE, "SIP/2.0 487 ");
	const char *cancel = bench_next(&bench, PBX, "CANCEL ");
	(void)ringing;
	bench_reply(&bench, PBX, invite, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_reply(&bench, PBX, cancel, "200 OK", "b", NULL);
	assert_string_equal(bench.relay_log, "offer delete ");
	assert_int_equal(bench.store.puts, 0);
}

static void the_second_answer_of_a_fork_is_ended(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	bench_reply(&bench, PBX, talk.invite, "200 OK", "other", pbx_sdp);
	assert_non_null(strstr(bench_next(&bench, PBX, "ACK "), "tag=other\r\n"));
	const char *bye = bench_next(&bench, PBX, "BYE ");
	assert_non_null(strstr(bye, "tag=other\r\n"));
	bench_reply(&bench, PBX, bye, "200 OK", "other", NULL);
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp); /* our ACK was lost */
	assert_non_null(strstr(bench_next(&bench, PBX, "ACK "), "tag=b\r\n"));
	bench_nothing(&bench);
	bench_hang_up(&bench, &talk, 2);
}

/* Somebody reflects an answer to an INVITE we never sent. */
static void a_strangers_answer_is_met_with_silence(void **state)
{
	(void)state;
	bench_receive(&bench, PHONE,
		      "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKforged\r\n"
		      "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\n"
		      "CSeq: 1 INVITE\r\nContact: <sip:victim@198.51.100.1>\r\n"
		      "Content-Length: 0\r\n\r\n");
	bench_nothing(&bench);
}

static void reinvite(const struct talk *talk, uint32_t cseq)
{
	bench_receive(
		&bench, PHONE,
		"INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKre%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\nTo: %s\r\n"
		"Call-ID: call-a\r\nCSeq: %u INVITE\r\nContact: <sip:alice@192.168.7.10>\r\n"
		"Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		talk->target, cseq, talk->to, cseq, strlen(phone_sdp), phone_sdp);
}

static void a_refused_reinvite_leaves_the_session_as_it_was(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	reinvite(&talk, 2);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "488 No", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 488 ");
	assert_string_equal(bench.relay_log, "offer answer offer offer answer ");
	bench_nothing(&bench);
	assert_int_equal(bench.store.puts, 1);
	bench_hang_up(&bench, &talk, 3);
}

static void an_accepted_reinvite_is_recorded(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	reinvite(&talk, 2);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_ack(&bench, &talk, 2, NULL);
	assert_int_equal(bench.store.puts, 2);
	bench_hang_up(&bench, &talk, 3);
}

static void a_dialog_lost_on_one_side_ends_on_the_other(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	reinvite(&talk, 2);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "481 No", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_nothing(&bench); /* the PBX has nothing to end */
}

/* Timer C (RFC 3261 16.6): what it ends is a 408 for the caller, though the callee says 487. */
static void ringing_for_ever_is_no_answer(void **state)
{
	struct talk talk;
	(void)state;

	bench_invite_with(&bench, &talk, "", phone_sdp);
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_advance(&bench, 100000);
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_advance(&bench, 180000);
	bench_nothing(&bench);
	bench_advance(&bench, 1000);
	const char *cancel = bench_next(&bench, PBX, "CANCEL ");
	bench_reply(&bench, PBX, cancel, "200 OK", "b", NULL);
	bench_reply(&bench, PBX, talk.invite, "487 Terminated", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 408 ");
}

static void nobody_answers(void **state)
{
	(void)state;
	bench_invite(&bench, phone_sdp);
	for (int i = 0; i < 7; i++) {
		bench_next(&bench, PBX, "INVITE ");
		bench_advance(&bench, 500u << i);
	}
	bench_next(&bench, PHONE, "SIP/2.0 408 ");
}

static void a_full_relay_is_told_as_503(void **state)
{
	(void)state;
	bench.relay_refuses = "Ran out of ports";
	bench_invite(&bench, phone_sdp);
	assert_non_null(strstr(bench_next(&bench, PHONE, "SIP/2.0 503 "), "Retry-After: "));
	bench_nothing(&bench);
}

static void an_sdp_the_relay_refuses_is_told_as_488(void **state)
{
	(void)state;
	bench.relay_refuses = "Failed to parse SDP";
	bench_invite(&bench, phone_sdp);
	bench_next(&bench, PHONE, "SIP/2.0 488 ");
	bench_nothing(&bench);
}

static void a_call_without_media_is_ended_on_both_sides(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	bench.relay_refuses = "Unknown call-id"; /* at its next question */
	bench_advance(&bench, 25000);
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_int_equal(counter_get(&bench.calls->counters.media_timeouts), 1);
}

static unsigned asked(const char *command)
{
	unsigned count = 0;
	for (const char *at = bench.relay_log; (at = strstr(at, command)); at++)
		count++;
	return count;
}

static void a_call_goes_on_after_its_relay_was_restarted_but_not_for_ever(void **state)
{
	struct talk talk;
	(void)state;

	bench.relay_instance = "first";
	bench.peers[PHONE].media.idle_timeout_ms = 60000;
	bench.peers[PBX].media.idle_timeout_ms = 90000;
	bench_talk(&bench, &talk);
	bench_advance(&bench, 100000);
	assert_int_equal(asked("query"), 0); /* it would tell */
	bench.relay_instance = "second";
	bench.relay_refuses = "Failed to parse SDP"; /* it does not take the call again */
	bench_advance(&bench, 6000);
	assert_int_equal(asked("offer"), 2);
	assert_int_equal(counter_get(&media_counters(bench.calls->media)->restarts), 1);
	bench_advance(&bench, 54000);
	assert_int_equal(asked("query"), 0);
	bench_nothing(&bench);
	bench.relay_refuses = "Unknown call-id";
	bench_advance(&bench, 10000);
	assert_int_equal(asked("query"), 1);
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_int_equal(counter_get(&bench.calls->counters.media_timeouts), 1);
}

static void a_call_that_has_media_again_stays(void **state)
{
	struct talk talk;
	(void)state;

	bench.relay_instance = "first";
	bench.peers[PHONE].media.idle_timeout_ms = 60000;
	bench_talk(&bench, &talk);
	bench_advance(&bench, 6000);
	bench.relay_instance = "second";
	bench_advance(&bench, 300000); /* the relay is told what it had, and takes it */
	assert_int_equal(asked("offer"), 2);
	assert_int_equal(asked("answer"), 2);
	bench_nothing(&bench); /* at the same addresses */
	bench_hang_up(&bench, &talk, 2);
}

static void a_relay_lost_in_a_reinvite_is_offered_it_again(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	reinvite(&talk, 2);
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	bench.relay_refuses = "Unknown call-id";
	bench_reply(&bench, PBX, invite, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_ack(&bench, &talk, 2, NULL);
	assert_non_null(strstr(bench.relay_log, "offer answer offer answer offer answer "));
	bench_hang_up(&bench, &talk, 3);
}

static void a_call_on_hold_keeps_its_time(void **state)
{
	struct talk talk;
	(void)state;

	bench.relay_instance = "first";
	bench.peers[PHONE].media.idle_timeout_ms = 60000;
	bench_talk(&bench, &talk);
	struct call *call = calls_next(bench.calls, NULL);
	free((void *)(uintptr_t)call->session.agreed[CALLER].received.data);
	char held[300];
	snprintf(held, sizeof(held), "%sa=inactive\r\n", phone_sdp);
	call->session.agreed[CALLER].received = slice_from(slice_dup(slice_from(held)));
	bench_advance(&bench, 6000);
	bench.relay_instance = "second";
	bench.relay_refuses = "Failed to parse SDP";
	bench_advance(&bench, 3500000);
	assert_int_equal(asked("query"), 0);
	bench_hang_up(&bench, &talk, 2);
}

/* A successor must never use a number again that we have used. */
static void the_record_is_ahead_of_the_numbers_in_use(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	const struct call *call = calls_next(bench.calls, NULL);
	for (uint32_t i = 2; i < 252; i++) {
		bench.sent = bench.seen = 0;
		bench_receive(
			&bench, PHONE,
			"INFO %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKi%u\r\n"
			"Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\nTo: %s\r\n"
			"Call-ID: call-a\r\nCSeq: %u INFO\r\nContent-Length: 0\r\n\r\n",
			talk.target, i, talk.to, i);
		bench_reply(&bench, PBX, bench_next(&bench, PBX, "INFO "), "200 OK", "b", NULL);
		bench_next(&bench, PHONE, "SIP/2.0 200 ");
		assert_true(call->legs[CALLEE].dialog.local_cseq < call->reserved_cseq[CALLEE]);
	}
	assert_int_equal(bench.store.puts, 3);
	bench_hang_up(&bench, &talk, 252);
}

static void records_are_written_again_a_few_at_a_time(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	const struct call *call = calls_next(bench.calls, NULL);
	assert_true(call->is_protected);
	bench.store.holds = true;
	bench.store.store.on_return(bench.store.store.on_return_owner, false);
	assert_true(call->is_protected);
	bench.store.store.on_return(bench.store.store.on_return_owner, true);
	assert_false(call->is_protected); /* nobody knows what the server has kept */
	assert_int_equal(bench.store.puts, 1);
	bench_advance(&bench, 2);
	assert_int_equal(bench.store.puts, 2);
	assert_false(call->is_protected);
	bench.store.done(bench.store.owner, bench.store.handle, &(struct store_reply){0});
	assert_true(call->is_protected);
	bench_advance(&bench, 25000); /* the timer of its media's checks is the same */
	assert_int_equal(bench.store.puts, 2);
	assert_int_equal(asked("query"), 2);
	bench_hang_up(&bench, &talk, 2);
}

static void stopping_ends_every_call(void **state)
{
	struct talk talk;
	(void)state;

	bench_talk(&bench, &talk);
	calls_stop(bench.calls);
	assert_false(bench.is_empty);
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_advance(&bench, 1);
	assert_true(bench.is_empty);
}

/* What is wrong with a stranger's INVITE is not told either: it would say that somebody is here. */
static void a_stranger_is_not_told_what_is_wrong_with_his_invite(void **state)
{
	static const char *const faults[] = {
		"sip:1000@example.net SIP/2.0\r\nMax-Forwards: 70",
		"sip:1000@example.net SIP/2.0\r\nMax-Forwards: 0",
		"sips:1000@example.net SIP/2.0\r\nMax-Forwards: 70",
		"sip:1000@example.net SIP/2.0\r\nMax-Forwards: 70\r\nRequire: x",
	};
	struct addr known = bench.servers[PHONE].addr;
	(void)state;

	for (unsigned i = 0; i < 8; i++) {
		if (i == 4)
			assert_int_equal(addr_parse(SLICE("198.51.100.66"), 5060,
						    &bench.servers[PHONE].addr),
					 0);
		if (i == 0) /* a known one's, and in order: not of this test */
			continue;
		bench_receive(&bench, PHONE,
			      "INVITE %s\r\nVia: SIP/2.0/UDP 198.51.100.66;branch=z9hG4bK%u\r\n"
			      "From: <sip:m@example.net>;tag=m\r\nTo: <sip:1000@example.net>\r\n"
			      "Call-ID: m%u\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
			      faults[i % 4], i, i);
		bench_nothing(&bench);
	}
	bench.servers[PHONE].addr = known;
	assert_int_equal(counter_get(&bench.calls->counters.too_many_hops), 1);
	assert_int_equal(counter_get(&bench.calls->counters.unknown_caller), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(neither_side_sees_the_other),
		TEST(a_request_inside_goes_to_where_the_phone_really_is),
		TEST(an_answer_waits_for_the_store_but_not_for_long),
		TEST(an_answer_is_repeated_until_its_ack_and_then_given_up),
		TEST(a_late_offer_is_answered_in_the_ack),
		TEST(a_cancel_that_crosses_the_answer_ends_it),
		TEST(the_second_answer_of_a_fork_is_ended),
		TEST(a_strangers_answer_is_met_with_silence),
		TEST(a_refused_reinvite_leaves_the_session_as_it_was),
		TEST(an_accepted_reinvite_is_recorded),
		TEST(a_relay_lost_in_a_reinvite_is_offered_it_again),
		TEST(a_dialog_lost_on_one_side_ends_on_the_other),
		TEST(ringing_for_ever_is_no_answer),
		TEST(nobody_answers),
		TEST(a_full_relay_is_told_as_503),
		TEST(an_sdp_the_relay_refuses_is_told_as_488),
		TEST(a_call_without_media_is_ended_on_both_sides),
		TEST(a_call_goes_on_after_its_relay_was_restarted_but_not_for_ever),
		TEST(a_call_that_has_media_again_stays),
		TEST(a_call_on_hold_keeps_its_time),
		TEST(the_record_is_ahead_of_the_numbers_in_use),
		TEST(records_are_written_again_a_few_at_a_time),
		TEST(stopping_ends_every_call),
		TEST(a_stranger_is_not_told_what_is_wrong_with_his_invite),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
