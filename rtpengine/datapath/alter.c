/* alter.c - what commands ask to be done to media in passing: block it, make it silent, see and
 * block telephone events (RFC 4733), play one. A played event takes the place of the packets of its
 * time, so nothing needs renumbering. Runs between srtp_in and srtp_out: the payload is in clear.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/checksum.h"
#include "rtpengine/datapath/lcore.h"

#define RTP_HEADER    12
#define EVENT_LEN     4
#define EVENT_ENDS    3 /* RFC 4733 2.5.1.4: the end is sent three times */
#define PCMU_SILENCE  0xff
#define PCMA_SILENCE  0xd5
#define PACKETS_A_SEC 50 /* guess of a packet's time until two were seen */

enum { PT_PCMU = 0, PT_PCMA = 8 };

/* Where the payload begins; stage_demux has seen that the header is whole. */
static uint16_t payload_offset(const uint8_t *rtp, uint16_t len)
{
	uint32_t at = RTP_HEADER + (rtp[0] & 0x0fu) * 4;

	if (rtp[0] & 0x10 && at + 4 <= len)
		at += 4 + read_be16(rtp + at + 2) * 4u;
	return (uint16_t)(at < len ? at : len);
}

static bool is_event(const struct flow *flow, uint8_t type)
{
	return type && (type == flow->event_types[0] || type == flow->event_types[1]);
}

/* Once per event, when its first end packet comes. */
static void see_event(struct lcore *lcore, const struct flow *flow, const uint8_t *rtp,
		      uint16_t len)
{
	struct event_state *state = &flow->slot->state.event;
	uint16_t at = payload_offset(rtp, len);
	uint32_t timestamp = read_be32(rtp + 4);

	if (at + EVENT_LEN > len || !(rtp[at + 1] & 0x80) ||
	    (state->has_seen && state->seen == timestamp))
		return;
	state->has_seen = true;
	state->seen = timestamp;
	struct datapath_event event = {
		.type = DATAPATH_DTMF,
		.event = rtp[at],
		.volume = rtp[at + 1] & 0x3f,
		.duration = read_be16(rtp + at + 2),
	};
	lcore->ops->report(lcore, flow, &event);
}

static void set_payload(struct packet *packet, uint16_t len)
{
	packet->payload_len = len;
	packet->payload_sum = checksum_fold(checksum_add(0, packet_payload(packet), len));
}

static bool silence(struct packet *packet, uint8_t *rtp, uint8_t type)
{
	uint16_t at = payload_offset(rtp, packet->payload_len);

	if (type != PT_PCMU && type != PT_PCMA)
		return false;
	memset(rtp + at, type == PT_PCMU ? PCMU_SILENCE : PCMA_SILENCE, packet->payload_len - at);
	if (rtp[0] & 0x20) /* the padding's count is the last byte; there is none now */
		rtp[0] &= (uint8_t)~0x20;
	set_payload(packet, packet->payload_len);
	return true;
}

/* How long the event has lasted at the end of this packet. */
static uint32_t elapsed(const struct event_state *state, const struct flow *flow,
			uint32_t timestamp, bool is_first)
{
	uint32_t step = timestamp - state->last;

	if (is_first || step == 0 || step > flow->clock_hz)
		step = flow->clock_hz / PACKETS_A_SEC;
	return timestamp - state->start + step;
}

static void write_event(struct packet *packet, uint8_t *rtp, const struct flow_play *play,
			const struct event_state *state, uint32_t duration, bool is_end)
{
	uint16_t at = payload_offset(rtp, packet->payload_len);
	bool is_first = duration <= play->duration && state->start == read_be32(rtp + 4);

	rtp[0] &= (uint8_t)~0x20;
	rtp[1] = (uint8_t)(play->type | (is_first ? 0x80 : 0));
	write_be16(rtp + 4, (uint16_t)(state->start >> 16));
	write_be16(rtp + 6, (uint16_t)state->start);
	rtp[at] = play->event;
	rtp[at + 1] = (uint8_t)(play->volume | (is_end ? 0x80 : 0));
	write_be16(rtp + at + 2, (uint16_t)(duration < play->duration ? duration : play->duration));
	set_payload(packet, (uint16_t)(at + EVENT_LEN));
}

