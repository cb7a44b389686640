/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registry.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "sbc/registration/keeper.h"
#include "sbc/topology/owned.h"

enum { STRIPES = 64, SOURCES = 65536 };

struct location {
	struct table_link link;
	struct slice aor, contact, path_set, parameters; /* owned */
	uint64_t id;
	uint64_t refreshed_ms;
	struct transport_path path;
	uint16_t q;
};

/* A lock for as long as an entry is copied; nothing waits while it is held. */
struct stripe {
	pthread_mutex_t lock;
	struct table table;
};

struct registry {
	struct directory *directory;
	struct keeper *keeper;
	uint64_t key[2];
	struct stripe stripes[STRIPES];
	_Atomic uint32_t *sources;
};

static void make_subscribers_config(const struct config *config, struct subscribers_config *out)
{
	const struct config_state *state = &config->state;

	*out = (struct subscribers_config){
		.path = config->subscribers.path,
		.redis = state->server.addr,
		.redis_unix = state->server.transport == CONFIG_UNIX ? state->server.path : NULL,
		.redis_user = state->user,
		.redis_password = state->password,
		.redis_database = state->database,
	};
	out->sentinels.master = state->sentinel.master;
	out->sentinels.password = state->sentinel.password;
	for (size_t i = 0; i < state->sentinel.server_count; i++)
		redis_sentinels_add(&out->sentinels, &state->sentinel.servers[i].addr);
	if (config->subscribers.store == CONFIG_SUBSCRIBERS_REDIS)
		out->path = NULL;
}

static int open_stores(struct registry *registry, const struct registry_config *config,
		       struct buf *why)
{
	struct subscribers_config subscribers;
	struct subscribers *store;

	if (config->config->domain_count == 0)
		return 0;
	make_subscribers_config(config->config, &subscribers);
	int err = subscribers_open(&subscribers, why, &store);
	if (!err)
		err = directory_create(store, config->log, &registry->directory);
	if (!err && keeper_is_wanted(config->config))
		err = keeper_create(config, why, &registry->keeper);
	return err;
}

int registry_create(const struct registry_config *config, struct buf *why, struct registry **out)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	struct random_system random;
	int err = 0;
	if (!registry)
		return -ERR_NO_MEMORY;

	random_system_init(&random);
	random_fill(&random.base, registry->key, sizeof(registry->key));
	registry->sources = calloc(SOURCES, sizeof(*registry->sources));
	if (!registry->sources)
		err = -ERR_NO_MEMORY;
	for (int i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&registry->stripes[i].lock, NULL);
		if (!err)
			err = table_init(&registry->stripes[i].table, 16);
	}
	if (!err)
		err = open_stores(registry, config, why);
	if (err) {
		registry_destroy(registry);
		return err;
	}
	*out = registry;
	return 0;
}

bool registry_fits(const struct registry *registry, const struct config *config)
{
	return (config->domain_count == 0 || registry->directory) &&
	       (!keeper_is_wanted(config) || registry->keeper);
}

int registry_run(struct registry *registry)
{
	int err = registry->directory ? directory_run(registry->directory) : 0;

	if (!err && registry->keeper)
		err = keeper_run(registry->keeper);
	return err;
}

void registry_stop(struct registry *registry)
{
	if (registry && registry->keeper)
		keeper_stop(registry->keeper);
}

static void location_free(struct location *location)
{
	owned_free(&location->aor);
	owned_free(&location->contact);
	owned_free(&location->path_set);
	owned_free(&location->parameters);
	free(location);
}

void registry_destroy(struct registry *registry)
{
	struct table_link *link;

	if (!registry)
		return;
	keeper_destroy(registry->keeper);
	directory_destroy(registry->directory);
	for (int i = 0; i < STRIPES; i++) {
		struct table *table = &registry->stripes[i].table;
		while (table->buckets && (link = table_next(table, NULL))) {
			table_remove(table, link);
			location_free(container_of(link, struct location, link));
		}
		table_free(table);
		pthread_mutex_destroy(&registry->stripes[i].lock);
	}
	free(registry->sources);
	free(registry);
}

struct directory *registry_directory(struct registry *registry)
{
	return registry->directory;
}

struct keeper *registry_keeper(struct registry *registry)
{
	return registry->keeper;
}

/* --- locations --- */

static struct stripe *stripe_of(struct registry *registry, uint64_t hash)
{
	return &registry->stripes[hash % STRIPES];
}

