/* memory.c - records in a hash table of one worker; each entry is timed out by the wheel.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/memory.h"
#include <stdlib.h>
#include "control/base/table.h"
#include "control/state/record_head.h"
#include "control/state/store_answer.h"

struct memory {
	struct store store;
	struct wheel *wheel;
	struct table entries;
	uint64_t hash_key[2];
	uint32_t entries_limit;
	uint64_t bytes_limit;
	struct store_status status;
};

/* Owned by the table. The key and the value follow the struct. */
struct entry {
	struct table_link link;
	struct timer expiry;
	struct memory *memory;
	size_t key_len;
	size_t value_len;
	char bytes[];
};

static struct memory *memory_of(struct store *store)
{
	return container_of(store, struct memory, store);
}

static struct entry *entry_of(struct table_link *link)
{
	return container_of(link, struct entry, link);
}

static struct slice entry_key(const struct entry *entry)
{
	return (struct slice){entry->bytes, entry->key_len};
}

static struct slice entry_value(const struct entry *entry)
{
	return (struct slice){entry->bytes + entry->key_len, entry->value_len};
}

static uint64_t entry_size(const struct entry *entry)
{
	return entry->key_len + entry->value_len;
}

static struct entry *entry_find(const struct memory *memory, struct slice key, uint64_t hash)
{
	struct table_link *link = NULL;
	while ((link = table_find(&memory->entries, hash, link))) {
		if (slice_equal(entry_key(entry_of(link)), key))
			return entry_of(link);
	}
	return NULL;
}

static void entry_drop(struct entry *entry)
{
	struct memory *memory = entry->memory;
	wheel_cancel(memory->wheel, &entry->expiry);
	table_remove(&memory->entries, &entry->link);
	memory->status.bytes -= entry_size(entry);
	free(entry);
}

static void on_expiry(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	entry_drop(container_of(timer, struct entry, expiry));
}

static void memory_destroy(struct store *store)
{
	struct memory *memory = memory_of(store);
	struct table_link *link = table_next(&memory->entries, NULL);
	while (link) {
		struct table_link *next = table_next(&memory->entries, link);
		entry_drop(entry_of(link));
		link = next;
	}
	table_free(&memory->entries);
	free(memory);
}

/* Room for the new value; what it replaces makes room too. */
static int room_check(const struct memory *memory, const struct entry *old, uint64_t size)
{
	uint64_t bytes = memory->status.bytes - (old ? entry_size(old) : 0);
	if (!old && memory->entries.count >= memory->entries_limit)
		return -ERR_TOO_MANY;
	if (size > memory->bytes_limit || bytes > memory->bytes_limit - size)
		return -ERR_TOO_MANY;
	return 0;
}

static int entry_put(struct memory *memory, struct slice key, struct slice value, uint32_t ttl_s)
{
	uint64_t hash = siphash(key, memory->hash_key);
	struct entry *old = entry_find(memory, key, hash);
	int err = room_check(memory, old, key.len + value.len);
	if (err)
		return err;
	struct entry *entry = malloc(sizeof(*entry) + key.len + value.len);
	if (!entry)
		return -ERR_NO_MEMORY;

	*entry = (struct entry){.memory = memory, .key_len = key.len, .value_len = value.len};
	memcpy(entry->bytes, key.data, key.len);
	if (value.len)
		memcpy(entry->bytes + key.len, value.data, value.len);
	if (old)
		entry_drop(old);
	table_insert(&memory->entries, &entry->link, hash);
	memory->status.bytes += entry_size(entry);
	wheel_arm(memory->wheel, &entry->expiry, wheel_now_ms(memory->wheel) + ttl_s * 1000ull,
		  on_expiry);
	return 0;
}

static void memory_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		       store_done_fn *done, void *owner, uint64_t handle)
{
	struct memory *memory = memory_of(store);
	memory->status.puts++;
	int err = entry_put(memory, key, value, ttl_s);
	if (err)
		memory->status.unprotected++;
	else
		memory->status.acknowledged++;
	store_answer(done, owner, handle, err);
}

static void memory_remove(struct store *store, struct slice key)
{
	struct memory *memory = memory_of(store);
	memory->status.deletes++;
	struct entry *entry = entry_find(memory, key, siphash(key, memory->hash_key));
	if (entry)
		entry_drop(entry);
}

