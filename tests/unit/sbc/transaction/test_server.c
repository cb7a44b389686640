/* Server transactions: RFC 3261 17.2, RFC 6026. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transaction/bench.h"

static void invite_gets_100_at_once(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_string_equal(b->heard, "request INVITE;");
	assert_int_equal(b->sent, 1);
	assert_int_equal(strncmp(bench_last(b), "SIP/2.0 100 Trying\r\n", 20), 0);
	assert_non_null(strstr(bench_last(b), ";received=192.0.2.1;rport=5060"));
	assert_null(strstr(bench_last(b), "tag=ours"));
}

static const char *inside(void)
{
	static char text[2048];
	const char *invite = bench_request("INVITE", "1"),
		   *to = strstr(strstr(invite, "\r\nTo:") + 4, "\r\n");

	snprintf(text, sizeof(text), "%.*s;tag=ours%s", (int)(to - invite), invite, to);
	return text;
}

static void invite_in_a_dialog_gets_100_late_or_never(void **state)
{
	struct bench *b = *state;
	bench_receive(b, inside());
	bench_advance(b, 199);
	assert_int_equal(b->sent, 0);
	bench_advance(b, 1);
	assert_int_equal(bench_count(b, "SIP/2.0 100"), 1);
	bench_advance(b, 1000);
	assert_int_equal(b->sent, 1);
}

static void answered_soon_there_is_no_100(void **state)
{
	struct bench *b = *state;
	bench_receive(b, inside());
	assert_int_equal(bench_reply(b, 180), 0);
	bench_advance(b, 1000);
	assert_int_equal(bench_reply(b, 200), 0);
	bench_advance(b, 1000);
	assert_int_equal(b->sent, 2);
}

static void answer_inside_the_handler_replaces_100(void **state)
{
	struct bench *b = *state;
	b->reply_at_once = 404;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(b->sent, 1);
	assert_int_equal(strncmp(bench_last(b), "SIP/2.0 404", 11), 0);
}

static void invite_retransmission_repeats_the_last_reply(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(bench_reply(b, 180), 0);
	assert_non_null(strstr(bench_last(b), "To: <sip:bob@192.0.2.100>;tag=ours\r\n"));
	bench_forget(b);
	bench_receive(b, bench_request("INVITE", "1"));
	assert_string_equal(b->heard, "");
	assert_int_equal(bench_count(b, "SIP/2.0 180"), 1);
}

static void failure_is_repeated_until_ack(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(bench_reply(b, 486), 0);
	bench_forget(b);
	bench_advance(b, 500); /* timer G: T1, 2 T1, ... T2 */
	assert_int_equal(b->sent, 1);
	bench_advance(b, 999);
	assert_int_equal(b->sent, 1);
	bench_advance(b, 1);
	assert_int_equal(b->sent, 2);
	bench_receive(b, bench_request("ACK", "1"));
	bench_advance(b, 4999);
	assert_int_equal(b->sent, 2);
	assert_string_equal(b->heard, "");
	bench_receive(b, bench_request("INVITE", "1")); /* timer I: absorbed */
	assert_int_equal(b->sent, 2);
	bench_advance(b, 2);
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->live), 0);
}

static void failure_without_ack_is_told(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(bench_reply(b, 486), 0);
	bench_forget(b);
	for (int i = 0; i < 330; i++)
		bench_advance(b, 100);
	assert_string_equal(b->heard, "server-failure timed out;");
	/* 0.5 1.5 3.5 7.5 11.5 15.5 19.5 23.5 27.5 31.5 */
	assert_int_equal(b->sent, 10);
	assert_int_equal(bench_reply(b, 200), -ERR_NOT_FOUND);
}

static void success_absorbs_invite_and_passes_ack(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(bench_reply(b, 200), 0);
	assert_int_equal(bench_reply(b, 486), -ERR_INVALID);
	bench_forget(b);
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(b->sent, 0);
	assert_int_equal(transaction_repeat(b->transactions, b->request), 0);
	assert_int_equal(bench_count(b, "SIP/2.0 200"), 1);
	bench_receive(b, bench_request("ACK", "2"));
	assert_string_equal(b->heard, "request ACK;");
	assert_int_equal(b->request.id, 0);
	bench_receive(b, bench_request("ACK", "1")); /* of an RFC 2543 client */
	assert_string_equal(b->heard, "request ACK;request ACK;");
	bench_advance(b, 32000); /* timer L */
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->live), 0);
}

static void other_requests_are_answered_again_for_32_s(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("OPTIONS", "1"));
	bench_receive(b, bench_request("OPTIONS", "1"));
	assert_string_equal(b->heard, "request OPTIONS;");
	assert_int_equal(b->sent, 0);
	assert_int_equal(bench_reply(b, 200), 0);
	assert_int_equal(bench_reply(b, 200), -ERR_NOT_FOUND);
	bench_advance(b, 31999);
	bench_receive(b, bench_request("OPTIONS", "1"));
	assert_int_equal(bench_count(b, "SIP/2.0 200"), 2);
	assert_string_equal(b->texts[0], b->texts[1]);
	bench_advance(b, 1); /* timer J */
	bench_receive(b, bench_request("OPTIONS", "1"));
	assert_string_equal(b->heard, "request OPTIONS;request OPTIONS;");
}

static void nothing_lingers_over_tcp(void **state)
{
	struct bench *b = *state;
	struct transport_path path = bench_path(SIP_TCP);
	bench_receive_path(b, bench_request("OPTIONS", "1"), &path);
	assert_int_equal(bench_reply(b, 200), 0);
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->live), 0);
	assert_int_equal(b->paths[0].connection, 77);
}

