/* redis_queue.h - private to control/state: commands sent to Redis and not yet answered, oldest
 * first (Redis answers in order), and keys still to be deleted.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/state/store.h"

enum redis_kind {
	REDIS_PUT,
	REDIS_GET,
	REDIS_DELETE,
	REDIS_PUT_OWNED,
	REDIS_TAKE,
	REDIS_SCAN,     /* a portion of keys; */
	REDIS_SCAN_GET, /* the value of one of them. Both are not timed, and given up with the link
			 */
	REDIS_PROBE,    /* the heartbeat, or a write of nothing: are writes taken? */
	REDIS_LOGIN,    /* AUTH, SELECT: refused = the connection is of no use */
	REDIS_NAME,     /* CLIENT SETNAME: refused = never mind */
	REDIS_CLIENT_ID,
	REDIS_SENTINEL, /* which server is the master? */
	REDIS_FENCE     /* CLIENT KILL of our former connection */
};

/* A key to be deleted: in flight with its command, or waiting for the store to return. */
struct redis_grave {
	struct redis_grave *next;
	size_t len;
	char key[];
};

/* The words behind the name of a script, to say them again. */
enum { REDIS_WORDS_MAX = 4 };
struct redis_words {
	uint32_t count;
	size_t lengths[REDIS_WORDS_MAX];
	char bytes[]; /* one word after the other; the second one is the key */
};

struct redis_command {
	enum redis_kind kind;
	bool given_up; /* done has been called; the answer will be late */
	uint64_t sent_ms;
	store_done_fn *done;
	void *owner;
	uint64_t handle;
	struct redis_grave *grave; /* DELETE: owned */
	struct redis_words *words; /* PUT_OWNED, TAKE: owned */
};

struct redis_queue {
	struct redis_command *ring;
	uint32_t size; /* a power of two */
	uint32_t limit;
	uint64_t head; /* sequence numbers; ring index = number & (size - 1) */
	uint64_t tail;
	uint64_t waiting; /* nobody before this one still waits */
};

struct redis_graves {
	struct redis_grave *first;
	struct redis_grave **last;
	uint32_t count;
	uint32_t limit;
};

void redis_queue_init(struct redis_queue *queue, uint32_t limit);
void redis_queue_free(struct redis_queue *queue); /* its graves too; nobody is called */
uint32_t redis_queue_count(const struct redis_queue *queue);
/* -ERR_BUSY at the limit, -ERR_NO_MEMORY. */
MUST_CHECK int redis_queue_push(struct redis_queue *queue, const struct redis_command *command);
bool redis_queue_pop(struct redis_queue *queue, struct redis_command *out);
/* The oldest; NULL = empty. */
struct redis_command *redis_queue_head(struct redis_queue *queue);
/* The oldest that is not given up; NULL = none. */
struct redis_command *redis_queue_waiting(struct redis_queue *queue);

/* A delete of this key is in flight. */
bool redis_queue_deletes(const struct redis_queue *queue, struct slice key);
struct redis_words *redis_words_create(const struct slice *words, uint32_t count); /* or NULL */
void redis_words_read(const struct redis_words *words, struct slice *out);

void redis_graves_init(struct redis_graves *graves, uint32_t limit);
void redis_graves_free(struct redis_graves *graves);
struct redis_grave *redis_grave_create(struct slice key);
/* Takes the grave; false = too many, it was freed. */
bool redis_graves_add(struct redis_graves *graves, struct redis_grave *grave);
struct redis_grave *redis_graves_take(struct redis_graves *graves);      /* oldest; NULL = none */
void redis_graves_forget(struct redis_graves *graves, struct slice key); /* written again */
bool redis_graves_hold(const struct redis_graves *graves, struct slice key);

/* One command as RESP: the number of words, then each word. */
void resp_add_words(struct buf *out, uint32_t words);
void resp_add_word(struct buf *out, struct slice word);
