/* admit.c - second stage: the source rule (flow.h). Who sends to a port we gave away is the weak
 * point of every relay: here a source is confirmed before anything it sends is relayed, and a
 * locked one is given up only for what only the same sender can know.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/srtp.h"

#define NS_PER_MS 1000000ull

/* A NAT that re-maps leaves the old mapping silent: 300 ms is 15 packets of 20 ms. */
#define REMAP_SILENCE_NS (300 * NS_PER_MS)
/* How far the sequence may have gone on meanwhile (MAX_DROPOUT, RFC 3550 A.1). */
#define REMAP_DROPOUT 3000
/* Two packets that confirm a source are at most this far apart. */
#define CANDIDATE_AGE_MS 2000
/* After a new offer the old source goes on being admitted this long, until the new one is there. */
#define PREVIOUS_AGE_NS (5000 * NS_PER_MS)

/* The control thread is asked about a roaming source this often. */
#define ASK_AGAIN_NS (100 * NS_PER_MS)

#define LOCKED_SOURCE_SET (1ull << 63)

const struct flow_extra flow_no_extra;

static bool same_source(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && ip_is_equal(a, b);
}

static void publish_lock(struct flow_state *state)
{
	uint64_t value = 0;
	if (state->locked.is_set)
		value = LOCKED_SOURCE_SET | (uint64_t)(state->epoch & 0xffffffff) << 24 |
			(uint64_t)state->locked.expected << 16 | state->locked.addr.port;
	atomic_store_explicit(&state->locked_source.value, value, memory_order_relaxed);
}

static struct hop *source_hop(const struct flow *flow, unsigned expected)
{
	return expected == SOURCE_NAMED ? flow->extra->named_hop : flow->expected_hop[expected];
}

/* What the control thread names is locked, whoever was. */
static void follow_named(struct flow_state *state, const struct flow *flow, uint64_t now_ns)
{
	state->named_count = flow->named_count;
	if (!flow->extra->named.family)
		return;
	state->locked = (struct source){
		.is_set = true,
		.expected = SOURCE_NAMED,
		.addr = flow->extra->named,
		.hop = flow->extra->named_hop,
		.ssrc = state->locked.ssrc,
		.sequence = state->locked.sequence,
		.is_sure = true,
		.last_ns = now_ns,
	};
	state->previous.addr.family = 0;
	publish_lock(state);
}

static void follow_epoch(struct flow_state *state, const struct flow *flow, uint64_t now_ns)
{
	if (state->locked.is_set) {
		state->previous.addr = state->locked.addr;
		state->previous.offer_ns = now_ns;
	}
	state->previous.hop = NULL; /* the old rule's, gone with it */
	bool has_previous = state->previous.addr.family != 0;
	if (has_previous && ip_is_equal(&flow->extra->named, &state->previous.addr))
		state->previous.hop = flow->extra->named_hop;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		if (has_previous && ip_is_equal(&flow->expected[i], &state->previous.addr))
			state->previous.hop = flow->expected_hop[i];
	state->locked.is_set = false;
	memset(state->candidates, 0, sizeof(state->candidates));
	state->epoch = flow->epoch;
	state->epoch_is_set = true;
	state->hijack_reported = false;
	publish_lock(state);
}

void source_follow_news(struct flow_state *state, const struct flow *flow, uint64_t now_ns)
{
	if (!state->epoch_is_set || state->epoch != flow->epoch)
		follow_epoch(state, flow, now_ns);
	if (state->named_count != flow->named_count)
		follow_named(state, flow, now_ns);
}

bool source_previous_is_valid(const struct flow_state *state, uint64_t now_ns)
{
	return state->previous.addr.family && !state->locked.is_set &&
	       now_ns - state->previous.offer_ns < PREVIOUS_AGE_NS;
}

