/* rtcp.c - fourth stage: RTCP is checked as a whole (RFC 3550 A.2, with the reduced-size packets of
 * RFC 5506) before it is relayed: its lengths must add up to the datagram.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"

static bool compound_fits(const uint8_t *rtcp, uint32_t len)
{
	uint32_t at = 0;
	while (at < len) {
		if (len - at < 4 || rtcp[at] >> 6 != 2)
			return false;
		uint32_t one = 4 + 4u * read_be16(rtcp + at + 2);
		if (one > len - at)
			return false;
		bool padded = rtcp[at] & 0x20;
		at += one;
		if (padded && at != len) /* only the last may be */
			return false;
	}
	return true;
}

/* The peer's quality is kept with its RTP. */
static void read_reports(const struct lcore *lcore, const struct packet *packet)
{
	const struct flow *flow = packet->flow;
	const struct flow *rtp = flow_link_get(&flow->rtp_of);
	const struct flow *out = flow_link_get(&flow->rtcp_to);
	const struct flow *out_rtp = out ? flow_link_get(&out->rtp_of) : NULL;
	struct flow_slot *to = out_rtp ? out_rtp->slot : out ? out->slot : NULL;

	quality_rtcp(&(rtp ? rtp : flow)->slot->state.quality, to ? &to->state.quality : NULL,
		     packet_payload(packet), packet->payload_len, lcore->now_ns);
}

uint16_t stage_rtcp(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = &packets[i];
		if (packet->kind == PACKET_RTCP) {
			struct flow_state *state = &packet->flow->slot->state;
			if (!compound_fits(packet_payload(packet), packet->payload_len)) {
				packet_drop(lcore, packet, DROP_RTCP_HEADER);
				continue;
			}
			counter_add(&state->rtcp_packets, 1);
			counter_add(&state->rtcp_bytes, packet->payload_len);
			read_reports(lcore, packet);
			atomic_store_explicit(&state->last_rtcp_ns.value, lcore->now_ns,
					      memory_order_relaxed);
		}
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	return kept;
}
