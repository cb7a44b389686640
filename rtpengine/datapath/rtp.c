/* rtp.c - third stage: what RFC 3550 lets a receiver know about an RTP stream (A.1 sequence, A.3
 * loss, A.8 jitter), per flow, over the SSRC that speaks now. Nothing is dropped for its sequence:
 * a relay is not a jitter buffer. Nor for its padding, whose count SRTP encrypts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"

#define MAX_DROPOUT  3000 /* RFC 3550 A.1 */
#define MAX_MISORDER 100
#define NO_SEQUENCE  0x10000u

static void store(struct counter *counter, uint64_t value)
{
	atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

/* Of the current run alone; more may have come than expected (duplicates). */
static uint64_t run_lost(const struct sequence_state *rtp)
{
	uint64_t expected = (uint64_t)rtp->cycles + rtp->highest - rtp->base + 1;
	return expected > rtp->received ? expected - rtp->received : 0;
}

static void start_run(struct sequence_state *rtp, uint16_t sequence)
{
	if (rtp->is_set)
		rtp->lost_before += run_lost(rtp);
	rtp->is_set = true;
	rtp->highest = sequence;
	rtp->base = sequence;
	rtp->cycles = 0;
	rtp->received = 0;
	rtp->bad = NO_SEQUENCE;
	rtp->transit_is_set = false;
}

/* RFC 3550 A.1 update_seq, without its probation: admit has done that. */
static void update_sequence(struct flow_state *state, uint16_t sequence)
{
	struct sequence_state *rtp = &state->rtp;
	uint16_t ahead = (uint16_t)(sequence - rtp->highest);
	if (ahead == 0 && rtp->received) {
		counter_add(&state->duplicate, 1);
		return;
	}
	if (ahead < MAX_DROPOUT) {
		if (sequence < rtp->highest)
			rtp->cycles += 0x10000;
		rtp->highest = sequence;
	} else if (ahead <= 0x10000 - MAX_MISORDER) {
		if (sequence != rtp->bad) { /* a jump; believed when the next one follows it */
			rtp->bad = (sequence + 1u) & 0xffff;
			return;
		}
		start_run(rtp, sequence);
	} else {
		counter_add(&state->reordered, 1);
	}
	rtp->bad = NO_SEQUENCE;
	rtp->received++;
}

/* Most packets of an iteration have one clock. */
static uint32_t arrival_of(struct lcore *lcore, uint32_t clock_hz)
{
	uint64_t now_ns = lcore->now_ns;
	if (lcore->arrival_ns != now_ns || lcore->arrival_hz != clock_hz) {
		lcore->arrival_ns = now_ns;
		lcore->arrival_hz = clock_hz;
		lcore->arrival = (uint32_t)(now_ns / 1000000000 * clock_hz +
					    now_ns % 1000000000 * clock_hz / 1000000000);
	}
	return lcore->arrival;
}

/* RFC 3550 A.8: J += (|D| - J) / 16, in units of the RTP clock. */
static void update_jitter(struct flow_state *state, uint32_t arrival, uint32_t timestamp)
{
	struct sequence_state *rtp = &state->rtp;
	uint32_t transit = arrival - timestamp;
	if (rtp->transit_is_set) {
		int32_t d = (int32_t)(transit - rtp->transit);
		uint64_t distance = (uint64_t)(d < 0 ? -(int64_t)d : d);
		uint64_t jitter_q4 = counter_get(&rtp->jitter_q4);
		store(&rtp->jitter_q4, jitter_q4 + distance - ((jitter_q4 + 8) >> 4));
	}
	rtp->transit = transit;
	rtp->transit_is_set = true;
}

/* Where it leaves is looked at by stage_rewrite. */
static void prefetch_out(const struct flow *flow)
{
	if (!flow->rtp_to.slot)
		return;
	const struct flow *out =
		atomic_load_explicit(&flow->rtp_to.slot->current, memory_order_relaxed);
	if (!out)
		return;
	__builtin_prefetch(out);
	__builtin_prefetch((const char *)out + 64);
	__builtin_prefetch((const char *)flow->rtp_to.slot + 128, 1);
}

/* Rare: its memory is not among the lines that every packet touches. */
static void sample_quality(const struct flow *flow, uint64_t now_ns)
{
	struct flow_state *state = &flow->slot->state;
	const struct sequence_state *rtp = &state->rtp;
	quality_rtp(&state->quality, rtp->cycles + rtp->highest - rtp->base,
		    (uint32_t)rtp->received, flow_jitter_us(state, flow->clock_hz), now_ns);
	state->quality_due_ns = now_ns + QUALITY_PERIOD_NS;
}

static void count(struct lcore *lcore, const struct packet *packet)
{
	const struct flow *flow = packet->flow;
	struct flow_state *state = &flow->slot->state;
	counter_add(&state->packets, 1);
	counter_add(&state->bytes, packet->payload_len);
	store(&state->last_packet_ns, lcore->now_ns);
	prefetch_out(flow);
	if (packet->kind != PACKET_RTP)
		return;

	const uint8_t *rtp = packet_payload(packet);
	uint64_t header = counter_get(&state->rtp_header);
	if (!state->rtp.is_set || (uint32_t)header != packet->ssrc) {
		start_run(&state->rtp, packet->sequence);
		quality_restart(&state->quality);
		state->quality_due_ns = 0;
	}
	update_sequence(state, packet->sequence);
	store(&state->lost, state->rtp.lost_before + run_lost(&state->rtp));
	uint32_t timestamp = read_be32(rtp + 4);
	if (flow->clock_hz)
		update_jitter(state, arrival_of(lcore, flow->clock_hz), timestamp);
	atomic_store_explicit(&state->rtp.timestamp, timestamp, memory_order_relaxed);
	if (lcore->now_ns >= state->quality_due_ns)
		sample_quality(flow, lcore->now_ns);
	store(&state->rtp_header, 1ull << 63 | (uint64_t)(rtp[1] & 0x7f) << 48 |
					  (uint64_t)packet->sequence << 32 | packet->ssrc);
}

uint16_t stage_rtp(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (packets[i].kind != PACKET_RTCP)
			count(lcore, &packets[i]);
	return n;
}
