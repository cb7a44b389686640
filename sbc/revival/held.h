/* held.h - messages that wait for something out of the store, and then come again as if they were
 * received now. Copies: what they lay in is used again. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

struct held {
	struct held *next;
	struct transaction_handle handle; /* a request's */
	struct transport_path path;
	bool is_raw; /* a response, or a CANCEL: it comes again from below */
	size_t len;
	char bytes[];
};

struct held_list { /* in the order they came; zeroed = empty */
	struct held *first;
	uint32_t count;
	size_t bytes;
};

/* A request comes again here. */
typedef void held_fn(void *owner, struct transaction_handle handle, const struct message *request,
		     const struct transport_path *path);

/* A `handle` without transaction is that of what is_raw. -ERR_NO_MEMORY. */
MUST_CHECK int held_add(struct held_list *list, struct transaction_handle handle, bool is_raw,
			struct slice bytes, const struct transport_path *path);
/* They all come again, and the list is empty before the first does. */
void held_release(struct worker *worker, struct held_list *list, held_fn *fn, void *owner);
/* They cannot be told now: 500 with Retry-After (RFC 3261 21.5.1). */
void held_refuse(struct worker *worker, struct held_list *list);
void held_refuse_one(struct worker *worker, struct transaction_handle handle);
/* Somebody else answers: what its sender repeats (UDP) is forgotten without a word. */
void held_leave(struct worker *worker, struct held_list *list);
/* The request of this transaction is forgotten: false, it is not here. */
bool held_remove(struct held_list *list, struct transaction_handle handle);
void held_free(struct held_list *list);
