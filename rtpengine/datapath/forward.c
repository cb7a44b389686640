/* forward.c - the stages after classify, in their order, as often as packets turn around: a stream
 * whose peer is a media port of ours (a call that passes this edge twice) never sees a wire.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"

static uint16_t run(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	n = stage_admit(lcore, packets, n);
	n = stage_srtp_in(lcore, packets, n);
	n = stage_police(lcore, packets, n);
	n = stage_rtp(lcore, packets, n);
	n = stage_rtcp(lcore, packets, n);
	n = stage_alter(lcore, packets, n);
	n = stage_route(lcore, packets, n);
	n = stage_srtp_out(lcore, packets, n);
	return stage_rewrite(lcore, packets, n);
}

/* Take what turned out of the lcore; those of other lcores' flows leave for there. */
static uint16_t take_turned(struct lcore *lcore, struct packet *packets)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < lcore->turned_count; i++) {
		struct packet *packet = &lcore->turned[i];
		if (packet->flow->lcore == lcore->index) {
			packets[kept++] = *packet;
		} else if (lcore->ops->hand_over(lcore, packet->flow->lcore, packet)) {
			counter_add(&lcore->handed_over, 1);
		} else {
			packet->flow = NULL;
			packet_drop(lcore, packet, DROP_HANDOVER);
		}
	}
	lcore->turned_count = 0;
	return stage_demux(lcore, packets, kept);
}

static uint16_t finish(struct lcore *lcore, struct packet *packets, uint16_t done)
{
	while (lcore->turned_count) { /* PACKET_TURNS_MAX bounds it */
		struct packet again[BURST];
		uint16_t more = run(lcore, again, take_turned(lcore, again));
		/* each of these was in the burst of n, so there is room */
		memcpy(packets + done, again, more * sizeof(*again));
		done = (uint16_t)(done + more);
	}
	return done;
}

uint16_t packet_forward(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	return finish(lcore, packets, run(lcore, packets, n));
}

uint16_t packet_leave(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	n = stage_leave(lcore, packets, n);
	n = stage_srtp_out(lcore, packets, n);
	return finish(lcore, packets, stage_rewrite(lcore, packets, n));
}

uint16_t packet_unhold(struct lcore *lcore, struct packet *packets)
{
	uint16_t n = 0, kept = 0;

	for (uint16_t i = 0; i < lcore->held_count; i++) {
		struct held_packet *held = &lcore->held[i];

		held->packet.flow = flow_link_get(&held->leaving);
		if (held->packet.flow && held->until_ns > lcore->now_ns &&
		    !flow_can_leave(held->packet.flow, lcore->now_ns))
			lcore->held[kept++] = *held;
		else
			packets[n++] = held->packet;
	}
	lcore->held_count = kept;
	uint16_t left = 0;
	for (uint16_t i = 0; i < n; i++) {
		if (packets[i].flow)
			packets[left++] = packets[i];
		else
			packet_drop(lcore, &packets[i], DROP_NO_FLOW);
	}
	left = stage_leave(lcore, packets, left); /* sealed already */
	return finish(lcore, packets, stage_rewrite(lcore, packets, left));
}
