/* redis_scan.c - a walk over all keys with a prefix: SCAN gives a portion of names, their values
 * are asked for one by one in one burst (a cluster keeps them in different places), and the next
 * portion follows when the last value has come. So another verb waits behind one portion at most.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_private.h"
#include <inttypes.h>
#include <stdio.h>
#include "control/state/store_answer.h"

/* Names that the server looks at for an answer. Where few of them have the prefix, it may look at
 * more: the longest answer then costs it about as much. */
enum { PORTION = 250, PORTION_MAX = 8 * PORTION };

static void walk_end(struct redis *redis, int err)
{
	struct redis_walk walk = redis->walk; /* done() may begin another one */

	buf_free(&walk.keys);
	buf_free(&walk.prefix);
	redis->walk = (struct redis_walk){0};
	store_answer(walk.done, walk.owner, walk.handle, err);
}

/* Given up from the start: nobody is told that it takes long, see command_give_up(). */
static int walk_send(struct redis *redis, enum redis_kind kind, const struct slice *words,
		     uint32_t count)
{
	return redis_send(redis, &(struct redis_command){.kind = kind, .given_up = true}, words,
			  count);
}

static int portion_ask(struct redis *redis)
{
	char cursor[24], portion[12];
	int len = snprintf(cursor, sizeof(cursor), "%" PRIu64, redis->walk.cursor);
	int portion_len = snprintf(portion, sizeof(portion), "%u", redis->walk.portion);
	const struct slice words[] = {SLICE("SCAN"),  {cursor, (size_t)len},
				      SLICE("MATCH"), buf_slice(&redis->walk.prefix),
				      SLICE("COUNT"), {portion, (size_t)portion_len}};

	return walk_send(redis, REDIS_SCAN, words, 6);
}

static struct slice key_next(struct redis_walk *walk, size_t *at)
{
	size_t len;

	memcpy(&len, walk->keys.data + *at, sizeof(len));
	struct slice key = {walk->keys.data + *at + sizeof(len), len};
	*at += sizeof(len) + len;
	return key;
}

static int values_ask(struct redis *redis)
{
	struct redis_walk *walk = &redis->walk;
	int err = 0;

	for (size_t at = 0; !err && at < walk->keys.len;) {
		const struct slice words[] = {SLICE("GET"), key_next(walk, &at)};
		err = walk_send(redis, REDIS_SCAN_GET, words, 2);
		walk->values += err == 0;
	}
	return err;
}

static void portion_over(struct redis *redis)
{
	struct redis_walk *walk = &redis->walk;
	bool is_over = walk->err || walk->is_enough || walk->cursor == 0;
	int err = is_over ? walk->err : portion_ask(redis);

	if (is_over || err)
		walk_end(redis, err);
}

static void names_answered(struct redis *redis, const struct redis_answer *answer)
{
	struct redis_walk *walk = &redis->walk;

	if (answer->kind != ANSWER_LIST) {
		redis->status.errors++;
		walk_end(redis, -ERR_REFUSED);
		return;
	}
	walk->cursor = answer->cursor;
	walk->keys_at = 0;
	buf_clear(&walk->keys);
	buf_add(&walk->keys, answer->text);
	walk->err = buf_failed(&walk->keys) ? -ERR_NO_MEMORY : values_ask(redis);
	if (walk->values * 8 > walk->portion)
		walk->portion = PORTION;
	else if (walk->portion < PORTION_MAX)
		walk->portion *= 2;
	if (walk->values == 0)
		portion_over(redis);
}

static void value_answered(struct redis *redis, const struct redis_answer *answer)
{
	struct redis_walk *walk = &redis->walk;
	struct slice key = key_next(walk, &walk->keys_at);

	walk->values--;
	if (answer->kind == ANSWER_VALUE && !walk->is_enough)
		walk->is_enough =
			!store_each(&redis->store, walk->each, walk->owner, key, answer->text);
	if (walk->is_active && walk->values == 0)
		portion_over(redis);
}

void redis_scan_answered(struct redis *redis, const struct redis_command *command,
			 const struct redis_answer *answer)
{
	if (command->kind == REDIS_SCAN)
		names_answered(redis, answer);
	else
		value_answered(redis, answer);
}

void redis_scan_lost(struct redis *redis, int err)
{
	if (redis->walk.is_active)
		walk_end(redis, err);
}

/* What MATCH reads as a pattern stands for itself. */
static void pattern_write(struct slice prefix, struct buf *out)
{
	for (size_t i = 0; i < prefix.len; i++) {
		if (strchr("*?[]\\^", prefix.data[i]))
			buf_add_char(out, '\\');
		buf_add_char(out, prefix.data[i]);
	}
	buf_add_char(out, '*');
}

void redis_scan(struct store *store, struct slice prefix, store_each_fn *each, store_done_fn *done,
		void *owner, uint64_t handle)
{
	struct redis *redis = redis_of(store);
	struct redis_walk *walk = &redis->walk;
	int err = redis->is_ready ? 0 : -ERR_CLOSED;

	if (!err && walk->is_active)
		err = -ERR_BUSY;
	if (err) {
		store_answer(done, owner, handle, err);
		return;
	}
	*walk = (struct redis_walk){.is_active = true,
				    .portion = PORTION,
				    .each = each,
				    .done = done,
				    .owner = owner,
				    .handle = handle};
	buf_init(&walk->prefix);
	buf_init(&walk->keys);
	pattern_write(prefix, &walk->prefix);
	redis_bury(redis);
	err = buf_failed(&walk->prefix) ? -ERR_NO_MEMORY : portion_ask(redis);
	if (err)
		walk_end(redis, err);
}
