/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registrar.h"
#include <stdlib.h>
#include <time.h>
#include "sbc/registration/keepalive.h"
#include "sbc/registration/keeper.h"
#include "sbc/registration/registering.h"
#include "sbc/route/refuse.h"
#include "sbc/topology/hosts.h"

enum { BINDINGS_MAX = 262144, PENDING_MAX = 16384, PACE_MAX_S = 120 };

/* --- what follows a binding's changes --- */

static void on_change(void *owner, struct binding *binding, bool is_going)
{
	struct registrar *registrar = owner;
	bool is_local = binding->facts.registrar == BINDING_NO_PEER;

	keepalives_follow(registrar->keepalives, binding, is_going);
	relayed_follow(registrar, binding, is_going);
	if (!registrar->registry)
		return;
	/* Counted once, by the address it registered from last. */
	if (binding->counted.family)
		registry_source(registrar->registry, &binding->counted, -1);
	binding->counted = is_going ? (struct addr){0} : binding->path.remote;
	if (!is_going)
		registry_source(registrar->registry, &binding->counted, 1);
	if (is_local && is_going && binding_left_s(binding) == 0)
		local_expired(registrar, binding);
	if (is_local && (is_going || binding->is_lost))
		registry_forget(registrar->registry, binding);
	else if (is_local)
		registry_note(registrar->registry, binding);
}

static bool is_known(void *owner, const struct addr *source)
{
	return registry_has_phones(owner, source);
}

/* --- life --- */

static void make_secrets(struct registrar *registrar)
{
	const struct token_key *key = registrar->worker->token_key;

	registrar->secret[0] = siphash(SLICE("registrar 0"), key->mac);
	registrar->secret[1] = siphash(SLICE("registrar 1"), key->mac);
}

static int make_tables(struct registrar *registrar)
{
	registrar->challenges = calloc(CHALLENGES, sizeof(*registrar->challenges));
	registrar->paces = calloc(PACES, sizeof(*registrar->paces));
	return registrar->paces && registrar->challenges ? 0 : -ERR_NO_MEMORY;
}

int registrar_create(const struct registrar_config *config, struct registrar **out)
{
	struct worker *worker = config->worker;
	struct registrar *registrar = calloc(1, sizeof(*registrar));
	if (!registrar)
		return -ERR_NO_MEMORY;

	registrar->worker = worker;
	registrar->peers = config->peers;
	registrar->registry = config->registry;
	registrar->store = config->store;
	registrar->unix_offset_ms = (uint64_t)time(NULL) * 1000 - wheel_now_ms(worker->wheel);
	make_secrets(registrar);
	struct directory *directory =
		config->registry ? registry_directory(config->registry) : NULL;
	int err = auth_server_init(&registrar->auth, directory, worker->random);
	if (!err)
		err = binding_table_init(&registrar->bindings, worker->wheel, registrar->secret,
					 BINDINGS_MAX);
	registrar->bindings.on_change = on_change;
	registrar->bindings.owner = registrar;
	if (!err)
		err = table_init(&registrar->pending, 64);
	if (!err)
		err = table_init(&registrar->keepings, 64);
	if (!err)
		err = make_tables(registrar);
	if (!err)
		err = keepalives_create(worker, &registrar->counters, &registrar->keepalives);
	if (err) {
		registrar_destroy(registrar);
		return err;
	}
	if (config->registry) {
		guard_set_known(worker->guard, is_known, config->registry);
		struct keeper *keeper = registry_keeper(config->registry);
		if (keeper) {
			keeper_on_done(keeper, worker->index, local_kept, registrar);
			local_take_over(registrar);
		}
	}
	*out = registrar;
	return 0;
}

void registrar_stop(struct registrar *registrar)
{
	keepalives_stop(registrar->keepalives);
}

void registrar_destroy(struct registrar *registrar)
{
	struct table_link *link;

	if (!registrar)
		return;
	registrar->is_closing = true;
	relayed_stop(registrar);
	while (registrar->pending.buckets && (link = table_next(&registrar->pending, NULL))) {
		table_remove(&registrar->pending, link);
		registering_free(registrar, container_of(link, struct registering, link));
	}
	while (registrar->keepings.buckets && (link = table_next(&registrar->keepings, NULL)))
		keeping_free(container_of(link, struct keeping, link));
	table_free(&registrar->pending);
	table_free(&registrar->keepings);
	if (registrar->keepalives)
		binding_table_free(&registrar->bindings);
	keepalives_destroy(registrar->keepalives);
	auth_server_free(&registrar->auth);
	free(registrar->challenges);
	free(registrar->paces);
	free(registrar);
}

/* --- a REGISTER --- */

int registrar_domain(const struct registrar *registrar, struct slice host)
{
	const struct config *config = registrar->worker->config;

	for (size_t i = 0; registrar->registry && i < config->domain_count; i++)
		if (slice_equal_nocase(host, slice_from(config->domains[i].name)))
			return (int)i;
	return -1;
}

