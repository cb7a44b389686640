/* redis_script.c - verbs that look at the head of what is stored (record_head.h): one script each,
 * named by its digest; said in full once to a server that does not know it (a new one, or after
 * SCRIPT FLUSH). They touch their one key only, as a cluster asks for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "control/state/record_head.h"
#include "control/state/store_answer.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

struct script {
	struct slice sha1; /* as SCRIPT LOAD says it; a test compares */
	struct slice text;
};

/* ARGV: the value, seconds to live. Numbers in halves: Lua's are exact to 53 bits only. A key of
 * another type is nobody's record: it is written over, as SET does. */
static const struct script put_owned = {
	TEXT("25efa1382c1ad66c78b64307a42b5f236c6ee332"),
	TEXT("local s=redis.pcall('GETRANGE',KEYS[1],0,13) "
	     "if type(s)=='string' and #s==14 and s:byte(1)==203 then "
	     "local n,h,l=struct.unpack('>I2I4I4',s,3) "
	     "local N,H,L=struct.unpack('>I2I4I4',ARGV[1],3) "
	     "if h>H or (h==H and (l>L or (l==L and n~=N))) then return 0 end "
	     "end "
	     "redis.call('SET',KEYS[1],ARGV[1],'EX',ARGV[2]) "
	     "return 1")};

/* ARGV: the epoch seen (8 bytes), node and epoch of the new owner (10 bytes). What has no head is
 * of the version before and nobody's (epoch 0): it gets one. */
static const struct script take = {TEXT("50e3c7be3be4a1dce1f12e2dfd9588bcc40d3e93"),
				   TEXT("local s=redis.call('GETRANGE',KEYS[1],0,13) "
					"if #s==0 then return false end "
					"if s:byte(1)~=203 then "
					"if ARGV[1]~=string.rep('\\0',8) then return 0 end "
					"redis.call('SET',KEYS[1],'\\203\\1'..ARGV[2]..'\\0\\2'.."
					"redis.call('GET',KEYS[1]),'KEEPTTL') "
					"else "
					"if s:sub(5,12)~=ARGV[1] then return 0 end "
					"redis.call('SETRANGE',KEYS[1],2,ARGV[2]) "
					"end "
					"return redis.call('GET',KEYS[1])")};

static int script_send(struct redis *redis, const struct script *script,
		       struct redis_command *command, const struct slice *words, uint32_t count)
{
	struct slice all[2 + REDIS_WORDS_MAX] = {SLICE("EVALSHA"), script->sha1};

	if (!redis->is_ready)
		return redis->status.state == STORE_REFUSING ? -ERR_REFUSED : -ERR_CLOSED;
	command->words = redis_words_create(words, count);
	if (!command->words)
		return -ERR_NO_MEMORY;
	memcpy(all + 2, words, count * sizeof(*words));
	int err = redis_send(redis, command, all, 2 + count);
	if (err)
		free(command->words);
	return err;
}

void redis_put_owned(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		     store_done_fn *done, void *owner, uint64_t handle)
{
	struct redis *redis = redis_of(store);
	bool stalled = redis->status.state == STORE_STALLED;
	struct redis_command command = {.kind = REDIS_PUT_OWNED,
					.done = done,
					.owner = owner,
					.handle = handle,
					.given_up = stalled};
	char ttl[16];
	int len = snprintf(ttl, sizeof(ttl), "%" PRIu32, ttl_s);
	const struct slice words[] = {SLICE("1"), key, value, {ttl, (size_t)len}};

	redis->status.puts++;
	redis_graves_forget(&redis->graves, key);
	int err = script_send(redis, &put_owned, &command, words, 4);
	if (!err && !stalled)
		return;
	redis_count_failed_put(redis);
	store_answer(done, owner, handle, err ? err : -ERR_TIMEOUT);
}

void redis_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		store_done_fn *done, void *owner, uint64_t handle)
{
	struct redis *redis = redis_of(store);
	struct redis_command command = {
		.kind = REDIS_TAKE, .done = done, .owner = owner, .handle = handle};
	char was[RECORD_HEAD_SIZE], is[RECORD_HEAD_SIZE];

	record_head_take(was, 0, seen);
	record_head_take(is, node, seen + 1);
	const struct slice words[] = {
		SLICE("1"), key, {was + RECORD_HEAD_EPOCH_AT, 8}, {is + RECORD_HEAD_NODE_AT, 10}};
	redis->status.takes++;
	redis_bury(redis); /* what has ended is not taken */
	int err = script_send(redis, &take, &command, words, 4);
	if (err)
		store_answer(done, owner, handle, err);
}

bool redis_script_again(struct redis *redis, struct redis_command *command,
			const struct redis_answer *answer)
{
	struct slice words[2 + REDIS_WORDS_MAX] = {SLICE("EVAL")};

	if (answer->kind != ANSWER_ERROR || !slice_starts(answer->text, SLICE("NOSCRIPT")) ||
	    !redis->is_ready)
		return false;
	words[1] = command->kind == REDIS_TAKE ? take.text : put_owned.text;
	redis_words_read(command->words, words + 2);
	/* Behind a delete of the same key it would come too late, and bring it back. */
	if (redis_queue_deletes(&redis->queue, words[3]) ||
	    redis_graves_hold(&redis->graves, words[3]))
		return false;
	return redis_send(redis, command, words, 2 + command->words->count) == 0;
}