static struct location *find(const struct stripe *stripe, uint64_t hash, uint64_t id)
{
	struct table_link *link = NULL;

	while ((link = table_find(&stripe->table, hash, link))) {
		struct location *location = container_of(link, struct location, link);
		if (location->id == id)
			return location;
	}
	return NULL;
}

static int fill(struct location *location, const struct binding *binding)
{
	int err = owned_set(&location->contact, binding->facts.contact);
	if (!err)
		err = owned_set(&location->path_set, binding->facts.path_set);
	if (!err)
		err = owned_set(&location->parameters, binding->facts.parameters);
	location->path = binding->path;
	location->refreshed_ms = binding->refreshed_ms;
	location->q = binding->facts.q;
	return err;
}

static int add(struct stripe *stripe, uint64_t hash, const struct binding *binding)
{
	struct location *location = calloc(1, sizeof(*location));
	if (!location)
		return -ERR_NO_MEMORY;

	location->id = binding->id;
	int err = owned_set(&location->aor, binding->aor);
	if (!err)
		err = fill(location, binding);
	if (err) {
		location_free(location);
		return err;
	}
	table_insert(&stripe->table, &location->link, hash);
	return 0;
}

void registry_note(struct registry *registry, const struct binding *binding)
{
	uint64_t hash = siphash(binding->aor, registry->key);
	struct stripe *stripe = stripe_of(registry, hash);

	pthread_mutex_lock(&stripe->lock);
	struct location *location = find(stripe, hash, binding->id);
	int err = location ? fill(location, binding) : add(stripe, hash, binding);
	pthread_mutex_unlock(&stripe->lock);
	(void)err; /* without memory the phone is not found until its next refresh */
}

void registry_forget(struct registry *registry, const struct binding *binding)
{
	uint64_t hash = siphash(binding->aor, registry->key);
	struct stripe *stripe = stripe_of(registry, hash);

	pthread_mutex_lock(&stripe->lock);
	struct location *location = find(stripe, hash, binding->id);
	if (location) {
		table_remove(&stripe->table, &location->link);
		location_free(location);
	}
	pthread_mutex_unlock(&stripe->lock);
}

static bool copy(const struct location *location, struct arena *arena, struct binding *out)
{
	*out = (struct binding){.id = location->id,
				.path = location->path,
				.refreshed_ms = location->refreshed_ms,
				.aor = arena_copy(arena, location->aor),
				.facts = {.contact = arena_copy(arena, location->contact),
					  .parameters = arena_copy(arena, location->parameters),
					  .path_set = arena_copy(arena, location->path_set),
					  .q = location->q,
					  .registrar = BINDING_NO_PEER}};
	return out->aor.data && out->facts.contact.data;
}

static int by_worth(const void *one, const void *other)
{
	const struct binding *a = one, *b = other;

	if (a->facts.q != b->facts.q)
		return a->facts.q > b->facts.q ? -1 : 1;
	return a->refreshed_ms > b->refreshed_ms ? -1 : a->refreshed_ms < b->refreshed_ms;
}

size_t registry_find(struct registry *registry, struct slice aor, struct arena *arena,
		     struct binding *out, size_t room)
{
	uint64_t hash = siphash(aor, registry->key);
	struct stripe *stripe = stripe_of(registry, hash);
	struct table_link *link = NULL;
	size_t count = 0;

	pthread_mutex_lock(&stripe->lock);
	while (count < room && (link = table_find(&stripe->table, hash, link))) {
		const struct location *location = container_of(link, struct location, link);
		if (slice_equal(location->aor, aor) && copy(location, arena, &out[count]))
			count++;
	}
	pthread_mutex_unlock(&stripe->lock);
	qsort(out, count, sizeof(*out), by_worth);
	return count;
}

/* --- addresses with phones --- */

static _Atomic uint32_t *source_of(const struct registry *registry, const struct addr *addr)
{
	struct addr host = *addr;

	host.port = 0;
	return &registry->sources[addr_hash(&host, registry->key) % SOURCES];
}

void registry_source(struct registry *registry, const struct addr *addr, int change)
{
	atomic_fetch_add(source_of(registry, addr), (uint32_t)change);
}

bool registry_has_phones(const struct registry *registry, const struct addr *addr)
{
	return atomic_load(source_of(registry, addr)) > 0;
}
