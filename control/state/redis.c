/* redis.c - the verbs of the Redis store, and the reading of answers.
 * Of hiredis it is the protocol reader that is used: the 0.14 async layer has no time-outs, raises
 * SIGPIPE, and asserts when a server says something unasked, which a wrong server does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis.h"
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include "control/state/redis_private.h"
#include "control/state/store_answer.h"

#define ANSWER_LIMIT (2 * STORE_VALUE_LIMIT) /* bytes of one answer */

static struct redis *redis_of(const struct store *store)
{
	return container_of((uintptr_t)store, struct redis, store);
}

/* --- answers --- */

/* The text is copied: the reader moves its buffer before it hands the object out. */
static void *answer_text(const redisReadTask *task, char *text, size_t len)
{
	struct redis *redis = task->privdata;
	buf_clear(&redis->text);
	buf_add(&redis->text, (struct slice){text, len});
	if (buf_failed(&redis->text))
		return NULL;
	enum redis_answer_kind kind = task->type == REDIS_REPLY_ERROR    ? ANSWER_ERROR
				      : task->type == REDIS_REPLY_STATUS ? ANSWER_OK
									 : ANSWER_VALUE;
	redis->answer = (struct redis_answer){.kind = kind, .text = buf_slice(&redis->text)};
	return &redis->answer;
}

static void *answer_number(const redisReadTask *task, long long number)
{
	struct redis *redis = task->privdata;
	redis->answer = (struct redis_answer){.kind = ANSWER_NUMBER, .number = number};
	return &redis->answer;
}

static void *answer_nil(const redisReadTask *task)
{
	struct redis *redis = task->privdata;
	redis->answer = (struct redis_answer){.kind = ANSWER_NIL};
	return &redis->answer;
}

/* Nothing we ask is answered by an array; refusing them bounds what a hostile answer can make the
 * reader allocate. */
static void *answer_array(const redisReadTask *task, int elements)
{
	(void)task;
	(void)elements;
	return NULL;
}

static void answer_free(void *answer)
{
	(void)answer; /* a member of struct redis */
}

static const redisReplyObjectFunctions answer_functions = {
	.createString = answer_text,
	.createArray = answer_array,
	.createInteger = answer_number,
	.createNil = answer_nil,
	.freeObject = answer_free,
};

int redis_reader_create(struct redis *redis)
{
	redis->reader = redisReaderCreateWithFunctions(
		(redisReplyObjectFunctions *)(uintptr_t)&answer_functions);
	if (!redis->reader)
		return -ERR_NO_MEMORY;
	redis->reader->privdata = redis;
	return 0;
}

void redis_reader_destroy(struct redis *redis)
{
	if (redis->reader && !redis->is_feeding)
		redisReaderFree(redis->reader);
	redis->reader = NULL;
}

static void reader_drop(struct redis *redis, const char *why)
{
	char reason[256];
	snprintf(reason, sizeof(reason), "does not speak the Redis protocol: %s", why);
	redis->status.errors++;
	redis_session_drop(redis, STORE_REFUSING, reason);
}

void redis_reader_feed(void *owner, struct slice bytes)
{
	struct redis *redis = owner;
	redisReader *reader = redis->reader;
	void *answer = NULL;
	if (reader->len - reader->pos + bytes.len > ANSWER_LIMIT) {
		reader_drop(redis, "answer too large");
		return;
	}
	redis->is_feeding = true;
	int bad = redisReaderFeed(reader, bytes.data, bytes.len);
	while (!bad && redis->reader == reader) {
		bad = redisReaderGetReply(reader, &answer);
		if (bad || !answer)
			break;
		redis_session_answer(redis, answer);
	}
	if (bad)
		reader_drop(redis, reader->errstr);
	redis->is_feeding = false;
	if (redis->reader != reader)
		redisReaderFree(reader);
}

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

