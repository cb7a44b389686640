/* test_bundle.c - packets of several streams on one port find theirs (RFC 9143 9.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include "rtpengine/datapath/bundle.h"

static const char *const PEER = "192.0.2.9:5000";
static const char *const PORT = "192.0.2.1:30000";

/* Flow 1 is the transport and its audio, 4 the video that shares it; 0 and 5 are the two ports of
 * the other side. */
struct shared {
	struct bench *bench;
	struct bundle_sources sources;
	uint16_t sequence;
};

static void link_to(struct bench *b, unsigned from, unsigned to)
{
	b->flows[from].rtp_to = b->flows[from].rtcp_to = (struct flow_link){&b->slots[to], 1};
}

static int setup(void **state)
{
	struct shared *s = calloc(1, sizeof(*s));
	struct bench *b = s->bench = bench_create();
	struct flow_bundle rule = {.count = 2, .mid_id = 4};

	bench_pair(b);
	b->flows[1].kind = FLOW_MUX;
	b->flows[4] = b->flows[1];
	b->flows[4].mode = FLOW_SOURCE_CLOSED;
	b->flows[5] = b->flows[0];
	bench_publish(b, 4, "192.0.2.1:30004");
	bench_publish(b, 5, "10.0.0.1:30004");
	link_to(b, 4, 5);
	link_to(b, 5, 1);
	link_to(b, 0, 1);
	link_to(b, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(rule.members[i].mid, sizeof(rule.members[i].mid), "%s", i ? "v" : "a");
		rule.members[i].payload_types[0] = 1ull << (i ? 34 : 8) | 1ull << 13;
	}
	b->extras[1].bundle = bundle_create(&rule, &s->sources);
	b->flows[1].has_bundle = true;
	b->extras[1].bundle->members[0].flow = (struct flow_link){&b->slots[1], 1};
	b->extras[1].bundle->members[1].flow = (struct flow_link){&b->slots[4], 1};
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct shared *s = *state;
	free(s->bench->extras[1].bundle);
	bench_destroy(s->bench);
	free(s);
	return 0;
}

/* Where a packet left: the local port it got. 0 = it was dropped. */
static unsigned left_by(struct bench *b, struct packet *packet)
{
	enum drop why;

	bench_checksum(packet);
	why = bench_run(b, packet);
	return why == DROP_NONE ? read_be16(b->packets[0].data + 14 + 20) : 0;
}

static unsigned send_typed(struct shared *s, uint8_t type, uint32_t ssrc)
{
	struct packet *packet = bench_rtp(s->bench, 0, PEER, PORT, s->sequence++, ssrc);
	packet->data[14 + 20 + 8 + 1] = type;
	return left_by(s->bench, packet);
}

