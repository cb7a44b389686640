/* store.h - where records live: one interface, a memory and a Redis behind it.
 * One store per worker, used in that worker's thread alone. Nothing here ever blocks, and no
 * failure of a store stops a call: it makes the call unprotected, and that is counted.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

#define STORE_KEY_LIMIT   512
#define STORE_VALUE_LIMIT ((size_t)512 * 1024)

struct store;
struct seal;

struct store_reply {
	/* 0; -ERR_NOT_FOUND (get, take), -ERR_MALFORMED (get, take: sealed with another key, or
	 * forged), -ERR_TIMEOUT, -ERR_CLOSED, -ERR_BUSY, -ERR_REFUSED (the
	 * server answers with an error); -ERR_DENIED (put_owned, take): another one's. */
	int err;
	struct slice value; /* of a get or take; valid only during the call */
};

/* May run before the verb that was given it returns (memory store; a store that is down): change
 * your own state first. Called exactly once for each verb, or never after store_destroy(). */
typedef void store_done_fn(void *owner, uint64_t handle, const struct store_reply *reply);
/* The store takes writes again after some failed: put again every record whose last put was not
 * acknowledged; with `all`, those that were as well: it may be a server that was started empty, or
 * a replica that lagged behind. Comes again (paced) as long as puts fail in between. */
typedef void store_return_fn(void *owner, bool all);

enum store_state {
	STORE_DOWN,     /* no connection; tried again with back-off */
	STORE_STALLED,  /* connected, does not answer in time: puts fail at once, are sent all the
			   same */
	STORE_REFUSING, /* answers with errors: read-only, out of memory, wrong password, ... */
	STORE_UP
};

struct store_status {
	const char *kind; /* "memory", "redis" */
	enum store_state state;
	char server[128];
	char reason[160];  /* why it is not up, for people; empty when up */
	uint64_t since_ms; /* of the state; the loop's clock */
	uint32_t pending;  /* sent or queued, not answered */
	uint64_t commands; /* sent to the server, in all */
	uint64_t puts;
	uint64_t gets;
	uint64_t deletes;
	uint64_t takes;
	uint64_t acknowledged; /* puts, in time */
	uint64_t late;         /* puts acknowledged after their time-out */
	uint64_t unprotected;  /* puts that failed, were refused or came late */
	uint64_t timeouts;     /* of any verb */
	uint64_t errors;       /* error replies */
	uint64_t refused;      /* values that could not be unsealed: forged, or another key's */
	uint64_t denied;       /* owned puts and takes of what is another one's */
	uint64_t forgotten;    /* deletes given up: too many while away; their keys end by TTL */
	uint64_t connects;
	uint64_t ack_ms_total; /* of the puts acknowledged in time */
	uint64_t ack_ms_max;
	uint32_t entries; /* memory store: records held */
	uint64_t bytes;
};

/* From here on values that begin with a head (record_head.h) are sealed (seal.h); those that are
 * read must be. The store takes the seal. */
void store_seal(struct store *store, struct seal *seal);
void store_destroy(struct store *store); /* NULL is fine; sends what it can without waiting */
/* `done` may be NULL. ttl_s > 0. */
void store_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
	       store_done_fn *done, void *owner, uint64_t handle);
/* Never waited for; remembered while the store is away, sent when it returns. */
void store_delete(struct store *store, struct slice key);
void store_get(struct store *store, struct slice key, store_done_fn *done, void *owner,
	       uint64_t handle);
/* As store_put, for a record that has been in the store and may have another owner by now: when the
 * head (record_head.h) of what is there is of a later epoch, or of the same one and another node,
 * nothing is written: -ERR_DENIED. A record that is gone is written again. One command. */
void store_put_owned(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		     store_done_fn *done, void *owner, uint64_t handle);
/* Take a record over: while its epoch is still `seen`, whosever it is, it becomes (node, seen + 1),
 * and the whole value is the reply. -ERR_DENIED: somebody was faster; -ERR_NOT_FOUND. Of all who
 * try at once, one succeeds. One command. */
void store_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		store_done_fn *done, void *owner, uint64_t handle);
/* Each key that begins with `prefix`, with its value, in portions, so that other verbs are hardly
 * delayed; what is written meanwhile may be missing, a key may come twice. `each` may call any verb
 * but this one; false = enough. `done` at the end (0), or when the store was lost on the way; no
 * time limit. -ERR_BUSY: one is under way already, -ERR_CLOSED: the store is away; try again. */
typedef bool store_each_fn(void *owner, struct slice key, struct slice value);
void store_scan(struct store *store, struct slice prefix, store_each_fn *each, store_done_fn *done,
		void *owner, uint64_t handle);
void store_on_return(struct store *store, store_return_fn *fn, void *owner);
void store_status(const struct store *store, struct store_status *out);
const char *store_state_text(enum store_state state); /* "up", "down", ... */

/* For those who implement a store: the first member of theirs. */
struct store_verbs {
	void (*destroy)(struct store *store);
	void (*put)(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		    store_done_fn *done, void *owner, uint64_t handle);
	void (*remove)(struct store *store, struct slice key);
	void (*get)(struct store *store, struct slice key, store_done_fn *done, void *owner,
		    uint64_t handle);
	void (*put_owned)(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
			  store_done_fn *done, void *owner, uint64_t handle);
	void (*take)(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		     store_done_fn *done, void *owner, uint64_t handle);
	void (*scan)(struct store *store, struct slice prefix, store_each_fn *each,
		     store_done_fn *done, void *owner, uint64_t handle);
	void (*status)(const struct store *store, struct store_status *out);
};
struct store {
	const struct store_verbs *verbs;
	struct seal *seal; /* NULL = values are written as they are */
	store_return_fn *on_return;
	void *on_return_owner;
};
