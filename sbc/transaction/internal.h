/* internal.h - what the files of this folder share: key.c names a transaction, server.c and
 * client.c are the state machines, ack.c writes what an INVITE of ours brings with it,
 * transaction.c sorts. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/transaction/transaction.h"

enum {
	BRANCH_LENGTH = 7 + 26, /* cookie and token */
	TAG_MAX = 64,           /* a To tag of ours that is remembered for the 200 to a CANCEL */
	UDP_REQUEST_MAX = 1300, /* RFC 3261 18.1.1 */
};

struct key {
	uint64_t hash;
	uint64_t check; /* a second hash: together 128 bits, so texts need not be kept */
};

enum server_state {
	SERVER_TRYING, /* non-INVITE: nothing sent */
	SERVER_PROCEEDING,
	SERVER_COMPLETED,
	SERVER_CONFIRMED,
	SERVER_ACCEPTED, /* RFC 6026 */
};

/* What stays of a server transaction while it only absorbs: about 100 bytes and the last reply. */
struct lingering {
	struct table_link by_key;
	uint64_t check;
	struct timer timer;
	struct transactions *transactions;
	struct transport_path path; /* of replies */
	char *reply;                /* the last one: owned, or behind this struct */
	uint32_t reply_len;
	uint16_t status; /* of the last reply; 0 = none */
	uint8_t state;
	uint8_t method;
	bool compact; /* nothing but this struct; no handle any more */
};

struct server {
	struct lingering base;
	struct table_link by_id;
	uint64_t id;
	char *head; /* what replies copy, ends with the To line */
	uint32_t head_len;
	uint32_t interval_ms; /* timer G */
	uint64_t resend_ms;   /* when; UINT64_MAX = never */
	uint64_t end_ms;      /* timers H, I, J, L */
	bool to_has_tag;
	uint8_t tag_len;
	char tag[TAG_MAX];
};

enum client_state {
	CLIENT_CALLING, /* INVITE, and Trying of the others */
	CLIENT_PROCEEDING,
	CLIENT_COMPLETED,
	CLIENT_ACCEPTED, /* RFC 6026 */
};

struct client {
	struct table_link by_key;
	struct table_link by_id;
	uint64_t id;
	uint64_t check;
	struct timer timer;
	struct transactions *transactions;
	struct transport_path path;
	struct transport_path
		small_path; /* UDP, to fall back to when a large request went by TCP */
	const struct client_handlers *handlers; /* NULL = abandoned, or a CANCEL of ours */
	void *owner;
	uint64_t context;
	char *bytes; /* the request with Via; in Completed of INVITE the ACK */
	uint32_t bytes_len;
	uint32_t interval_ms; /* timers A and E */
	uint64_t resend_ms;
	uint64_t end_ms;               /* timers B, C, D, F, K, M */
	struct slice cancel_headers;   /* owned; with cancel_wanted */
	struct slice hop;              /* owned; the name that it waits for */
	struct transaction_ways *ways; /* owned; of a name, when there are several */
	uint8_t way;                   /* how many of them were tried */
	uint8_t state;
	uint8_t method;
	bool stay;
	bool fell_back_possible;
	bool cancel_wanted; /* when the first provisional reply is here */
	bool cancelled;
	bool is_lost; /* its connection broke */
};

struct transactions {
	struct transactions_config config;
	struct transaction_timers timers;
	struct table servers; /* struct lingering, by key */
	struct table clients; /* by key */
	struct table server_ids;
	struct table client_ids;
	uint64_t key[4];
	uint64_t last_id;
	struct buf scratch; /* of keys */
	struct buf out;     /* of messages being built */
	struct transaction_counters counters;
};

static inline uint64_t transactions_now(const struct transactions *transactions)
{
	return wheel_now_ms(transactions->config.wheel);
}

/* --- key.c --- */
/* Of the server transaction a request belongs to. `method` INVITE finds that of an ACK or CANCEL.
 */
void key_of_request(struct transactions *transactions, const struct scan *scan,
		    const struct transport_path *path, enum method method, struct key *out);
void key_of_branch(struct transactions *transactions, struct slice branch, struct slice method,
		   struct key *out);
uint64_t hash_of_id(uint64_t id);

/* --- server.c --- */
struct lingering *server_find(struct transactions *transactions, const struct key *key);
struct server *server_find_id(struct transactions *transactions, uint64_t id);
MUST_CHECK int server_create(struct transactions *transactions, const struct scan *scan,
			     const struct transport_path *path, const struct key *key,
			     struct server **out);
void server_try_later(struct server *server);   /* 100, unless it is answered meanwhile */
void server_end(struct lingering *server);      /* out of the tables, freed */
void server_repeated(struct lingering *server); /* the same request came again */
/* An ACK for this INVITE: true when it ends here, false when it is for the upper half. */
bool server_acknowledged(struct lingering *server);
void server_transport_failed(struct server *server, int err);

/* --- client.c --- */
struct client *client_find(struct transactions *transactions, const struct key *key);
struct client *client_find_id(struct transactions *transactions, uint64_t id);
void client_end(struct client *client);
void client_response(struct client *client, const struct scan *scan,
		     const struct transport_path *path);
void client_transport_failed(struct client *client, int err);
void client_fail(struct client *client, int err); /* ended, its maker is told */
int client_send(struct client *client);
/* Of a request that is sent now, or waits for its name. */
void client_set_timers(struct client *client);
void client_arm(struct client *client);
MUST_CHECK bool client_set_bytes(struct client *client, const struct buf *from);
/* By size: a large request goes by stream (RFC 3261 18.1.1). `bytes`: without Via. */
void client_choose_transport(struct client *client, size_t bytes);
/* The large request found no stream. */
MUST_CHECK int client_fall_back(struct client *client);

/* --- ways.c --- */
/* Where its name leads: -ERR_AGAIN, it waits. Anything else: as.path is the way. */
MUST_CHECK int ways_find(struct transactions *transactions, const struct client_request *request,
			 struct client *as);
/* Another address of the name gets it, in a transaction of its own that bears the same handle (RFC
 * 3263 4.3). False: there is none. */
bool ways_next(struct client *client);
void ways_forget(struct client *client);

/* --- ack.c --- */
/* `bytes` (no Via) with our Via on top. */
void write_with_via(struct transactions *transactions, struct slice bytes,
		    const struct transport_path *path, struct slice branch, struct buf *out);
void make_branch(struct transactions *transactions, uint64_t number, char out[BRANCH_LENGTH]);
/* ACK to a final reply other than 2xx (RFC 3261 17.1.1.3), CANCEL (9.1): from the INVITE sent. */
void write_ack(struct slice invite, const struct scan *response, struct buf *out);
void write_cancel(struct slice invite, struct slice headers, struct buf *out);
struct slice branch_of(struct slice request);
/* Our own request again, with another Via. */
void write_rerouted(struct transactions *transactions, struct slice request,
		    const struct transport_path *path, struct slice branch, struct buf *out);
