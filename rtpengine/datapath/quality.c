/* quality.c - samples of quality, by RTP and RTCP. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/quality.h"

#include "rtpengine/datapath/packet.h"

enum {
	RTCP_SR = 200,
	RTCP_RR = 201,
	SR_INFO = 20, /* NTP, RTP time, packets, octets */
	BLOCK_LEN = 24,
};
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

static void store(struct counter *counter, uint64_t value)
{
	atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

/* mos (8 bits), loss (8), jitter ms (16), round trip us (32) */
static uint64_t pack(uint32_t mos, uint32_t loss, uint32_t jitter_ms, uint32_t round_trip_us)
{
	if (jitter_ms > UINT16_MAX)
		jitter_ms = UINT16_MAX;
	return (uint64_t)mos << 56 | (uint64_t)loss << 48 | (uint64_t)jitter_ms << 32 |
	       round_trip_us;
}

/* R = 93.2 less what delay and loss cost; then G.107 annex B. The delay is half the round trip,
 * and a jitter buffer of twice the jitter. */
uint32_t quality_mos(uint32_t loss_percent, uint32_t jitter_ms, uint32_t round_trip_us)
{
	double delay_ms = round_trip_us / 2000.0 + jitter_ms * 2.0 + 10;
	double r = 93.2 - (delay_ms < 160 ? delay_ms / 40 : (delay_ms - 120) / 10) -
		   loss_percent * 2.5;

	if (r <= 0)
		return 10;
	double mos = 1 + 0.035 * r + 0.000007 * r * (r - 60) * (100 - r);
	return mos < 1 ? 10 : (uint32_t)(mos * 10 + 0.5);
}

/* mos (6 bits), loss (7), jitter ms (11), round trip us (20), s since the first (20): a value that
 * does not fit is the largest that does. */
static uint64_t pack_progress(uint32_t mos, uint32_t loss, uint32_t jitter_ms,
			      uint32_t round_trip_us, uint64_t after_s)
{
	uint64_t jitter = jitter_ms < 0x7ff ? jitter_ms : 0x7ff;
	uint64_t round_trip = round_trip_us < 0xfffff ? round_trip_us : 0xfffff;
	uint64_t after = after_s < 0xfffff ? after_s : 0xfffff;

	return (uint64_t)mos << 58 | (uint64_t)loss << 51 | jitter << 40 | round_trip << 20 | after;
}

/* The reader may see an entry twice while they move up, and no worse. */
static void thin_out(struct quality *quality, uint16_t step)
{
	for (unsigned i = 1; i < FLOW_PROGRESS_MAX / 2; i++)
		store(&quality->progress[i], counter_get(&quality->progress[2 * i]));
	atomic_store_explicit(&quality->count, FLOW_PROGRESS_MAX / 2, memory_order_relaxed);
	atomic_store_explicit(&quality->step, (uint16_t)(step * 2), memory_order_relaxed);
}

/* Sample number `n` of the stream. */
static void add_progress(struct quality *quality, uint64_t n, uint32_t loss, uint32_t jitter_ms,
			 uint64_t now_ns)
{
	uint16_t step = atomic_load_explicit(&quality->step, memory_order_relaxed);
	uint16_t count = atomic_load_explicit(&quality->count, memory_order_relaxed);
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);

	if (!step) {
		step = 1;
		atomic_store_explicit(&quality->step, step, memory_order_relaxed);
		atomic_store_explicit(&quality->begun_s, now_s, memory_order_relaxed);
	}
	if (n % step)
		return;
	if (count == FLOW_PROGRESS_MAX) {
		if (step > UINT16_MAX / 2)
			return; /* after years */
		thin_out(quality, step);
		count = FLOW_PROGRESS_MAX / 2;
		if (n % (step * 2u))
			return;
	}
	uint32_t round_trip_us = (uint32_t)counter_get(&quality->round_trip_us);
	uint32_t begun_s = atomic_load_explicit(&quality->begun_s, memory_order_relaxed);
	store(&quality->progress[count],
	      pack_progress(quality_mos(loss, jitter_ms, round_trip_us), loss, jitter_ms,
			    round_trip_us, now_s - begun_s));
	atomic_store_explicit(&quality->count, (uint16_t)(count + 1), memory_order_release);
}

static void add_sample(struct quality *quality, uint32_t loss, uint32_t jitter_ms, uint64_t now_ns)
{
	uint32_t round_trip_us = (uint32_t)counter_get(&quality->round_trip_us);
	uint32_t mos = quality_mos(loss, jitter_ms, round_trip_us);
	uint64_t sample = pack(mos, loss, jitter_ms, round_trip_us);
	bool is_first = !counter_get(&quality->samples);

	add_progress(quality, counter_get(&quality->samples), loss, jitter_ms, now_ns);
	if (is_first || mos < counter_get(&quality->lowest) >> 56) {
		store(&quality->lowest, sample);
		store(&quality->lowest_ns, now_ns);
	}
	if (is_first || mos > counter_get(&quality->highest) >> 56) {
		store(&quality->highest, sample);
		store(&quality->highest_ns, now_ns);
	}
	counter_add(&quality->sum_mos, mos);
	counter_add(&quality->sum_loss, loss);
	counter_add(&quality->sum_jitter, jitter_ms);
	counter_add(&quality->sum_round_trip, round_trip_us);
	counter_add(&quality->samples, 1);
}

void quality_restart(struct quality *quality)
{
	quality->sampled_ns = 0;
}

static bool is_behind(uint32_t now, uint32_t before)
{
	return now - before > INT32_MAX;
}

