/* transaction.h - the transactions of one worker: our own table and the four state machines of RFC
 * 3261 17 with RFC 6026, on the worker's wheel. The upper half speaks by handle; a handle of a
 * transaction that has ended finds nothing and every verb says -ERR_NOT_FOUND.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"
#include "sbc/message/builder.h"
#include "sbc/message/message.h"
#include "sbc/transport/transport.h"

struct transactions;

struct transaction_handle { /* id 0 = none */
	uint64_t id;
};
#define TRANSACTION_NONE ((struct transaction_handle){0})

/* RFC 3261 table 4. Tests shorten them; production never. */
struct transaction_timers {
	uint32_t t1_ms;      /* 500 */
	uint32_t t2_ms;      /* 4000 */
	uint32_t t4_ms;      /* 5000 */
	uint32_t timer_d_ms; /* 32000 */
	uint32_t timer_c_ms; /* 180000: INVITE client without a final answer, RFC 3261 16.6 */
};
extern const struct transaction_timers transaction_timers_default;

/* From a client transaction to who made it. `context` is the caller's own (a handle, not a
 * pointer). After a final response to non-INVITE, on_failure, or a non-2xx final to INVITE, nothing
 * more comes; after a 2xx to INVITE further 2xx (retransmissions, other branches) still come for
 * 64*T1 (RFC 6026 Accepted): the upper half ACKs each. */
struct client_handlers {
	void (*on_response)(void *owner, uint64_t context, struct transaction_handle handle,
			    const struct message *response, const struct transport_path *path);
	/* -ERR_TIMEOUT: timer B, F or C (a 408); else the transport's error (a 503). */
	void (*on_failure)(void *owner, uint64_t context, struct transaction_handle handle,
			   int err);
};

/* What the transaction user hears about requests. */
struct transaction_handlers {
	/* A new request. `handle` is none for ACK (one to a 2xx). A 100 to an INVITE goes out after
	 * this returns unless a reply was sent inside. */
	void (*on_request)(void *owner, struct transaction_handle handle,
			   const struct message *request, const struct transport_path *path);
	/* The INVITE `handle` was cancelled; CANCEL is already answered 200. Answer it 487. */
	void (*on_cancel)(void *owner, struct transaction_handle handle,
			  const struct message *cancel);
	/* INVITE server: no ACK came in 64*T1 for our non-2xx final (timer H), or a reply could not
	 * be sent. The transaction is over. */
	void (*on_server_failure)(void *owner, struct transaction_handle handle, int err);
	/* A response but 100 to an INVITE that we sent (its branch is ours) and that no transaction
	 * waits for: a late 2xx, or another process sent it. The others are counted. */
	void (*on_orphan_response)(void *owner, const struct message *response,
				   const struct transport_path *path);
	/* A CANCEL of an INVITE that is not here: true = it is kept and comes again from below,
	 * false = it is answered 481. NULL = always that. */
	bool (*on_unknown_cancel)(void *owner, const struct scan *cancel,
				  const struct transport_path *path);
};

#define FOREACH_TRANSACTION_COUNTER(X)                                                             \
	X(server_created, "server transactions")                                                   \
	X(client_created, "client transactions")                                                   \
	X(live, "transactions held, lingering ones too")                                           \
	X(requests_absorbed, "retransmitted requests absorbed")                                    \
	X(requests_sent_again, "requests sent again")                                              \
	X(replies_sent_again, "replies sent again")                                                \
	X(responses_orphaned, "responses without a transaction")                                   \
	X(timeouts, "transactions that timed out")                                                 \
	X(cancels_unmatched, "CANCEL without an INVITE")                                           \
	X(refused, "requests refused because the table is full")

struct transaction_counters {
#define X(name, text) struct counter name;
	FOREACH_TRANSACTION_COUNTER(X)
#undef X
};

/* Where a name leads, in the order to try (RFC 3263). */
enum { TRANSACTION_WAYS_MAX = 8 };
struct transaction_ways {
	uint32_t count; /* never 0 */
	struct transport_path paths[TRANSACTION_WAYS_MAX];
};

struct transactions_config {
	struct wheel *wheel;
	struct arena *arena; /* of the message in hand */
	struct random *random;
	const struct log *log;
	const struct transaction_timers *timers;
	uint32_t limit; /* transactions at once; a request beyond it gets 503 */
	/* Makes the part of a branch after z9hG4bK: 26 characters (sbc/worker/token.h). */
	void (*branch)(void *owner, uint64_t number, char out[26]);
	/* Did we make this branch (what follows z9hG4bK)? So that a stranger's response wakes
	 * nobody. */
	bool (*made)(void *owner, struct slice number);
	/* Output: transport_send() in production, a recorder in tests. */
	int (*send)(void *owner, const struct transport_path *path, struct slice bytes,
		    uint64_t token);
	/* Via's sent-by of a listener. */
	const char *(*sent_by)(void *owner, uint16_t listener);
	/* The TCP listener to use for a request too large for UDP (18.1.1): -ERR_NOT_FOUND = none.
	 */
	int (*large)(void *owner, const struct transport_path *path, uint16_t *listener);
	/* Where the name in `hop` leads on the side of `from`. -ERR_AGAIN: transactions_located()
	 * follows with `number`, never from inside; asked again then it is known. NULL = nowhere.
	 */
	int (*locate)(void *owner, const struct transport_path *from, struct slice hop,
		      uint64_t number, struct transaction_ways *out);
	/* Nobody is there, or takes requests. NULL is fine. */
	void (*way_failed)(void *owner, const struct transport_path *path);
	const struct transaction_handlers *handlers;
	void *owner; /* of branch, send, sent_by, large, locate, way_failed */
	void *user;  /* of handlers */
};

