/* flows.c - the control thread's side of flows: opening, publishing and retiring them under RCU.
 * Slots are stable for the life of the process; the longest unused is taken first; a generation
 * tells their tenants apart. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <stdlib.h>
#include <sys/mman.h>
#include "control/base/wheel.h" /* container_of */
#include "rtpengine/datapath/bundle.h"
#include "rtpengine/datapath/srtp.h"

#define INDEX_BITS     20
#define INDEX_MASK     ((1u << INDEX_BITS) - 1)
#define GENERATION_MAX ((1u << (32 - INDEX_BITS)) - 1)
#define NS_PER_MS      1000000ull
#define NS_PER_S       1000000000ull
/* flow.h: what still comes under the old key. */
#define SRTP_BEFORE_NS (5 * NS_PER_S)

_Static_assert(FLOW_EXPECTED_MAX <= 256, "locked_source has 8 bits for the index");

/* A flow with what is needed to undo it. */
struct flow_entry {
	struct flow flow;                /* first: found again from the published pointer */
	struct srtp_context *out_before; /* its key may come back (a refused re-offer) */
	struct retired retired;
	struct hops *hops;
};

/* What the control thread remembers of an open flow. */
struct flow_control {
	struct flow_entry *entry; /* the published one; NULL = slot is free */
	struct endpoint *endpoint;
	struct flow_source source; /* of the last rule */
	bool source_is_set;
	struct addr named; /* by flows_lock(), of this epoch */
	uint16_t named_count;
	uint32_t epoch;
	uint64_t learn_until_ns;
	struct bundle_sources *sources; /* owned; made with the first bundle */
	struct retired retired;
	uint32_t index;
};

int flows_init(struct flows *flows, uint32_t max)
{
	if (max == 0 || max > INDEX_MASK)
		return -ERR_INVALID;
	size_t size = (size_t)max * sizeof(struct flow_slot);
	void *slots = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slots == MAP_FAILED)
		return -ERR_NO_MEMORY;
	/* a flow is somewhere else for every packet: fewer, larger pages miss the TLB less */
	(void)madvise(slots, size, MADV_HUGEPAGE);
	flows->slots = slots;
	flows->max = max;
	flows->controls = calloc(max, sizeof(*flows->controls));
	flows->free = calloc(max, sizeof(*flows->free));
	if (!flows->controls || !flows->free)
		return -ERR_NO_MEMORY; /* flows_free() by the caller */
	for (uint32_t i = 0; i < max; i++)
		flows->free[i] = i;
	flows->free_count = max;
	return 0;
}

static void free_entry(struct flow_entry *entry)
{
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		hop_put(entry->hops, entry->flow.expected_hop[i]);
	hop_put(entry->hops, entry->flow.remote_hop);
	hop_put(entry->hops, entry->flow.named_hop);
	srtp_context_put(entry->flow.srtp_in);
	srtp_context_put(entry->flow.srtp_before);
	srtp_context_put(entry->flow.srtp_out);
	srtp_context_put(entry->out_before);
	free(entry->flow.bundle);
	free(entry);
}

void flows_free(struct flows *flows)
{
	for (uint32_t i = 0; flows->controls && i < flows->max; i++)
		if (flows->controls[i].entry)
			flows_close(flows, flows->controls[i].entry->flow.id);
	if (flows->retired)
		retire_all(flows->retired);
	free(flows->controls);
	free(flows->free);
	if (flows->slots)
		munmap(flows->slots, (size_t)flows->max * sizeof(struct flow_slot));
	flows->slots = NULL;
	flows->controls = NULL;
	flows->free = NULL;
}

static struct flow_control *find(const struct flows *flows, struct flow_id id)
{
	uint32_t index = id.value & INDEX_MASK;
	if (!flow_id_is_set(id) || index >= flows->max)
		return NULL;
	struct flow_control *control = &flows->controls[index];
	return control->entry && control->entry->flow.id.value == id.value ? control : NULL;
}

const struct flow *flows_find(const struct flows *flows, struct flow_id id)
{
	const struct flow_control *control = find(flows, id);
	return control ? &control->entry->flow : NULL;
}

static void release_entry(struct retired *retired, void *owner)
{
	(void)owner;
	free_entry(container_of(retired, struct flow_entry, retired));
}

