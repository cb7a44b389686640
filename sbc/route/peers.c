/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/peers.h"
#include <stdlib.h>
#include "sbc/route/path.h"
#include "sbc/route/servers.h"

static void say_change(const struct server *server, const char *why)
{
	char addr[ADDR_TEXT_SIZE];
	const struct config_server *config = server_config(server);
	const char *name = server_has_name(server) ? config->host : addr_text(&config->addr, addr);

	if (!atomic_load(&server->health->is_down))
		log_info(server->peers->worker->log, "peer.up", "peer=%s server=%s",
			 server_peer(server)->name, name);
	else
		log_warn(server->peers->worker->log, "peer.down", "peer=%s server=%s reason=\"%s\"",
			 server_peer(server)->name, name, why);
}

void server_set_up(struct server *server, bool is_up, const char *why)
{
	uint64_t now = wheel_now_ms(server->peers->worker->wheel);

	if (!is_up)
		atomic_store(&server->health->until_ms, now + REST_MS);
	if (atomic_exchange(&server->health->is_down, !is_up) == !is_up)
		return;
	atomic_store(&server->health->since_ms, now);
	say_change(server, why);
}

static void init_server(struct peers *peers, struct server *server, uint32_t peer, uint32_t index)
{
	server->peers = peers;
	server->peer = peer;
	server->index = index;
	server->health = &peers->shared->servers[server - peers->servers];
	atomic_store(&server->health->since_ms, wheel_now_ms(peers->worker->wheel));
	ping_start(server);
	if (server_has_name(server))
		naming_start(server);
}

static int create_tables(struct peers *peers)
{
	struct worker *worker = peers->worker;

	peers->shared = worker->shared;
	if (!peers->shared) {
		int err = shared_create(worker->config, worker->random, &peers->own);
		if (err)
			return err;
		peers->shared = peers->own;
	}
	/* Room for those that a reload adds: a server is never moved, its timers are running. */
	peers->servers = calloc(peers->shared->server_room, sizeof(*peers->servers));
	peers->first = calloc(peers->shared->peer_room, sizeof(*peers->first));
	return peers->servers && peers->first ? 0 : -ERR_NO_MEMORY;
}

/* Those that the configuration has more than we have. */
static void add_peers(struct peers *peers)
{
	const struct config *config = peers->worker->config;

	for (uint32_t i = peers->peer_count; i < config->peer_count; i++) {
		peers->first[i] = peers->count;
		peers->peer_count++;
		for (uint32_t k = 0; k < config->peers[i].server_count; k++)
			init_server(peers, &peers->servers[peers->count++], i, k);
	}
}

/* What the guard lets through of each, a second. */
static void set_rates(struct peers *peers)
{
	const struct config *config = peers->worker->config;

	for (uint32_t i = 0; i < config->peer_count; i++) {
		struct config_rate rate = config->peers[i].limits.message_rate;
		uint64_t each = rate.count ? (uint64_t)rate.count * 1000 / rate.period_ms : 0;
		if (rate.count && each == 0)
			each = 1;
		if (guard_set_peer_rate(peers->worker->guard, (uint16_t)i, (uint32_t)each) != 0)
			log_warn(peers->worker->log, "peer.rate_not_set", "peer=%s",
				 config->peers[i].name);
	}
}

int peers_create(struct worker *worker, struct peers **out)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	if (!peers)
		return -ERR_NO_MEMORY;

	peers->worker = worker;
	int err = create_tables(peers);
	if (err) {
		peers_destroy(peers);
		return err;
	}
	add_peers(peers);
	set_rates(peers);
	*out = peers;
	return 0;
}

void peers_reload(struct peers *peers)
{
	for (uint32_t i = 0; i < peers->count; i++) {
		struct server *server = &peers->servers[i];
		wheel_cancel(peers->worker->wheel, &server->ping);
		if (!server_peer(server)->retired)
			ping_start(server);
		else if (server_has_name(server))
			naming_stop(server);
	}
	add_peers(peers);
	set_rates(peers);
}

void peers_stop(struct peers *peers)
{
	peers->is_stopped = true;
	for (uint32_t i = 0; i < peers->count; i++) {
		wheel_cancel(peers->worker->wheel, &peers->servers[i].ping);
		wheel_cancel(peers->worker->wheel, &peers->servers[i].refresh);
	}
}

void peers_destroy(struct peers *peers)
{
	if (!peers)
		return;
	peers_stop(peers);
	for (uint32_t i = 0; i < peers->count; i++)
		naming_free(&peers->servers[i]);
	shared_destroy(peers->own);
	free(peers->servers);
	free(peers->first);
	free(peers);
}

struct shared *peers_shared(struct peers *peers)
{
	return peers->shared;
}

/* --- which server --- */

