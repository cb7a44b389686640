/* rewrite.c - last stages before transmit: where the packet goes, and new headers in place, in
 * front of the payload; SRTP seals it between the two. IPv4 and IPv6 may differ between the sides.
 * Checksums are made anew: the payload's sum is known from classify, and input sums may have been
 * partial. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/checksum.h"
#include "rtpengine/datapath/srtp.h"

enum {
	ETHERNET_LEN = 14,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	UDP_LEN = 8,
	HOP_LIMIT = 64,
	PROTOCOL_UDP = 17
};

/* Where packets leaving through `out` go now: the locked source (symmetric RTP), or what
 * signalling says, or, until either is known after a new offer, where it was before. */
static const struct addr *destination(const struct flow *out, uint64_t now_ns, struct hop **hop)
{
	struct flow_state *state = &out->slot->state;
	source_follow_rule(state, out, now_ns);
	if (out->symmetric && state->locked.is_set) {
		*hop = state->locked.hop;
		return &state->locked.addr;
	}
	if (out->remote_hop) {
		*hop = out->remote_hop;
		return &out->remote;
	}
	if (out->symmetric && source_previous_is_valid(state, now_ns) && state->previous.hop) {
		*hop = state->previous.hop;
		return &state->previous.addr;
	}
	return NULL;
}

/* Whole words, so that nothing is read back that was just written in pieces. Returns the sum of the
 * addresses. */
static uint64_t write_ipv4(uint16_t *ip_id, uint8_t *at, const struct flow *out,
			   const struct addr *to, uint16_t udp_len)
{
	const uint32_t words[] = {
		htonl(0x45u << 24 | (uint32_t)out->traffic_class << 16 | (IPV4_LEN + udp_len)),
		htonl((uint32_t)(*ip_id)++ << 16 | 0x4000), /* don't fragment */
		htonl(HOP_LIMIT << 24 | PROTOCOL_UDP << 16),
		out->local.v4.s_addr,
		to->v4.s_addr,
	};
	uint64_t addresses = (uint64_t)words[3] + words[4];
	uint16_t sum = (uint16_t)~checksum_fold(addresses + words[0] + words[1] + words[2]);
	memcpy(at, words, IPV4_LEN);
	memcpy(at + 10, &sum, 2);
	return addresses;
}

static uint64_t write_ipv6(uint8_t *at, const struct flow *out, const struct addr *to,
			   uint16_t udp_len)
{
	at[0] = (uint8_t)(0x60 | out->traffic_class >> 4);
	at[1] = (uint8_t)(out->traffic_class << 4);
	at[2] = at[3] = 0;
	write_be16(at + 4, udp_len);
	at[6] = PROTOCOL_UDP;
	at[7] = HOP_LIMIT;
	memcpy(at + 8, &out->local.v6, 16);
	memcpy(at + 24, &to->v6, 16);
	return checksum_add_words(checksum_add_words(0, &out->local.v6, 16), &to->v6, 16);
}

uint16_t packet_payload_sum(const uint8_t *data, size_t len)
{
	return checksum_fold(checksum_add(0, data, len));
}

void packet_write_headers(uint16_t *ip_id, struct packet *packet, const struct flow *out,
			  const struct addr *to, const struct egress *egress)
{
	uint16_t udp_len = (uint16_t)(UDP_LEN + packet->payload_len);
	if (packet->sum_is_stale) {
		packet->payload_sum =
			packet_payload_sum(packet_payload(packet), packet->payload_len);
		packet->sum_is_stale = false;
	}
	bool v4 = to->family == AF_INET;
	uint8_t *payload = packet->data + packet->payload;
	uint8_t *udp = payload - UDP_LEN;
	uint8_t *ip = udp - (v4 ? IPV4_LEN : IPV6_LEN);
	uint64_t addresses =
		v4 ? write_ipv4(ip_id, ip, out, to, udp_len) : write_ipv6(ip, out, to, udp_len);
	uint32_t ports = htonl((uint32_t)out->local.port << 16 | to->port);
	uint32_t length = htonl((uint32_t)udp_len << 16);
	/* the length stands in the pseudo-header too (RFC 768, RFC 8200 8.1) */
	uint16_t check = (uint16_t)~checksum_fold(addresses + ports + 2 * (uint64_t)length +
						  htonl(PROTOCOL_UDP) + packet->payload_sum);
	if (check == 0)
		check = 0xffff; /* RFC 768: zero would mean none */
	memcpy(udp, &ports, 4);
	memcpy(udp + 4, &length, 4);
	memcpy(udp + 6, &check, 2);
	uint8_t *ethernet = ip - ETHERNET_LEN;
	memcpy(ethernet, egress->ethernet, sizeof(egress->ethernet));
	write_be16(ethernet + 12, v4 ? 0x0800 : 0x86dd);

	packet->headroom = (uint16_t)(packet->headroom + (ethernet - packet->data));
	packet->data = ethernet;
	packet->payload = (uint16_t)(payload - ethernet);
	packet->len = (uint16_t)(packet->payload + packet->payload_len);
	packet->out = egress;
}

