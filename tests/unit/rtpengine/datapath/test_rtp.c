/* test_rtp.c - loss, order, jitter (RFC 3550 appendix A), and the shape of RTCP.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const TO = "10.0.0.1:30000";

static struct flow_state *state_of(struct bench *b)
{
	return &b->slots[0].state;
}

static void expect_numbers(struct bench *b, uint64_t packets, uint64_t lost, uint64_t reordered,
			   uint64_t duplicate)
{
	assert_int_equal(counter_get(&state_of(b)->packets), packets);
	assert_int_equal(counter_get(&state_of(b)->lost), lost);
	assert_int_equal(counter_get(&state_of(b)->reordered), reordered);
	assert_int_equal(counter_get(&state_of(b)->duplicate), duplicate);
}

static void a_clean_stream_loses_nothing(void **state)
{
	struct bench *b = *state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(bench_send(b, LAN, TO, (uint16_t)(65500 + i), 7), DROP_NONE);
	expect_numbers(b, 100, 0, 0, 0);
	assert_int_equal(counter_get(&state_of(b)->bytes), 100 * 172);
	assert_int_equal(counter_get(&b->slots[1].state.sent_packets), 100);
	uint64_t header = counter_get(&state_of(b)->rtp_header);
	assert_int_equal((uint32_t)header, 7);
	assert_int_equal(header >> 48 & 0x7f, 8);
	assert_int_equal((uint16_t)(header >> 32), (uint16_t)(65500 + 99));
}

static void gaps_are_lost_until_late_packets_fill_them(void **state)
{
	struct bench *b = *state;
	const uint16_t order[] = {65533, 65534, 1, 2, 65535, 2, 3};
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		(void)bench_send(b, LAN, TO, order[i], 7);
	expect_numbers(b, 7, 1, 1, 1); /* 0 is missing, 65535 was late, 2 came twice */
}

static void a_jump_is_believed_when_it_goes_on(void **state)
{
	struct bench *b = *state;
	(void)bench_send(b, LAN, TO, 1, 7);
	(void)bench_send(b, LAN, TO, 2, 7);
	(void)bench_send(b, LAN, TO, 20000, 7);
	expect_numbers(b, 3, 0, 0, 0);
	(void)bench_send(b, LAN, TO, 20001, 7);
	(void)bench_send(b, LAN, TO, 20003, 7);
	expect_numbers(b, 5, 1, 0, 0);
}

static void another_ssrc_begins_anew_and_keeps_the_sum(void **state)
{
	struct bench *b = *state;
	(void)bench_send(b, LAN, TO, 1, 7);
	(void)bench_send(b, LAN, TO, 5, 7);
	(void)bench_send(b, LAN, TO, 40000, 8);
	(void)bench_send(b, LAN, TO, 40002, 8);
	expect_numbers(b, 4, 3 + 1, 0, 0);
}

static void jitter_is_none_when_paced_and_follows_the_formula(void **state)
{
	struct bench *b = *state;
	for (uint16_t i = 0; i < 50; i++) {
		(void)bench_send(b, LAN, TO, i, 7); /* 160 units of 8 kHz: 20 ms */
		bench_advance_ms(b, 20);
	}
	assert_int_equal(flow_jitter_us(state_of(b), 8000), 0);
	bench_advance_ms(b, 16); /* one packet 16 ms late: |D| = 128 units, J = 128/16 = 8 */
	(void)bench_send(b, LAN, TO, 50, 7);
	assert_int_equal(flow_jitter_us(state_of(b), 8000), 1000);
}

static void last_packet_is_stamped(void **state)
{
	struct bench *b = *state;
	(void)bench_send(b, LAN, TO, 1, 7);
	assert_int_equal(counter_get(&state_of(b)->last_packet_ns), b->lcore.now_ns);
	uint64_t then = b->lcore.now_ns;
	bench_advance_ms(b, 20);
	(void)bench_send(b, "10.0.0.66:1", TO, 2, 7); /* a stranger keeps no call alive */
	assert_int_equal(counter_get(&state_of(b)->last_packet_ns), then);
}

/* SRTP passed through: the count of padding is encrypted. */
static void padding_is_the_receivers_affair(void **state)
{
	struct bench *b = *state;
	uint8_t rtp[20] = {0xa0, 8};
	rtp[19] = 200;
	assert_int_equal(bench_run(b, bench_udp(b, 0, LAN, TO, rtp, 20)), DROP_NONE);
}

static enum drop run_rtcp(struct bench *b, const void *rtcp, uint16_t len)
{
	b->flows[0].kind = FLOW_MUX;
	return bench_run(b, bench_udp(b, 0, LAN, TO, rtcp, len));
}

static void rtcp_lengths_must_add_up(void **state)
{
	struct bench *b = *state;
	/* an empty receiver report, an SDES with a CNAME of one letter */
	uint8_t rtcp[] = {0x80, 201, 0, 1, 0, 0, 0,   7, 0x81, 202, 0, 3,
			  0,    0,   0, 7, 1, 1, 'a', 0, 0,    0,   0, 0};
	assert_int_equal(run_rtcp(b, rtcp, sizeof(rtcp)), DROP_NONE);
	assert_int_equal(counter_get(&state_of(b)->rtcp_packets), 1);
	assert_int_equal(counter_get(&state_of(b)->packets), 0);
	assert_int_equal(run_rtcp(b, rtcp, sizeof(rtcp) - 4), DROP_RTCP_HEADER);
	assert_int_equal(run_rtcp(b, rtcp, sizeof(rtcp) - 15), DROP_RTCP_HEADER);
	rtcp[3] = 2;
	assert_int_equal(run_rtcp(b, rtcp, sizeof(rtcp)), DROP_RTCP_HEADER);
	rtcp[3] = 1;
	rtcp[8] = 0x41; /* version 1 inside */
	assert_int_equal(run_rtcp(b, rtcp, sizeof(rtcp)), DROP_RTCP_HEADER);
	rtcp[8] = 0x81;
	rtcp[0] = 0xa0; /* padding, but not the last */
	assert_int_equal(run_rtcp(b, rtcp, sizeof(rtcp)), DROP_RTCP_HEADER);
	uint8_t reduced[] = {0x81, 206, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8}; /* a PLI (RFC 5506) */
	assert_int_equal(run_rtcp(b, reduced, sizeof(reduced)), DROP_NONE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(a_clean_stream_loses_nothing),
		T(gaps_are_lost_until_late_packets_fill_them),
		T(a_jump_is_believed_when_it_goes_on),
		T(another_ssrc_begins_anew_and_keeps_the_sum),
		T(jitter_is_none_when_paced_and_follows_the_formula),
		T(last_packet_is_stamped),
		T(padding_is_the_receivers_affair),
		T(rtcp_lengths_must_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
