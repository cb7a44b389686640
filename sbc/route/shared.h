/* shared.h - the little that all workers of a process know together: how many calls each side and
 * each peer has, what is left of a rate, which servers and addresses failed. Made by the main
 * thread, given to the workers as workers_config.shared, read and written without locks. A worker
 * without it (in tests) keeps its own.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include "control/base/buf.h"
#include "control/base/random.h"
#include "sbc/route/rate.h"

struct shared_interface {
	_Atomic uint32_t calls;       /* at once, begun from it */
	_Atomic uint32_t emergencies; /* at once; they fill no limit */
	struct rate setups;
	struct rate registers;
};

enum { SERVICE_ROUTE_MAX = 2048 };

struct shared_peer {
	_Atomic uint32_t calls;  /* at once, from and to it */
	_Atomic uint32_t others; /* of its limit, other nodes' (shares.h) */
	_Atomic uint32_t turn;   /* round-robin */
	struct rate setups;
	struct rate registers;
	_Atomic uint64_t service_route_until_ms; /* 0 = it has none */
	char *service_route;                     /* owned; under the lock */
};

struct shared_server {
	_Atomic bool is_down;
	_Atomic uint64_t since_ms; /* monotonic, the clock of all loops */
	_Atomic uint64_t until_ms; /* not pinged: passed over until then */
	_Atomic uint32_t ping_rtt_ms;
	_Atomic uint32_t calls; /* at once, to it */
};

struct shared_source {        /* of a stranger or a phone */
	_Atomic uint64_t key; /* of its address; a new one takes the place of what stood there */
	struct rate setups;
	struct rate registers;
};

struct shared_rest { /* an address that failed or wants to be left alone */
	_Atomic uint64_t key;
	_Atomic uint64_t until_ms;
};

enum {
	SHARED_SOURCES = 16384,
	SHARED_RESTS = 1024,
};

struct cdr_file;
struct cluster;
struct registry;

struct shared {
	_Atomic bool is_wiped; /* the store has lost all: whoever waits for that writes it again */
	_Atomic bool is_leaving;  /* the next process begins soon: new calls are its */
	_Atomic bool is_draining; /* no new calls, but emergencies */
	_Atomic uint32_t heirs;   /* other nodes of the store that live and are to stay */
	/* Of this node and the others (control/state/keys.h); not owned. NULL = alone. */
	const struct cluster *cluster;
	struct registry *registry; /* not owned (sbc/registration/registry.h) */
	struct cdr_file *cdr;      /* not owned (sbc/cdr/cdr_file.h); NULL = the log alone */
	struct shared_interface *interfaces;
	struct shared_peer *peers;
	struct shared_server *servers; /* of all peers, in the order of the configuration */
	size_t interface_room;         /* a reload adds some: they are never moved */
	size_t peer_room;
	size_t server_room;
	struct shared_source *sources; /* SHARED_SOURCES */
	struct shared_rest *rests;     /* SHARED_RESTS */
	pthread_mutex_t service_routes;
	uint64_t key[2];
};

MUST_CHECK int shared_create(const struct config *config, struct random *random,
			     struct shared **out);
/* Is there room for its interfaces, peers and servers? */
bool shared_fits(const struct shared *shared, const struct config *config);
void shared_destroy(struct shared *shared); /* NULL is fine */
/* IPv6: the /64, which is one subscriber's. */
struct shared_source *shared_source_of(struct shared *shared, const struct addr *addr);
/* Leave this address (with port) alone until then; 0 = it works. */
void shared_rest_set(struct shared *shared, const struct addr *addr, uint8_t transport,
		     uint64_t until_ms);
bool shared_rests(const struct shared *shared, const struct addr *addr, uint8_t transport,
		  uint64_t now_ms);
/* RFC 3608: the way that a peer wants our requests to go while we are registered there, as it
 * stands in a header; until then by the clock of all loops. Empty, or too long: none. */
void shared_set_service_route(struct shared *shared, uint32_t peer, struct slice list,
			      uint64_t until_ms);
/* Adds it; nothing where there is none. */
void shared_add_service_route(struct shared *shared, uint32_t peer, uint64_t now_ms,
			      struct buf *out);
/* One more unless `limit` (0 = none) are there; false: it was not counted. */
bool shared_enter(_Atomic uint32_t *count, uint32_t limit);
/* The same of a peer, as far as its limit is ours. */
bool shared_enter_peer(struct shared_peer *peer, uint32_t limit);
void shared_leave(_Atomic uint32_t *count);