static void release_slot(struct retired *retired, void *owner)
{
	struct flows *flows = owner;
	struct flow_control *control = container_of(retired, struct flow_control, retired);
	free(control->sources);
	control->sources = NULL;
	flows->free[(flows->free_head + flows->free_count++) % flows->max] = control->index;
}

/* From here on the lcores see `entry`; the one before it goes when they are done with it. */
static void publish(struct flows *flows, struct flow_control *control, struct flow_entry *entry)
{
	struct flow_entry *old = control->entry;
	struct flow_slot *slot = &flows->slots[control->index];
	const struct flow *flow = entry ? &entry->flow : NULL;
	uint16_t port = (entry ? entry : old)->flow.local.port;
	control->entry = entry;
	atomic_store_explicit(&slot->current, flow, memory_order_release);
	atomic_store_explicit(&control->endpoint->ports[port - control->endpoint->first], flow,
			      memory_order_release);
	if (old)
		retire(flows->retired, &old->retired, release_entry, NULL);
}

static struct endpoint *find_endpoint(const struct flows *flows, const struct addr *local)
{
	for (uint16_t i = 0; i < flows->endpoint_count; i++) {
		if (!addr_equal_ip(&flows->endpoints[i].addr, local))
			continue;
		for (uint16_t r = 0; r < flows->addresses[i].range_count; r++)
			if (local->port >= flows->addresses[i].ranges[r].first &&
			    local->port <= flows->addresses[i].ranges[r].last)
				return &flows->endpoints[i];
	}
	return NULL;
}

int flows_open(struct flows *flows, const struct addr *local, uint32_t affinity,
	       struct flow_id *out)
{
	retire_run(flows->retired);
	struct endpoint *endpoint = find_endpoint(flows, local);
	if (!endpoint)
		return -ERR_NOT_FOUND;
	if (atomic_load(&endpoint->ports[local->port - endpoint->first]))
		return -ERR_EXISTS;
	if (flows->free_count == 0)
		return -ERR_TOO_MANY;
	struct flow_entry *entry = aligned_alloc(64, (sizeof(*entry) + 63) / 64 * 64);
	if (!entry)
		return -ERR_NO_MEMORY;
	memset(entry, 0, sizeof(*entry));

	uint32_t index = flows->free[flows->free_head];
	flows->free_head = (flows->free_head + 1) % flows->max;
	flows->free_count--;
	struct flow_slot *slot = &flows->slots[index];
	memset(&slot->state, 0, sizeof(slot->state));
	slot->generation = slot->generation % GENERATION_MAX + 1; /* never 0 */
	entry->hops = flows->hops;
	entry->flow.slot = slot;
	entry->flow.id.value = slot->generation << INDEX_BITS | index;
	entry->flow.generation = slot->generation;
	/* neighbouring calls on different lcores (Knuth's multiplicative hash) */
	entry->flow.lcore = (uint16_t)((affinity * 2654435761u >> 16) % flows->lcore_count);
	entry->flow.mode = FLOW_SOURCE_CLOSED;
	entry->flow.local = *local;
	struct flow_control *control = &flows->controls[index];
	*control = (struct flow_control){.endpoint = endpoint, .index = index};
	publish(flows, control, entry);
	flows->count++;
	*out = entry->flow.id;
	return 0;
}

static int compile_link(const struct flows *flows, const struct flow *from, struct flow_id id,
			struct flow_link *out)
{
	*out = (struct flow_link){0};
	if (!flow_id_is_set(id))
		return 0;
	const struct flow_control *to = find(flows, id);
	if (!to)
		return -ERR_NOT_FOUND;
	if (to->entry->flow.lcore != from->lcore)
		return -ERR_INVALID; /* not the same affinity */
	out->slot = to->entry->flow.slot;
	out->generation = to->entry->flow.generation;
	return 0;
}

static bool address_is_usable(const struct addr *addr, const struct addr *local)
{
	return addr->family == local->family && !addr_is_any(addr) && !addr_is_multicast(addr);
}