static void lock(struct lcore *lcore, struct packet *packet, unsigned expected, bool is_sure)
{
	const struct flow *flow = packet->flow;
	struct flow_state *state = &flow->slot->state;
	bool moved = state->locked.is_set;
	state->locked = (struct source){
		.is_set = true,
		.expected = (uint8_t)expected,
		.addr = packet->source,
		.hop = source_hop(flow, expected),
		.ssrc = packet->ssrc,
		.sequence = packet->sequence,
		.is_sure = is_sure,
		.last_ns = lcore->now_ns,
	};
	state->previous.addr.family = 0;
	memset(state->candidates, 0, sizeof(state->candidates));
	publish_lock(state);
	struct datapath_event event = {
		.type = moved ? DATAPATH_SOURCE_MOVED : DATAPATH_SOURCE_LOCKED,
		.source = packet->source,
	};
	lcore->ops->report(lcore, flow, &event);
}

/* Remember this packet's source as one that may become the peer. True when it is the second of two
 * that belong together: the next in sequence of one SSRC (RTP), of one SSRC (RTCP), or of one
 * address (other). The oldest candidate makes room. */
static bool candidate_is_confirmed(struct lcore *lcore, const struct packet *packet)
{
	struct candidate *candidates = packet->flow->slot->state.candidates;
	struct candidate *at = NULL;
	uint32_t now_ms = (uint32_t)(lcore->now_ns / NS_PER_MS);
	for (unsigned i = 0; i < CANDIDATES; i++) {
		struct candidate *c = &candidates[i];
		if (c->addr.family && same_source(&c->addr, &packet->source)) {
			at = c;
			break;
		}
		if (!at || (at->addr.family &&
			    (!c->addr.family || now_ms - c->last_ms > now_ms - at->last_ms)))
			at = c;
	}
	bool follows = at->addr.family && same_source(&at->addr, &packet->source) &&
		       now_ms - at->last_ms <= CANDIDATE_AGE_MS;
	if (packet->kind != PACKET_OTHER)
		follows = follows && at->ssrc == packet->ssrc;
	if (packet->kind == PACKET_RTP)
		follows = follows && packet->sequence == (uint16_t)(at->sequence + 1);
	*at = (struct candidate){
		.addr = packet->source,
		.ssrc = packet->ssrc,
		.sequence = packet->sequence,
		.last_ms = now_ms,
	};
	return follows;
}

/* Which expected address this is: exactly, port and all, or only by IP. FLOW_EXPECTED_MAX = none.
 */
static unsigned find_expected(const struct flow *flow, const struct addr *source, bool *exact)
{
	unsigned by_ip = FLOW_EXPECTED_MAX;
	*exact = false;
	/* with SRTP it is not the address that proves anything */
	bool any_port = flow->mode == FLOW_SOURCE_LEARN || flow->mode == FLOW_SOURCE_SECURE;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++) {
		if (!flow->expected[i].family || !ip_is_equal(&flow->expected[i], source))
			continue;
		if (flow->expected[i].port && flow->expected[i].port == source->port) {
			*exact = true;
			return i;
		}
		if (by_ip == FLOW_EXPECTED_MAX && (any_port || flow->expected[i].port == 0))
			by_ip = i;
	}
	return by_ip;
}

bool source_is_expected(const struct packet *packet)
{
	const struct flow *flow = packet->flow;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		if (flow->mode != FLOW_SOURCE_CLOSED && flow->mode != FLOW_SOURCE_ICE &&
		    flow->expected[i].family && ip_is_equal(&flow->expected[i], &packet->source))
			return true;
	return false;
}

bool source_is_locked(const struct flow_state *state, const struct addr *source)
{
	return state->locked.is_set && same_source(&state->locked.addr, source);
}

/* Count it, and report the first. */
static void note_stranger(struct lcore *lcore, struct packet *packet)
{
	struct flow_state *state = &packet->flow->slot->state;
	counter_add(&state->hijack_attempts, 1);
	if (state->hijack_reported)
		return;
	state->hijack_reported = true;
	struct datapath_event event = {.type = DATAPATH_HIJACK, .source = packet->source};
	lcore->ops->report(lcore, packet->flow, &event);
}

