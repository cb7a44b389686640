/* classify.c - first stage: from a frame to a flow. Everything a kernel would have checked is
 * checked here, for the frame comes straight from the wire: lengths, IPv4 and UDP checksums,
 * fragments, options. What is not plain UDP to a media port belongs to the kernel and should not be
 * here at all (the filter passes it on); it is dropped and counted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/checksum.h"

enum {
	ETHERNET_LEN = 14,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	UDP_LEN = 8,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	PROTOCOL_UDP = 17,
};

/* IPv6 extension headers (RFC 8200 section 4) that may stand before UDP. */
static bool is_extension(uint8_t next_header)
{
	return next_header == 0 || next_header == 43 || next_header == 51 || next_header == 60 ||
	       next_header == 135;
}

static enum drop parse_ipv4(struct packet *packet, struct addr *local, uint16_t *ip_len)
{
	const uint8_t *ip = packet->data + ETHERNET_LEN;
	uint16_t room = (uint16_t)(packet->len - ETHERNET_LEN);
	if (room < IPV4_LEN)
		return DROP_RUNT;
	if (ip[0] >> 4 != 4 || (ip[0] & 0xf) < 5)
		return DROP_IP_HEADER;
	uint16_t total = read_be16(ip + 2);
	if (total > room || total < IPV4_LEN)
		return DROP_IP_HEADER;
	if ((ip[0] & 0xf) != 5)
		return DROP_IP_OPTIONS;
	if (checksum_fold(checksum_add_words(0, ip, IPV4_LEN)) != 0xffff)
		return DROP_IP_CHECKSUM;
	if (read_be16(ip + 6) & 0x3fff) /* more fragments, or an offset; not "don't fragment" */
		return DROP_FRAGMENT;
	if (ip[9] != PROTOCOL_UDP)
		return DROP_NOT_UDP;
	packet->source.family = local->family = AF_INET;
	memcpy(&packet->source.v4, ip + 12, 4);
	memcpy(&local->v4, ip + 16, 4);
	*ip_len = total;
	return DROP_NONE;
}

static enum drop parse_ipv6(struct packet *packet, struct addr *local, uint16_t *ip_len)
{
	const uint8_t *ip = packet->data + ETHERNET_LEN;
	uint16_t room = (uint16_t)(packet->len - ETHERNET_LEN);
	if (room < IPV6_LEN)
		return DROP_RUNT;
	if (ip[0] >> 4 != 6)
		return DROP_IP_HEADER;
	uint32_t total = IPV6_LEN + (uint32_t)read_be16(ip + 4);
	if (total > room)
		return DROP_IP_HEADER;
	if (ip[6] == 44)
		return DROP_FRAGMENT;
	if (is_extension(ip[6]))
		return DROP_IP_OPTIONS;
	if (ip[6] != PROTOCOL_UDP)
		return DROP_NOT_UDP;
	packet->source.family = local->family = AF_INET6;
	memcpy(&packet->source.v6, ip + 8, 16);
	memcpy(&local->v6, ip + 24, 16);
	*ip_len = (uint16_t)total;
	return DROP_NONE;
}

/* A sum of zero means none (IPv4 only). A local sender's datagram over veth or lo carries just the
 * pseudo-header's sum, for the hardware that never came (CHECKSUM_PARTIAL): that is as good as
 * none. Keeps the payload's sum, which rewrite needs again. */
static bool udp_sum_is_good(struct packet *packet, const uint8_t *udp, uint16_t udp_len)
{
	bool v4 = packet->source.family == AF_INET;
	const uint8_t *ip = packet->data + ETHERNET_LEN;
	uint64_t pseudo = checksum_pseudo(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, udp_len);
	uint64_t payload = checksum_add(0, udp + UDP_LEN, (size_t)udp_len - UDP_LEN);
	packet->payload_sum = checksum_fold(payload);
	uint16_t sum;
	memcpy(&sum, udp + 6, 2);
	if (sum == 0)
		return v4;
	return checksum_fold(checksum_add_words(pseudo + packet->payload_sum, udp, UDP_LEN)) ==
		       0xffff ||
	       sum == checksum_fold(pseudo);
}

