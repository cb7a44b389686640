/* redis_private.h - private to control/state: what the parts of the Redis store share.
 * redis.c: the verbs, and reading answers; redis_session.c: what the answers, or their absence,
 * mean; redis_link.c: the stream; redis_queue.c: what is in flight.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/state/redis.h"
#include "control/state/redis_link.h"
#include "control/state/redis_queue.h"

struct redisReader; /* hiredis */

enum redis_answer_kind { ANSWER_OK, ANSWER_NUMBER, ANSWER_VALUE, ANSWER_NIL, ANSWER_ERROR };
struct redis_answer {
	enum redis_answer_kind kind;
	int64_t number;
	struct slice text; /* of OK, VALUE and ERROR */
};

struct redis {
	struct store store;
	struct loop *loop;
	const struct log *log;
	char *user;
	char *password;
	char *node;
	uint32_t database;
	uint64_t epoch;
	uint32_t timeout_ms;
	uint32_t dead_ms;
	uint32_t heartbeat_ms;
	uint32_t output_limit;

	struct redis_link link;
	struct redisReader *reader; /* of this connection; NULL = none */
	bool is_feeding;            /* the reader is in use: it goes after this */
	struct buf text;            /* of the answer in hand */
	struct redis_answer answer;
	struct redis_queue queue;
	struct redis_graves graves;
	bool is_ready; /* greeted: takes commands */
	bool is_probing;
	char refusal[160];            /* first error of the greeting */
	enum store_state close_state; /* what a drop of ours means */
	uint64_t heard_ms;
	int64_t client_id; /* Redis' name of this connection; 0 = not told */
	int64_t fence_id;  /* a former connection that may still be read by the server; 0 = none */

	struct timer deadline;
	struct timer probe;
	uint64_t failed_puts; /* since on_return was last called */
	bool is_another;      /* connected anew since then: what it holds is not known */
	struct store_status status;
};

/* redis.c */
MUST_CHECK int redis_reader_create(struct redis *redis);
void redis_reader_destroy(struct redis *redis);
void redis_reader_feed(void *owner, struct slice bytes); /* calls redis_session_answer() */
/* Queue one command. -ERR_BUSY, -ERR_NO_MEMORY; then nothing is sent. */
MUST_CHECK int redis_send(struct redis *redis, const struct redis_command *command,
			  const struct slice *words, uint32_t count);
void redis_send_delete(struct redis *redis, struct redis_grave *grave); /* takes it */

/* redis_session.c */
void redis_session_start(struct redis *redis, const struct redis_link_config *config);
void redis_session_stop(struct redis *redis);
void redis_session_answer(struct redis *redis, const struct redis_answer *answer);
void redis_session_sent(struct redis *redis); /* a command was queued: watch for its answer */
void redis_session_drop(struct redis *redis, enum store_state state, const char *reason);
void redis_count_failed_put(struct redis *redis);
