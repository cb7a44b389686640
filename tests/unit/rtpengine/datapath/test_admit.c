/* test_admit.c - the source rule: who is believed, when, and who never is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const TO = "10.0.0.1:30000";

static struct flow_state *state_of(struct bench *b, unsigned i)
{
	return &b->slots[i].state;
}

static bool is_locked_to(struct bench *b, unsigned i, const char *text)
{
	struct addr addr = bench_addr(text);
	return state_of(b, i)->locked.is_set && addr_equal(&state_of(b, i)->locked.addr, &addr);
}

/* Only the signalling's address is known. */
static void make_natted(struct bench *b)
{
	b->flows[0].expected[0] = bench_addr("10.0.0.9:0");
	b->flows[0].remote = (struct addr){0};
	b->flows[0].remote_hop = NULL;
}

static void a_new_offer(struct bench *b, const char *expected)
{
	b->flows[0].epoch++;
	b->flows[0].expected[0] = bench_addr(expected);
}

static void the_address_of_the_sdp_is_believed_at_once(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	assert_true(is_locked_to(b, 0, LAN));
	assert_int_equal(b->event_count, 1);
	assert_int_equal(b->events[0].type, DATAPATH_SOURCE_LOCKED);
	assert_int_equal(b->events[0].flow.value, 1);
}

static void strangers_are_never_relayed(void **state)
{
	struct bench *b = *state;
	for (uint16_t i = 0; i < 50; i++)
		assert_int_equal(bench_send(b, "10.0.0.66:4000", TO, i, 66), DROP_STRANGER);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	for (uint16_t i = 0; i < 50; i++)
		assert_int_equal(bench_send(b, "10.0.0.66:4000", TO, i, 7), DROP_STRANGER);
	assert_int_equal(counter_get(&state_of(b, 0)->hijack_attempts), 100);
	assert_int_equal(b->event_count, 2); /* one lock, one alarm: not a hundred */
	assert_int_equal(state_of(b, 0)->drops[DROP_STRANGER - DROP_OF_FLOW], 100);
}

static void closed_admits_nobody(void **state)
{
	struct bench *b = *state;
	b->flows[0].mode = FLOW_SOURCE_CLOSED;
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_CLOSED);
}

static void a_natted_source_needs_two_packets_in_sequence(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 65535, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 65535, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 0, 7), DROP_NONE);
	assert_true(is_locked_to(b, 0, "10.0.0.9:6001"));
}

static void neither_another_ssrc_nor_a_gap_nor_age_confirms(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 1, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 2, 8), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 4, 8), DROP_PROBATION);
	bench_advance_ms(b, 2001);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 5, 8), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 6, 8), DROP_NONE);
}

static void a_sprayer_at_the_same_address_does_not_stop_learning(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	for (uint16_t i = 0; i < 10; i++) { /* three others, each time another SSRC */
		for (unsigned k = 0; k < 3; k++) {
			const char *from[] = {"10.0.0.9:7001", "10.0.0.9:7002", "10.0.0.9:7003"};
			assert_int_not_equal(bench_send(b, from[k], TO, 1, 100u + i), DROP_NONE);
		}
		enum drop why = bench_send(b, "10.0.0.9:6001", TO, i, 7);
		assert_int_equal(why, i ? DROP_NONE : DROP_PROBATION);
	}
}

static void learning_ends_with_its_window(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	b->flows[0].learn_until_ns = b->lcore.now_ns + 1000000000;
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 1, 7), DROP_PROBATION);
	bench_advance_ms(b, 1001);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 2, 7), DROP_STRANGER);
	/* what the SDP says needs no learning */
	b->flows[0].expected[0] = bench_addr(LAN);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
}

static void exact_means_the_port_too(void **state)
{
	struct bench *b = *state;
	b->flows[0].mode = FLOW_SOURCE_EXACT;
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(bench_send(b, "10.0.0.9:4002", TO, i, 7), DROP_STRANGER);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	bench_advance_ms(b, 1000);
	assert_int_equal(bench_send(b, "10.0.0.9:4002", TO, 2, 7), DROP_STRANGER);
}

