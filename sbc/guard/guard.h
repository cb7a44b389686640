/* guard.h - the first look at a message, before any parse: is the source banned, does it send too
 * much. Also says who a source is (a known peer, a trusted side, a stranger). One per worker;
 * memory is bounded: a table of sources of fixed size, the stalest entry gives way.
 * An address with registered phones behind it is never banned whole: the one flow (address and
 * port) that misbehaves is, and the office goes on calling.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"
#include "sbc/guard/meters.h"

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
	uint32_t bad_messages;  /* so many malformed ones ... */
	uint32_t bad_window_s;  /* ... within this time ... */
	uint32_t auth_failures; /* so many failed logins ... */
	uint32_t auth_window_s; /* ... within this time do the same */
	uint32_t ban_s;         /* ... close the door for so long; 0 = never */
};

#define FOREACH_GUARD_CAUSE(X)                                                                     \
	X(BAD_MESSAGES, "malformed messages")                                                      \
	X(AUTH_FAILURES, "failed logins")                                                          \
	X(SCANNER, "a scanner")

enum guard_cause {
#define X(name, text) GUARD_##name,
	FOREACH_GUARD_CAUSE(X)
#undef X
};
const char *guard_cause_text(enum guard_cause cause);

struct guard_ban {
	uint16_t interface;
	struct addr source; /* port 0 = the whole address */
	uint64_t until_ms;
	enum guard_cause cause;
};

/* Are there registered phones behind this address? */
typedef bool guard_known_fn(void *owner, const struct addr *source);

struct guard_config {
	const struct guard_interface *interfaces; /* copied */
	size_t interface_count;
	const struct guard_peer *peers; /* copied; first match wins */
	size_t peer_count;
	uint32_t sources_max; /* entries; a power of two */
	uint64_t hash_key[2];
	struct meters *meters; /* of all workers; must outlive it */
};

struct guard;

MUST_CHECK int guard_create(const struct guard_config *config, struct guard **out);
void guard_destroy(struct guard *guard); /* NULL is fine */
/* From now on these; bans and what is known of sources stay. -ERR_NO_MEMORY: nothing has changed.
 */
MUST_CHECK int guard_set_rules(struct guard *guard, const struct guard_interface *interfaces,
			       size_t interface_count, const struct guard_peer *peers,
			       size_t peer_count);
/* Peers are never banned, and rated only where they have a rate; strangers always. */
enum guard_verdict guard_admit(struct guard *guard, uint16_t interface, const struct addr *source,
			       uint64_t now_ms);
/* A malformed message came from there, or a login failed. Not 0: that brings a ban until then, of
 * `banned` (the address, or with registered phones behind it the flow); tell all workers. */
uint64_t guard_bad_message(struct guard *guard, uint16_t interface, const struct addr *source,
			   uint64_t now_ms, struct addr *banned);
uint64_t guard_auth_failure(struct guard *guard, uint16_t interface, const struct addr *source,
			    uint64_t now_ms, struct addr *banned);
/* A scanner by its name: the same at once. */
uint64_t guard_scanner(struct guard *guard, uint16_t interface, const struct addr *source,
		       uint64_t now_ms, struct addr *banned);
void guard_ban(struct guard *guard, uint16_t interface, const struct addr *source,
	       uint64_t until_ms, uint64_t now_ms, enum guard_cause cause);
/* Every ban of the address and its flows is lifted: how many there were. */
uint32_t guard_unban(struct guard *guard, const struct addr *address, uint64_t now_ms);
/* The bans there are: start with at = 0; false = no more. */
bool guard_ban_next(const struct guard *guard, uint64_t now_ms, uint32_t *at,
		    struct guard_ban *out);
void guard_set_known(struct guard *guard, guard_known_fn *fn, void *owner);
bool guard_is_banned(const struct guard *guard, uint16_t interface, const struct addr *source,
		     uint64_t now_ms);
/* Hosts that are a peer's because a name leads there: these in place of the last ones of `owner` (a
 * server). Without memory the last ones stay. */
void guard_set_hosts(struct guard *guard, uint32_t owner, uint16_t interface, uint16_t peer,
		     const struct addr *hosts, size_t count);
/* Messages a second of a peer, all its hosts together; 0 = no limit. -ERR_NO_MEMORY. */
MUST_CHECK int guard_set_peer_rate(struct guard *guard, uint16_t peer, uint32_t rate_per_s);
int guard_peer_of(const struct guard *guard, uint16_t interface,
		  const struct addr *source);                    /* -1 */
const struct counter *guard_counters(const struct guard *guard); /* by verdict */