/* Locked, and somebody else speaks: is it the same sender through another mapping? */
static bool may_be_remapped(const struct lcore *lcore, const struct packet *packet)
{
	const struct source *locked = &packet->flow->slot->state.locked;
	if (packet->flow->mode != FLOW_SOURCE_LEARN || !ip_is_equal(&locked->addr, &packet->source))
		return false;
	if (lcore->now_ns - locked->last_ns < REMAP_SILENCE_NS)
		return false;
	if (packet->kind == PACKET_OTHER)
		return true;
	if (packet->ssrc != locked->ssrc)
		return false;
	if (packet->kind == PACKET_RTCP)
		return packet->flow->kind == FLOW_RTCP;
	uint16_t ahead = (uint16_t)(packet->sequence - locked->sequence);
	return ahead >= 1 && ahead <= REMAP_DROPOUT;
}

/* The locked source of the RTP beside this RTCP, if there is one. */
static const struct source *locked_rtp(const struct flow *flow)
{
	const struct flow *rtp = flow_link_get(&flow->rtp_of);
	if (!rtp || rtp->lcore != flow->lcore || !rtp->slot->state.locked.is_set)
		return NULL;
	return &rtp->slot->state.locked;
}

/* RTCP on a port of its own is believed when it comes from where the RTP comes from and either
 * names that SSRC or uses the next port. */
static bool rtp_vouches(const struct packet *packet)
{
	const struct source *rtp = locked_rtp(packet->flow);
	return packet->kind == PACKET_RTCP && rtp && ip_is_equal(&rtp->addr, &packet->source) &&
	       (rtp->ssrc == packet->ssrc || packet->source.port == rtp->addr.port + 1);
}

static enum drop learn(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	bool exact;
	unsigned expected = find_expected(flow, &packet->source, &exact);
	if (expected == FLOW_EXPECTED_MAX)
		return DROP_STRANGER;
	if (flow->mode == FLOW_SOURCE_ICE)
		return exact ? DROP_NONE : DROP_STRANGER;
	if (packet->kind == PACKET_RTCP && flow->kind == FLOW_MUX)
		return exact ? DROP_NONE : DROP_PROBATION; /* RTP decides */
	bool is_sure = exact || rtp_vouches(packet);
	if (!is_sure && (lcore->now_ns > flow->learn_until_ns || locked_rtp(flow)))
		return DROP_STRANGER;
	if (!is_sure && !candidate_is_confirmed(lcore, packet))
		return DROP_PROBATION;
	lock(lcore, packet, expected, is_sure);
	return DROP_NONE;
}

/* Somebody at the same address, behind the same NAT, may have been faster than the side itself. */
static bool takes_over(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	bool exact;
	unsigned expected = find_expected(flow, &packet->source, &exact);
	if (flow->slot->state.locked.is_sure || expected == FLOW_EXPECTED_MAX ||
	    (packet->kind == PACKET_RTCP && flow->kind == FLOW_MUX))
		return false;
	if (!exact && !rtp_vouches(packet))
		return false;
	lock(lcore, packet, expected, true);
	return true;
}

static enum drop move(struct lcore *lcore, struct packet *packet)
{
	const struct source *locked = &packet->flow->slot->state.locked;
	if (takes_over(lcore, packet))
		return DROP_NONE;
	if (!may_be_remapped(lcore, packet))
		return DROP_STRANGER;
	if (!rtp_vouches(packet) && !candidate_is_confirmed(lcore, packet))
		return DROP_PROBATION;
	lock(lcore, packet, locked->expected, locked->is_sure);
	return DROP_NONE;
}

static bool is_locked_source(const struct source *locked, const struct packet *packet)
{
	return locked->is_set && same_source(&locked->addr, &packet->source);
}

static void follow(struct lcore *lcore, const struct packet *packet, struct source *locked)
{
	if (packet->kind == PACKET_RTP) {
		locked->ssrc = packet->ssrc;
		locked->sequence = packet->sequence;
	}
	if (packet->kind != PACKET_RTCP || packet->flow->kind == FLOW_RTCP)
		locked->last_ns = lcore->now_ns;
}

