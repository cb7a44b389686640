/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/binding.h"
#include <stdlib.h>
#include "sbc/topology/owned.h"

/* Two bits of a contact token say whose it is (sbc/registration/registrar.h). */
#define ID_MASK (TOKEN_ID_MAX >> 2)

int binding_table_init(struct binding_table *table, struct wheel *wheel, const uint64_t secret[2],
		       uint32_t limit)
{
	*table = (struct binding_table){
		.wheel = wheel, .limit = limit, .key = {secret[0], secret[1]}};
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

uint64_t binding_id(const struct binding_table *table, struct slice aor, struct slice name)
{
	uint64_t key[2] = {table->key[0] ^ siphash(aor, table->key), table->key[1]};
	return siphash(name, key) & ID_MASK;
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

/* The way to this contact: its connection, and no other where none can be opened to it (RFC 5626
 * 5.3): over TLS and WebSocket, and behind a NAT. A host that says its own address over TCP is
 * found at its port. */
static struct transport_path way_to(const struct transport_path *path, struct slice contact)
{
	struct transport_path way = *path;
	struct addr address;
	struct uri uri;

	if (!path->connection)
		return way;
	way.flow = path->transport != SIP_TCP || uri_parse(contact, &uri) != 0 ||
		   uri_host_addr(&uri, sip_transport_port(SIP_TCP), &address) != 0 ||
		   !addr_equal_ip(&address, &path->remote);
	if (!way.flow)
		way.remote.port = address.port;
	return way;
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
		if (table->on_change)
			table->on_change(table->owner, binding, false);
	}
}

void binding_listener_gone(struct binding_table *table, uint16_t listener)
{
	for (struct binding *binding = binding_next(table, NULL); binding;
	     binding = binding_next(table, binding)) {
		if (binding->path.listener != listener || binding->is_lost)
			continue;
		leave_flow(binding);
		binding->is_lost = true;
		if (table->on_change)
			table->on_change(table->owner, binding, false);
	}
}

static void on_expiry(struct timer *timer, uint64_t now_ms)
{
	struct binding *binding = container_of(timer, struct binding, expiry);
	(void)now_ms;

	binding->table->expired++;
	binding_remove(binding);
}

static void free_facts(struct binding_facts *facts)
{
	owned_free(&facts->contact);
	owned_free(&facts->parameters);
	owned_free(&facts->call_id);
	owned_free(&facts->path_set);
	owned_free(&facts->service_route);
}

static int copy_facts(const struct binding_facts *from, struct binding_facts *out)
{
	struct binding_facts facts = *from;

	facts.contact = facts.parameters = facts.call_id = SLICE_NONE;
	facts.path_set = facts.service_route = SLICE_NONE;
	int err = owned_set(&facts.contact, from->contact);
	if (!err)
		err = owned_set(&facts.parameters, from->parameters);
	if (!err)
		err = owned_set(&facts.call_id, from->call_id);
	if (!err)
		err = owned_set(&facts.path_set, from->path_set);
	if (!err)
		err = owned_set(&facts.service_route, from->service_route);
	if (err)
		free_facts(&facts);
	else
		*out = facts;
	return err;
}

static int add(struct binding_table *table, struct slice aor, uint64_t id, struct binding **out)
{
	if (table->ids.count >= table->limit)
		return -ERR_TOO_MANY;
	struct binding *binding = calloc(1, sizeof(*binding));
	if (!binding)
		return -ERR_NO_MEMORY;
	int err = owned_set(&binding->aor, aor);
	if (err) {
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

static void arm(struct binding *binding)
{
	struct wheel *wheel = binding->table->wheel;

	binding->refreshed_ms = binding->heard_ms = wheel_now_ms(wheel);
	wheel_arm(wheel, &binding->expiry,
		  binding->refreshed_ms + binding->facts.expires_s * 1000ull, on_expiry);
	if (binding->table->on_change)
		binding->table->on_change(binding->table->owner, binding, false);
}

int binding_put(struct binding_table *table, struct slice aor, uint64_t id,
		const struct binding_facts *facts, const struct transport_path *path,
		struct binding **out)
{
	struct binding *binding = binding_find(table, id);
	struct binding_facts copy;

	if (binding && !slice_equal(binding->aor, aor))
		return -ERR_EXISTS;
	int err = copy_facts(facts, &copy);
	if (err)
		return err;
	if (!binding)
		err = add(table, aor, id, &binding);
	if (err) {
		free_facts(&copy);
		return err;
	}
	struct transport_path way = way_to(path, copy.contact);
	enter_flow(binding, &way);
	free_facts(&binding->facts);
	binding->facts = copy;
	arm(binding);
	*out = binding;
	return 0;
}

void binding_refresh(struct binding *binding, uint32_t cseq, uint32_t expires_s)
{
	binding->facts.cseq = cseq;
	binding->facts.expires_s = expires_s;
	arm(binding);
}

uint32_t binding_left_s(const struct binding *binding)
{
	uint64_t age_s = (wheel_now_ms(binding->table->wheel) - binding->refreshed_ms) / 1000;

	return binding->facts.expires_s > age_s ? binding->facts.expires_s - (uint32_t)age_s : 0;
}

void binding_remove(struct binding *binding)
{
	struct binding_table *table = binding->table;

	if (table->on_change)
		table->on_change(table->owner, binding, true);
	wheel_cancel(table->wheel, &binding->expiry);
	leave_flow(binding);
	table_remove(&table->aors, &binding->by_aor);
	table_remove(&table->ids, &binding->by_id);
	owned_free(&binding->aor);
	free_facts(&binding->facts);
	free(binding);
}

bool binding_is_same_phone(const struct binding *a, const struct binding *b)
{
	struct slice one, other;

	return parameter_find(a->facts.parameters, SLICE("+sip.instance"), &one) &&
	       parameter_find(b->facts.parameters, SLICE("+sip.instance"), &other) && one.len > 0 &&
	       slice_equal(one, other);
}
