/* punt.c - which STUN and DTLS packets are worth waking the control thread for. A flood must cost a
 * look-up and no more: STUN has to name our session (the beginning of its USERNAME, or of the
 * transaction that it answers), DTLS has to come from the peer; and what passes is bounded, per
 * flow and per lcore, with the peer's own packets apart from everybody else's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"

/* A peer checks consent every 5 s, pairs every 50 ms; a DTLS flight is some packets. */
#define PEER_INTERVAL_NS     5000000ull
#define PEER_BURST           64
#define STRANGER_INTERVAL_NS 20000000ull
#define STRANGER_BURST       32
/* 20,000 a second of one lcore: consent of 10,000 calls is 4,000. */
#define LCORE_INTERVAL_NS 50000ull
#define LCORE_BURST       256

enum {
	STUN_HEADER = 20,
	STUN_ANSWERS = 0x0100, /* the class bit of success and error responses */
	STUN_USERNAME = 0x0006,
	STUN_ATTRIBUTES_MAX = 12, /* looked at in search of USERNAME; peers write it first */
};
#define STUN_COOKIE 0x2112a442u

static bool bucket_has(uint64_t *full_ns, uint64_t now_ns, uint64_t interval_ns, unsigned burst)
{
	uint64_t at = *full_ns > now_ns ? *full_ns : now_ns;
	if (at - now_ns >= interval_ns * burst)
		return false;
	*full_ns = at + interval_ns;
	return true;
}

static bool username_is_ours(const struct flow *flow, const uint8_t *name, uint16_t len)
{
	if (len <= FLOW_ICE_UFRAG || name[FLOW_ICE_UFRAG] != ':')
		return false;
	for (unsigned i = 0; i < FLOW_ICE_SESSIONS; i++)
		if (flow->extra->ice.ufrags[i][0] &&
		    !memcmp(flow->extra->ice.ufrags[i], name, FLOW_ICE_UFRAG))
			return true;
	return false;
}

static bool stun_is_ours(const struct packet *packet)
{
	const struct flow *flow = packet->flow;
	const uint8_t *stun = packet_payload(packet);
	uint16_t len = packet->payload_len;
	if (len < STUN_HEADER || read_be32(stun + 4) != STUN_COOKIE ||
	    read_be16(stun + 2) != len - STUN_HEADER)
		return false;
	if (read_be16(stun) & STUN_ANSWERS)
		return !memcmp(stun + 8, flow->extra->ice.mark, sizeof(flow->extra->ice.mark));
	uint32_t at = STUN_HEADER;
	for (unsigned i = 0; i < STUN_ATTRIBUTES_MAX && at + 4 <= len; i++) {
		uint16_t size = read_be16(stun + at + 2);
		if (at + 4u + size > len)
			return false;
		if (read_be16(stun + at) == STUN_USERNAME)
			return username_is_ours(flow, stun + at + 4, size);
		at += 4u + ((size + 3u) & ~3u);
	}
	return false;
}

enum drop punt_check(struct lcore *lcore, const struct packet *packet)
{
	const struct flow *flow = packet->flow;
	struct flow_state *state = &flow->slot->state;
	if (packet->payload_len > PUNT_MAX)
		return DROP_PUNT;
	source_follow_rule(state, flow, lcore->now_ns);
	bool is_peer = source_is_locked(state, &packet->source);
	if (packet->kind == PACKET_STUN && !stun_is_ours(packet))
		return DROP_STUN;
	if (packet->kind == PACKET_DTLS && !is_peer) {
		is_peer = source_is_expected(packet);
		/* before the answer nobody is expected yet, and a peer may be quick */
		if (!is_peer && flow->mode != FLOW_SOURCE_CLOSED)
			return DROP_DTLS;
	}
	bool has_room = is_peer ? bucket_has(&state->punt_peer_ns, lcore->now_ns, PEER_INTERVAL_NS,
					     PEER_BURST)
				: bucket_has(&state->punt_stranger_ns, lcore->now_ns,
					     STRANGER_INTERVAL_NS, STRANGER_BURST);
	if (!has_room ||
	    !bucket_has(&lcore->punt_ns, lcore->now_ns, LCORE_INTERVAL_NS, LCORE_BURST))
		return DROP_PUNT;
	return DROP_NONE;
}
