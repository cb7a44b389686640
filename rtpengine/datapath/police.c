/* police.c - what an admitted peer may send: no more than the session's limit, and only the payload
 * types of its SDP. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/bundle.h"

/* How far ahead of its rate a peer may be (flow.h: 1 s). */
#define BURST_NS 1000000000ull

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Each packet and byte pays with time: the generic cell rate algorithm, a token bucket without
 * tokens. What is dropped pays nothing. */
static bool is_within_limit(const struct flow *flow, const struct packet *packet, uint64_t now_ns)
{
	struct flow_state *state = &flow->slot->state;
	uint64_t packets_ns = later(state->packets_until_ns, now_ns) + flow->packet_ns;
	uint64_t bytes_ns = later(state->bytes_until_ns, now_ns) +
			    ((uint64_t)flow->byte_ns_q8 * packet->payload_len >> 8);
	if (packets_ns - now_ns > BURST_NS || bytes_ns - now_ns > BURST_NS)
		return false;
	state->packets_until_ns = packets_ns;
	state->bytes_until_ns = bytes_ns;
	return true;
}

void flow_set_payload_types(struct flow *flow, const uint64_t bits[2])
{
	unsigned count = 0;
	memcpy(flow->payload_types, bits, sizeof(flow->payload_types));
	for (uint8_t type = 0; type < 128; type++) {
		if (!(bits[type >> 6] >> (type & 63) & 1))
			continue;
		for (unsigned i = count++; i < FLOW_FEW_TYPES; i++)
			flow->few_types[i] = type;
	}
	flow->types = count == 0                ? FLOW_TYPES_ANY
		      : count <= FLOW_FEW_TYPES ? FLOW_TYPES_FEW
						: FLOW_TYPES_MANY;
}

static bool is_negotiated(const struct flow *flow, const struct packet *packet)
{
	uint8_t type = packet_payload(packet)[1] & 0x7f;
	const uint8_t *few = flow->few_types;
	if (packet->kind != PACKET_RTP)
		return true;
	if (flow->types == FLOW_TYPES_FEW)
		return type == few[0] || type == few[1] || type == few[2] || type == few[3];
	return flow->payload_types[type >> 6] >> (type & 63) & 1;
}

static enum drop police(const struct lcore *lcore, struct packet *packet)
{
	if (packet->flow->has_bundle) {
		enum drop why = bundle_find(packet);
		if (why != DROP_NONE)
			return why;
	}
	const struct flow *flow = packet->flow;
	if (flow->types != FLOW_TYPES_ANY && !is_negotiated(flow, packet))
		return DROP_PAYLOAD_TYPE;
	if (flow->is_limited && !is_within_limit(flow, packet, lcore->now_ns))
		return DROP_RATE;
	return DROP_NONE;
}

uint16_t stage_police(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = &packets[i];
		enum drop why = police(lcore, packet);
		if (why != DROP_NONE) {
			packet_drop(lcore, packet, why);
			continue;
		}
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	return kept;
}
