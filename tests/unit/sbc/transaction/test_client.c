/* Client transactions: RFC 3261 17.1, RFC 6026. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transaction/bench.h"

static size_t live(const struct bench *b)
{
	return counter_get(&transactions_counters(b->transactions)->live);
}

static void invite_is_retransmitted_with_doubling_intervals(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_UDP);
	assert_int_equal(b->sent, 1);
	assert_non_null(strstr(bench_last(b), "INVITE sip:bob@192.0.2.1 SIP/2.0\r\n"
					      "Via: SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bK"));
	bench_advance(b, 500);
	assert_int_equal(b->sent, 2);
	bench_advance(b, 1000);
	assert_int_equal(b->sent, 3);
	bench_advance(b, 1999);
	assert_int_equal(b->sent, 3);
	bench_advance(b, 1);
	assert_int_equal(b->sent, 4);
	bench_advance(b, 28499);
	assert_string_equal(b->heard, "");
	bench_advance(b, 1); /* timer B: 64 T1 */
	assert_string_equal(b->heard, "failure timed out;");
	assert_int_equal(live(b), 0);
}

static void nothing_is_retransmitted_over_tcp(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_TCP);
	assert_non_null(strstr(bench_last(b), "Via: SIP/2.0/TCP"));
	assert_non_null(strstr(bench_last(b), ";alias\r\n"));
	bench_advance(b, 31999);
	assert_int_equal(b->sent, 1);
	bench_advance(b, 1);
	assert_string_equal(b->heard, "failure timed out;");
}

static void provisional_reply_stops_retransmission(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 180);
	bench_advance(b, 100000);
	assert_int_equal(b->sent, 1);
	assert_string_equal(b->heard, "response 180;");
}

static void failure_is_acknowledged_by_the_transaction(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 486);
	assert_string_equal(b->heard, "response 486;");
	assert_int_equal(bench_count(b, "ACK sip:bob@192.0.2.1 SIP/2.0"), 1);
	const char *ack = bench_last(b);
	assert_non_null(strstr(ack, "CSeq: 9 ACK\r\n"));
	assert_non_null(strstr(ack, "To: <sip:bob@192.0.2.1>;tag=far\r\n"));
	assert_non_null(strstr(ack, "Route: <sip:192.0.2.9;lr>\r\n"));
	assert_non_null(strstr(ack, "Call-ID: two\r\n"));
	/* The same Via, branch and all. */
	char via[128];
	const char *start = strstr(ack, "Via:");
	slice_copy(slice_sub(slice_from(start), 0, (size_t)(strchr(start, '\n') - start)), via,
		   sizeof(via));
	assert_non_null(strstr(b->texts[0], via));
	bench_respond(b, "INVITE", 486);
	assert_int_equal(bench_count(b, "ACK "), 2);
	assert_string_equal(b->heard, "response 486;");
	bench_advance(b, 32000); /* timer D */
	assert_int_equal(live(b), 0);
}

static void every_success_is_passed_up_for_64_t1(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 200);
	bench_advance(b, 31000);
	bench_respond(b, "INVITE", 200);
	assert_string_equal(b->heard, "response 200;response 200;");
	assert_int_equal(b->sent, 1);
	bench_advance(b, 1000); /* timer M */
	assert_int_equal(live(b), 0);
	bench_respond(b, "INVITE", 200);
	assert_string_equal(b->heard, "response 200;response 200;orphan 200;");
}

static void other_request_is_retransmitted_up_to_t2(void **state)
{
	struct bench *b = *state;
	bench_send(b, "BYE", SIP_UDP);
	static const unsigned int steps[] = {500, 1000, 2000, 4000, 4000};
	for (size_t i = 0; i < 5; i++) {
		bench_advance(b, steps[i] - 1);
		assert_int_equal(b->sent, i + 1);
		bench_advance(b, 1);
		assert_int_equal(b->sent, i + 2);
	}
	bench_respond(b, "BYE", 200);
	assert_string_equal(b->heard, "response 200;");
	bench_respond(b, "BYE", 200);
	assert_string_equal(b->heard, "response 200;");
	bench_advance(b, 5000); /* timer K */
	assert_int_equal(live(b), 0);
}

static void other_request_goes_on_at_t2_while_proceeding(void **state)
{
	struct bench *b = *state;
	bench_send(b, "REGISTER", SIP_UDP);
	bench_respond(b, "REGISTER", 100);
	bench_advance(b, 500);
	assert_int_equal(b->sent, 2);
	bench_advance(b, 3999);
	assert_int_equal(b->sent, 2);
	bench_advance(b, 1);
	assert_int_equal(b->sent, 3);
	bench_advance(b, 27500); /* timer F */
	assert_string_equal(b->heard, "response 100;failure timed out;");
}

