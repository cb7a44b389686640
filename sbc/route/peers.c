/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/peers.h"
#include <stdio.h>
#include <stdlib.h>
#include "sbc/route/path.h"
#include "sbc/route/shared.h"
#include "sbc/topology/hosts.h"

/* How long a server that failed and is not pinged is passed over. */
enum { REST_MS = 10000 };

struct server {
	struct peers *peers;
	uint32_t peer;
	uint32_t index;
	struct shared_server *health; /* what all workers know of it */
	uint64_t asked_ms;
	uint64_t requests;
	uint64_t failures;
	uint32_t cseq;
	bool ping_pending;
	struct timer ping;
	char call_id[TOKEN_LENGTH];
};

struct peers {
	struct worker *worker;
	struct server *servers;
	uint32_t *first; /* index of a peer's first server */
	uint32_t count;
	struct shared_server *own; /* without other workers */
};

static const struct config_peer *peer_of(const struct server *server)
{
	return &server->peers->worker->config->peers[server->peer];
}

static void say_change(const struct server *server, const char *why)
{
	char addr[ADDR_TEXT_SIZE];
	const struct config_peer *peer = peer_of(server);

	addr_text(&peer->servers[server->index].addr, addr);
	if (!atomic_load(&server->health->is_down))
		log_info(server->peers->worker->log, "peer.up", "peer=%s server=%s", peer->name,
			 addr);
	else
		log_warn(server->peers->worker->log, "peer.down", "peer=%s server=%s reason=\"%s\"",
			 peer->name, addr, why);
}

static void set_up(struct server *server, bool is_up, const char *why)
{
	uint64_t now = wheel_now_ms(server->peers->worker->wheel);

	if (!is_up)
		atomic_store(&server->health->until_ms, now + REST_MS);
	if (atomic_exchange(&server->health->is_down, !is_up) == !is_up)
		return;
	atomic_store(&server->health->since_ms, now);
	say_change(server, why);
}

static struct server *server_at(const struct peers *peers, uint32_t peer, uint32_t index)
{
	return &peers->servers[peers->first[peer] + index];
}

static void on_ping_response(void *owner, uint64_t context, struct transaction_handle handle,
			     const struct message *response, const struct transport_path *path)
{
	struct peers *peers = owner;
	struct server *server = &peers->servers[context];
	(void)handle;
	(void)path;

	if (message_status(response) < 200)
		return;
	server->ping_pending = false;
	atomic_store(&server->health->ping_rtt_ms,
		     (uint32_t)(wheel_now_ms(peers->worker->wheel) - server->asked_ms));
	/* Whoever answers is there; 503 says he takes no calls. */
	set_up(server, message_status(response) != 503, "answers 503");
}

static void on_ping_failure(void *owner, uint64_t context, struct transaction_handle handle,
			    int err)
{
	struct peers *peers = owner;
	struct server *server = &peers->servers[context];
	(void)handle;

	server->ping_pending = false;
	server->failures++;
	set_up(server, false, err == -ERR_TIMEOUT ? "no answer to OPTIONS" : err_text(err));
}

static const struct client_handlers ping_handlers = {on_ping_response, on_ping_failure};

static void write_ping(struct server *server, const struct transport_path *path, struct buf *out)
{
	const struct worker *worker = server->peers->worker;
	const struct addr *addr = &peer_of(server)->servers[server->index].addr;
	struct buf uri, own;
	char tag[12];

	buf_init(&uri);
	buf_init(&own);
	buf_add_text(&uri, "sip:");
	addr_add_host(&uri, addr);
	if (addr->port != 5060)
		buf_printf(&uri, ":%u", addr->port);
	buf_add_text(&own, "sip:");
	hosts_write_own(worker->config, path->interface, &own);
	random_text(worker->random, tag, sizeof(tag));

	builder_request_line(out, SLICE("OPTIONS"), buf_slice(&uri));
	builder_header_number(out, HEADER_MAX_FORWARDS, 70);
	builder_address(out, HEADER_FROM, SLICE_NONE, buf_slice(&own),
			(struct slice){tag, sizeof(tag)}, SLICE_NONE);
	builder_address(out, HEADER_TO, SLICE_NONE, buf_slice(&uri), SLICE_NONE, SLICE_NONE);
	builder_header(out, HEADER_CALL_ID, (struct slice){server->call_id, TOKEN_LENGTH});
	builder_cseq(out, ++server->cseq, SLICE("OPTIONS"));
	builder_header(out, HEADER_ACCEPT, SLICE("application/sdp"));
	builder_body(out, SLICE_NONE, SLICE_NONE);
	out->failed = out->failed || buf_failed(&uri) || buf_failed(&own);
	buf_free(&uri);
	buf_free(&own);
}

static int send_ping(struct server *server)
{
	struct worker *worker = server->peers->worker;
	const struct config_peer *peer = peer_of(server);
	const struct config_server *config = &peer->servers[server->index];
	struct client_request request = {.handlers = &ping_handlers,
					 .owner = server->peers,
					 .context = (uint64_t)(server - server->peers->servers)};
	struct transaction_handle handle;
	struct buf bytes;

	int err = path_to(worker, (uint16_t)peer->interface, &config->addr,
			  config->transport == CONFIG_SEND_TCP ? SIP_TCP : SIP_UDP, &request.path);
	if (err)
		return err;
	buf_init(&bytes);
	write_ping(server, &request.path, &bytes);
	request.bytes = buf_slice(&bytes);
	err = buf_failed(&bytes) ? -ERR_NO_MEMORY
				 : transaction_request(worker->transactions, &request, &handle);
	buf_free(&bytes);
	return err;
}

