/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/guard/guard.h"

#include <stdlib.h>

enum { WAYS = 8 }; /* entries that one hash may take: the stalest gives way */

struct tally {
	uint32_t count;
	uint64_t since_ms;
};

struct source {
	struct addr addr; /* port 0, or of one flow; family 0 = free */
	uint16_t interface;
	uint16_t cause; /* of the ban */
	uint64_t seen_ms;
	struct tally bad;
	struct tally failures;
	uint64_t banned_until_ms;
};

struct interface {
	struct guard_interface rules;
};

struct host { /* of a peer, by its name */
	uint32_t owner;
	uint16_t interface;
	uint16_t peer;
	struct addr addr;
};

struct guard {
	struct interface *interfaces;
	struct guard_peer *peers;
	size_t peer_count;
	uint32_t *peer_rates; /* a second, by peer; 0 = no limit */
	size_t peer_rate_count;
	struct host *hosts;
	size_t host_count;
	struct source *sources; /* sets of WAYS */
	uint32_t set_mask;
	uint64_t hash_key[2];
	uint64_t flows_until_ms; /* of the last ban of a flow */
	guard_known_fn *is_known;
	void *known_owner;
	struct meters *meters;
	struct counter counters[GUARD_VERDICT_COUNT];
};

static const char *const verdict_texts[GUARD_VERDICT_COUNT] = {[GUARD_PASS] = "passed",
#define X(name, text) [GUARD_##name] = text,
							       FOREACH_GUARD_DROP(X)
#undef X
};

const char *guard_verdict_text(enum guard_verdict verdict)
{
	return verdict_texts[verdict];
}

const char *guard_cause_text(enum guard_cause cause)
{
	static const char *const texts[] = {
#define X(name, text) [GUARD_##name] = text,
		FOREACH_GUARD_CAUSE(X)
#undef X
	};
	return texts[cause];
}

int guard_create(const struct guard_config *config, struct guard **out)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	uint32_t sources = config->sources_max < WAYS ? WAYS : config->sources_max;

	if (!guard)
		return -ERR_NO_MEMORY;
	guard->peer_count = config->peer_count;
	guard->meters = config->meters;
	memcpy(guard->hash_key, config->hash_key, sizeof(guard->hash_key));
	guard->set_mask = sources / WAYS - 1;
	guard->interfaces = calloc(config->interface_count + 1, sizeof(*guard->interfaces));
	guard->peers = calloc(config->peer_count + 1, sizeof(*guard->peers));
	guard->sources = calloc((size_t)(guard->set_mask + 1) * WAYS, sizeof(*guard->sources));
	if (!guard->interfaces || !guard->peers || !guard->sources) {
		guard_destroy(guard);
		return -ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < config->interface_count; i++)
		guard->interfaces[i].rules = config->interfaces[i];
	for (size_t i = 0; i < config->peer_count; i++)
		guard->peers[i] = config->peers[i];
	*out = guard;
	return 0;
}

void guard_destroy(struct guard *guard)
{
	if (!guard)
		return;
	free(guard->interfaces);
	free(guard->peers);
	free(guard->hosts);
	free(guard->peer_rates);
	free(guard->sources);
	free(guard);
}

int guard_set_rules(struct guard *guard, const struct guard_interface *interfaces,
		    size_t interface_count, const struct guard_peer *peers, size_t peer_count)
{
	struct guard_peer *list = calloc(peer_count + 1, sizeof(*list));
	struct interface *rules = calloc(interface_count + 1, sizeof(*rules));

	if (!list || !rules) {
		free(list);
		free(rules);
		return -ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < peer_count; i++)
		list[i] = peers[i];
	free(guard->peers);
	guard->peers = list;
	guard->peer_count = peer_count;
	for (size_t i = 0; i < interface_count; i++)
		rules[i].rules = interfaces[i];
	free(guard->interfaces);
	guard->interfaces = rules;
	return 0;
}

void guard_set_hosts(struct guard *guard, uint32_t owner, uint16_t interface, uint16_t peer,
		     const struct addr *hosts, size_t count)
{
	struct host *list = calloc(guard->host_count + count + 1, sizeof(*list));
	size_t kept = 0;

	if (!list)
		return;
	for (size_t i = 0; i < guard->host_count; i++)
		if (guard->hosts[i].owner != owner)
			list[kept++] = guard->hosts[i];
	for (size_t i = 0; i < count; i++)
		list[kept++] = (struct host){owner, interface, peer, hosts[i]};
	free(guard->hosts);
	guard->hosts = list;
	guard->host_count = kept;
}

