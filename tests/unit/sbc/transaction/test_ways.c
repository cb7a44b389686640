/* A request whose next hop has a name. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transaction/bench.h"

static void name(struct bench *b, uint32_t count, int error)
{
	b->hop = "sip:pbx.example";
	b->locate_error = error;
	b->ways.count = count;
	for (uint32_t i = 0; i < count; i++) {
		b->ways.paths[i] = bench_path(SIP_UDP);
		b->ways.paths[i].remote.port = (uint16_t)(7000 + i);
	}
}

static uint16_t port_of(const struct bench *b, size_t sent)
{
	return b->paths[sent].remote.port;
}

static uint64_t live(const struct bench *b)
{
	return counter_get(&transactions_counters(b->transactions)->live);
}

static void branch_of(const struct bench *b, size_t sent, char out[64])
{
	const char *at = strstr(b->texts[sent], ";branch=");
	assert_non_null(at);
	snprintf(out, 64, "%.33s", at + 8);
}

static void known_name_is_gone_to_at_once(void **state)
{
	struct bench *b = *state;
	name(b, 2, 0);
	bench_send(b, "BYE", SIP_UDP);
	assert_int_equal(b->sent, 1);
	assert_int_equal(port_of(b, 0), 7000);
	bench_respond(b, "BYE", 200);
	assert_string_equal(b->heard, "response 200;");
}

static void request_waits_for_its_name(void **state)
{
	struct bench *b = *state;
	name(b, 1, -ERR_AGAIN);
	bench_send(b, "BYE", SIP_UDP);
	bench_advance(b, 1000);
	assert_int_equal(b->sent, 0);
	b->locate_error = 0;
	transactions_located(b->transactions, b->located);
	assert_int_equal(b->sent, 1);
	assert_int_equal(port_of(b, 0), 7000);
	bench_advance(b, 500);
	assert_int_equal(b->sent, 2);
	transactions_located(b->transactions, b->located); /* twice: nothing */
	assert_int_equal(b->sent, 2);
	bench_respond(b, "BYE", 200);
	assert_string_equal(b->heard, "response 200;");
}

static void name_that_leads_nowhere_is_where_the_peer_was(void **state)
{
	struct bench *b = *state;
	name(b, 1, -ERR_NOT_FOUND);
	bench_send(b, "BYE", SIP_UDP);
	assert_int_equal(port_of(b, 0), 5060);
	bench_forget(b);
	b->locate_error = -ERR_AGAIN;
	bench_send(b, "BYE", SIP_UDP);
	b->locate_error = -ERR_TIMEOUT;
	transactions_located(b->transactions, b->located);
	assert_int_equal(b->sent, 1);
	assert_int_equal(port_of(b, 0), 5060);
}

static void name_that_is_never_told_ends_in_time(void **state)
{
	struct bench *b = *state;
	name(b, 1, -ERR_AGAIN);
	bench_send(b, "BYE", SIP_UDP);
	bench_advance(b, 32000);
	assert_int_equal(b->sent, 0);
	assert_string_equal(b->heard, "failure timed out;");
	transactions_located(b->transactions, b->located);
	assert_int_equal(b->sent, 0);
	assert_int_equal(live(b), 0);
}

static void silent_address_is_followed_by_the_next(void **state)
{
	struct bench *b = *state;
	char first[64], second[64];

	name(b, 2, 0);
	bench_send(b, "BYE", SIP_UDP);
	for (int i = 0; i < 20; i++)
		bench_advance(b, 1000);
	assert_int_equal(port_of(b, b->sent - 1), 7001);
	assert_int_equal(b->failed_ways, 1);
	branch_of(b, 0, first);
	branch_of(b, b->sent - 1, second);
	assert_string_not_equal(first, second);
	assert_string_equal(b->heard, "");
	bench_respond(b, "BYE", 200);
	assert_string_equal(b->heard, "response 200;");
	bench_advance(b, 40000);
	assert_int_equal(live(b), 0);
}