static void on_ping_due(struct timer *timer, uint64_t now_ms)
{
	struct server *server = container_of(timer, struct server, ping);
	const struct config_peer *peer = peer_of(server);

	if (!server->ping_pending) {
		server->asked_ms = now_ms;
		int err = send_ping(server);
		server->ping_pending = err == 0;
		if (err)
			set_up(server, false, err_text(err));
	} else if (now_ms - server->asked_ms >= 4000) {
		/* Timer F is 32 s: that is too long to send calls there. */
		set_up(server, false, "no answer to OPTIONS");
	}
	wheel_arm(server->peers->worker->wheel, timer, now_ms + peer->ping_ms, on_ping_due);
}

static void init_server(struct peers *peers, struct server *server, uint32_t peer, uint32_t index)
{
	struct worker *worker = peers->worker;
	const struct config_peer *config = &worker->config->peers[peer];

	server->peers = peers;
	server->peer = peer;
	server->index = index;
	uint64_t now = wheel_now_ms(worker->wheel);
	atomic_store(&server->health->since_ms, now);
	random_text(worker->random, server->call_id, sizeof(server->call_id));
	/* One worker pings for all. */
	if (config->ping_ms == 0 || worker->index != 0)
		return;
	/* Spread over the interval: servers are not pinged in step. */
	uint64_t delay =
		random_u64(worker->random) % (config->ping_ms < 2000 ? config->ping_ms : 2000);
	wheel_arm(worker->wheel, &server->ping, now + delay, on_ping_due);
}

int peers_create(struct worker *worker, struct peers **out)
{
	const struct config *config = worker->config;
	const struct shared *shared = worker->shared;
	struct peers *peers = calloc(1, sizeof(*peers));
	if (!peers)
		return -ERR_NO_MEMORY;

	peers->worker = worker;
	for (size_t i = 0; i < config->peer_count; i++)
		peers->count += (uint32_t)config->peers[i].server_count;
	peers->servers = calloc(peers->count + 1, sizeof(*peers->servers));
	peers->first = calloc(config->peer_count + 1, sizeof(*peers->first));
	peers->own = calloc(peers->count + 1, sizeof(*peers->own));
	if (!peers->servers || !peers->first || !peers->own) {
		peers_destroy(peers);
		return -ERR_NO_MEMORY;
	}
	uint32_t at = 0;
	for (uint32_t i = 0; i < config->peer_count; i++) {
		peers->first[i] = at;
		for (uint32_t k = 0; k < config->peers[i].server_count; k++, at++) {
			peers->servers[at].health = shared ? &shared->servers[at] : &peers->own[at];
			init_server(peers, &peers->servers[at], i, k);
		}
	}
	*out = peers;
	return 0;
}

void peers_stop(struct peers *peers)
{
	for (uint32_t i = 0; i < peers->count; i++)
		wheel_cancel(peers->worker->wheel, &peers->servers[i].ping);
}

void peers_destroy(struct peers *peers)
{
	if (!peers)
		return;
	if (peers->servers)
		peers_stop(peers);
	free(peers->servers);
	free(peers->first);
	free(peers->own);
	free(peers);
}

/* A server that is not pinged is given another chance after its rest. */
static bool may_work(const struct server *server, uint64_t now)
{
	return !atomic_load(&server->health->is_down) ||
	       (peer_of(server)->ping_ms == 0 && now >= atomic_load(&server->health->until_ms));
}

int peers_next(struct peers *peers, uint32_t index, struct peers_try *attempt,
	       struct transport_path *path)
{
	const struct config_peer *peer = &peers->worker->config->peers[index];
	uint64_t now = wheel_now_ms(peers->worker->wheel);

	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < peer->server_count && i < PEER_SERVERS_MAX; i++) {
			const struct config_server *server = &peer->servers[i];
			if (attempt->tried & (1ull << i))
				continue;
			/* Second pass: all are resting and nothing was tried; one may be back. */
			if (!may_work(server_at(peers, index, i), now) &&
			    (pass == 0 || attempt->tried || peer->ping_ms))
				continue;
			attempt->tried |= 1ull << i;
			attempt->server = i;
			if (path_to(peers->worker, (uint16_t)peer->interface, &server->addr,
				    server->transport == CONFIG_SEND_TCP ? SIP_TCP : SIP_UDP,
				    path) == 0)
				return 0;
		}
	}
	return -ERR_UNREACHABLE;
}

void peers_worked(struct peers *peers, uint32_t peer, uint32_t index)
{
	struct server *server = server_at(peers, peer, index);
	server->requests++;
	set_up(server, true, "");
}

void peers_failed(struct peers *peers, uint32_t peer, uint32_t index, const char *why)
{
	struct server *server = server_at(peers, peer, index);
	server->requests++;
	server->failures++;
	set_up(server, false, why);
}

void peers_state(const struct peers *peers, uint32_t peer, uint32_t index,
		 struct peer_server_state *out)
{
	const struct server *server = server_at(peers, peer, index);

	*out = (struct peer_server_state){
		.server = &peers->worker->config->peers[peer].servers[index],
		.is_up = !atomic_load(&server->health->is_down),
		.since_ms = atomic_load(&server->health->since_ms),
		.requests = server->requests,
		.failures = server->failures,
		.ping_rtt_ms = atomic_load(&server->health->ping_rtt_ms),
	};
}
