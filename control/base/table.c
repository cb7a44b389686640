/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/table.h"

#include <endian.h>
#include <stdlib.h>

#define TABLE_MAX_BUCKETS (1u << 30)

int table_init(struct table *table, uint32_t buckets)
{
	if (buckets == 0 || (buckets & (buckets - 1)) != 0 || buckets > TABLE_MAX_BUCKETS)
		return -ERR_INVALID;
	struct table_link **array = calloc(buckets, sizeof(struct table_link *));
	if (!array)
		return -ERR_NO_MEMORY;
	*table = (struct table){.buckets = array, .mask = buckets - 1};
	return 0;
}

void table_free(struct table *table)
{
	free(table->buckets);
	*table = (struct table){0};
}

static struct table_link **table_bucket(const struct table *table, uint64_t hash)
{
	return &table->buckets[hash & table->mask];
}

/* Twice the buckets. Without memory the chains just get longer. */
static void table_grow(struct table *table)
{
	struct table larger;

	if (table->mask + 1 >= TABLE_MAX_BUCKETS || table_init(&larger, (table->mask + 1) * 2))
		return;
	for (uint32_t i = 0; i <= table->mask; i++) {
		struct table_link *next;
		for (struct table_link *link = table->buckets[i]; link; link = next) {
			struct table_link **bucket = table_bucket(&larger, link->hash);
			next = link->next;
			link->next = *bucket;
			*bucket = link;
		}
	}
	larger.count = table->count;
	free(table->buckets);
	*table = larger;
}

void table_insert(struct table *table, struct table_link *link, uint64_t hash)
{
	if (table->count > table->mask)
		table_grow(table);
	struct table_link **bucket = table_bucket(table, hash);
	link->hash = hash;
	link->next = *bucket;
	*bucket = link;
	table->count++;
}

void table_remove(struct table *table, struct table_link *link)
{
	struct table_link **at = table_bucket(table, link->hash);

	while (*at != link) {
		if (!*at)
			abort(); /* not inside: somebody frees what he does not own */
		at = &(*at)->next;
	}
	*at = link->next;
	*link = (struct table_link){0};
	table->count--;
}

struct table_link *table_find(const struct table *table, uint64_t hash,
			      const struct table_link *after)
{
	struct table_link *link = after ? after->next : *table_bucket(table, hash);

	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct table_link *table_next(const struct table *table, const struct table_link *at)
{
	uint64_t bucket = 0;

	if (at) {
		if (at->next)
			return at->next;
		bucket = (at->hash & table->mask) + 1;
	}
	for (; bucket <= table->mask; bucket++) {
		if (table->buckets[bucket])
			return table->buckets[bucket];
	}
	return NULL;
}

/* Eight ASCII letters to lower case at once. */
static uint64_t lower8(uint64_t x)
{
	const uint64_t each = 0x0101010101010101ull;
	uint64_t low7 = x & 0x7f * each;
	uint64_t above_z = low7 + (0x7f - 'Z') * each; /* bit 7 set where > 'Z' */
	uint64_t from_a = low7 + (0x80 - 'A') * each;  /* bit 7 set where >= 'A' */
	uint64_t upper = (from_a ^ above_z) & ~x & 0x80 * each;
	return x | upper >> 2;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	for (int i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static inline uint64_t sip(struct slice data, const uint64_t key[2], bool nocase)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575ull,
		key[1] ^ 0x646f72616e646f6dull,
		key[0] ^ 0x6c7967656e657261ull,
		key[1] ^ 0x7465646279746573ull,
	};
	uint64_t word;
	size_t at = 0;

	for (; data.len - at >= 8; at += 8) {
		memcpy(&word, data.data + at, 8);
		word = le64toh(nocase ? lower8(word) : word);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	word = 0;
	if (data.len > at)
		memcpy(&word, data.data + at, data.len - at);
	word = le64toh(nocase ? lower8(word) : word) | (uint64_t)data.len << 56;
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(struct slice data, const uint64_t key[2])
{
	return sip(data, key, false);
}

uint64_t siphash_nocase(struct slice data, const uint64_t key[2])
{
	return sip(data, key, true);
}
