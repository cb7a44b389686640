/* compile.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/compile.h"
#include <stdlib.h>
#include "rtpengine/datapath/bundle.h"
#include "rtpengine/datapath/srtp.h"

#define NS_PER_S 1000000000ull
/* flow.h: what still comes under the old key. */
#define SRTP_BEFORE_NS (5 * NS_PER_S)

/* Flow and extra in one piece, so that they go together. */
struct entry_with_extra {
	struct flow_entry entry;
	struct flow_extra extra;
} __attribute__((aligned(64)));

void entries_init(struct flows *flows)
{
	slab_init(&flows->plain_entries, sizeof(struct flow_entry));
	slab_init(&flows->entries, sizeof(struct entry_with_extra));
}

void entries_release(struct flows *flows)
{
	slab_release(&flows->plain_entries);
	slab_release(&flows->entries);
}

/* What a flow that is being compiled holds on to. */
static void let_go(const struct flow *flow, const struct flow_extra *extra, struct hops *hops)
{
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		hop_put(hops, flow->expected_hop[i]);
	hop_put(hops, flow->remote_hop);
	hop_put(hops, extra->named_hop);
	srtp_context_put(flow->srtp_in);
	srtp_context_put(flow->srtp_out);
	srtp_context_put(extra->srtp_before);
	srtp_context_put(extra->out_before);
	free(extra->bundle);
}

void entry_free(struct flow_entry *entry, struct hops *hops)
{
	if (!entry)
		return;
	let_go(&entry->flow, entry->flow.extra, hops);
	slab_give(entry);
}

static int entry_make(struct flows *flows, const struct flow *flow, const struct flow_extra *extra,
		      struct flow_entry **out)
{
	bool has_extra = extra->named.family || extra->srtp_before || extra->out_before ||
			 extra->bundle || flow->has_ice || flow->is_altered;
	struct entry_with_extra *both =
		slab_take(has_extra ? &flows->entries : &flows->plain_entries);
	if (!both)
		return -ERR_NO_MEMORY;
	both->entry = (struct flow_entry){.flow = *flow};
	both->entry.flow.extra = &flow_no_extra;
	if (has_extra) {
		both->extra = *extra;
		both->entry.flow.extra = &both->extra;
	}
	*out = &both->entry;
	return 0;
}

int entry_create(struct flows *flows, const struct flow *identity, struct flow_entry **out)
{
	struct flow flow = {
		.slot = identity->slot,
		.id = identity->id,
		.generation = identity->generation,
		.lcore = identity->lcore,
		.local = identity->local,
		.mode = FLOW_SOURCE_CLOSED,
	};
	return entry_make(flows, &flow, &flow_no_extra, out);
}

static int compile_link(const struct flows *flows, const struct flow *from, struct flow_id id,
			struct flow_link *out)
{
	*out = (struct flow_link){0};
	if (!flow_id_is_set(id))
		return 0;
	const struct flow *to = flows_find(flows, id);
	if (!to)
		return -ERR_NOT_FOUND;
	if (to->lcore != from->lcore)
		return -ERR_INVALID; /* not the same affinity */
	out->slot = to->slot;
	out->generation = to->generation;
	return 0;
}

bool flow_address_is_usable(const struct addr *addr, const struct addr *local)
{
	return addr->family == local->family && !addr_is_any(addr) && !addr_is_multicast(addr);
}

