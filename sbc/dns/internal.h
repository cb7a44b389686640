/* internal.h - what the files of this folder share: the memory of answers (cache.c), a lookup that
 * waits for several of them (lookup.c), and the two ways to walk through answers (resolve.c,
 * enum.c). A walk asks for everything it needs each time it is made: what is missing is waited
 * for, and it is made again.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/dns/dns.h"

enum {
	ENTRIES_MAX = 2048,
	BYTES_MAX = 4 << 20, /* of answers remembered */
	QUESTIONS_MAX = 512, /* open at once */
	LOOKUPS_MAX = 4096,  /* waiting at once */
	WALKS_MAX = 8,       /* of one lookup: each step of RFC 3263 takes one */
	TTL_MIN_MS = 1000,   /* a walk must find again what it waited for */
	DENIAL_MAX_MS = 60000,
	FAILURE_MS = 3000, /* servers that do not answer are not asked more often */
};

struct waiter {
	struct waiter *next;
	struct lookup *lookup;
};

/* One question and what is known of it. */
struct entry {
	struct table_link by_name;
	struct table_link by_question; /* while asked */
	struct entry *older, *newer;   /* in order of use, unless asked */
	struct waiter *waiters;
	struct dns_answer *answer; /* owned; NULL = failed */
	int err;                   /* of the failure */
	uint64_t question;
	uint64_t expires_ms;
	enum dns_type type;
	bool is_asked;
	char name[];
};

struct lookup {
	struct lookup *next, **link;
	struct dns *dns;
	struct timer deadline;
	uint32_t missing; /* answers waited for */
	uint32_t walks;
	bool is_walking;
	bool is_told; /* the deadline came first: nobody hears of it any more */
	bool is_number;
	void *owner;
	uint64_t context;
	dns_targets_fn *on_targets;
	dns_uris_fn *on_uris;
	struct dns_destination destination; /* its host is in `text` */
	struct slice number;                /* in `text` */
	struct slice zone;
	char text[];
};

struct dns {
	struct dns_config config;
	struct table by_name;
	struct table by_question;
	struct entry *oldest, *newest;
	size_t bytes;
	uint64_t key[2];
	uint64_t last_question;
	uint32_t open;    /* questions */
	uint32_t walking; /* what they hold must stay */
	struct lookup *lookups;
	uint32_t lookup_count;
	struct dns_counters counters;
};

/* --- cache.c --- */
struct known {
	const struct dns_answer *answer; /* valid until the walk ends */
	uint64_t left_ms;                /* of its TTL */
};
/* -ERR_AGAIN: the lookup waits for it (NULL: nobody asks). Else why there is none. */
MUST_CHECK int cache_get(struct dns *dns, enum dns_type type, struct slice name,
			 struct lookup *lookup, struct known *out);
/* Forget what is too much, unless somebody is walking. */
void cache_trim(struct dns *dns);
void cache_free(struct dns *dns);

/* --- lookup.c --- */
/* One answer less to wait for. */
void lookup_heard(struct lookup *lookup);

/* --- resolve.c, enum.c --- */
MUST_CHECK int resolve_walk(struct dns *dns, const struct dns_destination *destination,
			    struct lookup *lookup, struct dns_targets *out);
MUST_CHECK int enum_walk(struct dns *dns, struct slice number, struct slice zone,
			 struct lookup *lookup, struct dns_uris *out);
