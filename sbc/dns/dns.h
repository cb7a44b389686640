/* dns.h - where a name leads: the resolver of one worker. RFC 3263 (NAPTR, SRV, A, AAAA) for hosts
 * in SIP URIs, RFC 6116 (ENUM) for telephone numbers. Answers are remembered by their TTL, denials
 * and failures too; memory, time and the number of questions are bounded. Nothing waits: what is
 * not known yet is told later by a callback with the asker's own number, who may be gone by then.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/counter.h"
#include "control/base/log.h"
#include "control/base/random.h"
#include "control/base/wheel.h"
#include "sbc/dns/answer.h"

enum {
	DNS_TARGETS_MAX = 32,
	DNS_URIS_MAX = 8,
	DNS_URI_SIZE = 512,
};

/* As RFC 3263 names them; bits of a set. */
enum dns_transport { DNS_UDP = 1, DNS_TCP = 2, DNS_TLS = 4 };

#define FOREACH_DNS_COUNTER(X)                                                                     \
	X(lookups, "names and numbers looked up")                                                  \
	X(known, "lookups answered from memory")                                                   \
	X(questions, "questions sent")                                                             \
	X(failures, "questions without a usable answer")                                           \
	X(timeouts, "lookups that took too long")                                                  \
	X(refused, "lookups refused because too many are under way")                               \
	X(entries, "answers remembered")

struct dns_counters {
#define X(name, text) struct counter name;
	FOREACH_DNS_COUNTER(X)
#undef X
};

struct dns;

struct dns_config {
	struct wheel *wheel;
	struct random *random;
	uint32_t timeout_ms;   /* of a whole lookup */
	uint32_t cache_max_ms; /* a longer TTL is cut */
	/* Sends one question; dns_answered() or dns_failed() follows with its number, perhaps from
	 * inside. */
	int (*ask)(void *owner, enum dns_type type, const char *name, uint64_t question);
	void *owner;
};

MUST_CHECK int dns_create(const struct dns_config *config, struct dns **out);
/* No callback comes from it; questions must not be answered any more. NULL is fine. */
void dns_destroy(struct dns *dns);
const struct dns_counters *dns_counters(const struct dns *dns);
void dns_answered(struct dns *dns, uint64_t question, struct slice message);
void dns_failed(struct dns *dns, uint64_t question, int err);

/* --- RFC 3263: from a host to addresses --- */
struct dns_destination {
	struct slice host; /* a name; an address is answered too */
	uint16_t port;     /* 0 = none given */
	uint8_t transport; /* one of enum dns_transport that the URI asks for; 0 = none */
	uint8_t allowed;   /* set of enum dns_transport: those we can send by */
	bool is_secure;    /* sips: */
	bool no_v4, no_v6; /* no listener of ours has this family */
};

struct dns_target {
	struct addr addr; /* with port */
	uint8_t transport;
};

struct dns_targets { /* in the order to try them */
	uint32_t count;
	uint32_t ttl_ms; /* how long this is true */
	struct dns_target targets[DNS_TARGETS_MAX];
};

/* -ERR_NOT_FOUND: there is no such name, or nothing at it that we can use; -ERR_TIMEOUT,
 * -ERR_UNREACHABLE: the name servers did not say. `targets` is valid during the call. */
typedef void dns_targets_fn(void *owner, uint64_t context, int err,
			    const struct dns_targets *targets);
/* 0: known, in `out`. -ERR_AGAIN: `fn` will be called. Else as above, or -ERR_BUSY, -ERR_NO_MEMORY,
 * -ERR_MALFORMED: no name. The weights of SRV records are drawn anew each time (RFC 2782). */
MUST_CHECK int dns_resolve(struct dns *dns, const struct dns_destination *destination,
			   dns_targets_fn *fn, void *owner, uint64_t context,
			   struct dns_targets *out);

/* --- RFC 6116: from a number to sip: URIs --- */
struct dns_uris { /* sip: and sips: only, by order and preference */
	uint32_t count;
	char uris[DNS_URIS_MAX][DNS_URI_SIZE];
};
typedef void dns_uris_fn(void *owner, uint64_t context, int err, const struct dns_uris *uris);
/* `number`: "+" and digits; `zone`: "e164.arpa". Errors as above. */
MUST_CHECK int dns_enum(struct dns *dns, struct slice number, struct slice zone, dns_uris_fn *fn,
			void *owner, uint64_t context, struct dns_uris *out);