static enum drop parse(struct packet *packet, struct addr *local)
{
	if (packet->len < ETHERNET_LEN)
		return DROP_RUNT;
	uint16_t ethertype = read_be16(packet->data + 12);
	uint16_t ip_len = 0;
	enum drop why = DROP_NOT_IP;
	if (ethertype == ETHERTYPE_IPV4)
		why = parse_ipv4(packet, local, &ip_len);
	else if (ethertype == ETHERTYPE_IPV6)
		why = parse_ipv6(packet, local, &ip_len);
	if (why != DROP_NONE)
		return why;

	uint16_t ip_header = local->family == AF_INET ? IPV4_LEN : IPV6_LEN;
	uint16_t udp_at = (uint16_t)(ETHERNET_LEN + ip_header);
	if (ip_len < ip_header + UDP_LEN)
		return DROP_UDP_LENGTH;
	const uint8_t *udp = packet->data + udp_at;
	uint16_t udp_len = read_be16(udp + 4);
	if (udp_len < UDP_LEN || udp_len > ip_len - ip_header)
		return DROP_UDP_LENGTH;
	packet->source.port = read_be16(udp);
	local->port = read_be16(udp + 2);
	packet->payload = (uint16_t)(udp_at + UDP_LEN);
	packet->payload_len = (uint16_t)(udp_len - UDP_LEN);
	return udp_sum_is_good(packet, udp, udp_len) ? DROP_NONE : DROP_UDP_CHECKSUM;
}

/* Fixed header, CSRC list and extension fit (RFC 3550 5.1, 5.3.1): what SRTP leaves in clear. */
static bool rtp_fits(const uint8_t *rtp, uint16_t len)
{
	if (len < 12)
		return false;
	uint32_t need = 12 + 4u * (rtp[0] & 0xf);
	if (rtp[0] & 0x10) {
		if (len < need + 4)
			return false;
		need += 4 + 4u * read_be16(rtp + need + 2);
	}
	return need <= len;
}

/* STUN and DTLS are the control thread's, where the rule says so. */
static enum drop demux_control(struct packet *packet, uint8_t first)
{
	bool is_stun = first <= 3;
	packet->kind = is_stun ? PACKET_STUN : PACKET_DTLS;
	if (is_stun)
		return packet->flow->has_ice ? DROP_NONE : DROP_STUN;
	return packet->flow->has_dtls ? DROP_NONE : DROP_DTLS;
}

static enum drop demux(struct packet *packet)
{
	const uint8_t *payload = packet_payload(packet);
	uint8_t flow_kind = packet->flow->kind;
	packet->kind = PACKET_OTHER;
	if (flow_kind == FLOW_OTHER)
		return DROP_NONE;
	uint8_t first = packet->payload_len ? payload[0] : 0xff;
	if (first <= 3 || (first >= 20 && first <= 63))
		return demux_control(packet, first);
	if (first < 128 || first > 191) /* version 2 is 10xxxxxx */
		return DROP_DEMUX;
	/* RFC 5761 section 4: payload types 64 to 95 with the marker bit are RTCP 192 to 223 */
	bool is_rtcp = flow_kind == FLOW_RTCP;
	if (flow_kind == FLOW_MUX && packet->payload_len >= 2)
		is_rtcp = payload[1] >= 192 && payload[1] <= 223;
	if (is_rtcp) {
		if (packet->payload_len < 8 || payload[1] < 192 || payload[1] > 223)
			return DROP_RTCP_HEADER;
		packet->kind = PACKET_RTCP;
		packet->ssrc = read_be32(payload + 4);
		return DROP_NONE;
	}
	if (!rtp_fits(payload, packet->payload_len))
		return DROP_RTP_HEADER;
	packet->kind = PACKET_RTP;
	packet->sequence = read_be16(payload + 2);
	packet->ssrc = read_be32(payload + 8);
	return DROP_NONE;
}

const struct endpoint *lcore_endpoint(const struct lcore *lcore, const struct addr *ip)
{
	uint16_t count = atomic_load_explicit(&lcore->endpoint_count, memory_order_acquire);
	for (uint16_t i = 0; i < count; i++)
		if (ip_is_equal(&lcore->endpoints[i].addr, ip))
			return &lcore->endpoints[i];
	return NULL;
}

static const struct flow *endpoint_flow(const struct endpoint *endpoint, uint16_t port)
{
	if (!endpoint_has(endpoint, port))
		return NULL;
	return atomic_load_explicit(&endpoint->ports[port - endpoint->base], memory_order_acquire);
}

