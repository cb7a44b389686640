/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/binding.h"
#include <stdlib.h>
#include "sbc/topology/owned.h"

/* Two bits of a contact token say whose it is (sbc/registration/registrar.h). */
#define ID_MASK (TOKEN_ID_MAX >> 2)

int binding_table_init(struct binding_table *table, struct wheel *wheel, struct random *random,
		       uint32_t limit)
{
	*table = (struct binding_table){.wheel = wheel, .limit = limit};
	random_fill(random, table->key, sizeof(table->key));
	int err = table_init(&table->aors, 256);
	if (!err)
		err = table_init(&table->ids, 256);
	if (!err)
		err = table_init(&table->flows, 256);
	return err;
}

void binding_table_free(struct binding_table *table)
{
	struct binding *binding;

	if (table->ids.buckets)
		while ((binding = binding_next(table, NULL)))
			binding_remove(binding);
	table_free(&table->aors);
	table_free(&table->ids);
	table_free(&table->flows);
}

uint64_t binding_id(const struct binding_table *table, struct slice aor, struct slice contact)
{
	uint64_t key[2] = {table->key[0] ^ siphash(aor, table->key), table->key[1]};
	return siphash(contact, key) & ID_MASK;
}

static uint64_t spread(uint64_t id)
{
	return id * 0x9e3779b97f4a7c15u;
}

struct binding *binding_find(const struct binding_table *table, uint64_t id)
{
	struct table_link *link = NULL;

	while ((link = table_find(&table->ids, spread(id), link))) {
		struct binding *binding = container_of(link, struct binding, by_id);
		if (binding->id == id)
			return binding;
	}
	return NULL;
}

struct binding *binding_of_aor(const struct binding_table *table, struct slice aor,
			       const struct binding *after)
{
	uint64_t hash = siphash(aor, table->key);
	struct table_link *link = table_find(&table->aors, hash, after ? &after->by_aor : NULL);

	for (; link; link = table_find(&table->aors, hash, link)) {
		struct binding *binding = container_of(link, struct binding, by_aor);
		if (slice_equal(binding->aor, aor))
			return binding;
	}
	return NULL;
}

struct binding *binding_next(const struct binding_table *table, const struct binding *at)
{
	struct table_link *link = table_next(&table->ids, at ? &at->by_id : NULL);
	return link ? container_of(link, struct binding, by_id) : NULL;
}

uint32_t binding_count(const struct binding_table *table, struct slice aor)
{
	struct binding *binding = NULL;
	uint32_t count = 0;

	while ((binding = binding_of_aor(table, aor, binding)))
		count++;
	return count;
}

static void on_expiry(struct timer *timer, uint64_t now_ms)
{
	struct binding *binding = container_of(timer, struct binding, expiry);
	(void)now_ms;

	binding->table->expired++;
	binding_remove(binding);
}

static int add(struct binding_table *table, struct slice aor, struct slice contact, uint64_t id,
	       struct binding **out)
{
	if (table->ids.count >= table->limit)
		return -ERR_TOO_MANY;
	struct binding *binding = calloc(1, sizeof(*binding));
	if (!binding)
		return -ERR_NO_MEMORY;
	int err = owned_set(&binding->aor, aor);
	if (!err)
		err = owned_set(&binding->contact, contact);
	if (err) {
		owned_free(&binding->aor);
		free(binding);
		return err;
	}
	binding->table = table;
	binding->id = id;
	binding->registered_ms = wheel_now_ms(table->wheel);
	table_insert(&table->aors, &binding->by_aor, siphash(aor, table->key));
	table_insert(&table->ids, &binding->by_id, spread(id));
	*out = binding;
	return 0;
}

static void leave_flow(struct binding *binding)
{
	if (binding->path.flow && !binding->is_lost)
		table_remove(&binding->table->flows, &binding->by_flow);
}

static void enter_flow(struct binding *binding, const struct transport_path *path)
{
	leave_flow(binding);
	binding->path = *path;
	binding->is_lost = false;
	binding->by_flow = (struct table_link){0};
	if (path->flow)
		table_insert(&binding->table->flows, &binding->by_flow, spread(path->connection));
}

void binding_flow_closed(struct binding_table *table, uint64_t connection)
{
	struct table_link *link = table_find(&table->flows, spread(connection), NULL);

	while (link) {
		struct binding *binding = container_of(link, struct binding, by_flow);
		link = table_find(&table->flows, spread(connection), link);
		if (binding->path.connection != connection)
			continue;
		leave_flow(binding);
		binding->is_lost = true;
	}
}

int binding_put(struct binding_table *table, struct slice aor, struct slice contact,
		uint32_t expires_s, const struct transport_path *path, struct binding **out)
{
	uint64_t id = binding_id(table, aor, contact);
	struct binding *binding = binding_find(table, id);

	if (binding && (!slice_equal(binding->aor, aor) || !slice_equal(binding->contact, contact)))
		return -ERR_EXISTS;
	if (!binding) {
		int err = add(table, aor, contact, id, &binding);
		if (err)
			return err;
	}
	enter_flow(binding, path);
	binding->expires_s = expires_s;
	binding->refreshed_ms = wheel_now_ms(table->wheel);
	wheel_arm(table->wheel, &binding->expiry, binding->refreshed_ms + expires_s * 1000ull,
		  on_expiry);
	*out = binding;
	return 0;
}

void binding_remove(struct binding *binding)
{
	struct binding_table *table = binding->table;

	wheel_cancel(table->wheel, &binding->expiry);
	table_remove(&table->aors, &binding->by_aor);
	table_remove(&table->ids, &binding->by_id);
	leave_flow(binding);
	owned_free(&binding->aor);
	owned_free(&binding->contact);
	free(binding);
}