static void play(struct lcore *lcore, struct packet *packet, uint8_t *rtp)
{
	const struct flow *flow = packet->flow;
	const struct flow_play *play = &flow->extra->alter.play;
	struct event_state *state = &flow->slot->state.event;
	uint32_t timestamp = read_be32(rtp + 4);
	bool is_first = state->playing != play->id;

	if (state->played == play->id ||
	    payload_offset(rtp, packet->payload_len) + EVENT_LEN > packet->payload_len)
		return;
	if (is_first) {
		state->playing = play->id;
		state->start = timestamp;
		state->ends = 0;
	}
	uint32_t duration = elapsed(state, flow, timestamp, is_first);
	bool is_end = duration >= play->duration;

	state->last = timestamp;
	write_event(packet, rtp, play, state, duration, is_end);
	if (!is_end || ++state->ends < EVENT_ENDS)
		return;
	state->played = play->id;
	struct datapath_event event = {.type = DATAPATH_PLAYED, .play = play->id};
	lcore->ops->report(lcore, flow, &event);
}

static void record(struct lcore *lcore, const struct packet *packet, uint32_t recording)
{
	const struct flow *flow = packet->flow;

	if (!lcore->records || packet->payload_len > RECORD_BYTES)
		return;
	struct record *record = record_next(lcore->records);
	if (!record)
		return;
	record->time_ns = lcore->now_ns;
	record->recording = recording;
	record->from = packet->source;
	record->to = flow->local;
	record->len = packet->payload_len;
	memcpy(record->payload, packet_payload(packet), packet->payload_len);
	record_push(lcore->records);
}

static void copy(struct lcore *lcore, const struct packet *packet)
{
	const struct flow *flow = packet->flow;

	for (unsigned i = 0; i < FLOW_COPIES_MAX; i++) {
		const struct flow *out = flow_link_get(&flow->extra->copies[i]);

		if (!out || lcore->copy_count == BURST ||
		    !lcore->ops->copy(lcore, packet, &lcore->copies[lcore->copy_count]))
			continue;
		lcore->copies[lcore->copy_count++].flow = out;
	}
}

/* False: it is blocked. */
static bool alter(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	uint8_t *rtp = packet->data + packet->payload;

	if (flow->extra->alter.recording)
		record(lcore, packet, flow->extra->alter.recording);
	if (packet->kind != PACKET_RTP)
		return true;
	if (flow->extra->alter.forwarding)
		record(lcore, packet, flow->extra->alter.forwarding);
	if (flow->is_altered)
		copy(lcore, packet);
	uint8_t type = rtp[1] & 0x7f;
	if (is_event(flow, type)) {
		see_event(lcore, flow, rtp, packet->payload_len);
		return !flow->extra->alter.blocks_events;
	}
	if (!flow->is_altered)
		return true;
	if (flow->extra->alter.media == FLOW_MEDIA_BLOCK)
		return false;
	if (flow->extra->alter.media == FLOW_MEDIA_SILENCE && !silence(packet, rtp, type))
		return false;
	if (flow->extra->alter.play.id)
		play(lcore, packet, rtp);
	return true;
}

uint16_t stage_alter(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct flow *flow = packets[i].flow;

		if ((flow->is_altered || (flow->event_types[0] | flow->event_types[1])) &&
		    !alter(lcore, &packets[i])) {
			packet_drop(lcore, &packets[i], DROP_BLOCKED);
			continue;
		}
		if (kept != i)
			packets[kept] = packets[i];
		kept++;
	}
	return kept;
}
