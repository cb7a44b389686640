/* worker.h - one signalling thread and all it owns: loop, arena, sockets, transactions, and the
 * upper half's core. Workers share nothing: what belongs to another goes there by ring and wake-up.
 * The main thread talks to them by commands.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "control/base/arena.h"
#include "control/base/random.h"
#include "control/base/ring.h"
#include "sbc/guard/guard.h"
#include "sbc/hep/hep.h"
#include "sbc/transaction/transaction.h"
#include "sbc/worker/shard.h"
#include "sbc/worker/token.h"

enum { WORKERS_MAX = 64 };

#define FOREACH_WORKER_COUNTER(X)                                                                  \
	X(messages, "messages looked at")                                                          \
	X(replied, "malformed requests answered")                                                  \
	X(handed_over, "messages given to another worker")                                         \
	X(scanners, "requests of scanners, dropped")                                               \
	X(taken_over, "messages taken from another worker")                                        \
	X(ring_full, "messages lost because a worker's ring was full")                             \
	X(group_drops, "messages to a multicast group that nobody is to answer")                   \
	X(no_memory, "messages lost for lack of memory")

struct worker_counters {
#define X(name, text) struct counter name;
	FOREACH_WORKER_COUNTER(X)
#undef X
	struct counter scan_drops[SCAN_DROP_COUNT];
};

struct dns;
struct worker;
struct workers;

/* The upper half. Everything but on_start and on_destroy runs in the worker's thread. */
struct worker_handlers {
	struct transaction_handlers transaction; /* `user` is the core */
	/* In the main thread before any worker runs: make the core. */
	int (*on_start)(struct worker *worker, void **core);
	/* Asked to stop: end what there is, then call worker_finish(). */
	void (*on_stop)(void *core);
	void (*on_command)(void *core, void *command); /* from worker_post() */
	/* A connection that a REGISTER came over has ended: nobody is reached by it any more. NULL
	 * is fine. */
	void (*on_flow_closed)(void *core, uint64_t connection);
	/* worker->config is another one: interfaces and peers keep their indexes, new ones are at
	 * the end (config/reload.h). Calls hold the one they began with. */
	void (*on_reload)(void *core);
	/* Is anything in progress over this listener, which a reload took away? NULL = no. */
	bool (*uses_listener)(void *core, uint16_t listener);
	/* The last look at a message before the transport has it. NULL = everything may. */
	bool (*may_leave)(void *core, const struct transport_path *path, struct slice bytes);
	/* For requests whose next hop has a name (struct transactions_config). */
	int (*locate)(void *core, const struct transport_path *from, struct slice hop,
		      uint64_t number, struct transaction_ways *out);
	void (*way_failed)(void *core, const struct transport_path *path);
	void (*on_destroy)(void *core); /* in the main thread after the workers have ended */
};

struct worker {
	uint8_t index;
	uint8_t count; /* workers in all */
	uint16_t node;
	/* Where the numbers in its identifiers begin: above all that were given before the last
	 * start, as the keys of identifiers outlive the process. */
	uint64_t first_id;
	struct loop *loop;
	struct wheel *wheel;
	struct arena *arena; /* reset before each message */
	struct random *random;
	const struct log *log;
	const struct config *config;
	const struct token_key *token_key;
	const struct shard *shard;
	struct transport *transport;
	struct transactions *transactions;
	struct guard *guard;
	struct hep *hep; /* NULL = nobody gets copies */
	struct dns *dns; /* the upper half's; NULL = names lead nowhere */
	struct worker_counters counters;
	void *core;   /* the upper half's */
	void *shared; /* as configured: the same for all workers */
	struct workers *all;
};

/* What identifiers are made with, and which worker a name belongs to. The same in each process of a
 * node, and of its cluster, so that what one made the next one knows. */
struct worker_keys {
	struct token_key token;
	uint64_t shard[2];
};

struct workers_config {
	const struct config *config;
	const struct log *log;
	uint16_t node;
	uint8_t count;
	const struct worker_keys *keys;  /* NULL = random ones, of this process alone */
	struct worker_handlers handlers; /* copied */
	/* NULL = the RFC's. */
	const struct transaction_timers *timers;
	void *shared; /* what the upper halves of all workers have in common; NULL is fine */
	struct inherited *inherited; /* sockets that are open already; NULL = none */
};

/* Make the workers, bind all sockets, call on_start for each. `why` gets one line on failure. */
MUST_CHECK int workers_create(const struct workers_config *config, struct buf *why,
			      struct workers **out);
MUST_CHECK int workers_run(struct workers *workers); /* start the threads */
/* Ask all to stop (on_stop) and wait for them, at most `limit_ms`, then end them anyway. */
void workers_stop(struct workers *workers, uint32_t limit_ms);
/* The sockets of all workers' listeners, but for those that a reload took away: how many. They stay
 * the workers'. */
uint32_t workers_sockets(const struct workers *workers, int *out, uint32_t max);
/* End now, and leave all that there is to whoever has the store. */
void workers_leave(struct workers *workers);
void workers_destroy(struct workers *workers); /* after workers_stop(); NULL is fine */
/* Each worker goes over to it, and holds it: new listeners are open on all workers before it says
 * 0, those that are gone take nothing new from then on. All or nothing but for lack of memory,
 * which a worker says in its log: it stays with what it has. -ERR_BUSY: a worker has not taken the
 * last one. */
MUST_CHECK int workers_reload(struct workers *workers, const struct config *config,
			      struct buf *why);
/* From the main thread, about once a second after a reload: listeners that a reload took away are
 * closed when nothing uses them any more. False: none is left. */
bool workers_drain(struct workers *workers);
/* Of the 34 bits that a call's, a binding's or a subscription's number has, from Unix time: 500 new
 * ones a second of uptime, for more than a year. */
#define WORKER_NUMBER_MAX ((1ull << 34) - 1)
uint64_t worker_first_id(uint64_t unix_ms);
uint8_t workers_count(const struct workers *workers);
struct worker *workers_at(struct workers *workers, uint8_t index);

/* From any thread: on_command() will run in that worker. -ERR_AGAIN: its ring is full. */
MUST_CHECK int worker_post(struct worker *worker, void *command);
/* From any thread: fn(owner, number, err) will run in that worker, if it still runs then.
 * -ERR_AGAIN, -ERR_NO_MEMORY. */
typedef void worker_fn(void *owner, uint64_t number, int err);
MUST_CHECK int worker_run(struct worker *worker, worker_fn *fn, void *owner, uint64_t number,
			  int err);
/* This source is banned, on every worker: until then (the loop's clock). */
void worker_ban(struct worker *worker, uint16_t interface, const struct addr *source,
		uint64_t until_ms, enum guard_cause cause);
/* From on_stop or later, in the worker's thread: nothing is left to do. It ends with the last. */
void worker_finish(struct worker *worker);

/* transport_send(), unless may_leave says no: -ERR_DENIED. */
MUST_CHECK int worker_send(struct worker *worker, const struct transport_path *path,
			   struct slice bytes, uint64_t token);
/* A new identifier of this worker: TOKEN_LENGTH characters. */
void worker_token(const struct worker *worker, enum token_kind kind, uint64_t id,
		  char out[TOKEN_LENGTH]);
/* The peer this path's remote address belongs to, or -1 (config peers: servers, accept-from). */
int worker_peer_of(const struct worker *worker, const struct transport_path *path);
