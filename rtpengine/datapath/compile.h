/* compile.h - from a rule as the session side says it to the immutable flow that lcores read, with
 * all it holds on to: next hops, SRTP contexts, the streams of a bundle. Control thread only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/datapath/control.h"

struct bundle_sources;

/* A published flow with what is needed to take it back. */
struct flow_entry {
	struct flow flow; /* first: found again from the published pointer */
	struct retired retired;
};

/* Where entries lie. */
void entries_init(struct flows *flows);
void entries_release(struct flows *flows); /* all are freed */
/* A flow of no rule yet, on one local address: it admits nobody. */
MUST_CHECK int entry_create(struct flows *flows, const struct flow *identity,
			    struct flow_entry **out);
/* What follows `old` by `rule`, but for epoch and learning window, which are the caller's to say.
 * `named`: what flows_lock() said in this epoch. *sources is made with the first bundle. */
MUST_CHECK int entry_compile(struct flows *flows, const struct flow_rule *rule,
			     const struct flow *old, const struct addr *named,
			     struct bundle_sources **sources, uint64_t now_ns,
			     struct flow_entry **out);
/* `old` again, with another named source. */
MUST_CHECK int entry_rename(struct flows *flows, const struct flow *old, const struct addr *named,
			    struct flow_entry **out);
void entry_free(struct flow_entry *entry, struct hops *hops); /* NULL is fine */

bool flow_rule_is_valid(const struct flow_rule *rule, const struct addr *local);
/* An address that packets from or to `local` can have. */
bool flow_address_is_usable(const struct addr *addr, const struct addr *local);