int guard_set_peer_rate(struct guard *guard, uint16_t peer, uint32_t rate_per_s)
{
	if (peer >= guard->peer_rate_count) {
		size_t count = peer + 1u;
		if (rate_per_s == 0)
			return 0;
		uint32_t *list = realloc(guard->peer_rates, count * sizeof(*list));
		if (!list)
			return -ERR_NO_MEMORY;
		memset(list + guard->peer_rate_count, 0,
		       (count - guard->peer_rate_count) * sizeof(*list));
		guard->peer_rates = list;
		guard->peer_rate_count = count;
	}
	guard->peer_rates[peer] = rate_per_s;
	return 0;
}

int guard_peer_of(const struct guard *guard, uint16_t interface, const struct addr *source)
{
	for (size_t i = 0; i < guard->peer_count; i++) {
		const struct guard_peer *peer = &guard->peers[i];
		if (peer->interface == interface && cidr_contains(&peer->network, source))
			return peer->peer;
	}
	for (size_t i = 0; i < guard->host_count; i++)
		if (guard->hosts[i].interface == interface &&
		    addr_equal_ip(&guard->hosts[i].addr, source))
			return guard->hosts[i].peer;
	return -1;
}

static struct source *set_of(const struct guard *guard, const struct addr *addr)
{
	uint64_t hash = addr_hash(addr, guard->hash_key);
	return &guard->sources[(size_t)(hash & guard->set_mask) * WAYS];
}

static struct addr host_of(const struct addr *addr)
{
	struct addr host = *addr;
	host.port = 0;
	return host;
}

/* `key`: an address with port 0, or a flow. */
static struct source *source_find(const struct guard *guard, uint16_t interface,
				  const struct addr *key)
{
	struct source *set = set_of(guard, key);
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].interface == interface && addr_is_set(&set[i].addr) &&
		    addr_equal(&set[i].addr, key))
			return &set[i];
	}
	return NULL;
}

/* A ban is not forgotten for a newcomer's sake while there is anything else to forget. */
static uint64_t worth(const struct source *source, uint64_t now_ms)
{
	return source->banned_until_ms > now_ms ? source->banned_until_ms : source->seen_ms;
}

static struct source *source_get(struct guard *guard, uint16_t interface, const struct addr *key,
				 uint64_t now_ms)
{
	struct source *source = source_find(guard, interface, key);

	if (!source) {
		struct source *set = set_of(guard, key);
		source = &set[0];
		for (size_t i = 1; i < WAYS; i++) {
			if (worth(&set[i], now_ms) < worth(source, now_ms))
				source = &set[i];
		}
		*source = (struct source){.addr = *key, .interface = interface};
	}
	source->seen_ms = now_ms;
	return source;
}

static enum guard_verdict judge_peer(struct guard *guard, size_t peer, uint64_t now_ms)
{
	if (peer >= guard->peer_rate_count || guard->peer_rates[peer] == 0)
		return GUARD_PASS;
	return meters_take_peer(guard->meters, (uint16_t)peer, guard->peer_rates[peer], now_ms)
		       ? GUARD_PASS
		       : GUARD_SOURCE_RATE;
}

static enum guard_verdict judge(struct guard *guard, uint16_t index, const struct addr *addr,
				uint64_t now_ms)
{
	struct interface *interface = &guard->interfaces[index];
	const struct guard_interface *rules = &interface->rules;

	if (addr_is_multicast(addr) || addr_is_any(addr) || !addr->port)
		return GUARD_BROADCAST;
	int peer = guard_peer_of(guard, index, addr);
	if (peer >= 0)
		return judge_peer(guard, (size_t)peer, now_ms);
	struct addr host = host_of(addr);
	struct source *source = source_get(guard, index, &host, now_ms);
	if (source->banned_until_ms > now_ms)
		return GUARD_BANNED;
	if (guard->flows_until_ms > now_ms) {
		const struct source *flow = source_find(guard, index, addr);
		if (flow && flow->banned_until_ms > now_ms)
			return GUARD_BANNED;
	}
	/* The source's own rate first: a flood from one must not use up what all share. */
	if (rules->source_rate_per_s &&
	    !meters_take_source(guard->meters, index, addr, rules->source_rate_per_s,
				rules->source_burst, now_ms))
		return GUARD_SOURCE_RATE;
	if (rules->rate_per_s &&
	    !meters_take_interface(guard->meters, index, rules->rate_per_s, now_ms))
		return GUARD_INTERFACE_RATE;
	return GUARD_PASS;
}

enum guard_verdict guard_admit(struct guard *guard, uint16_t interface, const struct addr *source,
			       uint64_t now_ms)
{
	enum guard_verdict verdict = judge(guard, interface, source, now_ms);
	counter_add(&guard->counters[verdict], 1);
	return verdict;
}

