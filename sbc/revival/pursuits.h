/* pursuits.h - records that are in the store and not here: of this worker before its process was
 * started again, or of another node. A message for one of them waits until the record was read and
 * taken, then comes again; whatever nobody asks for is taken behind. One of a worker for each kind
 * of record; what a record is, its owner knows. Records are named by the token that leads to them,
 * packed (sbc/worker/token.h). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"
#include "sbc/revival/held.h"

struct pursuits;

struct pursuits_config {
	struct worker *worker;
	struct store *store;
	bool is_lasting;  /* the store, and the keys of identifiers, outlive the process */
	const char *said; /* event of the log when all are here: "calls.taken_up" */
	/* Its key in the store. */
	int (*write_key)(void *owner, uint64_t name, struct buf *key);
	bool (*is_here)(void *owner, uint64_t name);
	/* The whole value, which is ours now: make what it tells of. */
	int (*take_up)(void *owner, struct slice value);
	/* It could not be: to be counted and said. */
	void (*on_refused)(void *owner, uint64_t name, int err);
	/* False: it is here, but what belongs to it is on its way: what waits does so for a moment
	 * more. NULL is fine. */
	bool (*is_whole)(void *owner, uint64_t name);
	/* What waited is here, or nowhere. */
	held_fn *again;
	/* It was another node's, which may live, and has this epoch now. */
	void (*on_taken)(void *owner, uint64_t name, uint64_t epoch);
	/* Nothing is to be taken behind any more; NULL is fine. */
	void (*on_idle)(void *owner);
	void *owner;
};

MUST_CHECK int pursuits_create(const struct pursuits_config *config, struct pursuits **out);
void pursuits_destroy(struct pursuits *pursuits); /* NULL is fine; what waits is forgotten */
/* A message for this name, which is not here: true = it waits and comes again, or it was answered.
 * False: there is no such record anywhere. `handle` without transaction: a response. */
bool pursuits_wait(struct pursuits *pursuits, uint64_t name, struct transaction_handle handle,
		   const struct message *message, const struct transport_path *path);
/* Take this one when nothing is more urgent; `epoch` as the store has it, 0 = to be read. */
void pursuits_add(struct pursuits *pursuits, uint64_t name, uint64_t epoch);
/* It has ended here, and its record is about to go: it is not taken again. */
void pursuits_over(struct pursuits *pursuits, uint64_t name);
/* The walk at the start has come by this one, which is this node's already: it is made of what was
 * read there. Should another node take it meanwhile, it says so, as to any node that lives. */
void pursuits_give(struct pursuits *pursuits, uint64_t name, struct slice value);
/* The walk at the start is over. */
void pursuits_told_all(struct pursuits *pursuits);
/* What this process made may be another node's now: it is asked for from here on. */
void pursuits_lost_one(struct pursuits *pursuits);
/* All that there were at the start are here: what is not in the store is nowhere. */
void pursuits_complete(struct pursuits *pursuits);
uint32_t pursuits_waiting(const struct pursuits *pursuits); /* behind, not taken yet */
