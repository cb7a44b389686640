/* test_police.c - the session's limit and its payload types. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const TO = "10.0.0.1:30000";

static void a_peer_is_held_to_its_rate(void **state)
{
	struct bench *b = *state;
	unsigned passed = 0;
	b->flows[0].is_limited = true;
	b->flows[0].packet_ns = 10000000;     /* 100 a second */
	for (uint16_t i = 0; i < 1000; i++) { /* ten times as many, for a second */
		passed += bench_send(b, LAN, TO, i, 7) == DROP_NONE;
		bench_advance_ms(b, 1);
	}
	assert_in_range(passed, 190, 210); /* the burst, and a second's worth */
	assert_int_equal(bench_drops(b, DROP_RATE), 1000 - passed);
	/* what is dropped is not held against it */
	passed = 0;
	for (uint16_t i = 0; i < 100; i++) {
		passed += bench_send(b, LAN, TO, (uint16_t)(1000 + i), 7) == DROP_NONE;
		bench_advance_ms(b, 10);
	}
	assert_in_range(passed, 99, 100);
}

static void and_to_its_bytes(void **state)
{
	struct bench *b = *state;
	unsigned passed = 0;
	b->flows[0].is_limited = true;
	b->flows[0].byte_ns_q8 = (uint32_t)(256ull * 1000000000 / 17200); /* 100 packets of 172 */
	for (uint16_t i = 0; i < 1000; i++)
		passed += bench_send(b, LAN, TO, i, 7) == DROP_NONE;
	assert_in_range(passed, 99, 101);
	bench_advance_ms(b, 60000); /* no more is saved up than a second's worth */
	passed = 0;
	for (uint16_t i = 0; i < 1000; i++)
		passed += bench_send(b, LAN, TO, i, 7) == DROP_NONE;
	assert_in_range(passed, 99, 101);
}

static void strangers_use_up_nothing(void **state)
{
	struct bench *b = *state;
	b->flows[0].is_limited = true;
	b->flows[0].packet_ns = 10000000;
	assert_int_equal(bench_send(b, LAN, TO, 0, 7), DROP_NONE);
	for (uint16_t i = 0; i < 1000; i++)
		assert_int_equal(bench_send(b, "10.0.0.66:4000", TO, i, 7), DROP_STRANGER);
	assert_int_equal(bench_send(b, LAN, TO, 1, 7), DROP_NONE);
}

static void send_all_types(struct bench *b, const uint64_t allowed[2])
{
	flow_set_payload_types(&b->flows[0], allowed);
	for (unsigned type = 0; type < 256; type++) {
		struct packet *packet = bench_rtp(b, 0, LAN, TO, (uint16_t)type, 7);
		packet->data[14 + 20 + 8 + 1] = (uint8_t)type;
		bench_checksum(packet);
		bool named = allowed[type >> 6 & 1] >> (type & 63) & 1;
		assert_int_equal(bench_run(b, packet), named ? DROP_NONE : DROP_PAYLOAD_TYPE);
	}
}

static void other_payload_types_are_dropped(void **state)
{
	send_all_types(*state, (uint64_t[2]){1ull << 8, 1ull << (101 - 64)});
	send_all_types(*state, (uint64_t[2]){1ull << 8});
	send_all_types(*state, (uint64_t[2]){0xf, 0});
	send_all_types(*state, (uint64_t[2]){0xf, 1ull << 63});
	send_all_types(*state, (uint64_t[2]){0xff00ff, 0xf0f0});
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(a_peer_is_held_to_its_rate),
		T(and_to_its_bytes),
		T(strangers_use_up_nothing),
		T(other_payload_types_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