static void cancel_waits_for_a_provisional_reply(void **state)
{
	struct bench *b = *state;
	struct transaction_handle invite = bench_send(b, "INVITE", SIP_UDP);
	assert_int_equal(
		transaction_cancel(b->transactions, invite, SLICE("Reason: SIP;cause=200\r\n")), 0);
	assert_int_equal(bench_count(b, "CANCEL "), 0);
	bench_respond(b, "INVITE", 100);
	assert_int_equal(bench_count(b, "CANCEL sip:bob@192.0.2.1 SIP/2.0"), 1);
	assert_non_null(strstr(bench_last(b), "CSeq: 9 CANCEL\r\n"));
	assert_non_null(strstr(bench_last(b), "Reason: SIP;cause=200\r\n"));
	assert_non_null(strstr(bench_last(b), "To: <sip:bob@192.0.2.1>\r\n"));
	bench_respond(b, "CANCEL", 200);
	bench_respond(b, "INVITE", 487);
	assert_string_equal(b->heard, "response 100;response 487;");
	assert_int_equal(bench_count(b, "ACK "), 1);
}

static void cancel_that_changes_nothing_ends_in_time(void **state)
{
	struct bench *b = *state;
	struct transaction_handle invite = bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 180);
	assert_int_equal(transaction_cancel(b->transactions, invite, SLICE_NONE), 0);
	assert_int_equal(transaction_cancel(b->transactions, invite, SLICE_NONE), 0);
	assert_int_equal(bench_count(b, "CANCEL "), 1);
	bench_respond(b, "CANCEL", 200);
	bench_advance(b, 32000);
	assert_string_equal(b->heard, "response 180;failure timed out;");
	assert_int_equal(transaction_cancel(b->transactions, invite, SLICE_NONE), -ERR_NOT_FOUND);
}

static void endless_ringing_is_cancelled(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 180);
	bench_advance(b, 181000); /* timer C */
	assert_int_equal(bench_count(b, "CANCEL "), 1);
	bench_respond(b, "INVITE", 487);
	assert_string_equal(b->heard, "response 180;response 487;");
}

static void trying_for_ever_is_cancelled(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_UDP);
	for (int i = 0; i < 18; i++) {
		bench_respond(b, "INVITE", 100);
		bench_advance(b, 10000);
	}
	assert_int_equal(bench_count(b, "CANCEL "), 0);
	bench_respond(b, "INVITE", 100);
	bench_advance(b, 1000); /* timer C since the first one */
	assert_int_equal(bench_count(b, "CANCEL "), 1);
}

static void transport_error_is_told(void **state)
{
	struct bench *b = *state;
	bench_send(b, "INVITE", SIP_TCP);
	transactions_transport_error(b->transactions, b->tokens[0], -ERR_REFUSED);
	assert_string_equal(b->heard, "failure refused;");
	assert_int_equal(live(b), 0);
	transactions_transport_error(b->transactions, b->tokens[0], -ERR_REFUSED);
}

static void error_at_once_is_returned(void **state)
{
	struct bench *b = *state;
	b->send_error = -ERR_UNREACHABLE;
	assert_int_equal(bench_send(b, "INVITE", SIP_UDP).id, 0);
	assert_string_equal(b->heard, "");
	assert_int_equal(live(b), 0);
}

static struct transaction_handle send_large(struct bench *b)
{
	struct transaction_handle handle = TRANSACTION_NONE;
	static char body[1300];
	struct buf text;
	static const struct client_handlers none = {NULL, NULL};

	memset(body, 'x', sizeof(body));
	buf_init(&text);
	builder_request_line(&text, SLICE("MESSAGE"), SLICE("sip:bob@192.0.2.1"));
	builder_header(&text, HEADER_FROM, SLICE("<sip:a@b>;tag=1"));
	builder_header(&text, HEADER_TO, SLICE("<sip:a@b>"));
	builder_header(&text, HEADER_CALL_ID, SLICE("large"));
	builder_cseq(&text, 1, SLICE("MESSAGE"));
	builder_body(&text, SLICE("text/plain"), (struct slice){body, sizeof(body)});
	struct client_request request = {
		.bytes = buf_slice(&text), .path = bench_path(SIP_UDP), .handlers = &none};
	assert_int_equal(transaction_request(b->transactions, &request, &handle), 0);
	buf_free(&text);
	return handle;
}

static void large_request_goes_by_stream_and_falls_back(void **state)
{
	struct bench *b = *state;
	b->large = true;
	send_large(b);
	assert_int_equal(b->paths[0].transport, SIP_TCP);
	assert_non_null(strstr(b->texts[0], "Via: SIP/2.0/TCP 192.0.2.100:5070;"));
	transactions_transport_error(b->transactions, b->tokens[0], -ERR_REFUSED);
	assert_int_equal(b->sent, 2);
	assert_int_equal(b->paths[1].transport, SIP_UDP);
	assert_non_null(strstr(b->texts[1], "Via: SIP/2.0/UDP 192.0.2.100:5060;"));
	/* Nothing else differs. */
	assert_string_equal(strstr(b->texts[0], "From:"), strstr(b->texts[1], "From:"));
	bench_advance(b, 500);
	assert_int_equal(b->sent, 3);
}

