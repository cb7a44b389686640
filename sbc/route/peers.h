/* peers.h - the far ends of the configuration at work: which server to try next, which ones are
 * known to be down (OPTIONS, RFC 3261 11, and failed requests). One per worker.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

enum { PEER_SERVERS_MAX = 64 };

struct peers;

struct peers_try {      /* zeroed before the first server is asked for */
	uint64_t tried; /* bit per server */
	uint32_t server;
};

struct peer_server_state {
	const struct config_server *server;
	bool is_up;
	uint64_t since_ms; /* the loop's clock */
	uint64_t requests; /* that failed over from it or were answered */
	uint64_t failures;
	uint32_t ping_rtt_ms;
};

/* Starts pinging the servers whose peer wants it. */
MUST_CHECK int peers_create(struct worker *worker, struct peers **out);
void peers_destroy(struct peers *peers); /* NULL is fine */
/* The next server of this peer that has not been tried. -ERR_UNREACHABLE: there is none. */
MUST_CHECK int peers_next(struct peers *peers, uint32_t peer, struct peers_try *attempt,
			  struct transport_path *path);
/* What became of a request to it: a failed server is passed over until it answers a ping, or for a
 * while when it is not pinged. */
void peers_worked(struct peers *peers, uint32_t peer, uint32_t server);
void peers_failed(struct peers *peers, uint32_t peer, uint32_t server, const char *why);
void peers_state(const struct peers *peers, uint32_t peer, uint32_t server,
		 struct peer_server_state *out);
void peers_stop(struct peers *peers); /* no more pings */
