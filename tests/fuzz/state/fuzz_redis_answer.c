/* What a Redis server, or what pretends to be one, says in answer to a fixed set of commands: each
 * command is answered once, in whatever state that leaves the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "control/state/redis_private.h"

#define HEAD "\xcb\1\0\1\0\0\0\0\0\0\0\6\0\2body"

enum { COMMANDS = 9 };

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void on_done(void *owner, uint64_t handle, const struct store_reply *reply)
{
	unsigned *done = owner;
	check(handle < COMMANDS);
	check(reply->err == 0 || reply->value.len == 0);
	done[handle]++;
}

static bool on_each(void *owner, struct slice key, struct slice value)
{
	(void)owner;
	check(key.len <= STORE_KEY_LIMIT && value.len <= 2 * STORE_VALUE_LIMIT);
	return true;
}

/* As after a greeting, but without a socket: nothing is sent, the bytes come from here. */
static struct redis *open_redis(struct loop *loop, const struct log *log, bool greeted)
{
	const struct store_redis_config config = {
		.loop = loop, .log = log, .unix_path = "/nonexistent/redis.sock"};
	struct store *store = NULL;
	check(store_redis_create(&config, &store) == 0);
	struct redis *redis = container_of(store, struct redis, store);
	redis->link.is_open = true;
	redis->is_ready = greeted;
	check(redis_reader_create(redis) == 0);
	return redis;
}

static void ask(struct redis *redis, unsigned *done)
{
	store_put(&redis->store, SLICE("k"), SLICE("v"), 1, on_done, &done[0], 0);
	store_get(&redis->store, SLICE("k"), on_done, &done[0], 1);
	store_delete(&redis->store, SLICE("k"));
	store_put(&redis->store, SLICE("k"), SLICE("v"), 1, on_done, &done[0], 2);
	store_get(&redis->store, SLICE("k"), on_done, &done[0], 3);
	store_put(&redis->store, SLICE("k"), SLICE("v"), 1, on_done, &done[0], 4);
	store_get(&redis->store, SLICE("k"), on_done, &done[0], 5);
	store_put_owned(&redis->store, SLICE("k"), SLICE(HEAD), 1, on_done, &done[0], 6);
	store_take(&redis->store, SLICE("k"), 1, 5, on_done, &done[0], 7);
	store_scan(&redis->store, SLICE("k"), on_each, on_done, &done[0], 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct log log = {.level = LOG_ERROR, .fd = -1, .program = "fuzz"};
	struct loop *loop = NULL;
	unsigned done[COMMANDS] = {0};
	if (size < 2)
		return 0;
	check(loop_create(&loop) == 0);
	struct redis *redis = open_redis(loop, &log, data[0] & 1);
	ask(redis, done);
	struct slice left = {(const char *)data + 2, size - 2};
	size_t step = 1 + (size_t)data[1] * 8;
	while (left.len && redis->reader) { /* in pieces */
		redis_reader_feed(redis, slice_sub(left, 0, step));
		left = slice_sub(left, step, SIZE_MAX);
	}
	if (redis->reader)
		redis_session_drop(redis, STORE_DOWN, "end");
	for (unsigned i = 0; i < COMMANDS; i++)
		check(done[i] == 1);
	store_destroy(&redis->store);
	check(wheel_armed(loop_wheel(loop)) == 0);
	loop_destroy(loop);
	return 0;
}
