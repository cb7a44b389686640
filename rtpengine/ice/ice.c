/* ice.c - an agent's life: credentials, pairs, and which of them is the one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/agent.h"

#include <stdlib.h>

int ice_create(const struct ice_config *config, uint64_t now_ms, struct ice **out)
{
	struct ice *ice = calloc(1, sizeof(*ice));
	if (!ice)
		return -ERR_NO_MEMORY;
	ice->config = *config;
	random_text(config->random, ice->ufrag, ICE_UFRAG_LEN);
	random_text(config->random, ice->pwd, ICE_PWD_LEN);
	random_fill(config->random, &ice->tie_breaker, sizeof(ice->tie_breaker));
	ice->started_ms = now_ms;
	*out = ice;
	return 0;
}

void ice_destroy(struct ice *ice)
{
	if (!ice)
		return;
	wheel_cancel(ice->config.wheel, &ice->timer);
	for (unsigned i = 0; i < ice->pair_count; i++)
		free(ice->pairs[i]);
	explicit_bzero(ice, sizeof(*ice));
	free(ice);
}

uint16_t ice_preference(const struct ice *ice, uint8_t family)
{
	return family == AF_INET6 || !ice->config.has_both_families ? UINT16_MAX : UINT16_MAX - 1;
}

const char *ice_ufrag(const struct ice *ice)
{
	return ice->ufrag;
}

const char *ice_pwd(const struct ice *ice)
{
	return ice->pwd;
}

bool ice_is_controlling(const struct ice *ice)
{
	return ice->config.is_controlling;
}

int ice_set_remote(struct ice *ice, struct slice ufrag, struct slice pwd, bool is_lite,
		   uint64_t now_ms)
{
	if (ufrag.len < 4 || ufrag.len > ICE_TEXT_MAX || pwd.len < 22 || pwd.len > ICE_TEXT_MAX)
		return -ERR_INVALID; /* RFC 8839 5.4 */
	slice_copy(ufrag, ice->remote_ufrag, sizeof(ice->remote_ufrag));
	slice_copy(pwd, ice->remote_pwd, sizeof(ice->remote_pwd));
	ice->has_remote = true;
	ice->remote_is_lite = is_lite;
	if (is_lite) /* RFC 8445 6.1.1: the full one controls */
		ice->config.is_controlling = true;
	ice->started_ms = now_ms;
	checks_wake(ice, now_ms);
	return 0;
}

void ice_forget_remote(struct ice *ice)
{
	for (unsigned i = 0; i < ice->pair_count; i++)
		free(ice->pairs[i]);
	ice->pair_count = 0;
	memset(ice->components, 0, sizeof(ice->components));
	ice->has_remote = ice->is_ended = false;
	wheel_cancel(ice->config.wheel, &ice->timer);
}

bool ice_has_remote(const struct ice *ice)
{
	return ice->has_remote;
}

bool ice_remote_is(const struct ice *ice, struct slice ufrag, struct slice pwd)
{
	return ice->has_remote && slice_equal(ufrag, slice_from(ice->remote_ufrag)) &&
	       slice_equal(pwd, slice_from(ice->remote_pwd));
}

void ice_set_components(struct ice *ice, uint8_t components)
{
	ice->config.components = components;
}

/* RFC 8445 6.1.2.3. */
uint64_t pair_priority(const struct ice *ice, const struct pair *pair)
{
	uint16_t preference = ice_preference(ice, pair->remote.addr.family);
	uint64_t ours = ice_priority(ICE_HOST, preference, pair->remote.component);
	uint64_t theirs = pair->remote.priority;
	uint64_t g = ice->config.is_controlling ? ours : theirs;
	uint64_t d = ice->config.is_controlling ? theirs : ours;

	return ((g < d ? g : d) << 32) + 2 * (g > d ? g : d) + (g > d ? 1 : 0);
}

struct pair *pair_find(struct ice *ice, unsigned component, const struct addr *from)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		struct pair *pair = ice->pairs[i];
		if (pair->remote.component == component && addr_equal(&pair->remote.addr, from))
			return pair;
	}
	return NULL;
}

struct pair *pair_add(struct ice *ice, const struct ice_candidate *candidate)
{
	if (ice->pair_count >= ICE_PAIRS_MAX)
		return NULL;
	struct pair *pair = calloc(1, sizeof(*pair));
	if (!pair)
		return NULL;
	pair->remote = *candidate;
	ice->pairs[ice->pair_count++] = pair;
	return pair;
}

void ice_add_candidate(struct ice *ice, const struct ice_candidate *candidate, uint64_t now_ms)
{
	struct pair *known = pair_find(ice, candidate->component, &candidate->addr);

	if (candidate->component > ice->config.components)
		return;
	if (known) { /* learned from its own check before: now its priority is known */
		known->remote.priority = candidate->priority;
		known->remote.type = candidate->type;
		return;
	}
	if (pair_add(ice, candidate))
		checks_wake(ice, now_ms);
}

void ice_end_of_candidates(struct ice *ice, uint64_t now_ms)
{
	ice->is_ended = true;
	checks_wake(ice, now_ms);
}

bool ice_selected(const struct ice *ice, unsigned component, struct addr *out)
{
	const struct pair *pair = ice->components[component - 1].selected;
	if (pair)
		*out = pair->remote.addr;
	return pair != NULL;
}

bool ice_is_completed(const struct ice *ice)
{
	for (unsigned i = 0; i < ice->config.components; i++) {
		if (!ice->components[i].selected)
			return false;
	}
	return true;
}

/* A peer that nominates several (aggressive, RFC 5245 8.1.1.2) means the best of them. One that
 * nominates a worse one later means it, when it stopped nominating the one we have. */
static bool outranks(const struct ice *ice, const struct pair *pair, const struct component *at,
		     uint64_t now_ms)
{
	if (!at->selected || ice->config.is_controlling)
		return true;
	return pair_priority(ice, pair) > pair_priority(ice, at->selected) ||
	       now_ms - at->nominated_ms >= SWITCH_MS;
}

void pair_select(struct ice *ice, struct pair *pair, uint64_t now_ms)
{
	struct component *at = component_of(ice, pair->remote.component);

	if (at->selected != pair && !outranks(ice, pair, at, now_ms))
		return;
	at->nominated_ms = now_ms;
	at->has_failed = false;
	if (at->selected == pair)
		return;
	at->selected = pair;
	consent_begin(ice, at, now_ms);
	checks_wake(ice, now_ms);
	ice->config.events->selected(ice->config.owner, pair->remote.component, &pair->remote.addr);
}
