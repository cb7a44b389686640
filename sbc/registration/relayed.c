/* relayed.c - what a registrar behind us granted, kept in the store: after a restart its phones are
 * reached, and known, as before. Written when the registrar grants, or a phone moves; not at the
 * refreshes that we answer for it. One field a line, as in location.c:
 *   version, end of the grant (Unix), aor, interface, transport, remote, q, cseq, time told to the
 *   phone, identity, bulk, registrar, contact, parameters, path set, call-id, service route
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registering.h"

#define VERSION SLICE("1")
enum {
	TTL_MAX_S = 86400,
	/* what is written again: 4000 a second */
	REWRITE_MS = 50,
	REWRITE_ROUND = 200
};

static void write_key(const struct registrar *registrar, uint64_t id, struct buf *out)
{
	char token[TOKEN_LENGTH];

	worker_token(registrar->worker, TOKEN_CONTACT, id << 2 | CONTACT_BINDING, token);
	buf_printf(out, REGISTRAR_KEPT "{%.*s}", TOKEN_LENGTH, token);
}

static uint64_t unix_s(const struct registrar *registrar)
{
	return (registrar->unix_offset_ms + wheel_now_ms(registrar->worker->wheel)) / 1000;
}

static uint32_t left_s(const struct registrar *registrar, const struct binding *binding)
{
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	uint64_t until = binding->facts.registrar_until_ms;
	uint64_t left = until > now ? (until - now) / 1000 : 0;

	return left > TTL_MAX_S ? TTL_MAX_S : (uint32_t)left;
}

static void add(struct buf *out, struct slice text)
{
	buf_add(out, text);
	buf_add_char(out, '\n');
}

static void write_value(const struct registrar *registrar, const struct binding *binding,
			uint32_t ttl_s, struct buf *out)
{
	const struct config *config = registrar->worker->config;
	const struct binding_facts *facts = &binding->facts;
	char addr[ADDR_TEXT_SIZE];

	add(out, VERSION);
	buf_printf(out, "%llu\n", (unsigned long long)unix_s(registrar) + ttl_s);
	add(out, binding->aor);
	add(out, slice_from(config->interfaces[binding->path.interface].name));
	add(out, sip_transport_text((enum sip_transport)binding->path.transport));
	add(out, slice_from(addr_text(&binding->path.remote, addr)));
	buf_printf(out, "%u\n%u\n%u\n%llu\n%u\n", facts->q, facts->cseq, facts->expires_s,
		   (unsigned long long)facts->identity, facts->is_bulk);
	add(out, slice_from(config->peers[facts->registrar].name));
	add(out, facts->contact);
	add(out, facts->parameters);
	add(out, facts->path_set);
	add(out, facts->call_id);
	add(out, facts->service_route);
}

/* A phone that is reached over its connection alone registers again: that ends with the process. */
static bool is_kept(const struct binding *binding)
{
	return binding->facts.registrar != BINDING_NO_PEER && !binding->path.flow;
}

static bool is_written(const struct registrar *registrar, const struct binding *binding)
{
	return binding->kept_epoch == registrar->kept_epoch &&
	       binding->kept_until_ms == binding->facts.registrar_until_ms &&
	       addr_equal(&binding->kept_remote, &binding->path.remote);
}

bool registrar_record(const struct registrar *registrar, const struct binding *binding,
		      struct buf *out)
{
	if (!registrar->store || !binding->kept_until_ms)
		return false;
	write_key(registrar, binding->id, out);
	return true;
}

static void remove_kept(struct registrar *registrar, struct binding *binding)
{
	struct buf key;

	if (!binding->kept_until_ms)
		return;
	binding->kept_until_ms = 0;
	buf_init(&key);
	write_key(registrar, binding->id, &key);
	if (!buf_failed(&key))
		store_delete(registrar->store, buf_slice(&key));
	buf_free(&key);
}

void relayed_follow(struct registrar *registrar, struct binding *binding, bool is_going)
{
	uint32_t ttl_s = left_s(registrar, binding);
	struct buf key, value;

	if (!registrar->store || registrar->is_closing)
		return;
	if (is_going && registrar->rewrite == binding)
		registrar->rewrite = binding_next(&registrar->bindings, binding);
	if (is_going || !is_kept(binding) || ttl_s == 0) {
		remove_kept(registrar, binding);
		return;
	}
	if (is_written(registrar, binding) || registrar->is_restoring)
		return;
	binding->kept_until_ms = binding->facts.registrar_until_ms;
	binding->kept_remote = binding->path.remote;
	binding->kept_epoch = registrar->kept_epoch;
	registrar->rewritten++;
	buf_init(&key);
	buf_init(&value);
	write_key(registrar, binding->id, &key);
	write_value(registrar, binding, ttl_s, &value);
	if (!buf_failed(&key) && !buf_failed(&value))
		store_put(registrar->store, buf_slice(&key), buf_slice(&value), ttl_s, NULL, NULL,
			  0);
	buf_free(&key);
	buf_free(&value);
}

/* --- the store is back --- */

/* A table that grows meanwhile changes its order: it is gone through until nothing is left. */
static void on_rewrite(struct timer *timer, uint64_t now_ms)
{
	struct registrar *registrar = container_of(timer, struct registrar, rewriting);
	struct binding *binding = registrar->rewrite;

	if (!binding) {
		registrar->rewritten = 0;
		binding = binding_next(&registrar->bindings, NULL);
	}
	for (int i = 0; binding && i < REWRITE_ROUND; i++) {
		if (binding->kept_until_ms)
			relayed_follow(registrar, binding, false);
		binding = binding_next(&registrar->bindings, binding);
	}
	registrar->rewrite = binding;
	if (binding || registrar->rewritten)
		wheel_arm(registrar->worker->wheel, timer, now_ms + REWRITE_MS, on_rewrite);
}