static void learn_also_takes_another_port_of_the_address(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, "10.0.0.9:4444", TO, 1, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:4444", TO, 2, 7), DROP_NONE);
}

static void the_second_expected_address_counts(void **state)
{
	struct bench *b = *state;
	b->flows[0].expected[1] = bench_addr("10.0.0.77:0");
	bench_publish(b, 0, TO);
	assert_int_equal(bench_send(b, "10.0.0.77:9", TO, 1, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.77:9", TO, 2, 7), DROP_NONE);
	assert_int_equal(state_of(b, 0)->locked.expected, 1);
}

static void a_remapped_nat_is_followed_after_silence(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	for (uint16_t i = 1; i < 10; i++)
		(void)bench_send(b, "10.0.0.9:6001", TO, i, 7);
	/* at once: an attacker who shares the address */
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 10, 7), DROP_STRANGER);
	bench_advance_ms(b, 299);
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 10, 7), DROP_STRANGER);
	bench_advance_ms(b, 1);
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 25, 8), DROP_STRANGER); /* SSRC */
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 5, 7), DROP_STRANGER);  /* behind */
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 3100, 7), DROP_STRANGER);
	assert_int_equal(bench_send(b, "10.0.0.66:6002", TO, 25, 7), DROP_STRANGER); /* address */
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 25, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 26, 7), DROP_NONE);
	assert_true(is_locked_to(b, 0, "10.0.0.9:6002"));
	assert_int_equal(b->events[b->event_count - 1].type, DATAPATH_SOURCE_MOVED);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 27, 7), DROP_STRANGER);
}

static void the_old_source_speaking_stops_a_remapping(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	for (uint16_t i = 1; i < 10; i++)
		(void)bench_send(b, "10.0.0.9:6001", TO, i, 7);
	bench_advance_ms(b, 400);
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 10, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:6001", TO, 11, 7), DROP_NONE);
	assert_int_equal(bench_send(b, "10.0.0.9:6002", TO, 11, 7), DROP_STRANGER);
}

static void a_new_offer_moves_the_lock_and_keeps_the_old_meanwhile(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	a_new_offer(b, "10.0.0.50:4000");
	assert_int_equal(bench_send(b, LAN, TO, 2, 7), DROP_NONE);
	assert_int_equal(bench_send(b, "10.0.0.66:4000", TO, 2, 7), DROP_STRANGER);
	assert_int_equal(bench_send(b, "10.0.0.50:4000", TO, 1, 9), DROP_NONE);
	assert_true(is_locked_to(b, 0, "10.0.0.50:4000"));
	assert_int_equal(bench_send(b, LAN, TO, 3, 7), DROP_STRANGER);
}

static void the_old_source_lapses(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	a_new_offer(b, "10.0.0.50:4000");
	assert_int_equal(bench_send(b, LAN, TO, 2, 7), DROP_NONE);
	bench_advance_ms(b, 5000);
	assert_int_equal(bench_send(b, LAN, TO, 3, 7), DROP_STRANGER);
}

static void the_same_epoch_keeps_the_lock(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	struct flow again = b->flows[0]; /* hold, say */
	b->flows[2] = again;
	b->flows[2].rtp_to = (struct flow_link){0};
	atomic_store(&b->ports[0][0], &b->flows[2]);
	assert_int_equal(bench_send(b, LAN, TO, 2, 7), DROP_HELD);
	assert_true(is_locked_to(b, 0, LAN));
}

static struct packet *rtcp(struct bench *b, const char *from, uint32_t ssrc)
{
	return bench_rtcp(b, 0, from, "10.0.0.1:30001", ssrc);
}

