/* nonce.h - nonces of ours (RFC 7616 3.3): nothing is kept of one that was only given out; it
 * carries its time and a MAC. Of one that was used with the right password the counts are kept, so
 * that none is used twice. One table per worker, with a key of its own: a request replayed to
 * another worker is nothing there.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"
#include "control/base/table.h"

enum { NONCE_LENGTH = 48, NONCE_AGE_MS = 1800000 };

struct nonce_table {
	uint8_t key[32];
	uint64_t hash_key[2];
	struct table used;
	struct nonce_used *oldest; /* in the order of their first use */
	struct nonce_used *newest;
	uint64_t floor_ms; /* given out before: stale, their counts may be forgotten */
	uint32_t limit;
};

MUST_CHECK int nonce_table_init(struct nonce_table *table, struct random *random, uint32_t limit);
void nonce_table_free(struct nonce_table *table);
MUST_CHECK int nonce_make(struct nonce_table *table, struct random *random, uint64_t now_ms,
			  char out[NONCE_LENGTH]);
/* One of ours, with the right digest, is used: 0 once for each `count`; count 0 (no qop, RFC 2617
 * 3.2.2): once at all. -ERR_DENIED: stale, too old, or used so already. */
MUST_CHECK int nonce_use(struct nonce_table *table, struct slice nonce, uint32_t count,
			 uint64_t now_ms);