MUST_CHECK int transactions_create(const struct transactions_config *config,
				   struct transactions **out);
void transactions_destroy(struct transactions *transactions); /* NULL is fine */
const struct transaction_counters *transactions_counters(const struct transactions *transactions);

/* A scanned and accepted message. Requests are parsed only when they are new. */
void transactions_receive(struct transactions *transactions, const struct scan *scan,
			  const struct transport_path *path);
/* From the transport: a message of ours was not sent. */
void transactions_transport_error(struct transactions *transactions, uint64_t token, int err);
/* What transactions_config.locate() was asked for is known, or will not be. */
void transactions_located(struct transactions *transactions, uint64_t number);

/* --- server side --- */
/* Send a provisional or final reply. -ERR_NOT_FOUND: it has ended. -ERR_INVALID: after a final.
 * -ERR_DENIED: it may not leave; of a final one other than 2xx to INVITE a bare 500 went instead. A
 * 2xx to INVITE is sent once: its retransmission until ACK is the upper half's (RFC 6026, RFC 3261
 * 13.3.1.4) by transaction_repeat(). */
MUST_CHECK int transaction_reply(struct transactions *transactions,
				 struct transaction_handle handle, const struct reply *reply);
/* Send the last reply again (2xx to INVITE until ACK; 180 for reliability). */
MUST_CHECK int transaction_repeat(struct transactions *transactions,
				  struct transaction_handle handle);
/* Give up an unanswered server transaction without a word. */
void transaction_drop(struct transactions *transactions, struct transaction_handle handle);

/* --- client side --- */
struct client_request {
	struct slice bytes; /* whole request WITHOUT Via: the transaction puts its own on top */
	struct transport_path path;
	/* URI of the next hop when its host is a name: it is looked up, and the addresses are tried
	 * in their order (RFC 3263). `path` tells on which side, and is the way where the name
	 * leads nowhere. Empty = `path` is the way. */
	struct slice hop;
	const struct client_handlers *handlers;
	void *owner;
	uint64_t context;
	bool stay; /* keep the transport whatever the size */
};
/* Starts it: the request is queued. Callbacks never come from inside. */
MUST_CHECK int transaction_request(struct transactions *transactions,
				   const struct client_request *request,
				   struct transaction_handle *out);
/* Send CANCEL for an INVITE: at once after a provisional reply, else when the first one comes (RFC
 * 3261 9.1). `headers`: whole lines (Reason) or empty. The INVITE still ends by on_response (487),
 * or on_failure 64*T1 after the CANCEL. */
MUST_CHECK int transaction_cancel(struct transactions *transactions,
				  struct transaction_handle handle, struct slice headers);
/* Forget a client transaction: no callback any more; it still absorbs and ACKs. */
void transaction_abandon(struct transactions *transactions, struct transaction_handle handle);
/* What its callbacks bear from now on: who made it may be gone before its last 2xx. */
void transaction_set_context(struct transactions *transactions, struct transaction_handle handle,
			     uint64_t context);

/* --- begun by another process --- */
/* The request that a client transaction sent, with its Via; empty. */
struct slice transaction_sent(const struct transactions *transactions,
			      struct transaction_handle handle);
/* An INVITE whose provisional replies another process sent, the last with this tag: from here on as
 * if it had been received here. -ERR_EXISTS: `out` is it, or none when it is over. */
MUST_CHECK int transaction_resume_server(struct transactions *transactions,
					 const struct scan *invite,
					 const struct transport_path *path, struct slice tag,
					 struct transaction_handle *out);
/* An INVITE that another process sent (request->bytes, with its Via) and that has had a provisional
 * reply. */
MUST_CHECK int transaction_resume_client(struct transactions *transactions,
					 const struct client_request *request,
					 struct transaction_handle *out);

/* A request without a transaction: ACK to a 2xx. `bytes` without Via; a new branch each time unless
 * `sent` (may be NULL) is kept and given to transactions_resend() for a retransmitted 2xx. */
MUST_CHECK int transactions_send_ack(struct transactions *transactions, struct slice bytes,
				     const struct transport_path *path, struct buf *sent);
MUST_CHECK int transactions_resend(struct transactions *transactions, struct slice sent,
				   const struct transport_path *path);
/* The same by another way; `out` is what to give to transactions_resend() from then on. */
MUST_CHECK int transactions_reroute(struct transactions *transactions, struct slice sent,
				    const struct transport_path *path, struct buf *out);
