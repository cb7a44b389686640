/* fuzz_datapath.c - a burst of frames through every stage, straight from the wire: Ethernet, IPv4,
 * IPv6, UDP, RTP, RTCP, and the source rule over several packets. Each frame lies in memory of its
 * own size, so that a byte too far is seen.
 * Input: one byte chooses the flows' kind and mode; then for each packet a byte of flags, two of
 * length, and the frame. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "rtpengine/datapath/checksum.h"
#include "rtpengine/datapath/lcore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLOWS    4
#define FIRST    30000
#define PORTS    4
#define HEADROOM 128
#define FRAMES   32

enum {
	FLAG_MEND = 1,    /* right checksums, so that the stages behind are reached */
	FLAG_LATER = 2,   /* half a second passes first */
	FLAG_OFFER = 4,   /* a new offer first */
	FLAG_ADDRESS = 8, /* Ethernet and addresses as of the peer */
};

struct rig {
	struct lcore lcore;
	struct endpoint endpoints[FLOWS];
	_Atomic(const struct flow *) ports[FLOWS][PORTS];
	struct flow_slot slots[FLOWS];
	struct flow flows[FLOWS];
	struct hop hop;
	struct hop own_hop;
	struct egress egress;
	unsigned frames, gone;
};

static bool hand_over(struct lcore *lcore, uint16_t to, struct packet *packet)
{
	(void)to;
	(void)packet;
	((struct rig *)lcore)->gone++;
	return true;
}

static void report(struct lcore *lcore, const struct flow *flow, struct datapath_event *event)
{
	(void)lcore;
	event->flow = flow->id;
}

static bool to_kernel(struct lcore *lcore, struct packet *packet)
{
	(void)lcore;
	(void)packet;
	return false;
}

static void release(struct lcore *lcore, struct packet *packet)
{
	(void)packet;
	((struct rig *)lcore)->gone++;
}

static bool punt(struct lcore *lcore, const struct packet *packet)
{
	(void)lcore;
	(void)packet;
	return true;
}

/* No buffers of their own in the tests. */
static bool copy(struct lcore *lcore, const struct packet *packet, struct packet *out)
{
	(void)lcore;
	(void)packet;
	(void)out;
	return false;
}

static const struct lcore_ops ops = {hand_over, report, punt, to_kernel, release, copy};

static struct addr addr_of(const char *text)
{
	struct addr addr = {0};
	if (addr_parse(slice_from(text), 0, &addr) != 0)
		abort();
	return addr;
}

static void set_up(struct rig *rig, uint8_t how)
{
	static const char *const local[] = {"10.0.0.1:30000", "192.0.2.1:30000", "[fd00::1]:30001",
					    "10.0.0.1:30002"};
	static const char *const peer[] = {"10.0.0.9:4000", "192.0.2.9:0", "[fd00::9]:4000",
					   "192.0.2.1:30000"};
	memset(rig, 0, sizeof(*rig));
	rig->egress.mtu = 1500;
	atomic_store(&rig->hop.egress, &rig->egress);
	atomic_store(&rig->hop.has_route, true);
	atomic_store(&rig->own_hop.is_ours, true);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow *flow = &rig->flows[i];
		unsigned to = how >> 4 & 1 ? (i + 1) % FLOWS : i ^ 1;
		flow->slot = &rig->slots[i];
		flow->id.value = i + 1;
		flow->generation = 1;
		flow->extra = &flow_no_extra;
		flow->kind = (uint8_t)((how + (how >> 5 & 1 ? i : 0)) & 3);
		flow->mode = how >> 2 & 1 ? FLOW_SOURCE_EXACT : FLOW_SOURCE_LEARN;
		flow->symmetric = how >> 3 & 1;
		flow->clock_hz = 8000;
		flow->learn_until_ns = UINT64_MAX;
		flow->lcore = how >> 6 == 3 && i == 2;
		flow->local = addr_of(local[i]);
		flow->expected[0] = flow->remote = addr_of(peer[i]);
		flow->expected_hop[0] = i == 3 ? &rig->own_hop : &rig->hop;
		flow->remote_hop = flow->remote.port ? flow->expected_hop[0] : NULL;
		flow->rtp_to = (struct flow_link){&rig->slots[to], 1};
		flow->rtcp_to = flow->rtp_to;
		flow->rtp_of = (struct flow_link){&rig->slots[i ^ 1], 1};
		atomic_store(&rig->slots[i].current, flow);
		rig->endpoints[i] = (struct endpoint){.addr = flow->local,
						      .base = FIRST,
						      .first = FIRST,
						      .last = FIRST + PORTS - 1,
						      .ports = rig->ports[i]};
		atomic_store(&rig->ports[i == 3 ? 0 : i][flow->local.port - FIRST], flow);
	}
	rig->lcore.endpoints = rig->endpoints;
	rig->lcore.endpoint_count = FLOWS - 1;
	rig->lcore.ops = &ops;
	rig->lcore.now_ns = 1000000000;
}

