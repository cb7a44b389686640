/* servers.h - what the files about peers share: peers.c chooses, naming.c knows where servers with
 * names are, ping.c asks whether they are there. Private to sbc/route.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/route/peers.h"
#include "sbc/route/shared.h"

/* How long a server that failed and is not pinged is passed over. */
enum { REST_MS = 10000 };

struct server {
	struct peers *peers;
	uint32_t peer;
	uint32_t index;
	struct shared_server *health; /* what all workers know of it */
	uint64_t requests;
	uint64_t failures;
	/* ping.c */
	uint64_t asked_ms;
	uint32_t cseq;
	uint32_t pinged;     /* which of its addresses */
	uint32_t unanswered; /* addresses in a row */
	bool ping_pending;
	struct timer ping;
	char call_id[TOKEN_LENGTH];
	/* naming.c */
	struct timer refresh;
	bool is_asked;
	uint32_t address_count;
	struct dns_target *addresses; /* owned; the last that were found */
};

struct peers {
	struct worker *worker;
	struct server *servers;
	uint32_t *first; /* index of a peer's first server */
	uint32_t count;  /* of servers */
	uint32_t peer_count;
	bool is_stopped;
	struct shared *shared;
	struct shared *own; /* without other workers */
};

static inline const struct config_peer *server_peer(const struct server *server)
{
	return &server->peers->worker->config->peers[server->peer];
}
static inline const struct config_server *server_config(const struct server *server)
{
	return &server_peer(server)->servers[server->index];
}
static inline struct server *server_at(const struct peers *peers, uint32_t peer, uint32_t index)
{
	return &peers->servers[peers->first[peer] + index];
}
void server_set_up(struct server *server, bool is_up, const char *why);

/* --- naming.c --- */
static inline bool server_has_name(const struct server *server)
{
	return server_config(server)->addr.family == 0;
}
/* Ask now, and again whenever the answer ends. */
void naming_start(struct server *server);
void naming_destination(const struct server *server, struct dns_destination *out);
/* Its addresses in the order to try them now, malloc'd; how many. */
uint32_t naming_addresses(struct server *server, struct dns_target **out);
/* It is retired: what is known of it stays, requests from there are no longer its peer's. */
void naming_stop(struct server *server);
void naming_free(struct server *server);
/* Which transports and families there are listeners for. */
void naming_ways(const struct worker *worker, uint16_t interface, struct dns_destination *out);
/* The transport an address without more is spoken to by. */
enum sip_transport naming_transport(uint8_t transport);
uint8_t naming_set(enum config_send send);

/* --- ping.c --- */
void ping_start(struct server *server);
