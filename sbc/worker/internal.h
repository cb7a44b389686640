/* internal.h - what the files of this folder share. setup.c reads the configuration, worker.c is
 * what one thread does with a message, workers.c makes, runs and ends them all.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>

#include "sbc/worker/worker.h"

enum {
	SIP_PORT = 5060,
	DATAGRAM_MAX = 16384,
	STREAM_MAX = 65536,
	MESSAGE_RING = 8192,
	COMMAND_RING = 256,
	TRANSACTIONS_MAX = 200000, /* of one worker */
	ARENA_FIRST = 65536,
	ARENA_LIMIT = 8 << 20,
};

/* What one worker gives to another, or the main thread to a worker. */
enum item_kind {
	ITEM_MESSAGE,
	ITEM_SEND,
	ITEM_ERROR,
	ITEM_CLOSED, /* path.connection */
	ITEM_ALIAS,  /* path: another worker's connection serves path.remote */
	ITEM_COMMAND,
	ITEM_RUN,
	ITEM_BAN,
	ITEM_STOP,
};

struct item {
	enum item_kind kind;
	struct transport_path path;
	uint64_t token;
	int err;
	void *command; /* of ITEM_RUN: the owner */
	worker_fn *run;
	size_t len;
	char data[];
};

struct worker_slot {
	struct worker worker; /* first: a worker is its slot */
	struct random_system random;
	struct ring *messages; /* from the other workers */
	struct ring *commands; /* from the main thread */
	struct scan scan;      /* of the message in hand */
	struct buf out;        /* of an answer to a malformed request */
	pthread_t thread;
	bool started;
	_Atomic(struct reload *) reload; /* NULL = none is waiting */
	bool is_empty;                   /* its worker said that nothing is left to do */
	_Atomic bool force; /* end: all workers are empty, or the time for it is over */
};

/* Everything made from the configuration for transport and guard; lives as long as the workers. */
struct setup {
	struct transport_interface *interfaces;
	struct guard_interface *guard_interfaces;
	size_t interface_count;
	struct transport_listener *listeners;
	size_t listener_count;
	struct guard_peer *peers;
	size_t peer_count;
	struct tls *tls;
};

enum listening_state { LISTENING_OPEN, LISTENING_DRAINING, LISTENING_CLOSED };

/* A listener as the main thread knows it; at the same index as in each worker's transport. */
struct listening {
	struct transport_listener info; /* without sent_by */
	enum listening_state state;
	_Atomic uint64_t users; /* while draining: a bit for each worker that may use it */
	uint64_t untold;        /* closed: workers that must be told */
};

/* What becomes of the listeners in a reload. */
struct listening_plan {
	uint8_t *states;                  /* enum listening_state, of all, the new ones last */
	char **sent_by;                   /* of those that are open; owned */
	size_t count;                     /* of all */
	size_t known;                     /* of them there already */
	struct transport_listener *added; /* count - known; sent_by is one of those above */
	int *fds; /* owned; of each added one, one for each worker; -1 = taken, or none */
	size_t fd_count;
};

/* A configuration for all workers; shared by those that have not taken it yet. */
struct reload {
	const struct config *config;
	struct setup setup;
	struct listening_plan plan;
	_Atomic bool is_ready; /* each worker has it in its slot: before, none takes it */
	_Atomic unsigned int owners;
};

struct workers {
	struct workers_config config;
	struct setup setup;
	struct token_key token_key;
	struct shard shard;
	uint64_t hash_key[2];
	size_t interface_room; /* indexes of interfaces there may be until a restart */
	struct meters *meters; /* owned */
	struct crowd *crowd;   /* owned */
	struct transaction_handlers transaction_handlers;
	struct worker_slot **slots;
	struct listening *listening; /* owned; of the main thread but for `users` */
	size_t listening_count;      /* of TRANSPORT_LISTENERS_MAX */
	int *sockets;                /* theirs: of each, one for each worker; -1 = none */
	_Atomic unsigned int busy;   /* while stopping: workers with something left to do */
};

static inline struct worker_slot *slot_of(struct worker *worker)
{
	return (struct worker_slot *)worker;
}

/* --- reload.c --- */
void reload_take(struct worker_slot *slot); /* what is waiting, if anything is */
void reload_release(struct reload *reload); /* NULL is fine */

/* --- listening.c --- */
MUST_CHECK int listening_create(struct workers *workers);
void listening_destroy(struct workers *workers);
/* A worker has opened those of the start. */
void listening_opened(struct workers *workers, const struct worker *worker);
/* New sockets are open when it says 0. */
MUST_CHECK int listening_plan(struct workers *workers, const struct setup *setup, struct buf *why,
			      struct listening_plan *out);
void listening_plan_free(struct listening_plan *plan);
/* The main thread's part, which cannot fail. */
void listening_follow(struct workers *workers, const struct listening_plan *plan);
/* A worker's part; what memory was short for is tried again by the next call. */
MUST_CHECK int listening_take(struct worker *worker, struct listening_plan *plan);

/* --- setup.c --- */
/* Without what TLS needs. */
MUST_CHECK int setup_policies(const struct config *config, struct setup *out);
/* On failure `why` (may be NULL) gets one line, where there is one to say. */
MUST_CHECK int setup_create(const struct config *config, struct buf *why, struct setup *out);
void setup_free(struct setup *setup);

/* --- certificates.c --- */
MUST_CHECK int setup_tls(const struct config *config, struct buf *why, struct tls **out);

/* --- hep.c --- */
/* Copies go where this says, or nowhere. On failure it stays as it was. */
MUST_CHECK int worker_set_hep(struct worker *worker, const struct config_stats *stats);
void worker_copy_in(const struct worker *worker, const struct transport_message *message);
void worker_copy_out(const struct worker *worker, const struct transport_path *path,
		     struct slice bytes);

/* --- worker.c --- */
void worker_on_message(void *owner, struct transport_message *message);
void worker_on_error(void *owner, const struct transport_path *path, uint64_t token, int err);
bool worker_relay(void *owner, const struct transport_path *path, struct slice bytes,
		  uint64_t token);
bool worker_admit(void *owner, const struct transport_path *path);
void worker_on_closed(void *owner, uint64_t connection, uint64_t followers);
void worker_on_wake(void *owner);
/* One worker less has something to do; the last one ends them all. */
void workers_one_empty(struct workers *workers);
MUST_CHECK int item_push(struct worker_slot *slot, struct ring *ring, const struct item *item,
			 struct slice data);