static bool rule_is_valid(const struct flow_rule *rule, const struct addr *local)
{
	const struct flow_source *source = &rule->source;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		if (source->expected[i].family && !address_is_usable(&source->expected[i], local))
			return false;
	if (rule->remote.family && rule->remote.port && !address_is_usable(&rule->remote, local))
		return false;
	if (rule->bundle && rule->bundle->count > FLOW_BUNDLE_MAX)
		return false;
	return rule->dscp <= 63 && rule->kind <= FLOW_OTHER && source->mode <= FLOW_SOURCE_ICE &&
	       srtp_is_valid(&rule->srtp_in) && srtp_is_valid(&rule->srtp_out) &&
	       (rule->kind != FLOW_OTHER || (!rule->srtp_in.suite && !rule->srtp_out.suite)) &&
	       (source->mode != FLOW_SOURCE_SECURE || rule->srtp_in.suite || rule->needs_srtp);
}

static void compile_limit(const struct flow_limit *limit, struct flow *flow)
{
	flow->is_limited = limit->packets_per_s || limit->bytes_per_s;
	if (limit->packets_per_s)
		flow->packet_ns = (uint32_t)(NS_PER_S / limit->packets_per_s);
	if (limit->bytes_per_s > 64) /* below, one packet would be more than a second's worth */
		flow->byte_ns_q8 = (uint32_t)(NS_PER_S * 256 / limit->bytes_per_s);
}

static int compile(const struct flows *flows, const struct flow_rule *rule, struct flow *flow)
{
	int err = compile_link(flows, flow, rule->rtp_to, &flow->rtp_to);
	if (!err)
		err = compile_link(flows, flow, rule->rtcp_to, &flow->rtcp_to);
	if (!err)
		err = compile_link(flows, flow, rule->rtp_of, &flow->rtp_of);
	flow->kind = (uint8_t)rule->kind;
	flow->mode = (uint8_t)rule->source.mode;
	flow->traffic_class = (uint8_t)(rule->dscp << 2);
	flow->symmetric = rule->symmetric;
	flow->clock_hz = rule->clock_hz;
	flow->has_ice = rule->has_ice;
	flow->has_dtls = rule->has_dtls;
	for (unsigned i = 0; i < FLOW_COPIES_MAX && !err; i++)
		err = compile_link(flows, flow, rule->alter.copies[i], &flow->copies[i]);
	flow->alter = rule->alter;
	memcpy(flow->event_types, rule->alter.event_types, sizeof(flow->event_types));
	flow->is_altered = rule->alter.media != FLOW_MEDIA_PASS || rule->alter.blocks_events ||
			   rule->alter.play.id || rule->alter.recording ||
			   flow_id_is_set(rule->alter.copies[0]);
	flow->ice = rule->ice;
	flow->needs_srtp = rule->needs_srtp;
	flow->is_sealed = rule->needs_srtp;
	memcpy(flow->payload_types, rule->payload_types, sizeof(flow->payload_types));
	flow->has_payload_types = flow->payload_types[0] | flow->payload_types[1];
	compile_limit(&rule->limit, flow);
	memcpy(flow->expected, rule->source.expected, sizeof(flow->expected));
	flow->remote = rule->remote;
	return err;
}

/* The context of `srtp`: the one of the rule before if the key is the same, or of the one before
 * that. *other: which of the two is left. */
static int context_take(const struct flows *flows, const struct flow_srtp *srtp, bool is_outgoing,
			struct srtp_context *of_rule, struct srtp_context *before,
			struct srtp_context **out, struct srtp_context **other)
{
	struct srtp_context *left = of_rule ? of_rule : before;
	if (srtp->suite == FLOW_SRTP_NONE) {
		*other = srtp_context_get(left);
		return 0;
	}
	if (srtp_context_is(of_rule, srtp)) {
		*out = srtp_context_get(of_rule);
		*other = srtp_context_get(before);
		return 0;
	}
	if (srtp_context_is(before, srtp)) {
		*out = srtp_context_get(before);
		*other = srtp_context_get(of_rule);
		return 0;
	}
	int err = srtp_context_create(flows->crypto, srtp, is_outgoing, out);
	if (!err)
		*other = srtp_context_get(left);
	return err;
}

