/* test_nat.c - flags for peers behind a NAT, and for SDPs that come round.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define DIRECTION "direction=lan direction=wan"

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	bench_start(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static void ok(const struct ng_value *reply)
{
	if (*bench_text(reply, "error-reason"))
		fail_msg("%s", bench_text(reply, "error-reason"));
	assert_string_equal(bench_text(reply, "result"), "ok");
}

/* Of a call whose answer has this flag. */
static void call(struct bench *b, const char *flag)
{
	ok(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION));
	ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), flag));
}

static void who_has_to_wait_gets_nothing_before_it_speaks(void **state)
{
	struct bench *b = *state;

	call(b, "NAT-wait");
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rule.remote.family, 0);
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30001)->rule.remote.family, 0);
	assert_true(fake_flow_at(&b->datapath, WAN, 30000)->rule.symmetric);
	assert_int_equal(fake_flow_at(&b->datapath, LAN, 20000)->rule.remote.port, 4000);
	ok(bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""),
			"NAT-wait asymmetric"));
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rule.remote.port, 5000);
}

static unsigned sent(struct bench *b, unsigned port)
{
	unsigned count = 0;

	for (const struct fake_send *one; (one = fake_sent(&b->datapath));) {
		assert_int_equal(one->len, 0);
		count += one->to.port == port;
	}
	return count;
}

static void a_nat_is_pierced_until_its_peer_speaks(void **state)
{
	struct bench *b = *state;

	call(b, "pierce-NAT");
	assert_int_equal(sent(b, 5000), 1);
	bench_advance(b, 500);
	assert_int_equal(sent(b, 5001), 1); /* RTCP, too */
	for (unsigned i = 0; i < 4; i++)
		bench_advance(b, 500);
	assert_int_equal(sent(b, 5000), 4);
	fake_flow_at(&b->datapath, WAN, 30000)->stats.source_is_locked = true;
	bench_advance(b, 500);
	(void)sent(b, 0);
	bench_advance(b, 5000);
	assert_int_equal(sent(b, 5000) + sent(b, 5001), 0);
}

static void piercing_ends_by_itself_and_with_the_call(void **state)
{
	struct bench *b = *state;
	unsigned count;

	call(b, "pierce-NAT");
	count = sent(b, 5000);
	for (unsigned i = 0; i < 100; i++) {
		bench_advance(b, 500);
		count += sent(b, 5000);
	}
	assert_int_equal(count, 40);
	/* a re-offer begins anew; the call ends meanwhile */
	call(b, "pierce-NAT");
	ok(bench_ask(b, "delete", "call-id", "c", NULL));
	(void)sent(b, 0);
	bench_advance(b, 5000);
	assert_int_equal(sent(b, 5000), 0);
	/* and who did not ask gets nothing */
	call(b, "");
	bench_advance(b, 500);
	assert_null(fake_sent(&b->datapath));
}

static void what_was_here_goes_back_as_it_came(void **state)
{
	struct bench *b = *state;
	char *sdp = bench_sdp(b, "10.0.0.20", 4000, "");
	const struct ng_value *reply = bench_offer(b, "c", "a", sdp, DIRECTION " loop-protect");

	ok(reply);
	char *ours = arena_printf(b->arena, "%s", bench_text(reply, "sdp"));
	char *mark = arena_printf(b->arena, "a=rtpengine:%s\r\n", sessions_instance(b->sessions));
	assert_non_null(strstr(ours, mark));
	uint32_t ports = bench_ports_in_use(b);
	reply = bench_offer(b, "c", "a", ours, DIRECTION " loop-protect");
	ok(reply);
	assert_string_equal(bench_text(reply, "sdp"), ours);
	reply = bench_offer(b, "another", "a", ours, DIRECTION " loop-protect");
	assert_string_equal(bench_text(reply, "sdp"), ours);
	assert_int_equal(bench_ports_in_use(b), ports);
	assert_int_equal(sessions_count(b->sessions), 1);
	/* without the flag, and of another relay, it is taken */
	ok(bench_offer(b, "without", "a", ours, DIRECTION));
	assert_int_equal(sessions_count(b->sessions), 2);
	sdp = bench_sdp(b, "10.0.0.20", 4000, "a=rtpengine:another\r\n");
	ok(bench_offer(b, "other", "a", sdp, DIRECTION " loop-protect"));
	assert_int_equal(sessions_count(b->sessions), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_has_to_wait_gets_nothing_before_it_speaks),
		TEST(a_nat_is_pierced_until_its_peer_speaks),
		TEST(piercing_ends_by_itself_and_with_the_call),
		TEST(what_was_here_goes_back_as_it_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
