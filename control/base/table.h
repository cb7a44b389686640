/* table.h - hash table with links embedded in the items; the key lives in the item.
 * Hashes come from siphash() with a per-process key, because keys come from strangers.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

struct table_link { /* zeroed = not in a table */
	struct table_link *next;
	uint64_t hash;
};

struct table {
	struct table_link **buckets;
	uint32_t mask;
	uint32_t count;
};

MUST_CHECK int table_init(struct table *table, uint32_t buckets); /* a power of two; grows */
void table_free(struct table *table);                             /* items are not touched */
void table_insert(struct table *table, struct table_link *link, uint64_t hash);
void table_remove(struct table *table, struct table_link *link); /* must be inside */
/* First item with this hash after `after` (NULL = from the start); the caller compares keys. */
struct table_link *table_find(const struct table *table, uint64_t hash,
			      const struct table_link *after);
/* Walk everything: start with NULL. The item returned may be removed before the next step if the
 * caller fetched the next one first. */
struct table_link *table_next(const struct table *table, const struct table_link *at);

/* SipHash-2-4 (Aumasson, Bernstein 2012): keyed, so that nobody can choose collisions or forge. */
uint64_t siphash(struct slice data, const uint64_t key[2]);
/* Same over ASCII-lower-cased bytes. */
uint64_t siphash_nocase(struct slice data, const uint64_t key[2]);