static void all_together_have_the_time_of_one(void **state)
{
	struct bench *b = *state;
	name(b, 4, 0);
	bench_send(b, "BYE", SIP_UDP);
	for (int i = 0; i < 31; i++)
		bench_advance(b, 1000);
	assert_string_equal(b->heard, "");
	bench_advance(b, 1000);
	assert_string_equal(b->heard, "failure timed out;");
	assert_int_equal(port_of(b, b->sent - 1), 7003);
	assert_int_equal(b->failed_ways, 3);
}

static void refusing_address_is_followed_by_the_next(void **state)
{
	struct bench *b = *state;
	name(b, 3, 0);
	bench_send(b, "BYE", SIP_UDP);
	transactions_transport_error(b->transactions, b->tokens[0], -ERR_REFUSED);
	assert_int_equal(port_of(b, 1), 7001);
	bench_respond(b, "BYE", 503);
	assert_int_equal(port_of(b, 2), 7002);
	assert_string_equal(b->heard, "");
	bench_respond(b, "BYE", 503); /* the last word */
	assert_string_equal(b->heard, "response 503;");
}

static void busy_server_is_acknowledged(void **state)
{
	struct bench *b = *state;
	name(b, 2, 0);
	bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 503);
	assert_int_equal(b->sent, 3);
	assert_int_equal(bench_count(b, "ACK "), 1);
	assert_int_equal(bench_count(b, "INVITE "), 2);
	for (size_t i = 1; i < 3; i++)
		assert_int_equal(port_of(b, i), strncmp(b->texts[i], "ACK", 3) ? 7001 : 7000);
	bench_respond(b, "INVITE", 486);
	assert_string_equal(b->heard, "response 486;");
}

static void cancelled_request_goes_nowhere_else(void **state)
{
	struct bench *b = *state;
	name(b, 2, 0);
	struct transaction_handle invite = bench_send(b, "INVITE", SIP_UDP);
	bench_respond(b, "INVITE", 180);
	assert_int_equal(transaction_cancel(b->transactions, invite, SLICE_NONE), 0);
	bench_respond(b, "INVITE", 503);
	assert_int_equal(bench_count(b, "INVITE "), 1);
	assert_string_equal(b->heard, "response 180;response 503;");
}

static void nowhere_to_send_is_said_at_once(void **state)
{
	struct bench *b = *state;
	name(b, 3, 0);
	b->send_error = -ERR_UNREACHABLE;
	assert_int_equal(bench_send(b, "BYE", SIP_UDP).id, 0);
	assert_int_equal(live(b), 0);
	assert_string_equal(b->heard, "");
}

static void located_and_nowhere_to_send_fails(void **state)
{
	struct bench *b = *state;
	name(b, 2, -ERR_AGAIN);
	bench_send(b, "BYE", SIP_UDP);
	b->locate_error = 0;
	b->send_error = -ERR_UNREACHABLE;
	transactions_located(b->transactions, b->located);
	assert_int_equal(live(b), 0);
	assert_int_equal(strncmp(b->heard, "failure ", 8), 0);
}

static void repeated_trying_does_not_hold_it(void **state)
{
	struct bench *b = *state;
	name(b, 2, 0);
	bench_send(b, "BYE", SIP_UDP);
	for (int i = 0; i < 40; i++) {
		bench_advance(b, 1000);
		if (i < 30)
			bench_respond(b, "BYE", 100);
	}
	assert_non_null(strstr(b->heard, "failure timed out;"));
	assert_int_equal(live(b), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(known_name_is_gone_to_at_once),
		T(request_waits_for_its_name),
		T(name_that_leads_nowhere_is_where_the_peer_was),
		T(name_that_is_never_told_ends_in_time),
		T(silent_address_is_followed_by_the_next),
		T(all_together_have_the_time_of_one),
		T(refusing_address_is_followed_by_the_next),
		T(busy_server_is_acknowledged),
		T(cancelled_request_goes_nowhere_else),
		T(nowhere_to_send_is_said_at_once),
		T(located_and_nowhere_to_send_fails),
		T(repeated_trying_does_not_hold_it),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