/* RTCP ports beside flows 0 and 1. */
static void add_rtcp(struct bench *b)
{
	static const char *const local[] = {"10.0.0.1:30001", "192.0.2.1:30001"};
	for (unsigned i = 0; i < 2; i++) {
		b->flows[2 + i] = b->flows[i];
		b->flows[2 + i].kind = FLOW_RTCP;
		b->flows[2 + i].rtcp_to = (struct flow_link){&b->slots[3 - i], 1};
		b->flows[2 + i].rtp_of = (struct flow_link){&b->slots[i], 1};
		b->flows[2 + i].expected[0].port = 0;
		bench_publish(b, 2 + i, local[i]);
	}
}

static void rtcp_is_vouched_for_by_rtp(void **state)
{
	struct bench *b = *state;
	add_rtcp(b);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 7)), DROP_PROBATION);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 7)), DROP_NONE);
	assert_true(is_locked_to(b, 2, "10.0.0.9:9999"));
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.66:9999", 7)), DROP_STRANGER);
}

static void the_next_port_vouches_too(void **state)
{
	struct bench *b = *state;
	add_rtcp(b);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:4001", 1234)), DROP_NONE);
}

static void rtcp_before_rtp_needs_two_packets(void **state)
{
	struct bench *b = *state;
	add_rtcp(b);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 8)), DROP_PROBATION);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 8)), DROP_NONE);
}

static void rtcp_of_another_ssrc_is_not_learned_beside_rtp(void **state)
{
	struct bench *b = *state;
	add_rtcp(b);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 8)), DROP_STRANGER);
}

static void rtcp_learned_early_yields_to_the_one_rtp_vouches_for(void **state)
{
	struct bench *b = *state;
	add_rtcp(b);
	for (unsigned i = 0; i < 2; i++)
		bench_run(b, rtcp(b, "10.0.0.9:9999", 8));
	assert_true(is_locked_to(b, 2, "10.0.0.9:9999"));
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:6001", 7)), DROP_NONE);
	assert_true(is_locked_to(b, 2, "10.0.0.9:6001"));
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 8)), DROP_STRANGER);
}

