/* lcore.h - what one lcore owns, and what flows look like to it. Everything here is touched by its
 * lcore alone, but for the numbers (struct counter) and the pointers that the control thread
 * publishes (marked _Atomic), which are read under RCU. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include "rtpengine/datapath/datapath.h"
#include "rtpengine/datapath/packet.h"
#include "rtpengine/datapath/quality.h"
#include "rtpengine/record.h"

#define ENDPOINTS_MAX 64
#define DEVICES_MAX   32
#define LCORES_MAX    16

/* A finished layer 2 header for one next hop; immutable, replaced under RCU. */
struct egress {
	uint16_t device;
	uint16_t mtu;
	uint8_t ethernet[12]; /* destination and source; the type depends on the family */
};

/* How to reach one IP address; made and followed by netlink.c. */
struct hop {
	_Atomic(const struct egress *) egress; /* NULL = no neighbour (or no route) yet */
	_Atomic bool has_route;
	_Atomic bool is_ours; /* a media address of ours: packets to our ports turn around */
};

/* A media address and the flows on its ports. Those that are media ports may become others while
 * the lcores run; the table has room for all there are, and what is not used of it costs no memory.
 */
struct endpoint {
	struct addr addr;             /* port 0 */
	_Atomic uint16_t first, last; /* between these; first > last: none */
	uint16_t base;                /* ports[0] is this port */
	_Atomic(const struct flow *) *ports;
};

static inline bool endpoint_has(const struct endpoint *endpoint, uint16_t port)
{
	return port >= atomic_load_explicit(&endpoint->first, memory_order_relaxed) &&
	       port <= atomic_load_explicit(&endpoint->last, memory_order_relaxed);
}

struct flow_slot;
struct srtp_context;
struct srtp_lcore;
struct bundle;

/* Another flow, found again only while it is the same one. */
struct flow_link {
	struct flow_slot *slot; /* NULL = none */
	uint32_t generation;
};

/* What few flows have, so that the others do without its memory. */
struct flow_extra {
	struct addr named; /* by the control thread, to be locked; family 0 = none */
	struct hop *named_hop;
	struct srtp_context *srtp_before; /* still taken until */
	uint64_t srtp_before_until_ns;
	struct srtp_context *out_before; /* control thread: its key may come back (a refused
					  * re-offer) */
	struct flow_ice ice;             /* what punt.c compares */
	struct flow_alter alter;
	struct flow_link copies[FLOW_COPIES_MAX];
	struct bundle *bundle; /* owned; NULL = one stream */
};
extern const struct flow_extra flow_no_extra;

/* Which RTP payload types may arrive: nearly every SDP names no more than four, and those need no
 * other cache line. */
enum flow_types { FLOW_TYPES_ANY, FLOW_TYPES_FEW, FLOW_TYPES_MANY };
#define FLOW_FEW_TYPES 4

/* A published rule, compiled. Immutable. */
struct flow {
	struct flow_slot *slot; /* first cache line: what an arriving packet needs */
	uint32_t generation;
	uint32_t epoch; /* the datapath's own count: expected[] is constant within one */
	uint16_t lcore;
	uint8_t kind;         /* enum flow_kind */
	uint8_t mode;         /* enum flow_source_mode */
	uint16_t named_count; /* another one than before: lock `named` */
	bool has_srtp;        /* srtp_in is set */
	bool is_limited;      /* packet_ns or byte_ns_q8 says something */
	uint32_t clock_hz;
	uint8_t few_types[FLOW_FEW_TYPES]; /* the rest repeats the last */
	struct flow_link rtp_to;
	bool has_ice, has_dtls, needs_srtp;
	uint8_t types; /* enum flow_types */
	bool is_altered;
	uint8_t event_types[FLOW_EVENT_TYPES];
	bool has_bundle;
	uint32_t packet_ns; /* what one packet, or byte (in 1/256 ns), costs of the limit */
	uint32_t byte_ns_q8;
	struct addr local __attribute__((aligned(64))); /* second: what a leaving one needs */
	struct addr remote;
	struct hop *remote_hop;
	struct srtp_context *srtp_out;
	uint8_t traffic_class; /* DSCP << 2 */
	bool symmetric;
	bool is_sealed; /* needs_srtp: nothing leaves in clear */
	struct flow_id id;
	uint64_t payload_types[2] __attribute__((aligned(64))); /* FLOW_TYPES_MANY: a bit each */
	struct srtp_context *srtp_in;
	struct flow_link rtcp_to, rtp_of;
	const struct flow_extra *extra; /* never NULL */
	uint64_t learn_until_ns;        /* UINT64_MAX = for ever */
	struct hop *expected_hop[FLOW_EXPECTED_MAX];
	struct addr expected[FLOW_EXPECTED_MAX];
} __attribute__((aligned(64)));

