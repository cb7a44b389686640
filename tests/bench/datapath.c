/* datapath.c - what the stages of the packet path cost by themselves: no device, no system call.
 * Frames are made in batches of many bursts, out of the measured time; then the stages run over
 * them burst by burst, as an lcore does, each packet of another flow than the one before. Prints
 * TSC cycles per packet: the best of the batches, because whoever shares the CPU only adds to it;
 * and the median beside it. usage: bench_datapath [FLOWS [BATCHES [SUITE]]];
 * SUITE 0 = plain RTP alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <x86intrin.h>
#include "rtpengine/datapath/checksum.h"
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/srtp.h"

#define BATCH_BURSTS 32
#define BATCH        (BATCH_BURSTS * BURST)
#define BUFFER       2496 /* as far apart as the objects of our mbuf pool (start.c) */
#define HEADROOM     128
#define PAYLOAD      160
#define FIRST_PORT   1024
#define LAN          0
#define WAN          1

struct rig {
	struct lcore lcore;
	struct endpoint endpoints[2];
	struct flow *flows[2];
	struct flow_slot *slots[2];
	uint16_t *sequence;
	unsigned calls, next;
	struct hop hop;
	struct egress egress;
	struct srtp_crypto *crypto;
	uint8_t *buffers;
	struct packet packets[BURST];
};

static void report(struct lcore *lcore, const struct flow *flow, struct datapath_event *event)
{
	(void)lcore;
	event->flow = flow->id;
}

static bool hand_over(struct lcore *lcore, uint16_t to, struct packet *packet)
{
	(void)lcore;
	(void)to;
	(void)packet;
	return false;
}

static bool punt(struct lcore *lcore, const struct packet *packet)
{
	(void)lcore;
	(void)packet;
	return false;
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
	fprintf(stderr, "bench_datapath: a packet was dropped\n");
	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (counter_get(&lcore->drops[i]))
			fprintf(stderr, "  %s\n", drop_key(i));
	exit(1);
}

static const struct lcore_ops ops = {
	.hand_over = hand_over,
	.report = report,
	.punt = punt,
	.to_kernel = to_kernel,
	.release = release,
};

static struct addr address(uint8_t net, unsigned host, uint16_t port)
{
	struct addr addr = {.family = AF_INET, .port = port};
	const uint8_t bytes[4] = {10, net, (uint8_t)(host >> 8), (uint8_t)host};
	memcpy(addr.bytes, bytes, 4);
	return addr;
}

static uint16_t port_of(unsigned call)
{
	return (uint16_t)(FIRST_PORT + 2 * call);
}

static void set_flow(struct rig *rig, unsigned side, unsigned call)
{
	struct flow *flow = &rig->flows[side][call];
	struct flow_slot *slot = &rig->slots[side][call];
	memset(flow, 0, sizeof(*flow));
	memset(slot, 0, sizeof(*slot));
	flow->slot = slot;
	flow->generation = 1;
	flow->extra = &flow_no_extra;
	flow->epoch = 1;
	flow->kind = FLOW_RTP;
	flow->mode = FLOW_SOURCE_LEARN;
	flow->clock_hz = 8000;
	flow->symmetric = true;
	flow->traffic_class = 46 << 2;
	flow->rtp_to = (struct flow_link){&rig->slots[1 - side][call], 1};
	flow->local = rig->endpoints[side].addr;
	flow->local.port = port_of(call);
	flow->remote = address((uint8_t)side, 9, port_of(call));
	flow->remote_hop = &rig->hop;
	flow->learn_until_ns = UINT64_MAX;
	flow->expected[0] = flow->remote;
	flow->expected_hop[0] = &rig->hop;
	flow->is_limited = true;
	flow->packet_ns = 1; /* the check costs what it costs; nothing is over the limit */
	flow_set_payload_types(flow, (uint64_t[2]){1ull << 8});
	atomic_store(&slot->current, flow);
	atomic_store(&rig->endpoints[side].ports[port_of(call) - FIRST_PORT], flow);
}

static void *allocate(size_t size)
{
	void *at = aligned_alloc(2 << 20, (size + (2 << 20) - 1) >> 21 << 21);
	assert(at);
	(void)madvise(at, size, MADV_HUGEPAGE); /* as flows.c does */
	memset(at, 0, size);
	return at;
}

