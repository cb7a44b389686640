/* test_quality.c - samples of a stream, the round trip, and what the peer reports.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const TO = "10.0.0.1:30000";

static struct flow_quality quality_of(struct bench *b, unsigned flow)
{
	struct flow_quality quality;

	quality_read(&b->slots[flow].state.quality, &quality);
	return quality;
}

static void mos_follows_loss_and_delay(void **state)
{
	(void)state;
	assert_int_equal(quality_mos(0, 0, 0), 44);
	assert_in_range(quality_mos(5, 0, 0), 39, 42);
	assert_in_range(quality_mos(20, 0, 0), 19, 24);
	assert_int_equal(quality_mos(100, 0, 0), 10);
	assert_true(quality_mos(0, 0, 400000) < 44);
	assert_true(quality_mos(0, 0, 1000000) < quality_mos(0, 0, 400000));
	assert_int_equal(quality_mos(100, 65535, UINT32_MAX), 10);
}

static void a_stream_is_sampled_every_five_seconds(void **state)
{
	struct bench *b = *state;
	uint16_t sequence = 0;

	b->flows[0].clock_hz = 0; /* the bench's timestamps stand still */
	for (unsigned i = 0; i < 260; i++, bench_advance_ms(b, 20))
		(void)bench_send(b, LAN, TO, sequence++, 7);
	assert_int_equal(quality_of(b, 0).samples, 1);
	assert_int_equal(quality_of(b, 0).average.mos, 44);
	for (unsigned i = 0; i < 260; i++, bench_advance_ms(b, 20)) {
		(void)bench_send(b, LAN, TO, sequence, 7);
		sequence = (uint16_t)(sequence + (i % 10 ? 1 : 2)); /* every tenth is lost */
	}
	struct flow_quality quality = quality_of(b, 0);
	assert_int_equal(quality.samples, 2);
	assert_int_equal(quality.highest.mos, 44);
	assert_in_range(quality.lowest.loss_percent, 8, 9);
	assert_true(quality.lowest.mos < 40);
	assert_true(quality.lowest.at_ms > quality.highest.at_ms);
}

/* The whole of a stream in few entries, at times of its own. */
static void the_progress_of_a_long_stream_is_kept(void **state)
{
	struct bench *b = *state;
	uint16_t sequence = 0;
	uint64_t begun_ms = 0;

	b->flows[0].clock_hz = 0;
	for (unsigned minute = 0; minute < 60; minute++) {
		for (unsigned i = 0; i < 3000; i++, bench_advance_ms(b, 20)) {
			(void)bench_send(b, LAN, TO, sequence, 7);
			bool is_bad = minute >= 30 && i % 10 == 0;
			sequence = (uint16_t)(sequence + (is_bad ? 2 : 1));
		}
		struct flow_quality quality = quality_of(b, 0);
		if (minute == 0) {
			assert_int_equal(quality.progress_step, 2); /* 11 samples */
			assert_in_range(quality.progress_count, 4, FLOW_PROGRESS_MAX);
			begun_ms = quality.progress[0].at_ms;
		}
	}
	struct flow_quality quality = quality_of(b, 0);
	unsigned count = quality.progress_count;
	assert_in_range(quality.samples, 718, 720);
	assert_in_range(count, FLOW_PROGRESS_MAX / 2, FLOW_PROGRESS_MAX);
	assert_int_equal(quality.progress_step, 128);
	assert_int_equal(quality.progress[0].at_ms, begun_ms);
	for (unsigned i = 0; i < count; i++) {
		uint64_t after_ms = quality.progress[i].at_ms - begun_ms;
		assert_in_range(after_ms, i * 128 * 5000, i * 128 * 5020 + 1000);
		assert_int_equal(quality.progress[i].mos<40, after_ms> 1800000);
		assert_in_range(quality.progress[i].loss_percent, after_ms > 1800000 ? 8 : 0,
				after_ms > 1800000 ? 10 : 0);
	}
}

static void a_jump_gives_no_sample(void **state)
{
	struct bench *b = *state;

	b->flows[0].clock_hz = 0;
	for (uint16_t i = 0; i < 300; i++, bench_advance_ms(b, 20))
		(void)bench_send(b, LAN, TO, (uint16_t)(40000 + i), 7);
	assert_int_equal(quality_of(b, 0).samples, 1);
	for (uint16_t i = 0; i < 200; i++, bench_advance_ms(b, 20))
		(void)bench_send(b, LAN, TO, i, 7);
	assert_int_equal(quality_of(b, 0).samples, 1);
	for (uint16_t i = 0; i < 300; i++, bench_advance_ms(b, 20))
		(void)bench_send(b, LAN, TO, i, 8); /* another SSRC */
	assert_int_equal(quality_of(b, 0).samples, 2);
	assert_int_equal(quality_of(b, 0).average.loss_percent, 0);
}

static void put32(uint8_t *at, uint32_t value)
{
	write_be16(at, (uint16_t)(value >> 16));
	write_be16(at + 2, (uint16_t)value);
}

static void the_round_trip_is_measured_by_reports(void **state)
{
	uint8_t sr[28] = {0x80, 200, 0, 6}, rr[32] = {0x81, 201, 0, 7};
	struct quality caller = {.sampled_ns = 0}, callee = {.sampled_ns = 0};
	struct flow_quality quality;

	(void)state;
	put32(sr + 8, 0x11112222);
	put32(sr + 12, 0x33334444);
	quality_rtcp(&caller, &callee, sr, sizeof(sr), 1000000000);
	rr[12] = 64; /* a quarter was lost */
	put32(rr + 20, 800);
	put32(rr + 24, 0x22223333);
	put32(rr + 28, 0x8000); /* kept for half a second */
	quality_rtcp(&callee, &caller, rr, sizeof(rr), 1600000000);
	quality_read(&callee, &quality);
	assert_int_equal(quality.round_trip_us, 100000);
	assert_true(quality.has_report);
	assert_int_equal(quality.reported_loss_percent, 25);
	assert_int_equal(quality.reported_jitter, 800);
	/* One that answers no report of ours, and one that comes too early, change nothing. */
	put32(rr + 24, 0x22223334);
	quality_rtcp(&callee, &caller, rr, sizeof(rr), 1700000000);
	put32(rr + 24, 0x22223333);
	quality_rtcp(&callee, &caller, rr, sizeof(rr), 1400000000);
	quality_read(&callee, &quality);
	assert_int_equal(quality.round_trip_us, 100000);
	/* Truncated in any place. */
	for (uint32_t len = 0; len < sizeof(rr); len++)
		quality_rtcp(&callee, NULL, rr, len, 1600000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mos_follows_loss_and_delay),
		TEST(a_stream_is_sampled_every_five_seconds),
		TEST(the_progress_of_a_long_stream_is_kept),
		TEST(a_jump_gives_no_sample),
		cmocka_unit_test(the_round_trip_is_measured_by_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
