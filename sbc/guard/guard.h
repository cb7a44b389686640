/* guard.h - the first look at a message, before any parse: is the source banned, does it send too
 * much. Also says who a source is (a known peer, a trusted side, a stranger). One per worker;
 * memory is bounded: a table of sources of fixed size, the stalest entry gives way.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"

#define FOREACH_GUARD_DROP(X)                                                                      \
	X(BANNED, "source is banned")                                                              \
	X(SOURCE_RATE, "source sends too much")                                                    \
	X(INTERFACE_RATE, "interface receives too much")                                           \
	X(BROADCAST, "broadcast or multicast source")

enum guard_verdict {
	GUARD_PASS,
#define X(name, text) GUARD_##name,
	FOREACH_GUARD_DROP(X)
#undef X
		GUARD_VERDICT_COUNT
};
const char *guard_verdict_text(enum guard_verdict verdict);

struct guard_peer {
	uint16_t interface;
	struct cidr network;
	uint16_t peer; /* index in the configuration */
};

struct guard_interface {
	bool trusted;
	uint32_t rate_per_s;        /* messages from strangers, all together; 0 = no limit */
	uint32_t source_rate_per_s; /* messages from one stranger; 0 = no limit */
	uint32_t source_burst;
	uint32_t bad_messages; /* so many malformed ones ... */
	uint32_t bad_window_s; /* ... within this time ... */
	uint32_t ban_s;        /* ... close the door for so long; 0 = never */
};

struct guard_config {
	const struct guard_interface *interfaces; /* copied */
	size_t interface_count;
	const struct guard_peer *peers; /* copied; first match wins */
	size_t peer_count;
	uint32_t sources_max; /* entries; a power of two */
	uint64_t hash_key[2];
};

struct guard;

MUST_CHECK int guard_create(const struct guard_config *config, struct guard **out);
void guard_destroy(struct guard *guard); /* NULL is fine */
/* Peers are never rated or banned; strangers always. */
enum guard_verdict guard_admit(struct guard *guard, uint16_t interface, const struct addr *source,
			       uint64_t now_ms);
/* A malformed message came from there. True when this one brought the ban. */
bool guard_bad_message(struct guard *guard, uint16_t interface, const struct addr *source,
		       uint64_t now_ms);
bool guard_is_banned(const struct guard *guard, uint16_t interface, const struct addr *source,
		     uint64_t now_ms);
/* Hosts that are a peer's because a name leads there: these in place of the last ones of `owner` (a
 * server). Without memory the last ones stay. */
void guard_set_hosts(struct guard *guard, uint32_t owner, uint16_t interface, uint16_t peer,
		     const struct addr *hosts, size_t count);
int guard_peer_of(const struct guard *guard, uint16_t interface,
		  const struct addr *source);                    /* -1 */
const struct counter *guard_counters(const struct guard *guard); /* by verdict */