void redis_send_delete(struct redis *redis, struct redis_grave *grave)
{
	const struct slice words[] = {SLICE("DEL"), {grave->key, grave->len}};
	const struct redis_command command = {.kind = REDIS_DELETE, .grave = grave};
	if (redis->is_ready && redis_send(redis, &command, words, 2) == 0)
		return;
	if (!redis_graves_add(&redis->graves, grave))
		redis->status.forgotten++;
}

static int put_send(struct redis *redis, struct slice key, struct slice value, uint32_t ttl_s,
		    const struct redis_command *command)
{
	char ttl[16];
	if (!redis->is_ready)
		return redis->status.state == STORE_REFUSING ? -ERR_DENIED : -ERR_CLOSED;
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
	int err = redis->is_ready ? redis_send(redis, &command, words, 2) : -ERR_CLOSED;
	if (err)
		store_answer(done, owner, handle, err);
}

static void redis_remove(struct store *store, struct slice key)
{
	struct redis *redis = redis_of(store);
	struct redis_grave *grave = redis_grave_create(key);
	redis->status.deletes++;
	if (grave)
		redis_send_delete(redis, grave);
	else
		redis->status.forgotten++;
}

static void redis_status(const struct store *store, struct store_status *out)
{
	const struct redis *redis = redis_of(store);
	*out = redis->status;
	out->pending = redis_queue_count(&redis->queue);
}

/* --- beginning and end --- */

static void redis_free(struct redis *redis)
{
	redis_queue_free(&redis->queue);
	redis_graves_free(&redis->graves);
	buf_free(&redis->text);
	free(redis->user);
	free(redis->password);
	free(redis->node);
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
	.status = redis_status,
};

static void on_burst_end(void *owner)
{
	struct redis *redis = owner;
	redis_link_flush(&redis->link);
}

static int server_address(const struct store_redis_config *config, struct redis *redis,
			  struct sockaddr_storage *out, socklen_t *len)
{
	char *text = redis->status.server;
	char addr[ADDR_TEXT_SIZE];
	if (!config->unix_path) {
		if (!addr_is_set(&config->address))
			return -ERR_INVALID;
		*len = addr_to_sockaddr(&config->address, out);
		slice_copy(slice_from(addr_text(&config->address, addr)), text,
			   sizeof(redis->status.server));
		return 0;
	}
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	if (strlen(config->unix_path) >= sizeof(path.sun_path))
		return -ERR_TOO_LARGE;
	slice_copy(slice_from(config->unix_path), path.sun_path, sizeof(path.sun_path));
	memcpy(out, &path, sizeof(path));
	*len = sizeof(path);
	snprintf(text, sizeof(redis->status.server), "unix:%s", path.sun_path);
	return 0;
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
		{config->node, &redis->node},
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
	struct sockaddr_storage server = {0};
	socklen_t server_len = 0;
	struct redis *redis = calloc(1, sizeof(*redis));
	if (!redis)
		return -ERR_NO_MEMORY;
	uint32_t pending_limit = or_default(config->pending_limit, 65536);
	redis->store.verbs = &redis_verbs;
	redis->loop = config->loop;
	redis->log = config->log;
	redis->database = config->database;
	redis->epoch = config->epoch;
	redis->timeout_ms = or_default(config->timeout_ms, 20);
	redis->dead_ms = or_default(config->dead_ms, 3000);
	redis->heartbeat_ms = or_default(config->heartbeat_ms, 3000);
	redis->output_limit = or_default(config->output_limit, 64 * 1024 * 1024);
	redis->status.kind = "redis";
	redis_queue_init(&redis->queue, pending_limit);
	redis_graves_init(&redis->graves, pending_limit / 2);
	buf_init(&redis->text);
	int err = texts_copy(config, redis);
	if (!err)
		err = server_address(config, redis, &server, &server_len);
	if (!err)
		err = loop_on_burst_end(config->loop, on_burst_end, redis);
	if (err)
		goto fail;

	redis_session_start(
		redis, &(struct redis_link_config){.server = &server, .server_len = server_len});
	*out = &redis->store;
	return 0;
fail:
	redis_free(redis);
	return err;
}
