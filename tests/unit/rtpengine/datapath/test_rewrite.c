/* test_rewrite.c - what leaves: addresses, checksums, and where to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const WAN = "192.0.2.9:5000";
static const char *const LAN_PORT = "10.0.0.1:30000";
static const char *const WAN_PORT = "192.0.2.1:30000";

/* Through everything, then back through the parser of a receiver. */
static void expect_sent(struct bench *b, struct packet *p, const char *from, const char *to)
{
	struct addr source = bench_addr(from), destination = bench_addr(to);
	bool v4 = source.family == AF_INET;
	uint8_t payload[2048];
	uint16_t len = read_be16(p->data + 14 + (p->data[14] >> 4 == 4 ? 20 : 40) + 4);
	len = (uint16_t)(len - 8);
	memcpy(payload, p->data + p->len - len, len);
	assert_string_equal(drop_key(bench_run(b, p)), "none");

	const uint8_t *ip = p->data + 14, *udp = ip + (v4 ? 20 : 40);
	assert_ptr_equal(p->out, &b->egress);
	assert_memory_equal(p->data, b->egress.ethernet, 12);
	assert_int_equal(read_be16(p->data + 12), v4 ? 0x0800 : 0x86dd);
	assert_int_equal(p->len, (v4 ? 42 : 62) + len);
	assert_int_equal(p->payload_len, len);
	assert_memory_equal(udp + 8, payload, len);
	assert_memory_equal(ip + (v4 ? 12 : 8), source.bytes, v4 ? 4 : 16);
	assert_memory_equal(ip + (v4 ? 16 : 24), destination.bytes, v4 ? 4 : 16);
	assert_int_equal(read_be16(udp), source.port);
	assert_int_equal(read_be16(udp + 2), destination.port);
	assert_int_equal(read_be16(udp + 4), 8 + len);
	assert_int_equal(p->headroom, HEADROOM + (p->data - (b->buffer[0] + HEADROOM)));
	uint64_t sum = checksum_pseudo(ip + (v4 ? 12 : 8), v4 ? 8 : 32, (uint16_t)(8 + len));
	assert_int_equal(checksum_fold(checksum_add(sum, udp, 8u + len)), 0xffff);
	assert_int_not_equal(read_be16(udp + 6), 0);
	if (v4) {
		assert_int_equal(checksum_fold(checksum_add(0, ip, 20)), 0xffff);
		assert_int_equal(ip[1], 46 << 2);
		assert_int_equal(ip[8], 64);
	} else {
		assert_int_equal(read_be16(ip) >> 4 & 0xff, 46 << 2);
		assert_int_equal(ip[7], 64);
	}
}

static void make_v6(struct bench *b, unsigned i, const char *peer, const char *local)
{
	b->flows[i].expected[0] = b->flows[i].remote = bench_addr(peer);
	b->flows[i].epoch++;
	bench_publish(b, i, local);
}

static void ipv4_to_ipv4(void **state)
{
	struct bench *b = *state;
	expect_sent(b, bench_rtp(b, 0, LAN, LAN_PORT, 1, 7), WAN_PORT, WAN);
	expect_sent(b, bench_rtp(b, 0, WAN, WAN_PORT, 1, 7), LAN_PORT, LAN);
}

static void all_families(void **state)
{
	struct bench *b = *state;
	make_v6(b, 1, "[2001:db8::9]:5000", "[2001:db8::1]:30000");
	expect_sent(b, bench_rtp(b, 0, LAN, LAN_PORT, 1, 7), "[2001:db8::1]:30000",
		    "[2001:db8::9]:5000");
	expect_sent(b, bench_rtp(b, 0, "[2001:db8::9]:5000", "[2001:db8::1]:30000", 1, 7), LAN_PORT,
		    LAN);
	make_v6(b, 0, "[fd00::9]:4000", "[fd00::1]:30000");
	expect_sent(b, bench_rtp(b, 0, "[fd00::9]:4000", "[fd00::1]:30000", 1, 7),
		    "[2001:db8::1]:30000", "[2001:db8::9]:5000");
}

static void odd_lengths_and_bad_sums_leave_right(void **state)
{
	struct bench *b = *state;
	b->flows[0].kind = b->flows[1].kind = FLOW_OTHER;
	uint8_t payload[64];
	memset(payload, 0xff, sizeof(payload)); /* sums to the other zero */
	for (uint16_t len = 0; len < 64; len++)
		expect_sent(b, bench_udp(b, 0, LAN, LAN_PORT, payload, len), WAN_PORT, WAN);
	struct packet *p = bench_udp(b, 0, LAN, LAN_PORT, payload, 33);
	uint16_t partial = checksum_fold(checksum_pseudo(p->data + 26, 8, 41));
	memcpy(p->data + 40, &partial, 2);
	expect_sent(b, p, WAN_PORT, WAN);
	p = bench_udp(b, 0, LAN, LAN_PORT, payload, 33);
	memset(p->data + 40, 0, 2);
	expect_sent(b, p, WAN_PORT, WAN);
}

