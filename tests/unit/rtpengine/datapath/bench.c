/* bench.c - SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include <stdlib.h>

static bool hand_over(struct lcore *lcore, uint16_t to, struct packet *packet)
{
	(void)packet;
	if (to == 15) /* full */
		return false;
	((struct bench *)lcore)->handed_over++;
	return true;
}

static void report(struct lcore *lcore, const struct flow *flow, struct datapath_event *event)
{
	struct bench *bench = (struct bench *)lcore;
	event->flow = flow->id;
	if (bench->event_count < 64)
		bench->events[bench->event_count] = *event;
	bench->event_count++;
}

static bool to_kernel(struct lcore *lcore, struct packet *packet)
{
	struct bench *bench = (struct bench *)lcore;
	(void)packet;
	bench->to_kernel += bench->kernel_takes;
	return bench->kernel_takes;
}

static void release(struct lcore *lcore, struct packet *packet)
{
	(void)packet;
	((struct bench *)lcore)->released++;
}

static bool punt(struct lcore *lcore, const struct packet *packet)
{
	struct bench *bench = (struct bench *)lcore;
	(void)packet;
	bench->punted += !bench->punts_full;
	return !bench->punts_full;
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

struct addr bench_addr(const char *text)
{
	struct addr addr = {0};
	if (addr_parse(slice_from(text), 0, &addr) != 0)
		abort();
	return addr;
}

struct bench *bench_create(void)
{
	static const char *const addresses[] = {"10.0.0.1", "192.0.2.1", "[fd00::1]",
						"[2001:db8::1]"};
	struct bench *bench = calloc(1, sizeof(*bench));
	if (!bench)
		abort();
	bench->slots = aligned_alloc(64, BENCH_FLOWS * sizeof(*bench->slots));
	if (!bench->slots)
		abort();
	memset(bench->slots, 0, BENCH_FLOWS * sizeof(*bench->slots));
	for (unsigned i = 0; i < 4; i++)
		bench->endpoints[i] = (struct endpoint){.addr = bench_addr(addresses[i]),
							.base = BENCH_FIRST,
							.first = BENCH_FIRST,
							.last = BENCH_FIRST + BENCH_PORTS - 1,
							.ports = bench->ports[i]};
	bench->egress = (struct egress){
		.device = 1, .mtu = 1500, .ethernet = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1}};
	atomic_store(&bench->hop.egress, &bench->egress);
	atomic_store(&bench->hop.has_route, true);
	bench->lcore.endpoints = bench->endpoints;
	bench->lcore.endpoint_count = 4;
	bench->lcore.ops = &ops;
	bench->lcore.now_ns = 1000000000000;
	return bench;
}

void bench_destroy(struct bench *bench)
{
	free(bench->slots);
	free(bench);
}

int bench_setup(void **state)
{
	struct bench *bench = bench_create();
	bench_pair(bench);
	*state = bench;
	return 0;
}

int bench_teardown(void **state)
{
	bench_destroy(*state);
	return 0;
}

void bench_publish(struct bench *bench, unsigned index, const char *local)
{
	struct flow *flow = &bench->flows[index];
	struct flow_slot *slot = &bench->slots[index];
	flow->slot = slot;
	flow->id.value = index + 1;
	flow->generation = 1;
	flow->extra = &bench->extras[index];
	flow->local = bench_addr(local);
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		flow->expected_hop[i] = flow->expected[i].family ? &bench->hop : NULL;
	flow->remote_hop = flow->remote.family ? &bench->hop : NULL;
	slot->generation = 1;
	atomic_store(&slot->current, flow);
	for (unsigned i = 0; i < 4; i++)
		if (addr_equal_ip(&bench->endpoints[i].addr, &flow->local))
			atomic_store(&bench->ports[i][flow->local.port - BENCH_FIRST], flow);
}

void bench_pair(struct bench *bench)
{
	static const char *const local[] = {"10.0.0.1:30000", "192.0.2.1:30000"};
	static const char *const peer[] = {"10.0.0.9:4000", "192.0.2.9:5000"};
	for (unsigned i = 0; i < 2; i++) {
		struct flow_link other = {&bench->slots[1 - i], 1};
		bench->flows[i] = (struct flow){.kind = FLOW_RTP,
						.mode = FLOW_SOURCE_LEARN,
						.symmetric = true,
						.epoch = 1,
						.traffic_class = 46 << 2,
						.clock_hz = 8000,
						.learn_until_ns = UINT64_MAX,
						.rtp_to = other,
						.rtcp_to = other};
		bench->flows[i].expected[0] = bench->flows[i].remote = bench_addr(peer[i]);
		bench_publish(bench, i, local[i]);
	}
}

