/* flows.c - the control thread's side of flows: opening, publishing and retiring them under RCU.
 * Slots are stable for the life of the process; the longest unused is taken first; a generation
 * tells their tenants apart. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <stdlib.h>
#include <sys/mman.h>
#include "control/base/wheel.h" /* container_of */
#include "rtpengine/datapath/bundle.h"
#include "rtpengine/datapath/compile.h"
#include "rtpengine/datapath/srtp.h"

#define INDEX_BITS     20
#define INDEX_MASK     ((1u << INDEX_BITS) - 1)
#define GENERATION_MAX ((1u << (32 - INDEX_BITS)) - 1)
#define NS_PER_MS      1000000ull

_Static_assert(FLOW_EXPECTED_MAX <= 256, "locked_source has 8 bits for the index");

/* What the control thread remembers of an open flow, beside what is published. */
struct flow_control {
	struct flow_entry *entry; /* the published one; NULL = slot is free */
	struct endpoint *endpoint;
	struct bundle_sources *sources; /* owned; made with the first bundle */
	uint32_t epoch;                 /* as published */
	uint32_t rule_epoch;            /* as the session side counts */
	uint32_t index;
	bool has_rule;
	struct retired retired;
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
	entries_init(flows);
	for (uint32_t i = 0; i < max; i++)
		flows->free[i] = i;
	flows->free_count = max;
	return 0;
}

void flows_free(struct flows *flows)
{
	for (uint32_t i = 0; flows->controls && i < flows->max; i++)
		if (flows->controls[i].entry)
			flows_close(flows, flows->controls[i].entry->flow.id);
	if (flows->retired)
		retire_all(flows->retired);
	entries_release(flows);
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
	struct flows *flows = owner;
	entry_free(container_of(retired, struct flow_entry, retired), flows->hops);
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
	atomic_store_explicit(&control->endpoint->ports[port - control->endpoint->base], flow,
			      memory_order_release);
	if (old)
		retire(flows->retired, &old->retired, release_entry, flows);
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

/* Neighbouring calls on different lcores (Knuth's multiplicative hash). */
uint16_t flows_lcore(const struct flows *flows, uint32_t affinity)
{
	return (uint16_t)((affinity * 2654435761u >> 16) % flows->lcore_count);
}

int flows_open(struct flows *flows, const struct addr *local, uint32_t affinity,
	       struct flow_id *out)
{
	retire_run(flows->retired);
	struct endpoint *endpoint = find_endpoint(flows, local);
	if (!endpoint)
		return -ERR_NOT_FOUND;
	if (atomic_load(&endpoint->ports[local->port - endpoint->base]))
		return -ERR_EXISTS;
	if (flows->free_count == 0)
		return -ERR_TOO_MANY;
	uint32_t index = flows->free[flows->free_head];
	struct flow_slot *slot = &flows->slots[index];
	uint32_t generation = slot->generation % GENERATION_MAX + 1; /* never 0 */
	struct flow identity = {
		.slot = slot,
		.id.value = generation << INDEX_BITS | index,
		.generation = generation,
		.lcore = flows_lcore(flows, affinity),
		.local = *local,
	};
	struct flow_entry *entry;
	int err = entry_create(flows, &identity, &entry);
	if (err)
		return err;
	flows->free_head = (flows->free_head + 1) % flows->max;
	flows->free_count--;
	memset(&slot->state, 0, sizeof(slot->state));
	slot->generation = generation;
	struct flow_control *control = &flows->controls[index];
	*control = (struct flow_control){.endpoint = endpoint, .index = index};
	publish(flows, control, entry);
	flows->count++;
	*out = entry->flow.id;
	return 0;
}

/* Whether a rule goes on with the sources of the one before (flow.h). */
static bool source_is_same(const struct flow_control *control, const struct flow_source *source)
{
	const struct addr *before = control->entry->flow.expected;
	if (!control->has_rule || control->rule_epoch != source->epoch)
		return false;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		if (before[i].family != source->expected[i].family ||
		    (before[i].family && !addr_equal(&before[i], &source->expected[i])))
			return false;
	return true;
}

static uint64_t learn_until_ns(const struct flow_source *source, uint64_t now_ns)
{
	return source->window_ms ? now_ns + source->window_ms * NS_PER_MS : UINT64_MAX;
}

int flows_set(struct flows *flows, struct flow_id id, const struct flow_rule *rule, uint64_t now_ns)
{
	static const struct addr nobody;
	retire_run(flows->retired);
	struct flow_control *control = find(flows, id);
	if (!control)
		return -ERR_NOT_FOUND;
	const struct flow *old = &control->entry->flow;
	if (!flow_rule_is_valid(rule, &old->local))
		return -ERR_INVALID;
	bool is_same = source_is_same(control, &rule->source);
	struct flow_entry *entry;
	int err = entry_compile(flows, rule, old, is_same ? &old->extra->named : &nobody,
				&control->sources, now_ns, &entry);
	if (err)
		return err;
	if (!is_same)
		control->epoch++;
	control->rule_epoch = rule->source.epoch;
	control->has_rule = true;
	entry->flow.epoch = control->epoch;
	entry->flow.learn_until_ns =
		is_same ? old->learn_until_ns : learn_until_ns(&rule->source, now_ns);
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
	if (!source->port || !flow_address_is_usable(source, &old->local))
		return -ERR_INVALID;
	struct flow_entry *entry;
	int err = entry_rename(flows, old, source, &entry);
	if (!err)
		publish(flows, control, entry);
	return err;
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
	const struct flow *flow = &control->entry->flow;
	out->source = expected == SOURCE_NAMED ? flow->extra->named : flow->expected[expected];
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

void flows_grow(struct flows *flows, struct flow_id id)
{
	const struct flow_control *control = find(flows, id);
	if (!control)
		return;
	const struct flow *flow = &control->entry->flow;
	struct srtp_context *contexts[] = {flow->srtp_in, flow->srtp_out};
	for (unsigned i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		if (contexts[i] && srtp_context_is_short(contexts[i]))
			srtp_context_grow(contexts[i]);
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
		.rtcp_bytes = counter_get(&state->rtcp_bytes),
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
		.timestamp = atomic_load_explicit(&state->rtp.timestamp, memory_order_relaxed),
		.payload_type = (uint8_t)(header >> 48 & 0x7f),
		.hijack_attempts = counter_get(&state->hijack_attempts),
	};
	for (unsigned i = DROP_OF_FLOW; i < DROP_COUNT; i++)
		out->drops[i] = atomic_load_explicit(
			&((struct flow_state *)(uintptr_t)state)->drops[i - DROP_OF_FLOW],
			memory_order_relaxed);
	read_source(control, state, out);
	quality_read(&state->quality, &out->quality);
	return 0;
}