static void mend(uint8_t *frame, uint16_t len, bool address)
{
	bool v4 = len >= 42 && frame[12] == 8;
	bool v6 = len >= 62 && frame[12] == 0x86;
	if (!v4 && !v6)
		return;
	uint8_t *ip = frame + 14, *udp = ip + (v4 ? 20 : 40);
	frame[13] = v4 ? 0 : 0xdd;
	ip[0] = v4 ? 0x45 : 0x60;
	if (v4) {
		write_be16(ip + 2, (uint16_t)(len - 14));
		write_be16(ip + 6, 0);
		ip[9] = 17;
		if (address) {
			memcpy(ip + 12, ip[12] & 1 ? "\x0a\0\0\x09" : "\xc0\0\x02\x09", 4);
			memcpy(ip + 16, ip[16] & 1 ? "\x0a\0\0\x01" : "\xc0\0\x02\x01", 4);
		}
		memset(ip + 10, 0, 2);
		uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, ip, 20));
		memcpy(ip + 10, &sum, 2);
	} else {
		write_be16(ip + 4, (uint16_t)(len - 54));
		ip[6] = 17;
		if (address) {
			struct addr from = addr_of("fd00::9"), to = addr_of("fd00::1");
			memcpy(ip + 8, from.bytes, 16);
			memcpy(ip + 24, to.bytes, 16);
		}
	}
	uint16_t udp_len = (uint16_t)(frame + len - udp);
	write_be16(udp + 4, udp_len);
	write_be16(udp + 2, (uint16_t)(FIRST + udp[3] % PORTS));
	memset(udp + 6, 0, 2);
	uint64_t pseudo = checksum_pseudo(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, udp_len);
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(pseudo, udp, udp_len));
	if (sum == 0)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
}

/* What leaves must be what a strict receiver takes. */
static void check_output(const struct packet *packet)
{
	const uint8_t *ip = packet->data + 14;
	bool v4 = ip[0] == 0x45;
	const uint8_t *udp = ip + (v4 ? 20 : 40);
	uint16_t udp_len = read_be16(udp + 4);
	uint64_t pseudo = checksum_pseudo(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, udp_len);
	if (!packet->out || packet->len != udp - packet->data + udp_len ||
	    packet->payload + packet->payload_len != packet->len ||
	    (v4 && checksum_fold(checksum_add(0, ip, 20)) != 0xffff) ||
	    checksum_fold(checksum_add(pseudo, udp, udp_len)) != 0xffff)
		abort();
}

static size_t one_frame(struct rig *rig, const uint8_t *data, size_t size)
{
	uint8_t flags = data[0];
	size_t len = read_be16(data + 1) & 0x7ff;
	if (len > size - 3)
		len = size - 3;
	uint8_t *memory = malloc(HEADROOM + len);
	if (!memory)
		abort();
	struct packet packet = {
		.data = memory + HEADROOM, .headroom = HEADROOM, .len = (uint16_t)len};
	memcpy(packet.data, data + 3, len);
	if (flags & FLAG_MEND)
		mend(packet.data, (uint16_t)len, flags & FLAG_ADDRESS);
	rig->lcore.now_ns += flags & FLAG_LATER ? 500000000 : 20000000;
	if (flags & FLAG_OFFER)
		rig->flows[flags >> 6].epoch++;
	uint16_t n = stage_classify(&rig->lcore, &packet, 1);
	n = packet_forward(&rig->lcore, &packet, n);
	rig->frames++;
	if (n)
		check_output(&packet);
	if (n + rig->gone != rig->frames) /* each frame is sent, or given back, once */
		abort();
	rig->gone += n;
	free(memory);
	return 3 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct rig *rig = aligned_alloc(64, (sizeof(*rig) + 63) / 64 * 64);
	if (!rig)
		abort();
	set_up(rig, data[0]);
	data++;
	size--;
	for (unsigned i = 0; i < FRAMES && size > 3; i++) {
		size_t used = one_frame(rig, data, size);
		data += used;
		size -= used;
	}
	free(rig);
	return 0;
}