/* The destination is a flow of ours: the packet arrives there from this one's local port. */
static enum drop turn(struct lcore *lcore, struct packet *packet, const struct flow *out,
		      const struct addr *to)
{
	const struct flow *next = lcore_flow(lcore, to);
	if (!next)
		return DROP_NO_FLOW;
	if (packet->turns >= PACKET_TURNS_MAX || lcore->turned_count >= BURST)
		return DROP_LOOP;
	struct packet *turned = &lcore->turned[lcore->turned_count++];
	*turned = *packet;
	turned->turns++;
	turned->source = out->local;
	turned->flow = next;
	return DROP_NONE;
}

static void count_sent(const struct flow *out, const struct packet *packet)
{
	counter_add(&out->slot->state.sent_packets, 1);
	counter_add(&out->slot->state.sent_bytes, packet->payload_len);
}

static enum drop leave(struct lcore *lcore, struct packet *packet, const struct flow *out)
{
	if (!out || out->lcore != lcore->index)
		return DROP_HELD;
	packet->to = destination(out, lcore->now_ns, &packet->hop);
	if (!packet->to)
		return DROP_NO_DESTINATION;
	if (out->is_sealed && !out->srtp_out)
		return DROP_SRTP_KEY;
	packet->leaving = out;
	return DROP_NONE;
}

static enum drop route(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;

	return leave(lcore, packet,
		     flow_link_get(packet->kind == PACKET_RTCP ? &flow->rtcp_to : &flow->rtp_to));
}

bool flow_can_leave(const struct flow *out, uint64_t now_ns)
{
	struct hop *hop = NULL;

	return destination(out, now_ns, &hop) &&
	       atomic_load_explicit(&hop->egress, memory_order_acquire);
}

static uint16_t each(struct lcore *lcore, struct packet *packets, uint16_t n, bool is_ours)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		enum drop why = is_ours ? leave(lcore, &packets[i], packets[i].flow)
					: route(lcore, &packets[i]);
		if (why != DROP_NONE) {
			packet_drop(lcore, &packets[i], why);
			continue;
		}
		if (packets[i].leaving->srtp_out)
			srtp_context_prefetch(packets[i].leaving->srtp_out);
		if (kept != i)
			packets[kept] = packets[i];
		kept++;
	}
	return kept;
}

uint16_t stage_route(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	return each(lcore, packets, n, false);
}

uint16_t stage_leave(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	return each(lcore, packets, n, true);
}

/* Until its next hop answers; false: there is no room, or it has waited already. */
static bool hold(struct lcore *lcore, const struct packet *packet)
{
	if (packet->was_held || lcore->held_count == HELD_MAX)
		return false;
	struct held_packet *held = &lcore->held[lcore->held_count++];
	held->packet = *packet;
	held->packet.was_held = true;
	held->leaving = (struct flow_link){packet->leaving->slot, packet->leaving->generation};
	held->until_ns = lcore->now_ns + HELD_NS;
	return true;
}

/* True: packet->out is set. False: it was turned or dropped. */
static bool rewrite(struct lcore *lcore, struct packet *packet)
{
	const struct flow *out = packet->leaving;
	struct hop *hop = packet->hop;
	const struct addr *to = packet->to;
	enum drop why = DROP_NONE;
	if (atomic_load_explicit(&hop->is_ours, memory_order_relaxed) &&
	    lcore_endpoint_has(lcore, to)) {
		why = turn(lcore, packet, out, to);
		if (why != DROP_NONE)
			goto drop;
		count_sent(out, packet);
		return false;
	}
	const struct egress *egress = atomic_load_explicit(&hop->egress, memory_order_acquire);
	why = atomic_load_explicit(&hop->has_route, memory_order_relaxed) ? DROP_NO_NEIGHBOUR
									  : DROP_NO_ROUTE;
	if (!egress && why == DROP_NO_NEIGHBOUR && hold(lcore, packet))
		return false;
	if (!egress)
		goto drop;
	uint16_t headers = (uint16_t)((to->family == AF_INET ? IPV4_LEN : IPV6_LEN) + UDP_LEN);
	why = DROP_TOO_BIG;
	if (headers + packet->payload_len > egress->mtu ||
	    headers + ETHERNET_LEN > packet->headroom + packet->payload)
		goto drop;
	packet_write_headers(&lcore->ip_id, packet, out, to, egress);
	count_sent(out, packet);
	return true;
drop:
	packet_drop(lcore, packet, why);
	return false;
}

uint16_t stage_rewrite(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		if (!rewrite(lcore, &packets[i]))
			continue;
		if (kept != i)
			packets[kept] = packets[i];
		kept++;
	}
	return kept;
}