static int compile_srtp(const struct flows *flows, const struct flow_rule *rule,
			const struct flow_entry *old, struct flow_entry *entry, uint64_t now_ns)
{
	struct flow *flow = &entry->flow;
	int err = context_take(flows, &rule->srtp_in, false, old->flow.srtp_in,
			       old->flow.srtp_before, &flow->srtp_in, &flow->srtp_before);
	if (!err)
		err = context_take(flows, &rule->srtp_out, true, old->flow.srtp_out,
				   old->out_before, &flow->srtp_out, &entry->out_before);
	flow->has_srtp = flow->srtp_in != NULL;
	flow->srtp_before_until_ns = flow->srtp_in == old->flow.srtp_in
					     ? old->flow.srtp_before_until_ns
					     : now_ns + SRTP_BEFORE_NS;
	return err;
}

static int compile_bundle(const struct flows *flows, const struct flow_rule *rule,
			  struct flow_control *control, struct flow *flow)
{
	if (!rule->bundle)
		return 0;
	if (!control->sources)
		control->sources = calloc(1, sizeof(*control->sources));
	flow->bundle = bundle_create(rule->bundle, control->sources);
	if (!control->sources || !flow->bundle)
		return -ERR_NO_MEMORY;
	flow->has_bundle = true;
	int err = 0;
	for (unsigned i = 0; i < rule->bundle->count && !err; i++)
		err = compile_link(flows, flow, rule->bundle->members[i].flow,
				   &flow->bundle->members[i].flow);
	return err;
}

/* How to reach the addresses that the flow names. */
static int compile_hops(const struct flows *flows, struct flow *flow)
{
	int err = 0;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX && !err; i++)
		if (flow->expected[i].family)
			err = hop_get(flows->hops, &flow->expected[i], &flow->local,
				      &flow->expected_hop[i]);
	if (!err && flow->remote.family && flow->remote.port)
		err = hop_get(flows->hops, &flow->remote, &flow->local, &flow->remote_hop);
	if (!err && flow->named.family)
		err = hop_get(flows->hops, &flow->named, &flow->local, &flow->named_hop);
	return err;
}

static bool source_is_same(const struct flow_source *a, const struct flow_source *b)
{
	if (a->epoch != b->epoch)
		return false;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		if (a->expected[i].family != b->expected[i].family ||
		    (a->expected[i].family && !addr_equal(&a->expected[i], &b->expected[i])))
			return false;
	return true;
}

/* A successor of what is published, with the same identity and no rule yet. */
static struct flow_entry *entry_create(const struct flows *flows, const struct flow *old)
{
	struct flow_entry *entry = aligned_alloc(64, (sizeof(*entry) + 63) / 64 * 64);
	if (!entry)
		return NULL;
	memset(entry, 0, sizeof(*entry));
	entry->hops = flows->hops;
	entry->flow.slot = old->slot;
	entry->flow.id = old->id;
	entry->flow.generation = old->generation;
	entry->flow.lcore = old->lcore;
	entry->flow.local = old->local;
	return entry;
}

int flows_set(struct flows *flows, struct flow_id id, const struct flow_rule *rule, uint64_t now_ns)
{
	retire_run(flows->retired);
	struct flow_control *control = find(flows, id);
	if (!control)
		return -ERR_NOT_FOUND;
	const struct flow *old = &control->entry->flow;
	if (!rule_is_valid(rule, &old->local))
		return -ERR_INVALID;
	struct flow_entry *entry = entry_create(flows, old);
	if (!entry)
		return -ERR_NO_MEMORY;
	bool is_new = !control->source_is_set || !source_is_same(&control->source, &rule->source);
	int err = compile(flows, rule, &entry->flow);
	if (!err)
		err = compile_srtp(flows, rule, control->entry, entry, now_ns);
	if (!err)
		err = compile_bundle(flows, rule, control, &entry->flow);
	entry->flow.named_count = control->named_count;
	if (!is_new)
		entry->flow.named = control->named;
	if (!err)
		err = compile_hops(flows, &entry->flow);
	if (err) {
		free_entry(entry);
		return err;
	}
	if (is_new) {
		control->epoch++;
		control->named = (struct addr){0};
		control->learn_until_ns = UINT64_MAX;
		if (rule->source.window_ms)
			control->learn_until_ns = now_ns + rule->source.window_ms * NS_PER_MS;
	}
	control->source = rule->source;
	control->source_is_set = true;
	entry->flow.epoch = control->epoch;
	entry->flow.learn_until_ns = control->learn_until_ns;
	publish(flows, control, entry);
	return 0;
}

