/* cache.c - the reply cache. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/cache.h"
#include "control/base/random.h"
#include "control/base/table.h"
#include "control/base/wheel.h"
#include <stdlib.h>

struct entry {
	struct table_link link;
	struct addr source; /* the port does not count */
	size_t cookie_len;
	size_t reply_len;
	char text[]; /* cookie, reply */
};

struct generation {
	struct table table;
	size_t bytes;
};

struct ng_cache {
	struct generation young; /* written to */
	struct generation old;
	uint64_t swap_ms; /* when the young one becomes the old one */
	uint32_t generation_ms;
	size_t max_bytes;
	uint64_t key[2];
};

#define FIRST_BUCKETS 256

static void generation_empty(struct generation *generation)
{
	struct table_link *link = table_next(&generation->table, NULL);

	while (link) {
		struct table_link *next = table_next(&generation->table, link);

		table_remove(&generation->table, link);
		free(container_of(link, struct entry, link));
		link = next;
	}
	generation->bytes = 0;
}

int ng_cache_create(uint32_t generation_ms, size_t max_bytes, uint64_t now_ms,
		    struct ng_cache **out)
{
	struct random_system random;
	struct ng_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ERR_NO_MEMORY;
	random_system_init(&random);
	random_fill(&random.base, cache->key, sizeof(cache->key));
	cache->generation_ms = generation_ms;
	cache->max_bytes = max_bytes;
	cache->swap_ms = now_ms + generation_ms;
	int err = table_init(&cache->young.table, FIRST_BUCKETS);
	if (err)
		goto fail;
	err = table_init(&cache->old.table, FIRST_BUCKETS);
	if (err)
		goto fail;
	*out = cache;
	return 0;
fail:
	ng_cache_destroy(cache);
	return err;
}

void ng_cache_destroy(struct ng_cache *cache)
{
	if (!cache)
		return;
	if (cache->young.table.buckets)
		generation_empty(&cache->young);
	if (cache->old.table.buckets)
		generation_empty(&cache->old);
	table_free(&cache->young.table);
	table_free(&cache->old.table);
	free(cache);
}

static void cache_swap(struct ng_cache *cache, uint64_t now_ms)
{
	struct generation old = cache->old;

	generation_empty(&old);
	cache->old = cache->young;
	cache->young = old;
	cache->swap_ms = now_ms + cache->generation_ms;
}

static void cache_age(struct ng_cache *cache, uint64_t now_ms)
{
	if (now_ms < cache->swap_ms)
		return;
	/* A long pause: what is young has had its two generations too. */
	bool both = now_ms - cache->swap_ms >= cache->generation_ms;

	cache_swap(cache, cache->swap_ms);
	if (both)
		cache_swap(cache, now_ms);
}

static uint64_t cache_hash(const struct ng_cache *cache, const struct addr *source,
			   struct slice cookie)
{
	struct addr ip = *source;

	ip.port = 0;
	uint64_t key[2] = {cache->key[0], cache->key[1]};
	key[1] ^= addr_hash(&ip, cache->key);
	return siphash(cookie, key);
}

static struct entry *generation_find(const struct generation *generation, uint64_t hash,
				     const struct addr *source, struct slice cookie)
{
	struct table_link *link = NULL;

	while ((link = table_find(&generation->table, hash, link))) {
		struct entry *entry = container_of(link, struct entry, link);
		struct slice own = {entry->text, entry->cookie_len};

		if (addr_equal_ip(&entry->source, source) && slice_equal(own, cookie))
			return entry;
	}
	return NULL;
}

bool ng_cache_get(struct ng_cache *cache, uint64_t now_ms, const struct addr *source,
		  struct slice cookie, struct slice *reply)
{
	uint64_t hash = cache_hash(cache, source, cookie);

	cache_age(cache, now_ms);
	struct entry *entry = generation_find(&cache->young, hash, source, cookie);
	if (!entry)
		entry = generation_find(&cache->old, hash, source, cookie);
	if (!entry)
		return false;
	*reply = (struct slice){entry->text + entry->cookie_len, entry->reply_len};
	return true;
}

void ng_cache_put(struct ng_cache *cache, uint64_t now_ms, const struct addr *source,
		  struct slice cookie, struct slice reply)
{
	size_t size = sizeof(struct entry) + cookie.len + reply.len;

	cache_age(cache, now_ms);
	if (size > cache->max_bytes / 2)
		return;
	if (cache->young.bytes + size > cache->max_bytes / 2)
		cache_swap(cache, now_ms);
	struct entry *entry = malloc(size);
	if (!entry)
		return;
	*entry = (struct entry){
		.source = *source,
		.cookie_len = cookie.len,
		.reply_len = reply.len,
	};
	memcpy(entry->text, cookie.data, cookie.len);
	memcpy(entry->text + cookie.len, reply.data, reply.len);
	table_insert(&cache->young.table, &entry->link, cache_hash(cache, source, cookie));
	cache->young.bytes += size;
}