/* Whom a misdeed is counted against, and who would be banned for it. */
static struct addr scope_of(const struct guard *guard, const struct addr *addr)
{
	bool is_known = guard->is_known && guard->is_known(guard->known_owner, addr);
	return is_known ? *addr : host_of(addr);
}

static bool is_over(struct tally *tally, uint32_t limit, uint32_t window_s, uint64_t now_ms)
{
	if (!tally->count || now_ms - tally->since_ms > window_s * 1000ull)
		*tally = (struct tally){.since_ms = now_ms};
	if (++tally->count < limit)
		return false;
	tally->count = 0;
	return true;
}

uint64_t guard_bad_message(struct guard *guard, uint16_t interface, const struct addr *addr,
			   uint64_t now_ms, struct addr *banned)
{
	const struct guard_interface *rules = &guard->interfaces[interface].rules;

	if (!rules->bad_messages || !rules->ban_s || guard_peer_of(guard, interface, addr) >= 0)
		return 0;
	*banned = scope_of(guard, addr);
	struct source *source = source_get(guard, interface, banned, now_ms);
	if (!is_over(&source->bad, rules->bad_messages, rules->bad_window_s, now_ms))
		return 0;
	return now_ms + rules->ban_s * 1000ull;
}

uint64_t guard_auth_failure(struct guard *guard, uint16_t interface, const struct addr *addr,
			    uint64_t now_ms, struct addr *banned)
{
	const struct guard_interface *rules = &guard->interfaces[interface].rules;

	if (!rules->auth_failures || !rules->ban_s || guard_peer_of(guard, interface, addr) >= 0)
		return 0;
	*banned = scope_of(guard, addr);
	struct source *source = source_get(guard, interface, banned, now_ms);
	if (!is_over(&source->failures, rules->auth_failures, rules->auth_window_s, now_ms))
		return 0;
	return now_ms + rules->ban_s * 1000ull;
}

uint64_t guard_scanner(struct guard *guard, uint16_t interface, const struct addr *addr,
		       uint64_t now_ms, struct addr *banned)
{
	const struct guard_interface *rules = &guard->interfaces[interface].rules;

	if (!rules->ban_s || guard_peer_of(guard, interface, addr) >= 0)
		return 0;
	*banned = scope_of(guard, addr);
	return now_ms + rules->ban_s * 1000ull;
}

void guard_ban(struct guard *guard, uint16_t interface, const struct addr *addr, uint64_t until_ms,
	       uint64_t now_ms, enum guard_cause cause)
{
	struct source *source = source_get(guard, interface, addr, now_ms);

	source->banned_until_ms = until_ms;
	source->cause = (uint16_t)cause;
	if (addr->port && guard->flows_until_ms < until_ms)
		guard->flows_until_ms = until_ms;
}

uint32_t guard_unban(struct guard *guard, const struct addr *address, uint64_t now_ms)
{
	size_t count = (size_t)(guard->set_mask + 1) * WAYS;
	uint32_t lifted = 0;

	for (size_t i = 0; i < count; i++) {
		struct source *source = &guard->sources[i];
		if (!addr_is_set(&source->addr) || !addr_equal_ip(&source->addr, address))
			continue;
		lifted += source->banned_until_ms > now_ms;
		*source = (struct source){0};
	}
	return lifted;
}

bool guard_ban_next(const struct guard *guard, uint64_t now_ms, uint32_t *at, struct guard_ban *out)
{
	uint32_t count = (guard->set_mask + 1) * WAYS;

	while (*at < count) {
		const struct source *source = &guard->sources[(*at)++];
		if (!addr_is_set(&source->addr) || source->banned_until_ms <= now_ms)
			continue;
		*out = (struct guard_ban){.interface = source->interface,
					  .source = source->addr,
					  .until_ms = source->banned_until_ms,
					  .cause = (enum guard_cause)source->cause};
		return true;
	}
	return false;
}

void guard_set_known(struct guard *guard, guard_known_fn *fn, void *owner)
{
	guard->is_known = fn;
	guard->known_owner = owner;
}

bool guard_is_banned(const struct guard *guard, uint16_t interface, const struct addr *addr,
		     uint64_t now_ms)
{
	struct addr host = host_of(addr);
	const struct source *source = source_find(guard, interface, &host);
	const struct source *flow = source_find(guard, interface, addr);

	return (source && source->banned_until_ms > now_ms) ||
	       (flow && flow->banned_until_ms > now_ms);
}

const struct counter *guard_counters(const struct guard *guard)
{
	return guard->counters;
}
