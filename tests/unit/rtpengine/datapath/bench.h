/* bench.h - two flows that point at each other, a fake clock, and packets made by hand: what the
 * tests of the stages share. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "rtpengine/datapath/checksum.h"
#include "rtpengine/datapath/lcore.h"

#define BENCH_FLOWS 8
#define BENCH_PORTS 16
#define BENCH_FIRST 30000
#define HEADROOM    64

struct bench {
	struct lcore lcore;
	struct endpoint endpoints[4]; /* lan4, wan4, lan6, wan6 */
	_Atomic(const struct flow *) ports[4][BENCH_PORTS];
	struct flow_slot *slots;
	struct flow flows[BENCH_FLOWS];
	struct flow_extra extras[BENCH_FLOWS]; /* theirs */
	struct hop hop;
	struct egress egress;
	unsigned handed_over, punted, released;
	unsigned event_count;
	struct datapath_event events[64];
	bool kernel_takes, punts_full;
	unsigned to_kernel;
	uint8_t buffer[BURST][2048];
	struct packet packets[BURST];
};

struct bench *bench_create(void);
void bench_destroy(struct bench *bench);
int bench_setup(void **state);
int bench_teardown(void **state);

struct addr bench_addr(const char *text);
/* Publish flow `index` on a local address ("10.0.0.1:30000") as it stands in bench->flows. */
void bench_publish(struct bench *bench, unsigned index, const char *local);
/* Flow 0 on the LAN (10.0.0.1:30000, peer 10.0.0.9:4000), flow 1 on the WAN (192.0.2.1:30000, peer
 * 192.0.2.9:5000), each leaving through the other. */
void bench_pair(struct bench *bench);

/* A frame with right lengths and checksums into packet `i`. */
struct packet *bench_udp(struct bench *bench, unsigned i, const char *from, const char *to,
			 const void *payload, uint16_t len);
struct packet *bench_rtp(struct bench *bench, unsigned i, const char *from, const char *to,
			 uint16_t sequence, uint32_t ssrc);
struct packet *bench_rtcp(struct bench *bench, unsigned i, const char *from, const char *to,
			  uint32_t ssrc);
/* Mend the checksums after something was changed. */
void bench_checksum(struct packet *packet);

/* Classify alone, or everything, for one packet; the reason of the drop, or DROP_NONE. */
enum drop bench_classify(struct bench *bench, struct packet *packet);
enum drop bench_run(struct bench *bench, struct packet *packet);
/* One RTP packet through everything. */
enum drop bench_send(struct bench *bench, const char *from, const char *to, uint16_t sequence,
		     uint32_t ssrc);
void bench_advance_ms(struct bench *bench, uint64_t ms);
uint64_t bench_drops(const struct bench *bench, enum drop why);
