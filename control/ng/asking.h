/* asking.h - inside control/ng only: what the parts of the client share.
 *   client_life.c    a client begins and ends
 *   client.c         requests: encode, match replies, retransmit, time out, fail over
 *   client_health.c  pings, what goes out of service and comes back, which relay to choose
 *   client_wire.c    sockets: datagrams in bursts, or one stream to each relay
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/base/table.h"
#include "control/ng/bencode.h"
#include "control/ng/client.h"
#include <sys/queue.h>

#define NG_COOKIE_BYTES 20 /* random: nobody guesses it, no two clients share it */

struct ng_relay;

/* One request and its answer to come. */
struct ng_exchange {
	struct table_link by_cookie;
	TAILQ_ENTRY(ng_exchange) of_relay;
	TAILQ_ENTRY(ng_exchange) to_send;
	bool queued;
	bool is_ping;
	bool is_new_offer; /* may go to another relay */
	bool is_delete;
	bool can_wait; /* nobody waits for its answer: it goes with others, or after PATIENCE_MS */
	struct ng_client *client;
	struct ng_relay *relay;
	ng_done_fn *done; /* NULL = nobody waits */
	void *owner;
	uint64_t handle;
	struct timer timer;   /* of this try */
	uint64_t sent_ms;     /* the first try */
	uint32_t tries;       /* made */
	uint64_t tried;       /* bit n: relay n has been asked */
	struct slice call_id; /* behind the message */
	size_t len;
	char message[]; /* cookie, space, document */
};
TAILQ_HEAD(ng_exchange_list, ng_exchange);

/* A connection to a relay over TCP or Unix; unused for UDP. */
struct ng_stream {
	bool connected;
	uint64_t retry_ms; /* do not connect before */
	uint32_t backoff_ms;
	struct buf in;
	struct buf out;
	struct bencode_scanner scanner;
	size_t document_at; /* 0 = the cookie is not whole yet */
};

struct ng_relay {
	struct ng_client *client;
	int index;
	char *name;
	struct ng_endpoint endpoint; /* path owned */
	int fd;                      /* -1 = none */
	struct loop_io *io;
	struct ng_stream stream;
	struct ng_exchange_list exchanges; /* all without answer */
	struct ng_exchange_list queue;     /* those to be sent at the end of the burst */
	uint32_t urgent;                   /* of the queue: cannot wait */
	uint32_t pending;
	bool in_service;
	bool is_lost;        /* and so for long: said once */
	uint64_t down_ms;    /* since when it is out of service */
	uint64_t refused_ms; /* when the host said that nobody listens; 0 = not so */
	struct timer ping;
	/* What our own relays tell with each ping. */
	char instance[64];
	int64_t sequence;
	struct ng_relay_state state; /* counters; the rest is filled on asking */
};

struct ng_client {
	struct loop *loop;
	struct wheel *wheel;
	bool own_clock; /* a wheel of its own, as tests have */
	const struct log *log;
	struct random *random;
	uint32_t timeout_ms;
	uint32_t max_tries;
	uint32_t ping_ms;
	uint32_t max_pending;
	uint32_t pending;
	unsigned turn; /* where the choice among equals starts */
	struct ng_relay *relays;
	unsigned relay_count;
	struct table by_cookie;
	uint64_t key[2];
	struct arena *arena; /* of the reply at hand */
	struct buf scratch;  /* a request being encoded */
	struct ng_burst *burst;
	struct timer patience; /* of requests that found no company */
	ng_ended_fn *ended;
	void *ended_owner;
	ng_news_fn *news;
	void *news_owner;
};

uint64_t ng_client_now_ms(const struct ng_client *client);

/* client.c */
MUST_CHECK int ng_exchange_start(struct ng_client *client, struct ng_relay *relay,
				 const struct ng_value *request, struct ng_exchange **out);
void ng_exchange_free(struct ng_exchange *exchange); /* nobody is told */
/* A message from a relay: find whose answer it is. */
void ng_client_take_reply(struct ng_relay *relay, struct slice message);
/* Offers of new calls that wait for this relay go elsewhere, where there is an elsewhere. */
void ng_relay_move_offers(struct ng_relay *relay);

/* client_health.c */
void ng_relay_start_ping(struct ng_relay *relay);
void ng_relay_ping_done(struct ng_relay *relay, const struct ng_value *dict);
void ng_relay_fail(struct ng_relay *relay, const char *why, bool refused);
/* It has answered a request: if it is out of service, see soon whether it is back. */
void ng_relay_is_alive(struct ng_relay *relay);
/* The least loaded in service whose bit is not in `tried`; NULL = none. */
struct ng_relay *ng_relay_choose(struct ng_client *client, uint64_t tried);

/* client_wire.c */
MUST_CHECK int ng_burst_create(struct ng_burst **out);
void ng_burst_destroy(struct ng_burst *burst);
MUST_CHECK int ng_relay_open(struct ng_relay *relay);
void ng_relay_close(struct ng_relay *relay);
void ng_exchange_dequeue(struct ng_exchange *exchange); /* not queued is fine */
void ng_relay_send_queued(struct ng_relay *relay);
/* Put it into the queue, unless it is there. Over a stream only the first try is sent. */
void ng_exchange_queue(struct ng_exchange *exchange);