/* Of a source: its address is flow->extra->named. */
#define SOURCE_NAMED 0xff

/* A source that is admitted. */
struct source {
	bool is_set;
	uint8_t expected; /* index into flow->expected at the time, or SOURCE_NAMED */
	struct addr addr;
	struct hop *hop;
	uint32_t ssrc;
	uint16_t sequence;
	bool is_sure; /* the address of the SDP, or vouched for; otherwise such a one takes over */
	uint64_t last_ns;
};

/* The one that was locked before the last offer. */
struct former_source {
	struct addr addr; /* family 0 = none */
	struct hop *hop;
	uint64_t offer_ns;
};

/* One that may become so. */
struct candidate {
	struct addr addr; /* family 0 = none */
	uint32_t ssrc;
	uint32_t last_ms; /* of CLOCK_MONOTONIC, 32 bits */
	uint16_t sequence;
};
#define CANDIDATES 4

/* RFC 3550 A.1, of the SSRC that speaks now. */
struct sequence_state {
	bool is_set, transit_is_set;
	uint16_t highest;
	uint32_t base;   /* extended: cycles in the upper half */
	uint32_t cycles; /* as 65536, 131072, ... */
	uint32_t bad;    /* the sequence number that would confirm a jump; > 65535 = none */
	uint64_t received;
	uint64_t lost_before; /* by earlier SSRCs and before jumps */
	uint32_t transit;
	_Atomic uint32_t timestamp; /* of the last packet; read by the control thread */
	struct counter jitter_q4;   /* in RTP clock units, times 16 (RFC 3550 A.8) */
};

/* The telephone event that is being played, and the last one seen. */
struct event_state {
	uint32_t played; /* flow_play.id: done with */
	uint32_t playing;
	uint32_t start; /* RTP timestamp of the event that is being played */
	uint32_t last;  /* timestamp of the packet before */
	uint8_t ends;   /* end packets sent (RFC 4733 2.5.1.4: three) */
	bool has_seen;
	uint32_t seen; /* timestamp of the last event that was reported */
};

/* What the owning lcore remembers of a flow; survives the replacement of its rule. */
struct flow_state {
	uint32_t epoch;       /* first cache line, with `current` before it: the source */
	uint16_t named_count; /* of flow->named_count, the last that was followed */
	bool epoch_is_set;
	bool hijack_reported;
	struct source locked;

	struct sequence_state rtp; /* second: of an arriving packet */
	/* counters are read by the control thread */
	struct counter rtp_header; /* bit 63 set; payload type << 48 | sequence << 32 | ssrc */
	struct counter last_packet_ns;

	struct counter packets, bytes, lost; /* third */
	struct counter sent_packets, sent_bytes;
	uint64_t packets_until_ns, bytes_until_ns; /* paid for by the limit (GCRA) */
	uint64_t quality_due_ns;                   /* the next sample of quality */

	struct counter rtcp_packets, rtcp_bytes, last_rtcp_ns; /* fourth */
	struct counter reordered, duplicate, hijack_attempts;
	/* bit 63 set; epoch << 24 | expected << 16 | port; 0 = none */
	struct counter locked_source;
	uint64_t asked_ns; /* when the control thread was asked to lock a source */

	struct quality quality;
	struct event_state event;
	struct former_source previous;
	struct candidate candidates[CANDIDATES];
	uint64_t punt_peer_ns, punt_stranger_ns; /* punt.c: when the next would be too many */
	/* of packets whose flow is known; stays at its largest value when it gets there */
	_Atomic uint32_t drops[DROP_COUNT - DROP_OF_FLOW];
};

/* Stable for the life of the process, so that a stale link is harmless. */
struct flow_slot {
	_Atomic(const struct flow *) current; /* NULL = closed */
	struct flow_state state;
	uint32_t generation; /* control thread */
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct flow, local) == 64, "a packet should not miss the cache twice");
_Static_assert(offsetof(struct flow_slot, state.rtp) == 64, "nor here");
_Static_assert(offsetof(struct flow_slot, state.packets) == 128, "nor here");
_Static_assert(sizeof(struct flow) == 256, "four of these are a call's");
_Static_assert(sizeof(struct flow_slot) <= 768, "and four of these");

/* The parts of an lcore that touch other lcores and the drivers; a table so that the stages
 * run without either. */
