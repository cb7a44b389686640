/* redis_reader.c - the bytes a server says, cut into answers.
 * Of hiredis it is the protocol reader that is used: the 0.14 async layer has no time-outs, raises
 * SIGPIPE, and asserts when a server says something unasked, which a wrong server does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_private.h"
#include <hiredis/hiredis.h>
#include <stdio.h>

#define ANSWER_LIMIT (2 * STORE_VALUE_LIMIT) /* bytes of one answer */
enum { KEYS_LIMIT = 65536 };                 /* of one portion of a SCAN */

/* A list's: the cursor for the next portion, or one key more (its length, then its bytes). */
static void *list_text(struct redis *redis, bool is_cursor, struct slice text)
{
	struct redis_answer *answer = &redis->answer;
	uint64_t cursor;

	if (is_cursor) {
		if (slice_to_u64(text, UINT64_MAX, &cursor) != 0)
			return NULL;
		answer->cursor = cursor;
		return answer;
	}
	if (text.len > STORE_KEY_LIMIT)
		return answer; /* none of ours */
	buf_add(&redis->text, (struct slice){(const char *)&text.len, sizeof(text.len)});
	buf_add(&redis->text, text);
	answer->text = buf_slice(&redis->text);
	return buf_failed(&redis->text) ? NULL : answer;
}

/* Sentinel's list is host and port alone. */
static bool is_cursor(struct redis *redis, const redisReadTask *task)
{
	const struct redis_command *head = redis_queue_head(&redis->queue);

	return !task->parent->parent && head && head->kind == REDIS_SCAN;
}

/* The text is copied: the reader moves its buffer before it hands the object out. */
static void *answer_text(const redisReadTask *task, char *text, size_t len)
{
	struct redis *redis = task->privdata;
	if (task->parent)
		return list_text(redis, is_cursor(redis, task), (struct slice){text, len});
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
	if (task->parent)
		return NULL;
	redis->answer = (struct redis_answer){.kind = ANSWER_NUMBER, .number = number};
	return &redis->answer;
}

static void *answer_nil(const redisReadTask *task)
{
	struct redis *redis = task->privdata;
	if (task->parent)
		return NULL;
	redis->answer = (struct redis_answer){.kind = ANSWER_NIL};
	return &redis->answer;
}

/* A SCAN is answered by a cursor and a list of keys, Sentinel says host and port; nothing else we
 * ask by any array: refusing them bounds what a hostile answer can make the reader allocate. */
static void *answer_array(const redisReadTask *task, int elements)
{
	struct redis *redis = task->privdata;
	const struct redis_command *head = redis_queue_head(&redis->queue);

	if (!head || (head->kind != REDIS_SCAN && head->kind != REDIS_SENTINEL))
		return NULL;
	if (task->parent)
		return task->idx == 1 && !task->parent->parent && elements <= KEYS_LIMIT
			       ? &redis->answer
			       : NULL;
	if (elements != 2)
		return NULL;
	buf_clear(&redis->text);
	redis->answer = (struct redis_answer){.kind = ANSWER_LIST};
	return &redis->answer;
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
		redis_answered(redis, answer);
	}
	if (bad)
		reader_drop(redis, reader->errstr);
	redis->is_feeding = false;
	if (redis->reader != reader)
		redisReaderFree(reader);
}
