/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/shared.h"
#include <stdlib.h>
#include "config/reload.h"
#include "control/base/table.h"

static size_t count_servers(const struct config *config)
{
	size_t servers = 0;

	for (size_t i = 0; i < config->peer_count; i++)
		servers += config->peers[i].server_count;
	return servers;
}

bool shared_fits(const struct shared *shared, const struct config *config)
{
	return config->interface_count <= shared->interface_room &&
	       config->peer_count <= shared->peer_room &&
	       count_servers(config) <= shared->server_room;
}

int shared_create(const struct config *config, struct random *random, struct shared **out)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	if (!shared)
		return -ERR_NO_MEMORY;

	pthread_mutex_init(&shared->service_routes, NULL);
	shared->interface_room = config->interface_count + RELOAD_INTERFACES_MORE;
	shared->peer_room = config->peer_count + RELOAD_PEERS_MORE;
	shared->server_room = count_servers(config) + RELOAD_SERVERS_MORE;
	random_fill(random, shared->key, sizeof(shared->key));
	shared->interfaces = calloc(shared->interface_room, sizeof(*shared->interfaces));
	shared->peers = calloc(shared->peer_room, sizeof(*shared->peers));
	shared->servers = calloc(shared->server_room, sizeof(*shared->servers));
	shared->sources = calloc(SHARED_SOURCES, sizeof(*shared->sources));
	shared->rests = calloc(SHARED_RESTS, sizeof(*shared->rests));
	if (!shared->interfaces || !shared->peers || !shared->servers || !shared->sources ||
	    !shared->rests) {
		shared_destroy(shared);
		return -ERR_NO_MEMORY;
	}
	*out = shared;
	return 0;
}

void shared_destroy(struct shared *shared)
{
	if (!shared)
		return;
	for (size_t i = 0; shared->peers && i < shared->peer_room; i++)
		free(shared->peers[i].service_route);
	pthread_mutex_destroy(&shared->service_routes);
	free(shared->interfaces);
	free(shared->peers);
	free(shared->servers);
	free(shared->sources);
	free(shared->rests);
	free(shared);
}

struct shared_source *shared_source_of(struct shared *shared, const struct addr *addr)
{
	struct addr host = *addr;

	host.port = 0;
	if (host.family == AF_INET6)
		memset(host.bytes + 8, 0, 8);
	uint64_t key = addr_hash(&host, shared->key) | 1; /* 0 = nobody yet */
	struct shared_source *source = &shared->sources[(key >> 1) % SHARED_SOURCES];
	if (atomic_exchange(&source->key, key) != key) {
		atomic_store(&source->setups.empty_us, 0);
		atomic_store(&source->registers.empty_us, 0);
	}
	return source;
}

static uint64_t rest_key(const struct shared *shared, const struct addr *addr, uint8_t transport)
{
	return (addr_hash(addr, shared->key) + transport * 0x9e3779b97f4a7c15u) | 1;
}

void shared_rest_set(struct shared *shared, const struct addr *addr, uint8_t transport,
		     uint64_t until_ms)
{
	uint64_t key = rest_key(shared, addr, transport);
	struct shared_rest *rest = &shared->rests[(key >> 1) % SHARED_RESTS];

	if (until_ms == 0 && atomic_load(&rest->key) != key)
		return;
	atomic_store(&rest->until_ms, until_ms);
	atomic_store(&rest->key, key);
}

bool shared_rests(const struct shared *shared, const struct addr *addr, uint8_t transport,
		  uint64_t now_ms)
{
	uint64_t key = rest_key(shared, addr, transport);
	struct shared_rest *rest = &shared->rests[(key >> 1) % SHARED_RESTS];

	return atomic_load(&rest->key) == key && now_ms < atomic_load(&rest->until_ms);
}

void shared_set_service_route(struct shared *shared, uint32_t index, struct slice list,
			      uint64_t until_ms)
{
	struct shared_peer *peer = &shared->peers[index];
	char *copy = list.len > 0 && list.len <= SERVICE_ROUTE_MAX ? slice_dup(list) : NULL;

	pthread_mutex_lock(&shared->service_routes);
	free(peer->service_route);
	peer->service_route = copy;
	atomic_store(&peer->service_route_until_ms, copy ? until_ms : 0);
	pthread_mutex_unlock(&shared->service_routes);
}

void shared_add_service_route(struct shared *shared, uint32_t index, uint64_t now_ms,
			      struct buf *out)
{
	struct shared_peer *peer = &shared->peers[index];

	if (now_ms >= atomic_load(&peer->service_route_until_ms))
		return;
	pthread_mutex_lock(&shared->service_routes);
	if (peer->service_route)
		buf_add_text(out, peer->service_route);
	pthread_mutex_unlock(&shared->service_routes);
}

bool shared_enter(_Atomic uint32_t *count, uint32_t limit)
{
	if (atomic_fetch_add(count, 1) < limit || limit == 0)
		return true;
	atomic_fetch_sub(count, 1);
	return false;
}

bool shared_enter_peer(struct shared_peer *peer, uint32_t limit)
{
	uint32_t others = atomic_load(&peer->others);

	if (limit > 0 && limit <= others)
		return false;
	return shared_enter(&peer->calls, limit > 0 ? limit - others : 0);
}

void shared_leave(_Atomic uint32_t *count)
{
	atomic_fetch_sub(count, 1);
}