/* RFC 768: a sum of zero is sent as 0xffff. One of 65536 payloads makes it zero. */
static void a_checksum_of_zero_is_not_sent(void **state)
{
	struct bench *b = *state;
	b->flows[0].kind = b->flows[1].kind = FLOW_OTHER;
	unsigned inverted = 0;
	for (unsigned i = 0; i < 65536; i++) {
		uint8_t payload[2] = {(uint8_t)(i >> 8), (uint8_t)i};
		struct packet *p = bench_udp(b, 0, LAN, LAN_PORT, payload, 2);
		assert_int_equal(bench_run(b, p), DROP_NONE);
		uint16_t sum = read_be16(p->data + 40);
		assert_int_not_equal(sum, 0);
		inverted += sum == 0xffff;
	}
	assert_true(inverted > 0);
}

static void nothing_goes_to_a_natted_peer_before_it_is_learned(void **state)
{
	struct bench *b = *state;
	b->flows[1].expected[0] = bench_addr("192.0.2.9:0");
	b->flows[1].remote = (struct addr){0};
	bench_publish(b, 1, WAN_PORT);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 1, 7), DROP_NO_DESTINATION);
	assert_int_equal(bench_send(b, "192.0.2.9:6001", WAN_PORT, 1, 9), DROP_PROBATION);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 2, 7), DROP_NO_DESTINATION);
	assert_int_equal(bench_send(b, "192.0.2.9:6001", WAN_PORT, 2, 9), DROP_NONE);
	expect_sent(b, bench_rtp(b, 0, LAN, LAN_PORT, 3, 7), WAN_PORT, "192.0.2.9:6001");
	b->flows[1].symmetric = false; /* then only signalling says */
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 4, 7), DROP_NO_DESTINATION);
}

static void after_a_new_offer_the_new_address_is_used_at_once(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, WAN, WAN_PORT, 1, 9), DROP_NONE);
	b->flows[1].epoch++;
	b->flows[1].expected[0] = b->flows[1].remote = bench_addr("192.0.2.50:5000");
	expect_sent(b, bench_rtp(b, 0, LAN, LAN_PORT, 1, 7), WAN_PORT, "192.0.2.50:5000");
	/* and without one, where it was */
	b->flows[1].epoch++;
	b->flows[1].expected[0] = bench_addr("192.0.2.9:0");
	b->flows[1].remote_hop = NULL;
	expect_sent(b, bench_rtp(b, 0, LAN, LAN_PORT, 2, 7), WAN_PORT, WAN);
	bench_advance_ms(b, 5000);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 3, 7), DROP_NO_DESTINATION);
}

static void a_closed_partner_is_a_hold(void **state)
{
	struct bench *b = *state;
	atomic_store(&b->slots[1].current, NULL);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 1, 7), DROP_HELD);
	bench_publish(b, 1, WAN_PORT);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 2, 7), DROP_NONE);
	b->flows[1].generation = 2; /* the port's next tenant */
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 3, 7), DROP_HELD);
	assert_int_equal(counter_get(&b->slots[0].state.packets), 3); /* counted all the same */
}

static void hops_that_cannot_be_used_are_named(void **state)
{
	struct bench *b = *state;
	b->egress.mtu = 100;
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 1, 7), DROP_TOO_BIG);
	atomic_store(&b->hop.egress, NULL);
	atomic_store(&b->hop.has_route, false);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 1, 7), DROP_NO_ROUTE);
}

static void packets_wait_a_moment_for_a_neighbour(void **state)
{
	struct bench *b = *state;
	struct packet out[HELD_MAX];
	atomic_store(&b->hop.egress, NULL);
	for (uint16_t i = 0; i < HELD_MAX; i++)
		assert_int_equal(bench_send(b, LAN, LAN_PORT, i, 7), DROP_NONE);
	assert_int_equal(b->lcore.held_count, HELD_MAX);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, HELD_MAX, 7), DROP_NO_NEIGHBOUR);
	assert_int_equal(packet_unhold(&b->lcore, out), 0);
	assert_int_equal(b->lcore.held_count, HELD_MAX);
	/* It answers: they leave in their order. (The bench has one buffer: of the first only the
	 * numbers are looked at.) */
	atomic_store(&b->hop.egress, &b->egress);
	assert_int_equal(packet_unhold(&b->lcore, out), HELD_MAX);
	for (uint16_t i = 0; i < HELD_MAX; i++)
		assert_int_equal(out[i].sequence, i);
	assert_int_equal(b->lcore.held_count, 0);
	/* It does not: after a second they are dropped. */
	atomic_store(&b->hop.egress, NULL);
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 100, 7), DROP_NONE);
	uint64_t before = bench_drops(b, DROP_NO_NEIGHBOUR);
	bench_advance_ms(b, 999);
	assert_int_equal(packet_unhold(&b->lcore, out), 0);
	assert_int_equal(bench_drops(b, DROP_NO_NEIGHBOUR), before);
	bench_advance_ms(b, 1);
	assert_int_equal(packet_unhold(&b->lcore, out), 0);
	assert_int_equal(bench_drops(b, DROP_NO_NEIGHBOUR), before + 1);
	/* The call ends meanwhile. */
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 101, 7), DROP_NONE);
	b->flows[1].generation++;
	assert_int_equal(packet_unhold(&b->lcore, out), 0);
	assert_int_equal(b->lcore.held_count, 0);
}