static void set_up(struct rig *rig, unsigned calls)
{
	rig->calls = calls;
	rig->egress = (struct egress){.device = 1, .mtu = 1500, .ethernet = {2, 0, 0, 0, 0, 9, 2}};
	atomic_store(&rig->hop.egress, &rig->egress);
	atomic_store(&rig->hop.has_route, true);
	rig->lcore.endpoints = rig->endpoints;
	rig->lcore.endpoint_count = 2;
	rig->lcore.ops = &ops;
	rig->lcore.now_ns = 1000000000000;
	int err = srtp_lcore_create(&rig->lcore.srtp);
	assert(err == 0);
	err = srtp_crypto_create(&rig->crypto);
	assert(err == 0);
	(void)err;
	for (unsigned side = 0; side < 2; side++) {
		rig->endpoints[side] = (struct endpoint){.addr = address((uint8_t)side, 1, 0),
							 .base = FIRST_PORT,
							 .first = FIRST_PORT,
							 .last = UINT16_MAX};
		rig->endpoints[side].ports =
			allocate(sizeof(*rig->endpoints[side].ports) * (UINT16_MAX + 1));
		rig->flows[side] = allocate(sizeof(struct flow) * calls);
		rig->slots[side] = allocate(sizeof(struct flow_slot) * calls);
	}
	rig->sequence = allocate(sizeof(*rig->sequence) * calls);
	rig->buffers = allocate((size_t)BATCH * BUFFER);
}

static void set_flows(struct rig *rig)
{
	rig->next = 0;
	for (unsigned call = 0; call < rig->calls; call++) {
		rig->sequence[call] = 0;
		for (unsigned side = 0; side < 2; side++)
			set_flow(rig, side, call);
	}
}

/* The WAN side speaks SRTP; both directions under one key, so that what leaves can come back. */
static void secure(struct rig *rig, enum flow_srtp_suite suite)
{
	struct flow_srtp key = {.suite = suite};
	for (unsigned call = 0; call < rig->calls; call++) {
		struct flow *wan = &rig->flows[WAN][call];
		memcpy(key.key, &call, sizeof(call));
		int err = srtp_context_create(rig->crypto, &key, false, &wan->srtp_in);
		assert(err == 0);
		err = srtp_context_create(rig->crypto, &key, true, &wan->srtp_out);
		assert(err == 0);
		(void)err;
		wan->has_srtp = true;
	}
}

static void make_plain(struct rig *rig)
{
	for (unsigned call = 0; call < rig->calls; call++) {
		srtp_context_put(rig->flows[WAN][call].srtp_in);
		srtp_context_put(rig->flows[WAN][call].srtp_out);
	}
}

static void write_32(uint8_t *p, uint32_t value)
{
	write_be16(p, (uint16_t)(value >> 16));
	write_be16(p + 2, (uint16_t)value);
}

static uint8_t *frame_of(const struct rig *rig, unsigned i)
{
	return rig->buffers + (size_t)i * BUFFER + HEADROOM;
}

/* Headers in front of the UDP payload, from the peer of that side to us. */
static void address_frame(struct rig *rig, uint8_t *frame, unsigned side, unsigned call,
			  uint16_t payload_len)
{
	const struct flow *flow = &rig->flows[side][call];
	uint8_t *ip = frame + 14, *udp = ip + 20;
	memset(frame, 0, 42);
	write_be16(frame + 12, 0x0800);
	ip[0] = 0x45;
	write_be16(ip + 2, (uint16_t)(28 + payload_len));
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, flow->remote.bytes, 4);
	memcpy(ip + 16, flow->local.bytes, 4);
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, ip, 20));
	memcpy(ip + 10, &sum, 2);
	write_be16(udp, flow->remote.port);
	write_be16(udp + 2, flow->local.port);
	write_be16(udp + 4, (uint16_t)(8 + payload_len));
	sum = (uint16_t)~checksum_fold(
		checksum_add(checksum_pseudo(ip + 12, 8, (size_t)8 + payload_len), udp,
			     (size_t)8 + payload_len));
	memcpy(udp + 6, &sum, 2);
}

static void make_rtp(uint8_t *rtp, uint16_t sequence, uint32_t ssrc)
{
	memset(rtp, 0xd5, 12 + PAYLOAD);
	write_be16(rtp, 0x8008);
	write_be16(rtp + 2, sequence);
	write_32(rtp + 4, sequence * 160u);
	write_32(rtp + 8, ssrc);
}