int flows_lock(struct flows *flows, struct flow_id id, const struct addr *source)
{
	retire_run(flows->retired);
	struct flow_control *control = find(flows, id);
	if (!control)
		return -ERR_NOT_FOUND;
	const struct flow *old = &control->entry->flow;
	if (!source->port || !address_is_usable(source, &old->local))
		return -ERR_INVALID;
	struct flow_entry *entry = entry_create(flows, old);
	if (!entry)
		return -ERR_NO_MEMORY;
	entry->flow = *old;
	srtp_context_get(old->srtp_in);
	srtp_context_get(old->srtp_before);
	srtp_context_get(old->srtp_out);
	entry->out_before = srtp_context_get(control->entry->out_before);
	entry->flow.bundle = bundle_copy(old->bundle);
	entry->flow.remote_hop = NULL;
	memset(entry->flow.expected_hop, 0, sizeof(entry->flow.expected_hop));
	entry->flow.named_hop = NULL;
	entry->flow.named = *source;
	entry->flow.named_count++;
	int err = old->bundle && !entry->flow.bundle ? -ERR_NO_MEMORY : 0;
	if (!err)
		err = compile_hops(flows, &entry->flow);
	if (err) {
		free_entry(entry);
		return err;
	}
	control->named = *source;
	control->named_count = entry->flow.named_count;
	publish(flows, control, entry);
	return 0;
}

void flows_close(struct flows *flows, struct flow_id id)
{
	struct flow_control *control = find(flows, id);
	if (!control)
		return;
	publish(flows, control, NULL);
	retire(flows->retired, &control->retired, release_slot, flows);
	flows->count--;
	retire_run(flows->retired);
}

static void read_source(const struct flow_control *control, const struct flow_state *state,
			struct flow_stats *out)
{
	uint64_t value = counter_get(&state->locked_source);
	uint64_t expected = value >> 16 & 0xff;
	/* of the rule that the lcore saw when it locked; a newer one says nothing about it */
	if (!(value >> 63) || (uint32_t)(value >> 24) != control->epoch ||
	    (expected >= FLOW_EXPECTED_MAX && expected != SOURCE_NAMED))
		return;
	out->source_is_locked = true;
	out->source =
		expected == SOURCE_NAMED ? control->named : control->source.expected[expected];
	out->source.port = (uint16_t)value;
}

size_t flows_srtp(const struct flows *flows, struct flow_id id, bool is_outgoing,
		  struct flow_srtp_index *out, size_t max)
{
	const struct flow_control *control = find(flows, id);
	if (!control)
		return 0;
	const struct flow *flow = &control->entry->flow;
	const struct srtp_context *context = is_outgoing ? flow->srtp_out : flow->srtp_in;
	return context ? srtp_context_indexes(context, out, max) : 0;
}

int flows_stats(const struct flows *flows, struct flow_id id, struct flow_stats *out)
{
	const struct flow_control *control = find(flows, id);
	if (!control)
		return -ERR_NOT_FOUND;
	const struct flow_state *state = &control->entry->flow.slot->state;
	uint64_t header = counter_get(&state->rtp_header);
	*out = (struct flow_stats){
		.packets = counter_get(&state->packets),
		.bytes = counter_get(&state->bytes),
		.rtcp_packets = counter_get(&state->rtcp_packets),
		.sent_packets = counter_get(&state->sent_packets),
		.sent_bytes = counter_get(&state->sent_bytes),
		.lost = counter_get(&state->lost),
		.reordered = counter_get(&state->reordered),
		.duplicate = counter_get(&state->duplicate),
		.jitter_us = (uint32_t)flow_jitter_us(state, control->entry->flow.clock_hz),
		.last_packet_ms = counter_get(&state->last_packet_ns) / NS_PER_MS,
		.last_rtcp_ms = counter_get(&state->last_rtcp_ns) / NS_PER_MS,
		.ssrc = (uint32_t)header,
		.sequence = (uint16_t)(header >> 32),
		.payload_type = (uint8_t)(header >> 48 & 0x7f),
		.hijack_attempts = counter_get(&state->hijack_attempts),
	};
	for (unsigned i = 0; i < DROP_COUNT; i++)
		out->drops[i] = counter_get(&state->drops[i]);
	read_source(control, state, out);
	quality_read(&state->quality, &out->quality);
	return 0;
}