static void memory_get(struct store *store, struct slice key, store_done_fn *done, void *owner,
		       uint64_t handle)
{
	struct memory *memory = memory_of(store);
	memory->status.gets++;
	if (!done)
		return;
	const struct entry *entry = entry_find(memory, key, siphash(key, memory->hash_key));
	if (!entry) {
		store_answer(done, owner, handle, -ERR_NOT_FOUND);
		return;
	}
	store_answer_value(store, done, owner, handle, entry_value(entry));
}

static void memory_put_owned(struct store *store, struct slice key, struct slice value,
			     uint32_t ttl_s, store_done_fn *done, void *owner, uint64_t handle)
{
	struct memory *memory = memory_of(store);
	const struct entry *entry = entry_find(memory, key, siphash(key, memory->hash_key));
	struct record_head stored, head;

	if (entry && record_head_read(entry_value(entry), &stored) == 0 &&
	    record_head_read(value, &head) == 0 && !record_head_may_replace(&stored, &head)) {
		memory->status.puts++;
		memory->status.denied++;
		store_answer(done, owner, handle, -ERR_DENIED);
		return;
	}
	memory_put(store, key, value, ttl_s, done, owner, handle);
}

static void memory_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
			store_done_fn *done, void *owner, uint64_t handle)
{
	struct memory *memory = memory_of(store);
	struct entry *entry = entry_find(memory, key, siphash(key, memory->hash_key));
	struct record_head head;

	memory->status.takes++;
	if (!entry) {
		store_answer(done, owner, handle, -ERR_NOT_FOUND);
		return;
	}
	if (record_head_read(entry_value(entry), &head) != 0 || head.epoch != seen) {
		memory->status.denied++;
		store_answer(done, owner, handle, -ERR_DENIED);
		return;
	}
	record_head_take(entry->bytes + entry->key_len, node, seen + 1);
	store_answer_value(store, done, owner, handle, entry_value(entry));
}

/* The keys first: what `each` does may change the table. */
static int keys_collect(const struct memory *memory, struct slice prefix, struct buf *keys)
{
	struct table_link *link = NULL;

	while ((link = table_next(&memory->entries, link))) {
		struct slice key = entry_key(entry_of(link));
		if (!slice_starts(key, prefix))
			continue;
		buf_add(keys, (struct slice){(const char *)&key.len, sizeof(key.len)});
		buf_add(keys, key);
	}
	return buf_failed(keys) ? -ERR_NO_MEMORY : 0;
}

/* At once: this store is empty when its process starts, so nobody has much to look for in it. */
static void memory_scan(struct store *store, struct slice prefix, store_each_fn *each,
			store_done_fn *done, void *owner, uint64_t handle)
{
	struct memory *memory = memory_of(store);
	bool goes_on = true;
	struct buf keys;
	size_t len;

	buf_init(&keys);
	int err = keys_collect(memory, prefix, &keys);
	for (size_t at = 0; !err && goes_on && at < keys.len; at += sizeof(len) + len) {
		memcpy(&len, keys.data + at, sizeof(len));
		struct slice key = {keys.data + at + sizeof(len), len};
		struct entry *entry = entry_find(memory, key, siphash(key, memory->hash_key));
		if (entry)
			goes_on = store_each(store, each, owner, key, entry_value(entry));
	}
	buf_free(&keys);
	store_answer(done, owner, handle, err);
}

static void memory_status(const struct store *store, struct store_status *out)
{
	const struct memory *memory = memory_of((struct store *)(uintptr_t)store);
	*out = memory->status;
	out->entries = memory->entries.count;
}

static const struct store_verbs memory_verbs = {
	.destroy = memory_destroy,
	.put = memory_put,
	.remove = memory_remove,
	.get = memory_get,
	.put_owned = memory_put_owned,
	.take = memory_take,
	.scan = memory_scan,
	.status = memory_status,
};

int store_memory_create(const struct store_memory_config *config, struct store **out)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	if (!memory)
		return -ERR_NO_MEMORY;
	int err = table_init(&memory->entries, 256);
	if (err)
		goto fail;

	memory->store.verbs = &memory_verbs;
	memory->wheel = config->wheel;
	memory->entries_limit = config->entries_limit ? config->entries_limit : 1000 * 1000;
	memory->bytes_limit = config->bytes_limit ? config->bytes_limit : 1ull << 30;
	random_fill(config->random, memory->hash_key, sizeof(memory->hash_key));
	memory->status.kind = "memory";
	memory->status.state = STORE_UP;
	memory->status.since_ms = wheel_now_ms(config->wheel);
	slice_copy(SLICE("memory"), memory->status.server, sizeof(memory->status.server));
	*out = &memory->store;
	return 0;
fail:
	free(memory);
	return err;
}