/* A server that is not pinged is given another chance after its rest. */
static bool may_work(const struct server *server, uint64_t now)
{
	if (atomic_load(&server->health->is_down) &&
	    !(server_peer(server)->ping_ms == 0 && now >= atomic_load(&server->health->until_ms)))
		return false;
	if (server_has_name(server))
		return server->address_count > 0;
	return !shared_rests(server->peers->shared, &server_config(server)->addr,
			     (uint8_t)server_config(server)->transport, now);
}

/* All are resting and nothing was tried: one may be back. A pinged one would have said so. */
static bool may_be_back(const struct server *server)
{
	return server_peer(server)->ping_ms == 0 || !atomic_load(&server->health->is_down);
}

static uint32_t weight_of(const struct server *server)
{
	uint32_t weight = server_config(server)->weight;
	return weight ? weight : 1;
}

static struct server *draw(struct peers *peers, struct server *const *list, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += weight_of(list[i]);
	uint64_t mark = random_u64(peers->worker->random) % sum;
	for (uint32_t i = 0; i < count; i++) {
		if (mark < weight_of(list[i]))
			return list[i];
		mark -= weight_of(list[i]);
	}
	return list[0];
}

/* The one to ask of those that may be asked, which are in the order of the file. */
static struct server *choose(struct peers *peers, struct server *const *list, uint32_t count,
			     const struct peers_try *attempt)
{
	const struct config_peer *peer = server_peer(list[0]);
	struct server *best = NULL;
	uint64_t least = UINT64_MAX;

	if (peer->strategy == CONFIG_STRATEGY_FAILOVER)
		return list[0];
	if (peer->strategy == CONFIG_STRATEGY_WEIGHTED)
		return draw(peers, list, count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t servers = peer->server_count;
		uint64_t rank = (list[i]->index + servers - attempt->turn % servers) % servers;
		if (peer->strategy == CONFIG_STRATEGY_LEAST_CALLS)
			rank += (uint64_t)atomic_load(&list[i]->health->calls) << 16;
		if (rank < least) {
			least = rank;
			best = list[i];
		}
	}
	return best;
}

static struct server *next_server(struct peers *peers, uint32_t index, struct peers_try *attempt,
				  bool is_last_chance)
{
	const struct config_peer *peer = &peers->worker->config->peers[index];
	uint64_t now = wheel_now_ms(peers->worker->wheel);
	struct server *list[PEER_SERVERS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < peer->server_count && i < PEER_SERVERS_MAX; i++) {
		struct server *server = server_at(peers, index, i);
		if (attempt->tried & (1ull << i))
			continue;
		if (is_last_chance ? may_be_back(server) : may_work(server, now))
			list[count++] = server;
	}
	return count > 0 ? choose(peers, list, count, attempt) : NULL;
}

/* --- which of its addresses --- */

static void release(struct peers *peers, uint32_t peer, struct peers_try *attempt)
{
	if (attempt->is_held)
		shared_leave(&server_at(peers, peer, attempt->server)->health->calls);
	attempt->is_held = false;
	free(attempt->addresses);
	attempt->addresses = NULL;
	attempt->next = attempt->count = 0;
}

static void take_server(struct peers *peers, struct server *server, struct peers_try *attempt)
{
	release(peers, server->peer, attempt);
	attempt->tried |= 1ull << server->index;
	attempt->server = server->index;
	if (server_has_name(server))
		attempt->count = naming_addresses(server, &attempt->addresses);
	else
		attempt->count = 1;
	atomic_fetch_add(&server->health->calls, 1);
	attempt->is_held = true;
}

void peers_resume(struct peers *peers, uint32_t index, uint32_t server, struct peers_try *attempt)
{
	const struct config_peer *peer = &peers->worker->config->peers[index];

	*attempt = (struct peers_try){.is_begun = true, .asked = PEER_TRIES_MAX};
	if (server >= peer->server_count || server >= PEER_SERVERS_MAX)
		return;
	attempt->server = server;
	atomic_fetch_add(&server_at(peers, index, server)->health->calls, 1);
	attempt->is_held = true;
}

/* The next address of the server in hand that there is a way to. */
static bool next_address(struct peers *peers, uint32_t peer, struct peers_try *attempt,
			 bool even_resting, struct transport_path *path)
{
	const struct server *server = server_at(peers, peer, attempt->server);
	const struct config_server *config = server_config(server);
	uint64_t now = wheel_now_ms(peers->worker->wheel);

	while (attempt->next < attempt->count) {
		struct dns_target target = {config->addr, naming_set(config->transport)};
		if (attempt->addresses)
			target = attempt->addresses[attempt->next];
		attempt->next++;
		uint8_t kind = attempt->addresses ? target.transport : (uint8_t)config->transport;
		if (!even_resting && shared_rests(peers->shared, &target.addr, kind, now))
			continue;
		if (path_to(peers->worker, (uint16_t)server_peer(server)->interface, &target.addr,
			    naming_transport(target.transport), path) != 0 ||
		    path_set_name(peers->worker, slice_from(config->host), path) != 0)
			continue;
		attempt->addr = target.addr;
		attempt->transport = kind;
		attempt->asked++;
		return true;
	}
	return false;
}