static bool is_previous(const struct lcore *lcore, const struct packet *packet)
{
	const struct flow_state *state = &packet->flow->slot->state;
	return source_previous_is_valid(state, lcore->now_ns) &&
	       same_source(&state->previous.addr, &packet->source);
}

/* With SRTP nothing is believed yet, but who can not be the peer costs no cryptography. */
static enum drop admit_unproven(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	bool exact;
	if (flow->mode == FLOW_SOURCE_SECURE ||
	    is_locked_source(&flow->slot->state.locked, packet) || is_previous(lcore, packet))
		return DROP_NONE;
	unsigned expected = find_expected(flow, &packet->source, &exact);
	if (expected != FLOW_EXPECTED_MAX && (exact || flow->mode != FLOW_SOURCE_ICE))
		return DROP_NONE;
	note_stranger(lcore, packet);
	return DROP_STRANGER;
}

/* The next hop to an address is the control thread's to find. */
static void ask_for_lock(struct lcore *lcore, const struct packet *packet)
{
	struct flow_state *state = &packet->flow->slot->state;
	if (lcore->now_ns - state->asked_ns < ASK_AGAIN_NS)
		return;
	state->asked_ns = lcore->now_ns;
	struct datapath_event event = {.type = DATAPATH_SOURCE_ROAMED, .source = packet->source};
	lcore->ops->report(lcore, packet->flow, &event);
}

enum drop source_authentic(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	struct source *locked = &flow->slot->state.locked;
	bool exact, is_rtcp_beside = packet->kind == PACKET_RTCP && flow->kind == FLOW_MUX;
	if (is_locked_source(locked, packet)) {
		follow(lcore, packet, locked);
		return DROP_NONE;
	}
	if (flow->mode == FLOW_SOURCE_ICE || is_rtcp_beside)
		return DROP_NONE;
	/* while the lock speaks, another address may be heard (a copy?) but gets no media */
	if (locked->is_set && lcore->now_ns - locked->last_ns < REMAP_SILENCE_NS)
		return DROP_NONE;
	unsigned expected = find_expected(flow, &packet->source, &exact);
	if (expected != FLOW_EXPECTED_MAX)
		lock(lcore, packet, expected, true);
	else if (flow->extra->named.family && ip_is_equal(&flow->extra->named, &packet->source))
		lock(lcore, packet, SOURCE_NAMED, true);
	else if (flow->mode == FLOW_SOURCE_SECURE)
		ask_for_lock(lcore, packet);
	return DROP_NONE;
}

static enum drop admit(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	struct flow_state *state = &flow->slot->state;
	if (flow->mode == FLOW_SOURCE_CLOSED)
		return DROP_CLOSED;
	if (flow->needs_srtp && !flow->has_srtp)
		return DROP_SRTP_KEY;
	source_follow_rule(state, flow, lcore->now_ns);
	if (flow->has_srtp)
		return admit_unproven(lcore, packet);
	struct source *locked = &state->locked;
	if (is_locked_source(locked, packet)) {
		follow(lcore, packet, locked);
		return DROP_NONE;
	}
	enum drop why = locked->is_set && flow->mode != FLOW_SOURCE_ICE ? move(lcore, packet)
									: learn(lcore, packet);
	if (why == DROP_NONE)
		return DROP_NONE;
	if (is_previous(lcore, packet))
		return DROP_NONE;
	if (why == DROP_STRANGER)
		note_stranger(lcore, packet);
	return why;
}

uint16_t stage_admit(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < n; i++) {
		enum drop why = admit(lcore, &packets[i]);
		if (why != DROP_NONE) {
			packet_drop(lcore, &packets[i], why);
			continue;
		}
		if (packets[i].flow->has_srtp)
			srtp_context_prefetch(packets[i].flow->srtp_in);
		if (kept != i)
			packets[kept] = packets[i];
		kept++;
	}
	return kept;
}
