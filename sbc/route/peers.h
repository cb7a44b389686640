/* peers.h - the far ends of the configuration at work: which server to try next, which ones are
 * known to be down (OPTIONS, RFC 3261 11, and failed requests), where a server with a name is (RFC
 * 3263). One per worker; health and numbers of calls are known to all (shared.h).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/dns/dns.h"
#include "sbc/worker/worker.h"

enum { PEER_SERVERS_MAX = 64, PEER_TRIES_MAX = 32 };

struct peers;
struct shared;

struct peers_try { /* zeroed before the first server is asked for; peers_end() after the last */
	uint64_t tried; /* bit per server */
	uint32_t server;
	uint32_t asked; /* addresses given out so far */
	uint32_t turn;  /* of round-robin */
	bool is_begun;
	bool is_held;  /* the server's calls count this one */
	uint32_t next; /* of the addresses */
	uint32_t count;
	struct dns_target *addresses; /* owned; of a server with a name */
	struct addr addr;             /* in hand */
	uint8_t transport;
};

struct peer_server_state {
	const struct config_server *server;
	bool is_up;
	uint64_t since_ms; /* the loop's clock */
	uint64_t requests; /* that failed over from it or were answered */
	uint64_t failures;
	uint32_t ping_rtt_ms;
	uint32_t calls;     /* at once, of all workers */
	uint32_t addresses; /* of a server with a name: how many are known */
	struct addr addr;   /* the first of them; family 0 = none yet */
};

/* Starts pinging the servers whose peer wants it, and asks where those with names are. */
MUST_CHECK int peers_create(struct worker *worker, struct peers **out);
/* worker->config is another one: new peers begin, retired ones are left alone. */
void peers_reload(struct peers *peers);
/* Its addresses have come here only now: what the pings of before found tells nothing. */
void peers_ping_now(struct peers *peers);
void peers_destroy(struct peers *peers); /* NULL is fine */
/* The next address of this peer that has not been tried, by the peer's strategy. -ERR_UNREACHABLE:
 * there is none. */
MUST_CHECK int peers_next(struct peers *peers, uint32_t peer, struct peers_try *attempt,
			  struct transport_path *path);
/* Would peers_next() find one now? */
bool peers_has_next(struct peers *peers, uint32_t peer, const struct peers_try *attempt);
/* Its servers' names are not known yet: 0, and fn will be called; then peers_next() again.
 * -ERR_NOT_FOUND: there is nothing to wait for. */
MUST_CHECK int peers_await(struct peers *peers, uint32_t peer, dns_targets_fn *fn, void *owner,
			   uint64_t context);
/* Of a call that was answered before: the server's calls count it again, if there is such a one. */
void peers_resume(struct peers *peers, uint32_t peer, uint32_t server, struct peers_try *attempt);
/* The call is over, or goes elsewhere. */
void peers_end(struct peers *peers, uint32_t peer, struct peers_try *attempt);
/* What became of a request to it: a failed server is passed over until it answers a ping, or for a
 * while when it is not pinged. */
void peers_worked(struct peers *peers, uint32_t peer, uint32_t server);
void peers_failed(struct peers *peers, uint32_t peer, uint32_t server, const char *why);
/* The same of the address in hand alone: the server is down when none of its addresses is left.
 * `rest_ms`: how long it asked to be left alone (Retry-After), 0 = it did not. */
void peers_try_failed(struct peers *peers, uint32_t peer, const struct peers_try *attempt,
		      const char *why, uint32_t rest_ms);
void peers_state(const struct peers *peers, uint32_t peer, uint32_t server,
		 struct peer_server_state *out);
void peers_stop(struct peers *peers); /* no more pings */
struct shared *peers_shared(struct peers *peers);