const struct flow *lcore_flow(const struct lcore *lcore, const struct addr *local)
{
	const struct endpoint *endpoint = lcore_endpoint(lcore, local);
	return endpoint ? endpoint_flow(endpoint, local->port) : NULL;
}

bool lcore_endpoint_has(const struct lcore *lcore, const struct addr *local)
{
	const struct endpoint *endpoint = lcore_endpoint(lcore, local);
	return endpoint && endpoint_has(endpoint, local->port);
}

static enum drop find_flow(struct lcore *lcore, struct packet *packet, const struct addr *local)
{
	const struct endpoint *endpoint = lcore_endpoint(lcore, local);
	if (!endpoint || !endpoint_has(endpoint, local->port))
		return DROP_NOT_OURS;
	packet->flow = endpoint_flow(endpoint, local->port);
	return packet->flow ? DROP_NONE : DROP_NO_FLOW;
}

/* True when the packet is gone: to the lcore that owns its flow, or because that one is full. */
static bool hand_over(struct lcore *lcore, struct packet *packet)
{
	if (packet->flow->lcore == lcore->index)
		return false;
	if (lcore->ops->hand_over(lcore, packet->flow->lcore, packet)) {
		counter_add(&lcore->handed_over, 1);
		return true;
	}
	packet->flow = NULL; /* its counters are the other lcore's */
	packet_drop(lcore, packet, DROP_HANDOVER);
	return true;
}

/* Not plain UDP to a media port: with AF_XDP and AF_PACKET the kernel has it already. */
static bool is_for_kernel(enum drop why)
{
	return why == DROP_NOT_IP || why == DROP_IP_OPTIONS || why == DROP_FRAGMENT ||
	       why == DROP_NOT_UDP || why == DROP_NOT_OURS;
}

/* A telephone's packet of 20 ms: all of it is read, for its checksum. */
static void prefetch_frame(const uint8_t *frame)
{
	__builtin_prefetch(frame);
	__builtin_prefetch(frame + 64);
	__builtin_prefetch(frame + 128);
	__builtin_prefetch(frame + 192);
}

/* Each loop asks for the memory that the next one reads. */
static uint16_t find_flows(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = &packets[i];
		struct addr local = {0};
		if (i + 4 < n)
			prefetch_frame(packets[i + 4].data);
		enum drop why = parse(packet, &local);
		if (why == DROP_NONE)
			why = find_flow(lcore, packet, &local);
		if (why != DROP_NONE) {
			if (!is_for_kernel(why) || !lcore->ops->to_kernel(lcore, packet))
				packet_drop(lcore, packet, why);
			continue;
		}
		__builtin_prefetch(packet->flow);
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	return kept;
}

uint16_t stage_classify(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t found = find_flows(lcore, packets, n);
	uint16_t kept = 0;
	for (uint16_t i = 0; i < found; i++) {
		if (hand_over(lcore, &packets[i]))
			continue;
		flow_prefetch(packets[i].flow->slot);
		if (kept != i)
			packets[kept] = packets[i];
		kept++;
	}
	return stage_demux(lcore, packets, kept);
}

/* True when the packet has gone there, or nowhere. */
static bool punt(struct lcore *lcore, struct packet *packet)
{
	if (packet->kind != PACKET_STUN && packet->kind != PACKET_DTLS)
		return false;
	enum drop why = punt_check(lcore, packet);
	if (why == DROP_NONE && !lcore->ops->punt(lcore, packet))
		why = DROP_PUNT;
	if (why == DROP_NONE)
		lcore->ops->release(lcore, packet);
	else
		packet_drop(lcore, packet, why);
	return true;
}

uint16_t stage_demux(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		enum drop why = demux(&packets[i]);
		if (why != DROP_NONE) {
			packet_drop(lcore, &packets[i], why);
			continue;
		}
		if (punt(lcore, &packets[i]))
			continue;
		__builtin_prefetch(packets[i].flow->rtp_to.slot);
		if (packets[i].flow->has_srtp)
			__builtin_prefetch(packets[i].flow->payload_types);
		if (kept != i)
			packets[kept] = packets[i];
		kept++;
	}
	return kept;
}