static void a_learned_port_yields_to_that_of_the_sdp(void **state)
{
	struct bench *b = *state;
	assert_int_equal(bench_send(b, "10.0.0.9:7000", TO, 1, 8), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.0.0.9:7000", TO, 2, 8), DROP_NONE);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	assert_true(is_locked_to(b, 0, LAN));
	assert_int_equal(bench_send(b, "10.0.0.9:7000", TO, 3, 8), DROP_STRANGER);
}

static void port_0_is_no_port_of_the_sdp(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	assert_int_equal(bench_send(b, "10.0.0.9:0", TO, 1, 7), DROP_PROBATION);
}

static void rtcp_follows_its_rtp_through_a_remapping(void **state)
{
	struct bench *b = *state;
	add_rtcp(b);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:9999", 7)), DROP_NONE);
	bench_advance_ms(b, 5000);
	assert_int_equal(bench_run(b, rtcp(b, "10.0.0.9:8888", 7)), DROP_NONE);
	assert_true(is_locked_to(b, 2, "10.0.0.9:8888"));
}

static void muxed_rtcp_uses_the_lock_of_rtp_and_makes_none(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	b->flows[0].kind = b->flows[1].kind = FLOW_MUX;
	const char *from = "10.0.0.9:6001";
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(bench_run(b, bench_rtcp(b, 0, from, TO, 7)), DROP_PROBATION);
	assert_false(state_of(b, 0)->locked.is_set);
	assert_int_equal(bench_send(b, from, TO, 1, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, from, TO, 2, 7), DROP_NONE);
	assert_int_equal(bench_run(b, bench_rtcp(b, 0, from, TO, 7)), DROP_NONE);
	assert_int_equal(bench_run(b, bench_rtcp(b, 0, "10.0.0.9:1", TO, 7)), DROP_STRANGER);
}

static void other_payload_is_learned_by_address_alone(void **state)
{
	struct bench *b = *state;
	make_natted(b);
	b->flows[0].kind = b->flows[1].kind = FLOW_OTHER;
	struct packet *p = bench_udp(b, 0, "10.0.0.9:6001", TO, "\x00\x01udptl", 7);
	assert_int_equal(bench_run(b, p), DROP_PROBATION);
	p = bench_udp(b, 0, "10.0.0.9:6001", TO, "\x00\x02udptl", 7);
	assert_int_equal(bench_run(b, p), DROP_NONE);
}

static void name_source(struct bench *b, const char *text)
{
	b->extras[0].named = bench_addr(text);
	b->extras[0].named_hop = &b->hop;
	b->flows[0].named_count++;
}

static void with_ice_only_the_control_thread_locks(void **state)
{
	struct bench *b = *state;
	b->flows[0].mode = FLOW_SOURCE_ICE;
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(bench_send(b, "10.0.0.9:4444", TO, i, 7), DROP_STRANGER);
	assert_int_equal(bench_send(b, LAN, TO, 5, 7), DROP_NONE); /* a valid pair: no lock */
	assert_false(state_of(b, 0)->locked.is_set);
	name_source(b, "10.9.9.9:999");
	assert_int_equal(bench_send(b, "10.9.9.9:999", TO, 6, 7), DROP_NONE);
	assert_true(is_locked_to(b, 0, "10.9.9.9:999"));
	bench_advance_ms(b, 1000);
	assert_int_equal(bench_send(b, LAN, TO, 7, 7), DROP_NONE);
	assert_int_equal(bench_send(b, "10.9.9.9:998", TO, 8, 7), DROP_STRANGER);
	assert_true(is_locked_to(b, 0, "10.9.9.9:999"));
	name_source(b, "10.9.9.8:999");
	assert_int_equal(bench_send(b, "10.9.9.9:999", TO, 9, 7), DROP_STRANGER);
	assert_true(is_locked_to(b, 0, "10.9.9.8:999"));
}

static void a_named_source_may_be_remapped_where_the_mode_learns(void **state)
{
	struct bench *b = *state;
	name_source(b, "10.9.9.9:999");
	assert_int_equal(bench_send(b, "10.9.9.9:999", TO, 6, 7), DROP_NONE);
	bench_advance_ms(b, 400);
	assert_int_equal(bench_send(b, "10.9.9.9:998", TO, 7, 7), DROP_PROBATION);
	assert_int_equal(bench_send(b, "10.9.9.9:998", TO, 8, 7), DROP_NONE);
	assert_true(is_locked_to(b, 0, "10.9.9.9:998"));
	assert_ptr_equal(state_of(b, 0)->locked.hop, &b->hop);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(the_address_of_the_sdp_is_believed_at_once),
		T(strangers_are_never_relayed),
		T(closed_admits_nobody),
		T(a_natted_source_needs_two_packets_in_sequence),
		T(neither_another_ssrc_nor_a_gap_nor_age_confirms),
		T(a_sprayer_at_the_same_address_does_not_stop_learning),
		T(learning_ends_with_its_window),
		T(exact_means_the_port_too),
		T(learn_also_takes_another_port_of_the_address),
		T(the_second_expected_address_counts),
		T(a_remapped_nat_is_followed_after_silence),
		T(the_old_source_speaking_stops_a_remapping),
		T(a_new_offer_moves_the_lock_and_keeps_the_old_meanwhile),
		T(the_old_source_lapses),
		T(the_same_epoch_keeps_the_lock),
		T(rtcp_is_vouched_for_by_rtp),
		T(the_next_port_vouches_too),
		T(rtcp_before_rtp_needs_two_packets),
		T(rtcp_of_another_ssrc_is_not_learned_beside_rtp),
		T(rtcp_learned_early_yields_to_the_one_rtp_vouches_for),
		T(a_learned_port_yields_to_that_of_the_sdp),
		T(port_0_is_no_port_of_the_sdp),
		T(rtcp_follows_its_rtp_through_a_remapping),
		T(muxed_rtcp_uses_the_lock_of_rtp_and_makes_none),
		T(with_ice_only_the_control_thread_locks),
		T(a_named_source_may_be_remapped_where_the_mode_learns),
		T(other_payload_is_learned_by_address_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