static void no_room_in_front_is_a_drop(void **state)
{
	struct bench *b = *state;
	make_v6(b, 1, "[2001:db8::9]:5000", "[2001:db8::1]:30000");
	struct packet *p = bench_rtp(b, 0, LAN, LAN_PORT, 1, 7);
	p->headroom = 19;
	assert_int_equal(bench_run(b, p), DROP_TOO_BIG);
	p = bench_rtp(b, 0, LAN, LAN_PORT, 1, 7);
	p->headroom = 20;
	assert_int_equal(bench_run(b, p), DROP_NONE);
}

static void a_peer_that_is_a_port_of_ours_turns_around(void **state)
{
	struct bench *b = *state;
	struct hop ours;
	memcpy(&ours, &b->hop, sizeof(ours));
	atomic_store(&ours.is_ours, true);
	/* flow 1's peer is flow 2, whose other side is flow 3 */
	for (unsigned i = 2; i < 4; i++) {
		b->flows[i] = b->flows[1];
		b->flows[i].rtp_to = (struct flow_link){&b->slots[5 - i], 1};
	}
	b->flows[1].expected[0] = b->flows[1].remote = bench_addr("192.0.2.1:30004");
	b->flows[2].expected[0] = b->flows[2].remote = bench_addr(WAN_PORT);
	b->flows[3].expected[0] = b->flows[3].remote = bench_addr("10.0.0.77:4000");
	bench_publish(b, 1, WAN_PORT);
	bench_publish(b, 2, "192.0.2.1:30004");
	bench_publish(b, 3, "10.0.0.1:30004");
	b->flows[1].remote_hop = b->flows[1].expected_hop[0] = &ours;
	b->flows[2].remote_hop = b->flows[2].expected_hop[0] = &ours;
	expect_sent(b, bench_rtp(b, 0, LAN, LAN_PORT, 1, 7), "10.0.0.1:30004", "10.0.0.77:4000");
	assert_true(b->slots[2].state.locked.is_set);
	assert_int_equal(counter_get(&b->slots[2].state.packets), 1);

	b->flows[2].lcore = 3; /* the other call is another lcore's */
	assert_int_equal(bench_send(b, LAN, LAN_PORT, 2, 7), DROP_NONE);
	assert_int_equal(b->handed_over, 1);
}

static void a_loop_of_ours_ends(void **state)
{
	struct bench *b = *state;
	atomic_store(&b->hop.is_ours, true);
	/* two flows, each the other's peer: what one sends the other sends back */
	b->flows[0].expected[1] = b->flows[0].remote = bench_addr(WAN_PORT);
	b->flows[1].expected[0] = b->flows[1].remote = bench_addr(LAN_PORT);
	b->flows[1].rtp_to = (struct flow_link){&b->slots[1], 1};
	b->flows[0].rtp_to = (struct flow_link){&b->slots[0], 1};
	b->flows[0].mode = b->flows[1].mode = FLOW_SOURCE_LEARN;
	bench_publish(b, 0, LAN_PORT);
	bench_publish(b, 1, WAN_PORT);
	b->flows[0].symmetric = b->flows[1].symmetric = false;
	assert_int_equal(bench_send(b, WAN_PORT, LAN_PORT, 1, 7), DROP_LOOP);
	assert_int_equal(b->released, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(ipv4_to_ipv4),
		T(all_families),
		T(odd_lengths_and_bad_sums_leave_right),
		T(a_checksum_of_zero_is_not_sent),
		T(nothing_goes_to_a_natted_peer_before_it_is_learned),
		T(after_a_new_offer_the_new_address_is_used_at_once),
		T(a_closed_partner_is_a_hold),
		T(hops_that_cannot_be_used_are_named),
		T(packets_wait_a_moment_for_a_neighbour),
		T(no_room_in_front_is_a_drop),
		T(a_peer_that_is_a_port_of_ours_turns_around),
		T(a_loop_of_ours_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
