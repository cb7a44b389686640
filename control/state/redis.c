/* redis.c - the verbs of the Redis store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "control/state/redis_private.h"
#include "control/state/store_answer.h"

#define BURIAL_MS 20 /* how long a delete waits for company */

/* --- commands --- */

int redis_send(struct redis *redis, const struct redis_command *command, const struct slice *words,
	       uint32_t count)
{
	struct buf *out = &redis->link.out;
	struct redis_command stamped = *command;
	size_t size = 32;
	for (uint32_t i = 0; i < count; i++)
		size += words[i].len + 32;
	if (redis_link_unsent(&redis->link) + size > redis->output_limit)
		return -ERR_BUSY;
	if (!buf_reserve(out, size))
		return -ERR_NO_MEMORY;
	stamped.sent_ms = loop_now_ms(redis->loop);
	int err = redis_queue_push(&redis->queue, &stamped);
	if (err)
		return err;

	resp_add_words(out, count);
	for (uint32_t i = 0; i < count; i++)
		resp_add_word(out, words[i]);
	redis->status.commands++;
	redis_session_sent(redis);
	return 0;
}

static void delete_send(struct redis *redis, struct redis_grave *grave)
{
	const struct slice words[] = {SLICE("DEL"), {grave->key, grave->len}};
	const struct redis_command command = {.kind = REDIS_DELETE, .grave = grave};
	if (redis->is_ready && redis_send(redis, &command, words, 2) == 0)
		return;
	if (!redis_graves_add(&redis->graves, grave))
		redis->status.forgotten++;
}

void redis_bury(struct redis *redis)
{
	if (redis->status.state != STORE_UP)
		return; /* later, when it is */
	for (uint32_t n = redis->graves.count; n; n--)
		delete_send(redis, redis_graves_take(&redis->graves));
}

static int put_send(struct redis *redis, struct slice key, struct slice value, uint32_t ttl_s,
		    const struct redis_command *command)
{
	char ttl[16];
	if (!redis->is_ready)
		return redis->status.state == STORE_REFUSING ? -ERR_REFUSED : -ERR_CLOSED;
	int len = snprintf(ttl, sizeof(ttl), "%" PRIu32, ttl_s);
	const struct slice words[] = {SLICE("SET"), key, value, SLICE("EX"), {ttl, (size_t)len}};
	return redis_send(redis, command, words, 5);
}

static void redis_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		      store_done_fn *done, void *owner, uint64_t handle)
{
	struct redis *redis = redis_of(store);
	bool stalled = redis->status.state == STORE_STALLED;
	struct redis_command command = {.kind = REDIS_PUT,
					.done = done,
					.owner = owner,
					.handle = handle,
					.given_up = stalled};
	redis->status.puts++;
	redis_graves_forget(&redis->graves, key);
	int err = put_send(redis, key, value, ttl_s, &command);
	if (!err && !stalled)
		return;
	redis_count_failed_put(redis);
	store_answer(done, owner, handle, err ? err : -ERR_TIMEOUT);
}

static void redis_get(struct store *store, struct slice key, store_done_fn *done, void *owner,
		      uint64_t handle)
{
	struct redis *redis = redis_of(store);
	const struct slice words[] = {SLICE("GET"), key};
	const struct redis_command command = {
		.kind = REDIS_GET, .done = done, .owner = owner, .handle = handle};
	redis->status.gets++;
	redis_bury(redis); /* it may be one of them */
	int err = redis->is_ready ? redis_send(redis, &command, words, 2) : -ERR_CLOSED;
	if (err)
		store_answer(done, owner, handle, err);
}

static void on_burial(struct timer *timer, uint64_t now_ms)
{
	struct redis *redis = container_of(timer, struct redis, burial);
	(void)now_ms;
	redis_bury(redis);
}

/* Nobody waits for a delete, and waking the server costs more than the command: it goes with the
 * next put, or soon. */
static void redis_remove(struct store *store, struct slice key)
{
	struct redis *redis = redis_of(store);
	struct redis_grave *grave = redis_grave_create(key);
	redis->status.deletes++;
	if (!grave || !redis_graves_add(&redis->graves, grave))
		redis->status.forgotten++;
	else if (!timer_is_armed(&redis->burial))
		wheel_arm(loop_wheel(redis->loop), &redis->burial,
			  loop_now_ms(redis->loop) + BURIAL_MS, on_burial);
}

static void redis_status(const struct store *store, struct store_status *out)
{
	const struct redis *redis = redis_of(store);
	*out = redis->status;
	out->pending = redis_queue_count(&redis->queue);
	if (out->state == STORE_UP)
		out->pending += redis->graves.count;
}

/* --- beginning and end --- */

static void redis_free(struct redis *redis)
{
	redis_queue_free(&redis->queue);
	redis_graves_free(&redis->graves);
	buf_free(&redis->walk.prefix);
	buf_free(&redis->walk.keys);
	buf_free(&redis->text);
	redis_places_free(&redis->places);
	free(redis->user);
	free(redis->password);
	free(redis);
}

static void redis_destroy(struct store *store)
{
	struct redis *redis = redis_of(store);
	redis_session_stop(redis);
	redis_free(redis);
}

static const struct store_verbs redis_verbs = {
	.destroy = redis_destroy,
	.put = redis_put,
	.remove = redis_remove,
	.get = redis_get,
	.put_owned = redis_put_owned,
	.take = redis_take,
	.scan = redis_scan,
	.status = redis_status,
};

static void on_burst_end(void *owner)
{
	struct redis *redis = owner;
	if (redis_link_unsent(&redis->link))
		redis_bury(redis);
	redis_link_flush(&redis->link);
}

static uint32_t or_default(uint32_t value, uint32_t other)
{
	return value ? value : other;
}

static int texts_copy(const struct store_redis_config *config, struct redis *redis)
{
	const struct {
		const char *from;
		char **to;
	} texts[] = {
		{config->user, &redis->user},
		{config->password, &redis->password},
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!texts[i].from)
			continue;
		*texts[i].to = slice_dup(slice_from(texts[i].from));
		if (!*texts[i].to)
			return -ERR_NO_MEMORY;
	}
	return 0;
}

int store_redis_create(const struct store_redis_config *config, struct store **out)
{
	struct redis *redis = calloc(1, sizeof(*redis));
	if (!redis)
		return -ERR_NO_MEMORY;
	uint32_t pending_limit = or_default(config->pending_limit, 65536);
	redis->store.verbs = &redis_verbs;
	redis->loop = config->loop;
	redis->log = config->log;
	redis->database = config->database;
	redis->timeout_ms = or_default(config->timeout_ms, 20);
	redis->dead_ms = or_default(config->dead_ms, 3000);
	redis->probe_ms = or_default(config->probe_ms, 3000);
	redis->output_limit = or_default(config->output_limit, 64 * 1024 * 1024);
	redis->status.kind = "redis";
	redis_queue_init(&redis->queue, pending_limit);
	redis_graves_init(&redis->graves, pending_limit / 2);
	buf_init(&redis->text);
	int err = texts_copy(config, redis);
	if (!err)
		err = redis_places_init(&redis->places, config);
	if (!err)
		err = loop_on_burst_end(config->loop, on_burst_end, redis);
	if (err)
		goto fail;

	redis_session_start(redis);
	*out = &redis->store;
	return 0;
fail:
	redis_free(redis);
	return err;
}
