/* fake_datapath.h - a datapath that only remembers: which flows are open, and with which rules.
 * Linked instead of the real one in these tests. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/datapath/datapath.h"

struct fake_flow {
	struct fake_flow *next; /* in its bucket */
	struct flow_id id;
	struct addr local;
	uint32_t affinity;
	unsigned rules; /* how often a rule was set */
	struct flow_rule rule;
	struct flow_bundle bundle; /* what rule.bundle points to */
	struct flow_stats stats;
	struct addr locked;                /* by datapath_flow_lock() */
	struct flow_srtp_index indexes[2]; /* in, out */
	unsigned index_count;              /* 0 or 1 of each */
};

struct fake_send {
	struct flow_id flow;
	struct addr from, to;
	size_t len;
	uint8_t data[PUNT_MAX];
};
#define FAKE_SENDS 64

#define FAKE_BUCKETS 4096

struct datapath {
	uint64_t rx_bytes, asleep_ns; /* of the one lcore */
	unsigned media_sent;          /* by datapath_media_send() */
	uint8_t media[256];           /* the last of it */
	size_t media_len;
	struct fake_flow *flows[FAKE_BUCKETS]; /* by id */
	uint32_t count;
	uint32_t limit; /* flows that may be open; 0 = any */
	uint32_t next_id;
	struct datapath_event events[8];
	size_t event_count;
	datapath_punt_fn *on_punt;
	void *on_punt_owner;
	struct fake_send sends[FAKE_SENDS]; /* a ring */
	unsigned send_count, send_taken;
};

void fake_datapath_init(struct datapath *datapath);
void fake_datapath_free(struct datapath *datapath); /* closes what is still open */
/* The open flow with this local port; NULL = none. */
struct fake_flow *fake_flow_at(struct datapath *datapath, const char *address, unsigned port);
/* The next datagram that was sent; NULL = none is left. */
const struct fake_send *fake_sent(struct datapath *datapath);
/* A STUN or DTLS datagram arrives. */
void fake_punt(struct datapath *datapath, struct flow_id flow, const struct addr *from,
	       const uint8_t *data, size_t len);
struct fake_flow *fake_flow_of(const struct datapath *datapath, struct flow_id id);