static void large_request_falls_back_at_once(void **state)
{
	struct bench *b = *state;
	b->large = true;
	b->send_error = -ERR_TIMEOUT; /* of streams */
	send_large(b);
	assert_int_equal(b->sent, 1);
	assert_int_equal(b->paths[0].transport, SIP_UDP);
}

static void large_request_stays_where_there_is_no_stream(void **state)
{
	struct bench *b = *state;
	send_large(b);
	assert_int_equal(b->paths[0].transport, SIP_UDP);
}

static void abandoned_transaction_is_silent(void **state)
{
	struct bench *b = *state;
	struct transaction_handle invite = bench_send(b, "INVITE", SIP_UDP);
	transaction_abandon(b->transactions, invite);
	bench_respond(b, "INVITE", 486);
	assert_string_equal(b->heard, "");
	assert_int_equal(bench_count(b, "ACK "), 1);
}

static void what_callbacks_bear_may_change(void **state)
{
	struct bench *b = *state;
	struct transaction_handle invite = bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 200);
	b->context = 43;
	transaction_set_context(b->transactions, invite, b->context);
	bench_respond(b, "INVITE", 200);
	assert_string_equal(b->heard, "response 200;response 200;");
	transaction_set_context(b->transactions, TRANSACTION_NONE, 1);
}

static void ack_to_success_is_sent_and_resent(void **state)
{
	struct bench *b = *state;
	struct transport_path path = bench_path(SIP_UDP);
	struct buf sent;
	buf_init(&sent);
	assert_int_equal(transactions_send_ack(b->transactions,
					       SLICE("ACK sip:x@192.0.2.1 SIP/2.0\r\n"
						     "CSeq: 9 ACK\r\n\r\n"),
					       &path, &sent),
			 0);
	assert_int_equal(transactions_resend(b->transactions, buf_slice(&sent), &path), 0);
	assert_int_equal(b->sent, 2);
	assert_string_equal(b->texts[0], b->texts[1]);
	assert_non_null(strstr(b->texts[0], "\r\nVia: SIP/2.0/UDP"));
	assert_int_equal(b->tokens[0], 0);
	buf_free(&sent);
}

static void response_with_a_second_via_is_not_ours(void **state)
{
	struct bench *b = *state;
	char via[256], whole[BENCH_TEXT_MAX];
	bench_send(b, "BYE", SIP_UDP);
	const char *at = strstr(bench_last(b), "Via:");
	slice_copy((struct slice){at, (size_t)(strchr(at, '\n') - at) + 1}, via, sizeof(via));
	snprintf(whole, sizeof(whole), "SIP/2.0 200 OK\r\n%sVia: SIP/2.0/UDP other\r\n%s", via,
		 strstr(bench_last(b), "From:"));
	bench_receive(b, whole);
	assert_string_equal(b->heard, "");
	bench_respond(b, "BYE", 200);
	assert_string_equal(b->heard, "response 200;");
}

static void response_from_another_side_is_not_ours(void **state)
{
	struct bench *b = *state;
	char text[BENCH_TEXT_MAX];
	struct transport_path path = bench_path(SIP_UDP);

	bench_send(b, "BYE", SIP_UDP);
	snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n%s", strstr(bench_last(b), "Via:"));
	path.interface = 1;
	bench_receive_path(b, text, &path);
	assert_string_equal(b->heard, "");
	path.interface = 0;
	bench_receive_path(b, text, &path);
	assert_string_equal(b->heard, "response 200;");
}

static void strange_responses_are_counted(void **state)
{
	struct bench *b = *state;
	bench_receive(b, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKnone\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\n"
			 "CSeq: 1 BYE\r\n\r\n");
	bench_receive(b, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKnone\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\n"
			 "CSeq: 1 INVITE\r\n\r\n");
	assert_string_equal(b->heard, "");
	assert_int_equal(counter_get(&transactions_counters(b->transactions)->responses_orphaned),
			 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(invite_is_retransmitted_with_doubling_intervals),
		T(nothing_is_retransmitted_over_tcp),
		T(provisional_reply_stops_retransmission),
		T(failure_is_acknowledged_by_the_transaction),
		T(every_success_is_passed_up_for_64_t1),
		T(other_request_is_retransmitted_up_to_t2),
		T(other_request_goes_on_at_t2_while_proceeding),
		T(cancel_waits_for_a_provisional_reply),
		T(cancel_that_changes_nothing_ends_in_time),
		T(endless_ringing_is_cancelled),
		T(trying_for_ever_is_cancelled),
		T(transport_error_is_told),
		T(error_at_once_is_returned),
		T(large_request_goes_by_stream_and_falls_back),
		T(large_request_falls_back_at_once),
		T(large_request_stays_where_there_is_no_stream),
		T(abandoned_transaction_is_silent),
		T(what_callbacks_bear_may_change),
		T(ack_to_success_is_sent_and_resent),
		T(response_with_a_second_via_is_not_ours),
		T(response_from_another_side_is_not_ours),
		T(strange_responses_are_counted),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