int peers_next(struct peers *peers, uint32_t index, struct peers_try *attempt,
	       struct transport_path *path)
{
	struct server *server;

	if (attempt->asked >= PEER_TRIES_MAX)
		return -ERR_UNREACHABLE;
	if (!attempt->is_begun)
		attempt->turn = atomic_fetch_add(&peers->shared->peers[index].turn, 1);
	attempt->is_begun = true;
	if (next_address(peers, index, attempt, false, path))
		return 0;
	while ((server = next_server(peers, index, attempt, false))) {
		take_server(peers, server, attempt);
		if (next_address(peers, index, attempt, false, path))
			return 0;
	}
	if (attempt->asked == 0)
		attempt->tried = 0;
	while (attempt->asked == 0 && (server = next_server(peers, index, attempt, true))) {
		take_server(peers, server, attempt);
		if (next_address(peers, index, attempt, true, path))
			return 0;
	}
	release(peers, index, attempt);
	return -ERR_UNREACHABLE;
}

bool peers_has_next(struct peers *peers, uint32_t index, const struct peers_try *attempt)
{
	struct peers_try rest = *attempt;

	if (attempt->asked >= PEER_TRIES_MAX)
		return false;
	for (uint32_t i = attempt->next; attempt->addresses && i < attempt->count; i++)
		if (!shared_rests(peers->shared, &attempt->addresses[i].addr,
				  attempt->addresses[i].transport,
				  wheel_now_ms(peers->worker->wheel)))
			return true;
	return next_server(peers, index, &rest, false) != NULL;
}

int peers_await(struct peers *peers, uint32_t index, dns_targets_fn *fn, void *owner,
		uint64_t context)
{
	const struct config_peer *peer = &peers->worker->config->peers[index];
	struct dns_destination destination;
	struct dns_targets targets;

	for (uint32_t i = 0; peers->worker->dns && i < peer->server_count; i++) {
		const struct server *server = server_at(peers, index, i);
		if (!server_has_name(server) || server->address_count > 0 || !server->is_asked)
			continue;
		naming_destination(server, &destination);
		if (dns_resolve(peers->worker->dns, &destination, fn, owner, context, &targets) ==
		    -ERR_AGAIN)
			return 0;
	}
	return -ERR_NOT_FOUND;
}

void peers_end(struct peers *peers, uint32_t peer, struct peers_try *attempt)
{
	release(peers, peer, attempt);
}

/* --- what became of it --- */

void peers_worked(struct peers *peers, uint32_t peer, uint32_t index)
{
	struct server *server = server_at(peers, peer, index);
	server->requests++;
	server_set_up(server, true, "");
}

void peers_failed(struct peers *peers, uint32_t peer, uint32_t index, const char *why)
{
	struct server *server = server_at(peers, peer, index);
	server->requests++;
	server->failures++;
	server_set_up(server, false, why);
}

static bool all_rest(const struct server *server, uint64_t now)
{
	for (uint32_t i = 0; i < server->address_count; i++)
		if (!shared_rests(server->peers->shared, &server->addresses[i].addr,
				  server->addresses[i].transport, now))
			return false;
	return true;
}

void peers_try_failed(struct peers *peers, uint32_t peer, const struct peers_try *attempt,
		      const char *why, uint32_t rest_ms)
{
	struct server *server = server_at(peers, peer, attempt->server);
	uint64_t now = wheel_now_ms(peers->worker->wheel);

	server->requests++;
	server->failures++;
	/* One that said until when keeps its word, whatever its pings say. */
	if (rest_ms || server_has_name(server))
		shared_rest_set(peers->shared, &attempt->addr, attempt->transport,
				now + (rest_ms ? rest_ms : REST_MS));
	if (server_has_name(server) ? all_rest(server, now) : rest_ms == 0)
		server_set_up(server, false, why);
}

void peers_state(const struct peers *peers, uint32_t peer, uint32_t index,
		 struct peer_server_state *out)
{
	const struct server *server = server_at(peers, peer, index);

	*out = (struct peer_server_state){
		.server = server_config(server),
		.is_up = !atomic_load(&server->health->is_down),
		.since_ms = atomic_load(&server->health->since_ms),
		.requests = server->requests,
		.failures = server->failures,
		.ping_rtt_ms = atomic_load(&server->health->ping_rtt_ms),
		.calls = atomic_load(&server->health->calls),
		.addresses = server->address_count,
	};
	if (server->address_count > 0)
		out->addr = server->addresses[0].addr;
}