void bench_checksum(struct packet *packet)
{
	uint8_t *ip = packet->data + 14;
	bool v4 = ip[0] >> 4 == 4;
	uint8_t *udp = ip + (v4 ? 20 : 40);
	uint16_t len = read_be16(udp + 4), sum;
	if (v4) {
		memset(ip + 10, 0, 2);
		sum = (uint16_t)~checksum_fold(checksum_add(0, ip, 20));
		memcpy(ip + 10, &sum, 2);
	}
	memset(udp + 6, 0, 2);
	sum = (uint16_t)~checksum_fold(
		checksum_add(checksum_pseudo(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, len), udp, len));
	if (sum == 0)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
}

struct packet *bench_udp(struct bench *bench, unsigned i, const char *from, const char *to,
			 const void *payload, uint16_t len)
{
	struct addr source = bench_addr(from), destination = bench_addr(to);
	bool v4 = source.family == AF_INET;
	struct packet *packet = &bench->packets[i];
	memset(packet, 0, sizeof(*packet));
	uint8_t *data = bench->buffer[i] + HEADROOM;
	uint8_t *ip = data + 14, *udp = ip + (v4 ? 20 : 40);
	memset(data, 0, 62);
	write_be16(data + 12, v4 ? 0x0800 : 0x86dd);
	if (v4) {
		ip[0] = 0x45;
		write_be16(ip + 2, (uint16_t)(28 + len));
		ip[8] = 60;
		ip[9] = 17;
		memcpy(ip + 12, source.bytes, 4);
		memcpy(ip + 16, destination.bytes, 4);
	} else {
		ip[0] = 0x60;
		write_be16(ip + 4, (uint16_t)(8 + len));
		ip[6] = 17;
		ip[7] = 60;
		memcpy(ip + 8, source.bytes, 16);
		memcpy(ip + 24, destination.bytes, 16);
	}
	write_be16(udp, source.port);
	write_be16(udp + 2, destination.port);
	write_be16(udp + 4, (uint16_t)(8 + len));
	if (len)
		memcpy(udp + 8, payload, len);
	packet->data = data;
	packet->headroom = HEADROOM;
	packet->len = (uint16_t)(udp + 8 + len - data);
	packet->tailroom = (uint16_t)(sizeof(bench->buffer[i]) - HEADROOM - packet->len);
	bench_checksum(packet);
	return packet;
}

struct packet *bench_rtp(struct bench *bench, unsigned i, const char *from, const char *to,
			 uint16_t sequence, uint32_t ssrc)
{
	uint8_t rtp[172] = {0x80, 8};
	uint32_t timestamp = sequence * 160u;
	write_be16(rtp + 2, sequence);
	write_be16(rtp + 4, (uint16_t)(timestamp >> 16));
	write_be16(rtp + 6, (uint16_t)timestamp);
	write_be16(rtp + 8, (uint16_t)(ssrc >> 16));
	write_be16(rtp + 10, (uint16_t)ssrc);
	memset(rtp + 12, 0xd5, 160);
	return bench_udp(bench, i, from, to, rtp, sizeof(rtp));
}

struct packet *bench_rtcp(struct bench *bench, unsigned i, const char *from, const char *to,
			  uint32_t ssrc)
{
	uint8_t rtcp[8] = {0x80, 201, 0, 1};
	write_be16(rtcp + 4, (uint16_t)(ssrc >> 16));
	write_be16(rtcp + 6, (uint16_t)ssrc);
	return bench_udp(bench, i, from, to, rtcp, sizeof(rtcp));
}

uint64_t bench_drops(const struct bench *bench, enum drop why)
{
	return counter_get(&bench->lcore.drops[why]);
}

/* Which counter rose. */
static enum drop last_drop(const struct bench *bench, const uint64_t *before)
{
	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (bench_drops(bench, i) != before[i])
			return i;
	return DROP_NONE;
}

static enum drop run(struct bench *bench, struct packet *packet, bool all)
{
	uint64_t before[DROP_COUNT];
	for (unsigned i = 0; i < DROP_COUNT; i++)
		before[i] = bench_drops(bench, i);
	uint16_t n = stage_classify(&bench->lcore, packet, 1);
	if (all)
		n = packet_forward(&bench->lcore, packet, n);
	enum drop why = last_drop(bench, before);
	/* a packet is passed on, or dropped for one reason, or went elsewhere */
	if (why != DROP_NONE)
		assert_int_equal(n, 0);
	return why;
}

enum drop bench_classify(struct bench *bench, struct packet *packet)
{
	return run(bench, packet, false);
}

enum drop bench_run(struct bench *bench, struct packet *packet)
{
	return run(bench, packet, true);
}

enum drop bench_send(struct bench *bench, const char *from, const char *to, uint16_t sequence,
		     uint32_t ssrc)
{
	return bench_run(bench, bench_rtp(bench, 0, from, to, sequence, ssrc));
}

void bench_advance_ms(struct bench *bench, uint64_t ms)
{
	bench->lcore.now_ns += ms * 1000000;
}
