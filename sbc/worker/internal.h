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

/* A configuration for all workers; shared by those that have not taken it yet. */
struct reload {
	const struct config *config;
	struct setup setup; /* without listeners: they are as they were */
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
	_Atomic unsigned int busy; /* while stopping: workers with something left to do */
};

static inline struct worker_slot *slot_of(struct worker *worker)
{
	return (struct worker_slot *)worker;
}

/* --- reload.c --- */
void reload_take(struct worker_slot *slot); /* what is waiting, if anything is */
void reload_release(struct reload *reload); /* NULL is fine */

/* --- setup.c --- */
/* The half of it that a new configuration may change. */
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
