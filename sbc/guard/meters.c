/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/guard/meters.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { SOURCES = 65536, WAYS = 8 };

struct meter {
	_Atomic uint64_t key; /* of a source; 0 = free */
	_Atomic uint64_t empty_us;
};

struct meters {
	struct meter *interfaces;
	struct meter *peers;
	size_t peer_count;
	struct meter *sources; /* sets of WAYS */
	uint64_t key[2];
};

int meters_create(size_t interface_count, size_t peer_count, const uint64_t key[2],
		  struct meters **out)
{
	struct meters *meters = calloc(1, sizeof(*meters));
	if (!meters)
		return -ERR_NO_MEMORY;

	memcpy(meters->key, key, sizeof(meters->key));
	meters->interfaces = calloc(interface_count + 1, sizeof(*meters->interfaces));
	meters->peers = calloc(peer_count + 1, sizeof(*meters->peers));
	meters->peer_count = peer_count;
	meters->sources = calloc(SOURCES, sizeof(*meters->sources));
	if (!meters->interfaces || !meters->peers || !meters->sources) {
		meters_destroy(meters);
		return -ERR_NO_MEMORY;
	}
	*out = meters;
	return 0;
}

void meters_destroy(struct meters *meters)
{
	if (!meters)
		return;
	free(meters->interfaces);
	free(meters->peers);
	free(meters->sources);
	free(meters);
}

static bool take(struct meter *meter, uint32_t rate_per_s, uint32_t burst, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000, step_us = 1000000 / rate_per_s;
	uint64_t before = atomic_load_explicit(&meter->empty_us, memory_order_relaxed), after;

	do {
		uint64_t from_us = before > now_us ? before : now_us;
		if (from_us + step_us > now_us + burst * step_us)
			return false;
		after = from_us + step_us;
	} while (!atomic_compare_exchange_weak_explicit(
		&meter->empty_us, &before, after, memory_order_relaxed, memory_order_relaxed));
	return true;
}

bool meters_take_interface(struct meters *meters, uint16_t interface, uint32_t rate_per_s,
			   uint64_t now_ms)
{
	return take(&meters->interfaces[interface], rate_per_s, rate_per_s, now_ms);
}

bool meters_take_peer(struct meters *meters, uint16_t peer, uint32_t rate_per_s, uint64_t now_ms)
{
	return peer >= meters->peer_count ||
	       take(&meters->peers[peer], rate_per_s, 2 * rate_per_s, now_ms);
}

/* Two workers may take a free place at once for two sources: one of them begins anew, once. */
static struct meter *meter_of(struct meters *meters, uint64_t key)
{
	struct meter *set = &meters->sources[(size_t)(key >> 1) % (SOURCES / WAYS) * WAYS];
	struct meter *idlest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (atomic_load_explicit(&set[i].key, memory_order_relaxed) == key)
			return &set[i];
		if (atomic_load_explicit(&set[i].empty_us, memory_order_relaxed) <
		    atomic_load_explicit(&idlest->empty_us, memory_order_relaxed))
			idlest = &set[i];
	}
	atomic_store_explicit(&idlest->empty_us, 0, memory_order_relaxed);
	atomic_store_explicit(&idlest->key, key, memory_order_relaxed);
	return idlest;
}

bool meters_take_source(struct meters *meters, uint16_t interface, const struct addr *addr,
			uint32_t rate_per_s, uint32_t burst, uint64_t now_ms)
{
	struct addr host = *addr;

	host.port = 0;
	if (host.family == AF_INET6)
		memset(host.bytes + 8, 0, 8);
	uint64_t key = addr_hash(&host, meters->key) + interface * 0x9e3779b97f4a7c15u;
	return take(meter_of(meters, key | 1), rate_per_s, burst ? burst : rate_per_s, now_ms);
}