/* As rx.c fills it. */
static void receive(struct packet *packet, uint8_t *frame, uint16_t len)
{
	packet->data = frame;
	packet->flow = NULL;
	packet->len = len;
	packet->headroom = HEADROOM;
	packet->tailroom = (uint16_t)(BUFFER - HEADROOM - len);
	packet->sum_is_stale = false;
	packet->turns = 0;
}

static uint16_t frame_len(const uint8_t *frame)
{
	return (uint16_t)(14 + read_be16(frame + 16));
}

/* BATCH frames that arrive on `side`; from the WAN they are sealed by our own stages first. */
static void make_batch(struct rig *rig, unsigned side)
{
	for (unsigned i = 0; i < BATCH; i++) {
		unsigned call = rig->next++ % rig->calls;
		uint8_t *frame = frame_of(rig, i);
		struct flow *wan = &rig->flows[WAN][call];
		struct packet packet;
		make_rtp(frame + 42, rig->sequence[call]++, call + 1);
		address_frame(rig, frame, side, call, 12 + PAYLOAD);
		if (side == LAN || !wan->srtp_out)
			continue;
		receive(&packet, frame, 42 + 12 + PAYLOAD);
		packet.payload = 42;
		packet.payload_len = 12 + PAYLOAD;
		packet.kind = PACKET_RTP;
		packet.ssrc = call + 1;
		packet.sequence = read_be16(frame + 44);
		packet.leaving = wan;
		uint16_t n = stage_srtp_out(&rig->lcore, &packet, 1);
		assert(n == 1);
		(void)n;
		address_frame(rig, frame, side, call, packet.payload_len);
	}
}

static uint64_t run_batch(struct rig *rig)
{
	uint64_t cycles = 0;
	for (unsigned burst = 0; burst < BATCH_BURSTS; burst++) {
		uint16_t len[BURST];
		for (unsigned i = 0; i < BURST; i++)
			len[i] = frame_len(frame_of(rig, burst * BURST + i));
		uint64_t start = __rdtsc();
		for (unsigned i = 0; i < BURST; i++)
			receive(&rig->packets[i], frame_of(rig, burst * BURST + i), len[i]);
		uint16_t n = stage_classify(&rig->lcore, rig->packets, BURST);
		n = packet_forward(&rig->lcore, rig->packets, n);
		cycles += __rdtsc() - start;
		assert(n == BURST);
		(void)n;
		rig->lcore.now_ns += 1000000;
	}
	return cycles;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void measure(struct rig *rig, const char *name, unsigned side, unsigned batches)
{
	uint64_t *cycles = calloc(batches, sizeof(*cycles));
	assert(cycles);
	for (unsigned i = 0; i < rig->calls / BATCH + 2; i++) { /* every flow locked and warm */
		make_batch(rig, side);
		run_batch(rig);
	}
	for (unsigned i = 0; i < batches; i++) {
		make_batch(rig, side);
		cycles[i] = run_batch(rig);
	}
	qsort(cycles, batches, sizeof(*cycles), compare);
	printf("%-36s %6.0f %6.0f\n", name, (double)cycles[0] / BATCH,
	       (double)cycles[batches / 2] / BATCH);
	fflush(stdout);
	free(cycles);
}

int main(int argc, char **argv)
{
	unsigned flows = argc > 1 ? (unsigned)atoi(argv[1]) : 15000;
	unsigned batches = argc > 2 ? (unsigned)atoi(argv[2]) : 200;
	unsigned last = argc > 3 ? (unsigned)atoi(argv[3]) : FLOW_SRTP_SUITES - 1;
	static struct rig rig;
	if (flows < 2 || flows > 60000 || batches == 0) {
		fprintf(stderr, "usage: bench_datapath [FLOWS up to 60000 [BATCHES]]\n");
		return 2;
	}
	set_up(&rig, flows / 2);
	printf("%u flows, bursts of %d; TSC cycles per packet: best and median of %u batches\n",
	       flows, BURST, batches);
	set_flows(&rig);
	measure(&rig, "RTP", LAN, batches);
	for (unsigned suite = 1; suite <= last && suite < FLOW_SRTP_SUITES; suite++) {
		char name[64];
		set_flows(&rig);
		secure(&rig, suite);
		snprintf(name, sizeof(name), "RTP to %s", flow_srtp_info(suite)->name);
		measure(&rig, name, LAN, batches);
		make_plain(&rig);
		set_flows(&rig);
		secure(&rig, suite);
		snprintf(name, sizeof(name), "%s to RTP", flow_srtp_info(suite)->name);
		measure(&rig, name, WAN, batches);
		make_plain(&rig);
	}
	return 0;
}