void quality_rtp(struct quality *quality, uint32_t expected, uint32_t received, uint64_t jitter_us,
		 uint64_t now_ns)
{
	if (is_behind(expected, quality->expected) || is_behind(received, quality->received))
		quality_restart(quality); /* the stream jumped */
	if (quality->sampled_ns && now_ns - quality->sampled_ns < QUALITY_PERIOD_NS)
		return;
	if (quality->sampled_ns) {
		uint32_t due = expected - quality->expected;
		uint32_t came = received - quality->received;
		uint64_t lost = due > came ? due - came : 0;

		add_sample(quality, due ? (uint32_t)(lost * 100 / due) : 0,
			   (uint32_t)(jitter_us / 1000), now_ns);
	}
	quality->sampled_ns = now_ns;
	quality->expected = expected;
	quality->received = received;
}

/* RFC 3550 6.4.1: the round trip is what has passed since our SR, less the time the peer kept it.
 */
static void read_block(struct quality *from, const uint8_t *block, uint64_t now_ns)
{
	uint32_t last_report = read_be32(block + 16), delay = read_be32(block + 20);
	uint64_t delay_ns = (uint64_t)delay * 1000000000 >> 16;

	store(&from->reported, 1ull << 63 | (uint64_t)block[4] << 32 | read_be32(block + 12));
	if (!last_report || !from->sent_report_ns || last_report != from->sent_report)
		return;
	uint64_t passed_ns = now_ns - from->sent_report_ns;
	if (passed_ns < delay_ns)
		return;
	uint64_t round_trip_us = (passed_ns - delay_ns) / 1000;
	store(&from->round_trip_us, round_trip_us < UINT32_MAX ? round_trip_us : UINT32_MAX);
}

static void read_one(struct quality *from, struct quality *to, const uint8_t *rtcp, uint32_t len,
		     uint64_t now_ns)
{
	uint32_t at = 8;

	if (len < at || (rtcp[1] != RTCP_SR && rtcp[1] != RTCP_RR))
		return;
	if (rtcp[1] == RTCP_SR) {
		if (len < at + SR_INFO)
			return;
		if (to) {
			to->sent_report = read_be32(rtcp + 10); /* the middle 32 of 64 bits */
			to->sent_report_ns = now_ns;
		}
		at += SR_INFO;
	}
	for (unsigned i = 0; i < (rtcp[0] & 0x1fu) && at + BLOCK_LEN <= len; i++, at += BLOCK_LEN)
		read_block(from, rtcp + at, now_ns);
}

void quality_rtcp(struct quality *from, struct quality *to, const uint8_t *rtcp, uint32_t len,
		  uint64_t now_ns)
{
	for (uint32_t at = 0; at + 4 <= len;) {
		uint32_t one = 4 + 4u * read_be16(rtcp + at + 2);

		if (one > len - at)
			return;
		read_one(from, to, rtcp + at, one, now_ns);
		at += one;
	}
}

static void unpack(uint64_t sample, uint64_t at_ns, struct flow_quality_sample *out)
{
	*out = (struct flow_quality_sample){
		.mos = (uint32_t)(sample >> 56),
		.loss_percent = (uint32_t)(sample >> 48 & 0xff),
		.jitter_ms = (uint32_t)(sample >> 32 & 0xffff),
		.round_trip_us = (uint32_t)sample,
		.at_ms = at_ns / NS_PER_MS,
	};
}

static void read_progress(const struct quality *quality, struct flow_quality *out)
{
	uint32_t begun_s = atomic_load_explicit(&quality->begun_s, memory_order_relaxed);

	out->progress_count = atomic_load_explicit(&quality->count, memory_order_acquire);
	out->progress_step = atomic_load_explicit(&quality->step, memory_order_relaxed);
	for (unsigned i = 0; i < out->progress_count; i++) {
		uint64_t sample = counter_get(&quality->progress[i]);
		out->progress[i] = (struct flow_quality_sample){
			.mos = (uint32_t)(sample >> 58),
			.loss_percent = (uint32_t)(sample >> 51 & 0x7f),
			.jitter_ms = (uint32_t)(sample >> 40 & 0x7ff),
			.round_trip_us = (uint32_t)(sample >> 20 & 0xfffff),
			.at_ms = (begun_s + (sample & 0xfffff)) * 1000,
		};
	}
}

void quality_read(const struct quality *quality, struct flow_quality *out)
{
	uint64_t reported = counter_get(&quality->reported);
	uint64_t samples = counter_get(&quality->samples);

	*out = (struct flow_quality){
		.samples = samples,
		.round_trip_us = (uint32_t)counter_get(&quality->round_trip_us),
		.has_report = reported >> 63,
		.reported_loss_percent = (uint32_t)((reported >> 32 & 0xff) * 100 / 256),
		.reported_jitter = (uint32_t)reported,
	};
	if (!samples)
		return;
	read_progress(quality, out);
	unpack(counter_get(&quality->lowest), counter_get(&quality->lowest_ns), &out->lowest);
	unpack(counter_get(&quality->highest), counter_get(&quality->highest_ns), &out->highest);
	out->average = (struct flow_quality_sample){
		.mos = (uint32_t)(counter_get(&quality->sum_mos) / samples),
		.loss_percent = (uint32_t)(counter_get(&quality->sum_loss) / samples),
		.jitter_ms = (uint32_t)(counter_get(&quality->sum_jitter) / samples),
		.round_trip_us = (uint32_t)(counter_get(&quality->sum_round_trip) / samples),
	};
}
