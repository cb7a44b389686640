/* redis_private.h - private to control/state: what the parts of the Redis store share.
 * redis.c, redis_script.c, redis_scan.c: the verbs; redis_reader.c: reading answers;
 * redis_answer.c: what they mean; redis_session.c: what their absence means, greeting and probes;
 * redis_link.c: the stream; redis_queue.c: what is in flight.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/state/redis.h"
#include "control/state/redis_link.h"
#include "control/state/redis_places.h"
#include "control/state/redis_queue.h"

struct redisReader; /* hiredis */

enum redis_answer_kind {
	ANSWER_OK,
	ANSWER_NUMBER,
	ANSWER_VALUE,
	ANSWER_NIL,
	ANSWER_ERROR,
	ANSWER_LIST /* of keys */
};
struct redis_answer {
	enum redis_answer_kind kind;
	int64_t number;
	uint64_t cursor;   /* LIST: where the next portion begins; 0 = that was all */
	struct slice text; /* of OK, VALUE and ERROR; LIST: each key as its size_t length, bytes */
};

/* The one walk over keys that may be under way (redis_scan.c). */
struct redis_walk {
	bool is_active;
	bool is_enough; /* `each` has said so */
	int err;        /* values could not be asked for: it ends with this portion */
	struct buf prefix;
	struct buf keys; /* of this portion, as in the answer */
	size_t keys_at;  /* whose value comes next */
	uint32_t values; /* asked for and not come */
	uint32_t portion;
	uint64_t cursor;
	store_each_fn *each;
	store_done_fn *done;
	void *owner;
	uint64_t handle;
};

struct redis {
	struct store store;
	struct loop *loop;
	const struct log *log;
	char *user;
	char *password;
	uint32_t database;
	uint32_t timeout_ms;
	uint32_t dead_ms;
	uint32_t probe_ms;
	uint32_t output_limit;

	struct redis_link link;
	struct redis_places places;
	struct redisReader *reader; /* of this connection; NULL = none */
	bool is_feeding;            /* the reader is in use: it goes after this */
	struct buf text;            /* of the answer in hand */
	struct redis_answer answer;
	struct redis_queue queue;
	struct redis_graves graves;
	bool is_ready; /* greeted: takes commands */
	bool is_probing;
	bool is_marking;              /* the probe under way looks for our mark: see probe_send() */
	uint64_t marked_ms;           /* when it was there last, on this connection; 0 = not yet */
	char refusal[160];            /* first error of the greeting */
	enum store_state close_state; /* what a drop of ours means */
	uint64_t heard_ms;
	int64_t client_id; /* Redis' name of this connection; 0 = not told */
	int64_t fence_id;  /* a former connection that may still be read by the server; 0 = none */

	struct redis_walk walk;

	struct timer deadline;
	struct timer probe;
	struct timer burial;  /* of deletes that found no company */
	uint64_t failed_puts; /* since on_return was last called */
	bool is_another;      /* connected anew since then: what it holds is not known */
	struct store_status status;
};

static inline struct redis *redis_of(const struct store *store)
{
	return container_of((uintptr_t)store, struct redis, store);
}

/* redis_reader.c */
MUST_CHECK int redis_reader_create(struct redis *redis);
void redis_reader_destroy(struct redis *redis);
void redis_reader_feed(void *owner, struct slice bytes); /* calls redis_answered() */

/* redis.c */
/* Queue one command. -ERR_BUSY, -ERR_NO_MEMORY; then nothing is sent. */
MUST_CHECK int redis_send(struct redis *redis, const struct redis_command *command,
			  const struct slice *words, uint32_t count);
void redis_bury(struct redis *redis); /* send the deletes that wait in `graves`, when it is up */

/* redis_script.c: verbs that look at the owner, each one script */
void redis_put_owned(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		     store_done_fn *done, void *owner, uint64_t handle);
void redis_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		store_done_fn *done, void *owner, uint64_t handle);
/* The server has forgotten the script: true = it is on its way again, whole; the command's words
 * are taken. */
bool redis_script_again(struct redis *redis, struct redis_command *command,
			const struct redis_answer *answer);

/* redis_scan.c */
void redis_scan(struct store *store, struct slice prefix, store_each_fn *each, store_done_fn *done,
		void *owner, uint64_t handle);
void redis_scan_answered(struct redis *redis, const struct redis_command *command,
			 const struct redis_answer *answer);
void redis_scan_lost(struct redis *redis, int err); /* the connection is gone */

/* redis_answer.c: what answers mean */
void redis_answered(struct redis *redis, const struct redis_answer *answer);
void redis_count_failed_put(struct redis *redis);

/* redis_session.c */
void redis_session_start(struct redis *redis);
void redis_session_turn(struct redis *redis); /* to whom places.now says, at once */
void redis_session_stop(struct redis *redis);
void redis_session_sent(struct redis *redis);  /* a command was queued: watch for its answer */
void redis_session_heard(struct redis *redis); /* an answer: watch for the next one */
void redis_session_greeted(struct redis *redis);
void redis_session_drop(struct redis *redis, enum store_state state, const char *reason);
void redis_state_set(struct redis *redis, enum store_state state, const char *reason);
void redis_session_wiped(struct redis *redis); /* our mark is gone, and all else with it */
void redis_session_mark(struct redis *redis);  /* leave one, or look for it */
/* Of the greeting, and the heartbeat. */
MUST_CHECK int redis_send_own(struct redis *redis, enum redis_kind kind, const struct slice *words,
			      uint32_t count);