void registrar_store_returned(struct registrar *registrar)
{
	struct wheel *wheel = registrar->worker->wheel;

	registrar->kept_epoch++;
	registrar->rewrite = NULL;
	if (registrar->store)
		wheel_arm(wheel, &registrar->rewriting, wheel_now_ms(wheel), on_rewrite);
}

void relayed_stop(struct registrar *registrar)
{
	wheel_cancel(registrar->worker->wheel, &registrar->rewriting);
}

/* --- back --- */

struct restored {
	uint64_t until_s;
	struct slice aor;
	struct binding_facts facts;
	struct transport_path path;
};

static bool next_number(struct slice *rest, uint64_t max, uint64_t *out)
{
	struct slice line;
	return slice_next_line(rest, &line) && slice_to_u64(line, max, out) == 0;
}

static int read_way(const struct registrar *registrar, struct slice *rest, struct restored *out)
{
	const struct worker *worker = registrar->worker;
	struct slice interface, transport, remote;
	int kind = 0;

	if (!slice_next_line(rest, &interface) || !slice_next_line(rest, &transport) ||
	    !slice_next_line(rest, &remote))
		return -ERR_MALFORMED;
	int index = config_find_interface(worker->config, interface);
	while (kind < SIP_TRANSPORT_COUNT &&
	       !slice_equal(transport, sip_transport_text((enum sip_transport)kind)))
		kind++;
	if (index < 0 || kind == SIP_TRANSPORT_COUNT)
		return -ERR_NOT_FOUND;
	out->path = (struct transport_path){
		.interface = (uint16_t)index, .transport = (uint8_t)kind, .worker = worker->index};
	int err = addr_parse(remote, 0, &out->path.remote);
	return err ? err
		   : transport_listener_for(worker->transport, out->path.interface,
					    (enum sip_transport)kind, out->path.remote.family,
					    &out->path.listener);
}

static int find_peer(const struct config *config, struct slice name, uint32_t *out)
{
	for (uint32_t i = 0; i < config->peer_count; i++) {
		if (!slice_equal(slice_from(config->peers[i].name), name))
			continue;
		*out = i;
		return 0;
	}
	return -ERR_NOT_FOUND;
}

static int read_facts(const struct registrar *registrar, struct slice *rest, struct restored *out)
{
	struct binding_facts *facts = &out->facts;
	uint64_t q, cseq, expires_s, is_bulk;
	struct slice peer;

	if (!next_number(rest, BINDING_Q_MAX, &q) || !next_number(rest, UINT32_MAX, &cseq) ||
	    !next_number(rest, TTL_MAX_S, &expires_s) ||
	    !next_number(rest, UINT64_MAX, &facts->identity) || !next_number(rest, 1, &is_bulk) ||
	    !slice_next_line(rest, &peer) || !slice_next_line(rest, &facts->contact) ||
	    !slice_next_line(rest, &facts->parameters) ||
	    !slice_next_line(rest, &facts->path_set) || !slice_next_line(rest, &facts->call_id) ||
	    !slice_next_line(rest, &facts->service_route) || slice_is_empty(facts->contact))
		return -ERR_MALFORMED;
	facts->q = (uint16_t)q;
	facts->cseq = (uint32_t)cseq;
	facts->expires_s = (uint32_t)expires_s;
	facts->is_bulk = is_bulk != 0;
	return find_peer(registrar->worker->config, peer, &facts->registrar);
}

static int read_value(const struct registrar *registrar, struct slice rest, struct restored *out)
{
	struct slice version;

	if (!slice_next_line(&rest, &version) || !slice_equal(version, VERSION) ||
	    !next_number(&rest, UINT64_MAX, &out->until_s) || !slice_next_line(&rest, &out->aor))
		return -ERR_MALFORMED;
	int err = read_way(registrar, &rest, out);
	if (!err)
		err = read_facts(registrar, &rest, out);
	if (!err && slice_is_empty(out->aor))
		err = -ERR_MALFORMED;
	return err;
}

void registrar_restore(struct registrar *registrar, uint64_t id, struct slice value)
{
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	struct binding *binding;
	struct restored restored = {0};

	int err = read_value(registrar, value, &restored);
	if (!err && restored.until_s <= unix_s(registrar))
		return; /* it ends by itself */
	if (err) {
		log_warn(registrar->worker->log, "registration.not_restored", "reason=\"%s\"",
			 err_text(err));
		return;
	}
	/* Registered again since. */
	if (binding_find(&registrar->bindings, id))
		return;
	uint64_t left_s = restored.until_s - unix_s(registrar);
	restored.facts.registrar_until_ms = now + left_s * 1000;
	if (restored.facts.expires_s > left_s)
		restored.facts.expires_s = (uint32_t)left_s;
	registrar->is_restoring = true;
	err = binding_put(&registrar->bindings, restored.aor, id, &restored.facts, &restored.path,
			  &binding);
	registrar->is_restoring = false;
	if (err)
		return;
	binding->kept_until_ms = restored.facts.registrar_until_ms;
	binding->kept_epoch = registrar->kept_epoch;
	binding->kept_remote = restored.path.remote;
	counter_add(&registrar->counters.restored, 1);
}