static unsigned send_named(struct shared *s, const char *mid, uint32_t ssrc, bool two_bytes)
{
	uint8_t rtp[64] = {0x90, 13, (uint8_t)(s->sequence >> 8), (uint8_t)s->sequence};
	uint8_t *at = rtp + 12;

	s->sequence++;
	for (unsigned i = 0; i < 4; i++)
		rtp[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
	write_be16(at, two_bytes ? 0x1000 : 0xbede);
	write_be16(at + 2, 2);
	if (two_bytes) {
		memcpy(at + 4, "\x01\x00\x04\x01", 4);
		at[8] = (uint8_t)mid[0];
	} else {
		memcpy(at + 4, "\x10\x55\x00\x40", 4);
		at[8] = (uint8_t)mid[0];
	}
	return left_by(s->bench, bench_udp(s->bench, 0, PEER, PORT, rtp, 12 + 12 + 20));
}

static void by_payload_type(void **state)
{
	struct shared *s = *state;

	assert_int_equal(send_typed(s, 8, 7), 30000);
	assert_int_equal(send_typed(s, 34, 9), 30004);
	assert_int_equal(send_typed(s, 8, 7), 30000);
	/* each has its numbers: no SSRC change, no loss */
	for (unsigned i = 0; i < 20; i++) {
		(void)send_typed(s, 8, 7);
		(void)send_typed(s, 34, 9);
	}
	assert_int_equal(counter_get(&s->bench->slots[1].state.packets), 22);
	assert_int_equal(counter_get(&s->bench->slots[4].state.packets), 21);
}

static void an_ssrc_stays_where_it_was_named(void **state)
{
	struct shared *s = *state;

	assert_int_equal(send_typed(s, 13, 9), 0); /* of both, and nothing else is known */
	assert_int_equal(bench_drops(s->bench, DROP_BUNDLE), 1);
	assert_int_equal(send_named(s, "v", 9, false), 30004);
	assert_int_equal(send_typed(s, 13, 9), 30004);
	assert_int_equal(send_named(s, "a", 11, true), 30000);
	assert_int_equal(send_typed(s, 13, 11), 30000);
	assert_int_equal(send_named(s, "a", 9, false), 30000); /* it moved (9.2) */
	assert_int_equal(send_typed(s, 13, 9), 30000);
	assert_int_equal(send_named(s, "x", 12, false), 0);
}

static void many_ssrcs_push_out_the_oldest(void **state)
{
	struct shared *s = *state;

	for (uint32_t ssrc = 100; ssrc < 100 + 3 * BUNDLE_SOURCES; ssrc++)
		assert_int_equal(send_named(s, "v", ssrc, false), 30004);
	assert_int_equal(send_typed(s, 13, 99 + 3 * BUNDLE_SOURCES), 30004);
	assert_int_equal(send_typed(s, 13, 100), 0);
}

static unsigned send_rtcp(struct shared *s, uint8_t type, uint32_t sender, uint32_t about)
{
	uint8_t rtcp[32] = {0x81, type, 0, 7};

	for (unsigned i = 0; i < 4; i++) {
		rtcp[4 + i] = (uint8_t)(sender >> (24 - 8 * i));
		rtcp[8 + i] = (uint8_t)(about >> (24 - 8 * i));
	}
	return left_by(s->bench, bench_udp(s->bench, 0, PEER, PORT, rtcp, sizeof(rtcp)));
}

static void rtcp_goes_with_its_stream(void **state)
{
	struct shared *s = *state;
	struct bench *b = s->bench;

	assert_int_equal(send_typed(s, 8, 7), 30000);
	assert_int_equal(send_typed(s, 34, 9), 30004);
	assert_int_equal(send_rtcp(s, 202, 9, 0), 30004);
	assert_int_equal(send_rtcp(s, 202, 7, 0), 30000);
	/* who only listens names what it gets: 21 is what comes in by the other side's second port
	 */
	assert_int_equal(bench_send(b, "10.0.0.9:4000", "10.0.0.1:30004", 1, 21), DROP_NONE);
	assert_int_equal(send_rtcp(s, 206, 1, 21), 30004);
	assert_int_equal(send_rtcp(s, 201, 1, 21), 30004);
	assert_int_equal(send_rtcp(s, 206, 1, 22), 0);
}

static void extensions_end_where_they_say(void **state)
{
	struct shared *s = *state;
	static const uint8_t tails[][8] = {
		{0x4f, 'v'},                       /* 16 bytes of 7 */
		{0x40},                            /* padding behind */
		{0, 0, 0, 0, 0, 0, 0, 0x40},       /* its byte is not there */
		{0xf0, 0x40, 'v'},                 /* 15 ends it all */
		{0x51, 1, 2, 0x4f, 'v', 'v', 'v'}, /* cut off */
	};

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		uint8_t rtp[24] = {0x90, 13, 0, (uint8_t)i, 0, 0, 0, 0, 0, 0, 0, 5};
		write_be16(rtp + 12, 0xbede);
		write_be16(rtp + 14, 2);
		memcpy(rtp + 16, tails[i], 8);
		assert_int_equal(left_by(s->bench, bench_udp(s->bench, 0, PEER, PORT, rtp, 24)), 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(by_payload_type),
		T(an_ssrc_stays_where_it_was_named),
		T(many_ssrcs_push_out_the_oldest),
		T(rtcp_goes_with_its_stream),
		T(extensions_end_where_they_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