bool flow_rule_is_valid(const struct flow_rule *rule, const struct addr *local)
{
	const struct flow_source *source = &rule->source;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
		if (source->expected[i].family &&
		    !flow_address_is_usable(&source->expected[i], local))
			return false;
	if (rule->remote.family && rule->remote.port &&
	    !flow_address_is_usable(&rule->remote, local))
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

static int compile(const struct flows *flows, const struct flow_rule *rule, struct flow *flow,
		   struct flow_extra *extra)
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
		err = compile_link(flows, flow, rule->alter.copies[i], &extra->copies[i]);
	extra->alter = rule->alter;
	memcpy(flow->event_types, rule->alter.event_types, sizeof(flow->event_types));
	flow->is_altered = rule->alter.media != FLOW_MEDIA_PASS || rule->alter.blocks_events ||
			   rule->alter.play.id || rule->alter.recording || rule->alter.forwarding ||
			   flow_id_is_set(rule->alter.copies[0]);
	extra->ice = rule->ice;
	flow->needs_srtp = rule->needs_srtp;
	flow->is_sealed = rule->needs_srtp;
	flow_set_payload_types(flow, rule->payload_types);
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
			const struct flow *old, uint64_t now_ns, struct flow *flow,
			struct flow_extra *extra)
{
	const struct flow_extra *before = old->extra;
	int err = context_take(flows, &rule->srtp_in, false, old->srtp_in, before->srtp_before,
			       &flow->srtp_in, &extra->srtp_before);
	if (!err)
		err = context_take(flows, &rule->srtp_out, true, old->srtp_out, before->out_before,
				   &flow->srtp_out, &extra->out_before);
	if (!err && rule->bundle && flow->srtp_in) /* several from the beginning */
		srtp_context_grow(flow->srtp_in);
	if (!err && rule->bundle && flow->srtp_out)
		srtp_context_grow(flow->srtp_out);
	flow->has_srtp = flow->srtp_in != NULL;
	extra->srtp_before_until_ns = flow->srtp_in == old->srtp_in ? before->srtp_before_until_ns
								    : now_ns + SRTP_BEFORE_NS;
	return err;
}

static int compile_bundle(const struct flows *flows, const struct flow_rule *rule,
			  struct bundle_sources **sources, struct flow *flow,
			  struct flow_extra *extra)
{
	if (!rule->bundle)
		return 0;
	if (!*sources)
		*sources = calloc(1, sizeof(**sources));
	extra->bundle = bundle_create(rule->bundle, *sources);
	if (!*sources || !extra->bundle)
		return -ERR_NO_MEMORY;
	flow->has_bundle = true;
	int err = 0;
	for (unsigned i = 0; i < rule->bundle->count && !err; i++)
		err = compile_link(flows, flow, rule->bundle->members[i].flow,
				   &extra->bundle->members[i].flow);
	return err;
}

/* How to reach the addresses that the flow names. */
static int compile_hops(const struct flows *flows, struct flow *flow, struct flow_extra *extra)
{
	int err = 0;
	for (unsigned i = 0; i < FLOW_EXPECTED_MAX && !err; i++)
		if (flow->expected[i].family)
			err = hop_get(flows->hops, &flow->expected[i], &flow->local,
				      &flow->expected_hop[i]);
	if (!err && flow->remote.family && flow->remote.port)
		err = hop_get(flows->hops, &flow->remote, &flow->local, &flow->remote_hop);
	if (!err && extra->named.family)
		err = hop_get(flows->hops, &extra->named, &flow->local, &extra->named_hop);
	return err;
}

int entry_compile(struct flows *flows, const struct flow_rule *rule, const struct flow *old,
		  const struct addr *named, struct bundle_sources **sources, uint64_t now_ns,
		  struct flow_entry **out)
{
	struct flow_extra extra = {.named = *named};
	struct flow flow = {
		.slot = old->slot,
		.id = old->id,
		.generation = old->generation,
		.lcore = old->lcore,
		.local = old->local,
		.named_count = old->named_count,
	};
	int err = compile(flows, rule, &flow, &extra);
	if (!err)
		err = compile_srtp(flows, rule, old, now_ns, &flow, &extra);
	if (!err)
		err = compile_bundle(flows, rule, sources, &flow, &extra);
	if (!err)
		err = compile_hops(flows, &flow, &extra);
	if (!err)
		err = entry_make(flows, &flow, &extra, out);
	if (err)
		let_go(&flow, &extra, flows->hops);
	return err;
}

int entry_rename(struct flows *flows, const struct flow *old, const struct addr *named,
		 struct flow_entry **out)
{
	struct flow flow = *old;
	struct flow_extra extra = *old->extra;
	srtp_context_get(flow.srtp_in);
	srtp_context_get(flow.srtp_out);
	srtp_context_get(extra.srtp_before);
	srtp_context_get(extra.out_before);
	extra.bundle = bundle_copy(extra.bundle);
	flow.remote_hop = NULL;
	memset(flow.expected_hop, 0, sizeof(flow.expected_hop));
	extra.named_hop = NULL;
	extra.named = *named;
	flow.named_count++;
	int err = flow.has_bundle && !extra.bundle ? -ERR_NO_MEMORY : 0;
	if (!err)
		err = compile_hops(flows, &flow, &extra);
	if (!err)
		err = entry_make(flows, &flow, &extra, out);
	if (err)
		let_go(&flow, &extra, flows->hops);
	return err;
}
