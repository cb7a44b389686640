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
			atomic_store_explicit(&state->last_rtcp_ns.value, lcore->now_ns,
					      memory_order_relaxed);
		}
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	return kept;
}
