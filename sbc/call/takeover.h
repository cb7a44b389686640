/* takeover.h - calls whose record is in the store and not here: of this worker before its process
 * was started again, or of another node. A message in a dialog of such a call waits until the
 * record was read and taken, then comes again; whatever nobody asks for is taken up behind. One of
 * each worker's calls. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/message.h"
#include "sbc/transaction/transaction.h"
#include "sbc/worker/token.h"

struct call;
struct calls;
struct core;
struct takeover;

MUST_CHECK int takeover_create(struct calls *calls, struct takeover **out);
void takeover_destroy(struct takeover *takeover); /* NULL is fine; what waits is forgotten */
/* A request inside a dialog that is not here: true = it waits and calls_receive() has it again, or
 * it was answered. False: there is no such call anywhere. */
bool takeover_request(struct calls *calls, struct transaction_handle handle,
		      const struct message *request, const struct transport_path *path);
/* The same of a response that no transaction waits for; it comes again from below. */
bool takeover_response(struct calls *calls, const struct message *response,
		       const struct transport_path *path);
/* A CANCEL names no dialog: while calls are still taken up it may be for one of those that ring,
 * and waits for them all, as long as that makes sense. */
bool takeover_cancel(struct calls *calls, const struct scan *cancel,
		     const struct transport_path *path);
/* A request outside a dialog in the first moments: who it is from, and where it is to go, is not
 * known before the registrations of before the start are here. True = it waits for them, and
 * calls_config.again has it then. */
bool takeover_holds(struct calls *calls, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path);
void takeover_told_bindings(struct calls *calls);
/* Its INVITE was cancelled while it waited so: true = it did, and is answered. */
bool takeover_cancelled(struct calls *calls, struct transaction_handle handle);
/* Of all that there were at the start, takeover_add() or takeover_give() has told. */
void takeover_told_all(struct calls *calls);
/* Take this one up when nothing is more urgent; `epoch` as the store has it. */
void takeover_add(struct calls *calls, const struct token *name, uint64_t epoch);
/* At the start, of our own node: its record as it was read a moment ago. */
void takeover_give(struct calls *calls, const struct token *name, struct slice value);
/* A call of ours is another node's now: what is said in it must be asked for from here on. */
void takeover_lost_one(struct calls *calls);
/* The record of this call is about to go. */
void takeover_over(const struct call *call);

/* --- takeover_load.c: all calls of a node, of which the store knows --- */
struct loading;
/* Worker 0 asks for all: at the start those of our own node. */
MUST_CHECK int loading_create(struct core *core, struct loading **out);
void loading_destroy(struct loading *loading); /* NULL is fine */
/* The node with this number is dead: its calls too. */
void loading_begin(struct loading *loading, uint16_t node);

uint32_t takeover_waiting(const struct takeover *takeover); /* not taken up yet */