struct lcore_ops {
	bool (*hand_over)(struct lcore *lcore, uint16_t to, struct packet *packet);
	/* event->flow is filled in from `flow` */
	void (*report)(struct lcore *lcore, const struct flow *flow, struct datapath_event *event);
	/* STUN or DTLS (packet->kind) for the control thread. True: copied there. */
	bool (*punt)(struct lcore *lcore, const struct packet *packet);
	/* A packet that is not for us at all. True: it went to the kernel (a bound NIC has no
	 * other way there), which is no drop. */
	bool (*to_kernel)(struct lcore *lcore, struct packet *packet);
	void (*release)(struct lcore *lcore, struct packet *packet); /* the buffer of a drop */
	/* The same packet in a buffer of its own. False: there is none. */
	bool (*copy)(struct lcore *lcore, const struct packet *packet, struct packet *out);
};

/* A finished payload whose next hop does not answer yet: ARP and ND take a moment, and the first
 * packets of a call shall not be lost to it. */
#define HELD_MAX 64
#define HELD_NS  1000000000ull
struct held_packet {
	struct packet packet;
	struct flow_link leaving; /* flows do not outlive an iteration */
	uint64_t until_ns;
};

struct lcore {
	uint16_t index;
	uint64_t now_ns; /* CLOCK_MONOTONIC at the start of this iteration */
	const struct endpoint *endpoints;
	_Atomic uint16_t endpoint_count; /* some may be added while it runs */
	const struct lcore_ops *ops;
	struct srtp_lcore *srtp;
	uint16_t ip_id;
	/* `now_ns` in units of the RTP clock asked for last (rtp.c) */
	uint32_t arrival_hz, arrival;
	uint64_t arrival_ns;
	uint64_t punt_ns; /* of all flows */

	uint16_t turned_count;
	struct packet turned[BURST];
	uint16_t copy_count; /* what alter copied: packet_leave() is to send it */
	struct packet copies[BURST];
	uint16_t held_count;
	struct held_packet held[HELD_MAX];
	struct record_ring *records; /* NULL = nobody records */

	struct counter rx_packets, rx_bytes, tx_packets, tx_bytes;
	struct counter asleep_ns; /* in naps and waits */
	struct counter bursts, naps, waits, handed_over, events_lost;
	struct counter drops[DROP_COUNT];
};

static inline const struct flow *flow_link_get(const struct flow_link *link)
{
	if (!link->slot)
		return NULL;
	const struct flow *flow = atomic_load_explicit(&link->slot->current, memory_order_acquire);
	return flow && flow->generation == link->generation ? flow : NULL;
}

/* The lines of a flow's state; and of where its packets leave, without waiting for any of them. */
static inline void flow_prefetch(const struct flow_slot *slot)
{
	const char *at = (const char *)slot;
	__builtin_prefetch(at, 1);
	__builtin_prefetch(at + 64, 1);
	__builtin_prefetch(at + 128, 1);
}

/* police.c: a bit each; all zero = any. */
void flow_set_payload_types(struct flow *flow, const uint64_t bits[2]);
/* rewrite.c: whether the next hop of what leaves through `out` answers. */
bool flow_can_leave(const struct flow *out, uint64_t now_ns);
static inline uint64_t flow_jitter_us(const struct flow_state *state, uint32_t clock_hz)
{
	return clock_hz ? (counter_get(&state->rtp.jitter_q4) >> 4) * 1000000 / clock_hz : 0;
}

/* Without a call: the length is known where it is compared. */
static inline bool ip_is_equal(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return false;
	return a->family == AF_INET ? a->v4.s_addr == b->v4.s_addr
				    : !memcmp(a->bytes, b->bytes, 16);
}

/* The media address that `ip` is, or NULL. */
const struct endpoint *lcore_endpoint(const struct lcore *lcore, const struct addr *ip);
/* The flow on address and port, or NULL. */
const struct flow *lcore_flow(const struct lcore *lcore, const struct addr *local);

/* Whether address and port are ours to serve, flow or not. */
bool lcore_endpoint_has(const struct lcore *lcore, const struct addr *local);

/* admit.c; rewrite needs it too: bring the state to the rule's epoch and named source. */
void source_follow_news(struct flow_state *state, const struct flow *flow, uint64_t now_ns);
static inline void source_follow_rule(struct flow_state *state, const struct flow *flow,
				      uint64_t now_ns)
{
	if (!state->epoch_is_set || state->epoch != flow->epoch ||
	    state->named_count != flow->named_count)
		source_follow_news(state, flow, now_ns);
}
/* By its IP address, from whichever port: what is punted says more of itself. */
bool source_is_expected(const struct packet *packet);
bool source_is_locked(const struct flow_state *state, const struct addr *source);
/* An SRTP packet is authentic and fresh: the source rule may believe it. */
enum drop source_authentic(struct lcore *lcore, struct packet *packet);
/* The source before the last offer still counts for a while. */
bool source_previous_is_valid(const struct flow_state *state, uint64_t now_ns);
