/* Subscribers in Redis: one hash, a field "domain user" each, and a number that grows with every
 * change, for the nodes that hold a copy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/subscribers_private.h"
#include <stdlib.h>
#include "control/state/redis_plain.h"

#define HASH    SLICE("postern:subscribers")
#define FRESH   SLICE("postern:subscribers:new")
#define VERSION SLICE("postern:subscribers:version")

struct store {
	struct subscribers base; /* first */
	struct redis_plain *redis;
};

static struct store *store_of(struct subscribers *subscribers)
{
	return (struct store *)subscribers;
}

static void redis_close(struct subscribers *subscribers)
{
	struct store *store = store_of(subscribers);

	redis_plain_destroy(store->redis);
	free(store);
}

static int grow_version(struct store *store)
{
	const struct slice words[] = {SLICE("INCR"), VERSION};
	return redis_plain_run(store->redis, words, 2, NULL, NULL, NULL);
}

static void write_field(struct buf *out, struct slice domain, struct slice user)
{
	buf_add(out, domain);
	buf_add_char(out, ' ');
	buf_add(out, user);
}

static int put(struct store *store, struct slice verb, struct slice hash,
	       const struct subscriber *subscriber, int64_t *made)
{
	struct buf field, value;

	buf_init(&field);
	buf_init(&value);
	write_field(&field, subscriber->domain, subscriber->user);
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		if (i > 0)
			buf_add_char(&value, ' ');
		buf_add(&value, subscriber->ha1[i]);
	}
	const struct slice words[] = {verb, hash, buf_slice(&field), buf_slice(&value)};
	int err = buf_failed(&field) || buf_failed(&value)
			  ? -ERR_NO_MEMORY
			  : redis_plain_run(store->redis, words, 4, made, NULL, NULL);
	buf_free(&field);
	buf_free(&value);
	return err;
}

static int redis_add(struct subscribers *subscribers, const struct subscriber *subscriber)
{
	struct store *store = store_of(subscribers);
	int64_t made = 0;

	int err = put(store, SLICE("HSETNX"), HASH, subscriber, &made);
	if (err)
		return err;
	return made ? grow_version(store) : -ERR_EXISTS;
}

static int about(struct store *store, struct slice verb, struct slice domain, struct slice user,
		 int64_t *number)
{
	struct buf field;

	buf_init(&field);
	write_field(&field, domain, user);
	const struct slice words[] = {verb, HASH, buf_slice(&field)};
	int err = buf_failed(&field) ? -ERR_NO_MEMORY
				     : redis_plain_run(store->redis, words, 3, number, NULL, NULL);
	buf_free(&field);
	return err;
}

static int redis_change(struct subscribers *subscribers, const struct subscriber *subscriber)
{
	struct store *store = store_of(subscribers);
	int64_t is_there = 0;

	int err = about(store, SLICE("HEXISTS"), subscriber->domain, subscriber->user, &is_there);
	if (!err && !is_there)
		return -ERR_NOT_FOUND;
	if (!err)
		err = put(store, SLICE("HSET"), HASH, subscriber, NULL);
	return err ? err : grow_version(store);
}

static int redis_remove(struct subscribers *subscribers, struct slice domain, struct slice user)
{
	struct store *store = store_of(subscribers);
	int64_t removed = 0;

	int err = about(store, SLICE("HDEL"), domain, user, &removed);
	if (err)
		return err;
	return removed ? grow_version(store) : -ERR_NOT_FOUND;
}

struct walk {
	subscriber_fn *fn;
	void *owner;
};

static int on_pair(void *owner, struct slice name, struct slice value)
{
	const struct walk *walk = owner;
	struct subscriber subscriber;

	subscriber.domain = slice_cut(&name, ' ');
	subscriber.user = name;
	for (int i = 0; i < DIGEST_ALGORITHMS; i++)
		subscriber.ha1[i] = slice_cut(&value, ' ');
	return subscriber_is_valid(&subscriber) ? walk->fn(walk->owner, &subscriber) : 0;
}

static int redis_each(struct subscribers *subscribers, subscriber_fn *fn, void *owner)
{
	const struct slice words[] = {SLICE("HGETALL"), HASH};
	struct walk walk = {fn, owner};

	return redis_plain_run(store_of(subscribers)->redis, words, 2, NULL, on_pair, &walk);
}

static int redis_version(struct subscribers *subscribers, uint64_t *out)
{
	const struct slice words[] = {SLICE("GET"), VERSION};
	int64_t number = 0;

	int err = redis_plain_run(store_of(subscribers)->redis, words, 2, &number, NULL, NULL);
	if (!err)
		*out = (uint64_t)number;
	return err;
}

/* Beside the old ones first; the last step is one command. */
static int redis_replace(struct subscribers *subscribers, const struct subscriber *list,
			 size_t count)
{
	struct store *store = store_of(subscribers);
	const struct slice clear[] = {SLICE("DEL"), FRESH};
	const struct slice empty[] = {SLICE("DEL"), HASH};
	const struct slice change[] = {SLICE("RENAME"), FRESH, HASH};

	int err = redis_plain_run(store->redis, clear, 2, NULL, NULL, NULL);
	for (size_t i = 0; !err && i < count; i++)
		err = put(store, SLICE("HSET"), FRESH, &list[i], NULL);
	if (!err)
		err = count ? redis_plain_run(store->redis, change, 3, NULL, NULL, NULL)
			    : redis_plain_run(store->redis, empty, 2, NULL, NULL, NULL);
	return err ? err : grow_version(store);
}

static const struct subscribers_verbs verbs = {
	.close = redis_close,
	.add = redis_add,
	.change = redis_change,
	.remove = redis_remove,
	.each = redis_each,
	.version = redis_version,
	.replace = redis_replace,
};

int subscribers_redis_open(const struct subscribers_config *config, struct buf *why,
			   struct subscribers **out)
{
	const struct redis_plain_config redis = {.address = config->redis,
						 .unix_path = config->redis_unix,
						 .sentinels = config->sentinels,
						 .user = config->redis_user,
						 .password = config->redis_password,
						 .database = config->redis_database};
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ERR_NO_MEMORY;

	store->base.verbs = &verbs;
	int err = redis_plain_create(&redis, why, &store->redis);
	if (err) {
		free(store);
		return err;
	}
	*out = &store->base;
	return 0;
}