static void request_nobody_answers_does_not_stay(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("OPTIONS", "1"));
	bench_advance(b, 32000);
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->live), 0);
}

static void cancel_is_answered_and_told(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	struct transaction_handle invite = b->request;
	assert_int_equal(bench_reply(b, 180), 0);
	bench_forget(b);
	bench_receive(b, bench_request("CANCEL", "1"));
	assert_string_equal(b->heard, "cancel INVITE;");
	assert_int_equal(b->cancelled.id, invite.id);
	assert_int_equal(bench_count(b, "SIP/2.0 200"), 1);
	assert_non_null(strstr(bench_last(b), "CSeq: 7 CANCEL"));
	assert_non_null(strstr(bench_last(b), "tag=ours")); /* RFC 3261 9.2 */
	bench_receive(b, bench_request("CANCEL", "1"));
	assert_string_equal(b->heard, "cancel INVITE;");
	assert_int_equal(bench_count(b, "SIP/2.0 200"), 2);
	assert_int_equal(bench_reply(b, 487), 0);
	assert_int_equal(bench_count(b, "SIP/2.0 487"), 1);
}

static void cancel_after_the_answer_changes_nothing(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("INVITE", "1"));
	assert_int_equal(bench_reply(b, 200), 0);
	bench_forget(b);
	bench_receive(b, bench_request("CANCEL", "1"));
	assert_string_equal(b->heard, "");
	assert_int_equal(bench_count(b, "SIP/2.0 200"), 1);
}

static void cancel_of_nothing_gets_481(void **state)
{
	struct bench *b = *state;
	bench_receive(b, bench_request("CANCEL", "1"));
	assert_string_equal(b->heard, "");
	assert_int_equal(bench_count(b, "SIP/2.0 481"), 1);
	/* Nothing is kept: a flood of them must not fill the table. */
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->live), 0);
}

static void cancel_of_somebody_else_changes_nothing(void **state)
{
	struct bench *b = *state;
	struct transport_path stranger = bench_path(SIP_UDP), rebound = stranger;

	bench_receive(b, bench_request("INVITE", "1"));
	bench_forget(b);
	assert_int_equal(addr_parse(SLICE("198.51.100.66:5060"), 0, &stranger.remote), 0);
	bench_receive_path(b, bench_request("CANCEL", "1"), &stranger);
	stranger = bench_path(SIP_UDP);
	stranger.interface = 1;
	bench_receive_path(b, bench_request("CANCEL", "1"), &stranger);
	assert_string_equal(b->heard, "");
	assert_int_equal(bench_count(b, "SIP/2.0 481"), 2);
	rebound.remote.port = 40000; /* the same host from another port */
	bench_receive_path(b, bench_request("CANCEL", "1"), &rebound);
	assert_string_equal(b->heard, "cancel INVITE;");
}

static const char *old_invite(const char *call_id)
{
	static char text[512];
	snprintf(text, sizeof(text),
		 "INVITE sip:bob@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n"
		 "From: <sip:alice@192.0.2.1>\r\nTo: <sip:bob@192.0.2.100>\r\nCall-ID: %s\r\n"
		 "CSeq: 1 INVITE\r\n\r\n",
		 call_id);
	return text;
}

static void rfc_2543_requests_match_without_branch(void **state)
{
	struct bench *b = *state;
	bench_receive(b, old_invite("x"));
	bench_receive(b, old_invite("x"));
	assert_string_equal(b->heard, "request INVITE;");
	bench_receive(b, old_invite("y"));
	assert_string_equal(b->heard, "request INVITE;request INVITE;");
}

static void full_table_refuses_with_503(void **state)
{
	struct bench *b = *state;
	char branch[16];
	for (int i = 0; i < 101; i++) {
		snprintf(branch, sizeof(branch), "%d", i);
		bench_forget(b);
		bench_receive(b, bench_request("OPTIONS", branch));
	}
	assert_string_equal(b->heard, "");
	assert_int_equal(bench_count(b, "SIP/2.0 503"), 1);
	assert_non_null(strstr(bench_last(b), "Retry-After: "));
}

static void lost_connection_ends_a_waiting_invite(void **state)
{
	struct bench *b = *state;
	struct transport_path path = bench_path(SIP_TCP);
	bench_receive_path(b, bench_request("INVITE", "1"), &path);
	bench_forget(b);
	assert_int_equal(bench_reply(b, 486), 0);
	transactions_transport_error(b->transactions, b->tokens[0], -ERR_CLOSED);
	assert_string_equal(b->heard, "server-failure closed;");
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->live), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(invite_gets_100_at_once),
		T(invite_in_a_dialog_gets_100_late_or_never),
		T(answered_soon_there_is_no_100),
		T(answer_inside_the_handler_replaces_100),
		T(invite_retransmission_repeats_the_last_reply),
		T(failure_is_repeated_until_ack),
		T(failure_without_ack_is_told),
		T(success_absorbs_invite_and_passes_ack),
		T(other_requests_are_answered_again_for_32_s),
		T(nothing_lingers_over_tcp),
		T(request_nobody_answers_does_not_stay),
		T(cancel_is_answered_and_told),
		T(cancel_after_the_answer_changes_nothing),
		T(cancel_of_nothing_gets_481),
		T(cancel_of_somebody_else_changes_nothing),
		T(rfc_2543_requests_match_without_branch),
		T(full_table_refuses_with_503),
		T(lost_connection_ends_a_waiting_invite),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