/* Which entry of `phones` this REGISTER belongs to: -1 = none. */
static int phones_of(const struct config *config, uint16_t interface, struct slice host)
{
	struct addr literal;
	bool any_host = addr_parse_ip(host, &literal) == 0 || hosts_is_own(config, host);

	for (size_t i = 0; i < config->phones_count; i++) {
		const struct config_phones *phones = &config->phones[i];
		if (phones->from != interface)
			continue;
		if (phones->domain_count == 0 || any_host)
			return (int)i;
		for (size_t k = 0; k < phones->domain_count; k++)
			if (slice_equal_nocase(host, slice_from(phones->domains[k])))
				return (int)i;
	}
	return -1;
}

/* RFC 3261 26.2.2: sips: is secured on every hop. */
static bool is_clear(const struct message *request, const struct transport_path *path)
{
	struct slice scheme;

	return uri_scheme_of(message_request_uri(request), &scheme) == URI_SIPS &&
	       !sip_transport_is_secure((enum sip_transport)path->transport);
}

void registrar_receive(struct registrar *registrar, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path)
{
	const struct config *config = registrar->worker->config;
	unsigned int status = 0;
	int domain = -1, phones = -1;
	struct uri to;

	counter_add(&registrar->counters.requests, 1);
	if (message_max_forwards(request) == 0)
		status = 483;
	else if (uri_parse(message_to(request)->uri, &to) != 0)
		status = 400;
	else if (to.scheme == URI_OTHER || is_clear(request, path))
		status = 416;
	else if (registrar->pending.count + registrar->keepings.count >= PENDING_MAX)
		status = 503;
	if (!status) {
		domain = registrar_domain(registrar, to.host);
		phones = domain < 0 ? phones_of(config, path->interface, to.host) : -1;
		status = domain < 0 && phones < 0 ? 403 : 0;
	}
	if (status) {
		counter_add(&registrar->counters.refused_here, 1);
		refuse(registrar->worker, handle, request, path, status,
		       status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
	} else if (domain >= 0) {
		local_receive(registrar, handle, request, path, (uint32_t)domain);
	} else {
		relay_receive(registrar, handle, request, path, (uint32_t)phones);
	}
}

/* The rate is given out as a row of times: whoever is refused gets the next of them. */
static uint32_t pace(struct registrar *registrar, const struct transport_path *path)
{
	const struct config_limits *limits =
		&registrar->worker->config->interfaces[path->interface].limits;
	const struct config_rate *rate = &limits->per_source.register_rate;
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	struct addr host = path->remote;

	host.port = 0;
	struct pace *at = &registrar->paces[addr_hash(&host, registrar->secret) % PACES];
	if (rate->count == 0)
		rate = &limits->register_rate;
	/* A registration is asked twice: without credentials, and with. */
	uint64_t step_us = rate->count ? 2000ull * rate->period_ms / rate->count : 0;
	step_us *= registrar->worker->count;
	if (at->next_us < now * 1000)
		at->next_us = now * 1000;
	at->next_us += step_us;
	uint64_t wait_s = (at->next_us / 1000 - now) / 1000 + 1;
	if (wait_s > PACE_MAX_S) {
		at->next_us = (now + 1000) * 1000; /* round again, with all of them in order */
		wait_s = PACE_MAX_S;
	}
	return (uint32_t)wait_s;
}

void registrar_refuse_limited(struct registrar *registrar, struct transaction_handle handle,
			      const struct message *request, const struct transport_path *path)
{
	struct buf lines;

	counter_add(&registrar->counters.limited, 1);
	buf_init(&lines);
	builder_header_number(&lines, HEADER_RETRY_AFTER, pace(registrar, path));
	refuse(registrar->worker, handle, request, path, 503,
	       buf_failed(&lines) ? SLICE_NONE : buf_slice(&lines));
	buf_free(&lines);
}

void registrar_login_failed(struct registrar *registrar, const struct transport_path *path)
{
	struct worker *worker = registrar->worker;
	struct addr banned;

	counter_add(&registrar->counters.login_failures, 1);
	uint64_t until_ms = guard_auth_failure(worker->guard, path->interface, &path->remote,
					       wheel_now_ms(worker->wheel), &banned);
	if (until_ms)
		worker_ban(worker, path->interface, &banned, until_ms, GUARD_AUTH_FAILURES);
}

void registrar_reload(struct registrar *registrar)
{
	const struct transport *transport = registrar->worker->transport;

	keepalives_reload(registrar->keepalives);
	for (uint16_t i = 0; i < transport_listener_count(transport); i++)
		if (transport_is_draining(transport, i))
			binding_listener_gone(&registrar->bindings, i);
}

void registrar_flow_closed(struct registrar *registrar, uint64_t connection)
{
	binding_flow_closed(&registrar->bindings, connection);
}

uint32_t registrar_keepalive_ms(const struct registrar *registrar, const struct binding *binding)
{
	return timer_is_armed(&binding->keepalive.timer)
		       ? keepalives_interval_ms(registrar->keepalives, binding)
		       : 0;
}

const struct binding_table *registrar_bindings(const struct registrar *registrar)
{
	return &registrar->bindings;
}

const struct registrar_counters *registrar_counters(const struct registrar *registrar)
{
	return &registrar->counters;
}

uint32_t registrar_pending(const struct registrar *registrar)
{
	return registrar->pending.count + registrar->keepings.count;
}
