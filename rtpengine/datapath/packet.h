/* packet.h - one packet on its way through the stages, and the stages in their order. A stage takes
 * a burst, returns how many survive, and names every drop. No stage knows DPDK: a packet is bytes
 * with room in front, so that tests hand-make them. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "rtpengine/flow.h"

struct lcore;
struct flow;
struct egress;
struct rte_mbuf;

/* What a burst touches (frame, two flows and their counters) is some 30 kB: the first cache. */
#define BURST 32

/* How often one packet may turn around inside us: a stream whose peer is a media port of ours. */
#define PACKET_TURNS_MAX 4

enum packet_kind { PACKET_RTP, PACKET_RTCP, PACKET_OTHER, PACKET_STUN, PACKET_DTLS };

struct packet {
	uint8_t *data;              /* the Ethernet header; after rewrite, the new one */
	struct rte_mbuf *mbuf;      /* what holds it; NULL in tests */
	const struct flow *flow;    /* where it arrived; set by classify */
	const struct flow *leaving; /* where it leaves; set by route */
	const struct addr *to;      /* and to whom, */
	struct hop *hop;            /* over which neighbour, */
	const struct egress *out;   /* and how; set by rewrite */
	uint16_t len;               /* of the frame */
	uint16_t headroom;          /* free bytes before data */
	uint16_t tailroom;          /* and behind the frame */
	uint16_t payload;           /* offset of the UDP payload */
	uint16_t payload_len;
	uint16_t payload_sum; /* one's complement sum of the payload, not inverted */
	bool sum_is_stale;    /* the payload was changed since */
	uint8_t kind;         /* enum packet_kind */
	uint8_t turns;
	bool was_held;      /* for its next hop, once */
	uint32_t ssrc;      /* of RTP; of the first sender in RTCP */
	uint16_t sequence;  /* RTP */
	struct addr source; /* who sent it */
};

static inline const uint8_t *packet_payload(const struct packet *packet)
{
	return packet->data + packet->payload;
}
static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t read_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void write_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* Ethernet, IP, UDP and their checksums; which flow; then STUN, DTLS, RTP or RTCP (RFC 7983).
 * Packets of another lcore's flow go to that lcore. */
uint16_t stage_classify(struct lcore *lcore, struct packet *packets, uint16_t n);
/* Whether a STUN or DTLS packet is worth waking the control thread for (punt.c). */
enum drop punt_check(struct lcore *lcore, const struct packet *packet);
/* The second half alone, for packets that were handed over or turned around: flow is set. */
uint16_t stage_demux(struct lcore *lcore, struct packet *packets, uint16_t n);
/* The source rule (flow.h). */
uint16_t stage_admit(struct lcore *lcore, struct packet *packets, uint16_t n);
/* The session's limit, and the payload types of its SDP. */
uint16_t stage_police(struct lcore *lcore, struct packet *packets, uint16_t n);
/* Counters: loss and jitter (RFC 3550 A.1, A.3, A.8). */
uint16_t stage_rtp(struct lcore *lcore, struct packet *packets, uint16_t n);
uint16_t stage_rtcp(struct lcore *lcore, struct packet *packets, uint16_t n);
/* What flow_alter asks for. */
uint16_t stage_alter(struct lcore *lcore, struct packet *packets, uint16_t n);
/* SRTP: authenticate and decrypt what arrives; encrypt what leaves. */
uint16_t stage_srtp_in(struct lcore *lcore, struct packet *packets, uint16_t n);
uint16_t stage_srtp_out(struct lcore *lcore, struct packet *packets, uint16_t n);
/* Which flow it leaves through, and where that one's peer is. */
uint16_t stage_route(struct lcore *lcore, struct packet *packets, uint16_t n);
/* New Ethernet, IP and UDP headers; or, when the destination is a flow of ours, a turn: those
 * packets leave the burst for lcore->turned. */
uint16_t stage_rewrite(struct lcore *lcore, struct packet *packets, uint16_t n);

/* Ethernet, IP and UDP in front of the payload, from the local port of `out` to `to`; `ip_id`
 * counts IPv4 identifications. */
void packet_write_headers(uint16_t *ip_id, struct packet *packet, const struct flow *out,
			  const struct addr *to, const struct egress *egress);
uint16_t packet_payload_sum(const uint8_t *data, size_t len); /* as packet->payload_sum */

/* Packets of ours (packet->flow is where they leave): destination, SRTP, headers. Returns what is
 * to be sent. */
uint16_t packet_leave(struct lcore *lcore, struct packet *packets, uint16_t n);
/* What is held whose next hop answers now; `packets` has room for HELD_MAX. */
uint16_t packet_unhold(struct lcore *lcore, struct packet *packets);
/* For both: where packets that leave through packet->flow go. */
uint16_t stage_leave(struct lcore *lcore, struct packet *packets, uint16_t n);
/* All of the above after classify, until nothing turns any more. Returns what is to be sent. */
uint16_t packet_forward(struct lcore *lcore, struct packet *packets, uint16_t n);
/* Count one reason, on the flow too if it is known, and give the buffer back. */
void packet_drop(struct lcore *lcore, struct packet *packet, enum drop why);
