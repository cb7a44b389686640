/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registrar.h"
#include <stdlib.h>
#include "sbc/registration/registering.h"
#include "sbc/route/path.h"
#include "sbc/route/refuse.h"
#include "sbc/route/shared.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"
#include "sbc/topology/owned.h"

enum { BINDINGS_MAX = 262144, PENDING_MAX = 16384 };

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path);
static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err);
static const struct client_handlers client_handlers = {on_response, on_failure};

int registrar_create(struct worker *worker, struct peers *peers, struct registrar **out)
{
	struct registrar *registrar = calloc(1, sizeof(*registrar));
	if (!registrar)
		return -ERR_NO_MEMORY;

	registrar->worker = worker;
	registrar->peers = peers;
	random_fill(worker->random, registrar->secret, sizeof(registrar->secret));
	int err = binding_table_init(&registrar->bindings, worker->wheel, worker->random,
				     BINDINGS_MAX);
	if (!err)
		err = table_init(&registrar->pending, 64);
	if (err) {
		registrar_destroy(registrar);
		return err;
	}
	*out = registrar;
	return 0;
}

void registering_free(struct registering *registering)
{
	owned_free(&registering->aor);
	owned_free(&registering->rest);
	for (uint32_t i = 0; i < registering->contact_count; i++)
		owned_free(&registering->contacts[i].uri);
	free(registering);
}

/* The server in hand counts it no more. */
static void leave_server(struct registrar *registrar, struct registering *registering)
{
	peers_end(registrar->peers, registering->phones.registrar, &registering->attempt);
}

void registrar_destroy(struct registrar *registrar)
{
	struct table_link *link;

	if (!registrar)
		return;
	if (registrar->pending.buckets) {
		while ((link = table_next(&registrar->pending, NULL))) {
			table_remove(&registrar->pending, link);
			leave_server(registrar, container_of(link, struct registering, link));
			registering_free(container_of(link, struct registering, link));
		}
	}
	table_free(&registrar->pending);
	binding_table_free(&registrar->bindings);
	free(registrar);
}

static struct registering *find_pending(const struct registrar *registrar, uint64_t number)
{
	struct table_link *link = table_find(&registrar->pending, number, NULL);
	return link ? container_of(link, struct registering, link) : NULL;
}

static void finish(struct registrar *registrar, struct registering *registering)
{
	leave_server(registrar, registering);
	table_remove(&registrar->pending, &registering->link);
	registering_free(registering);
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

/* What the phone asks for; the status to refuse it with, or 0. */
static unsigned int read_contacts(const struct registrar *registrar,
				  struct registering *registering, const struct message *request)
{
	struct contact contact;
	size_t count = message_contact_count(request);

	if (!message_expires(request, &registering->expires_s))
		registering->expires_s = 3600;
	for (size_t i = 0; message_contact(request, i, &contact); i++) {
		if (contact.star) {
			/* RFC 3261 10.2.2: alone, and with Expires: 0 */
			if (count != 1 || registering->expires_s != 0)
				return 400;
			registering->star = true;
			return 0;
		}
		struct uri uri;
		if (uri_parse(contact.address.uri, &uri) != 0)
			return 400;
		if (registering->contact_count == REGISTER_CONTACTS_MAX)
			return 403;
		struct asked_contact *asked = &registering->contacts[registering->contact_count];
		if (owned_set(&asked->uri, contact.address.uri) != 0)
			return 500;
		registering->contact_count++;
		asked->id = binding_id(&registrar->bindings, registering->aor, asked->uri);
		asked->expires_s = contact.has_expires ? contact.expires_s : registering->expires_s;
	}
	return 0;
}

static bool too_many(const struct registrar *registrar, const struct registering *registering)
{
	uint32_t count = binding_count(&registrar->bindings, registering->aor);

	for (uint32_t i = 0; i < registering->contact_count; i++)
		if (registering->contacts[i].expires_s > 0 &&
		    !binding_find(&registrar->bindings, registering->contacts[i].id))
			count++;
	return count > registering->phones.contacts;
}

static int send_on(struct registrar *registrar, struct registering *registering,
		   const struct transport_path *path)
{
	struct client_request request = {.path = *path,
					 .handlers = &client_handlers,
					 .owner = registrar,
					 .context = registering->number};
	struct transaction_handle handle;
	struct buf uri, bytes;

	buf_init(&uri);
	buf_init(&bytes);
	buf_add_text(&uri, "sip:");
	addr_add_host(&uri, &path->remote);
	if (path->remote.port != 5060)
		buf_printf(&uri, ":%u", path->remote.port);
	builder_request_line(&bytes, SLICE("REGISTER"), buf_slice(&uri));
	buf_add(&bytes, registering->rest);
	request.bytes = buf_slice(&bytes);
	int err = buf_failed(&bytes) || buf_failed(&uri)
			  ? -ERR_NO_MEMORY
			  : transaction_request(registrar->worker->transactions, &request, &handle);
	buf_free(&uri);
	buf_free(&bytes);
	return err;
}

static int prepare(struct registrar *registrar, struct registering *registering,
		   const struct message *request, struct transport_path *path)
{
	const struct config *config = registrar->worker->config;
	uint32_t peer = registering->phones.registrar;
	struct buf rest;

	if (!rate_take(&peers_shared(registrar->peers)->peers[peer].registers,
		       config->peers[peer].limits.register_rate,
		       wheel_now_ms(registrar->worker->wheel)))
		return -ERR_UNREACHABLE;
	int err = peers_next(registrar->peers, peer, &registering->attempt, path);
	if (err)
		return err;
	buf_init(&rest);
	err = registering_write(registrar, registering, request, path, &rest);
	if (!err)
		err = owned_set(&registering->rest, buf_slice(&rest));
	buf_free(&rest);
	return err ? err : send_on(registrar, registering, path);
}

/* 0, or the status to refuse with. */
static unsigned int begin(struct registrar *registrar, struct registering *registering,
			  const struct message *request)
{
	struct transport_path path;
	struct buf aor;
	uint32_t peer = registering->phones.registrar;

	buf_init(&aor);
	int err = registering_aor(registrar, peer, message_to(request)->uri, &aor);
	if (!err)
		err = owned_set(&registering->aor, buf_slice(&aor));
	buf_free(&aor);
	if (err)
		return err == -ERR_NO_MEMORY ? 500 : 400;
	unsigned int status = read_contacts(registrar, registering, request);
	if (status)
		return status;
	if (too_many(registrar, registering))
		return 403;
	err = prepare(registrar, registering, request, &path);
	if (err)
		return err == -ERR_UNREACHABLE ? 503 : 500;
	return 0;
}

static unsigned int check(const struct registrar *registrar, const struct message *request,
			  const struct transport_path *path, int *phones)
{
	struct uri to;

	if (message_max_forwards(request) == 0)
		return 483;
	if (uri_parse(message_to(request)->uri, &to) != 0)
		return 400;
	if (to.scheme == URI_OTHER)
		return 416;
	if (registrar->pending.count >= PENDING_MAX)
		return 503;
	*phones = phones_of(registrar->worker->config, path->interface, to.host);
	return *phones < 0 ? 403 : 0;
}

void registrar_receive(struct registrar *registrar, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path)
{
	int phones = -1;

	counter_add(&registrar->counters.requests, 1);
	unsigned int status = check(registrar, request, path, &phones);
	struct registering *registering = NULL;
	if (!status) {
		registering = calloc(1, sizeof(*registering));
		status = registering ? 0 : 500;
	}
	if (registering) {
		registering->number = ++registrar->next_number;
		registering->server = handle;
		registering->path = *path;
		registering->phones = registrar->worker->config->phones[phones];
		registering->phones.domains = NULL; /* of a configuration that may go */
		registering->phones.domain_count = 0;
		status = begin(registrar, registering, request);
	}
	if (!status) {
		table_insert(&registrar->pending, &registering->link, registering->number);
		return;
	}
	if (registering)
		leave_server(registrar, registering);
	registering_free(registering);
	counter_add(&registrar->counters.refused_here, 1);
	refuse(registrar->worker, handle, request, path, status,
	       status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
}

/* --- the registrar's side --- */

static void answer(struct registrar *registrar, struct registering *registering,
		   unsigned int status, struct slice headers)
{
	struct reply reply = {.status = status, .headers = headers};

	if (transaction_reply(registrar->worker->transactions, registering->server, &reply) != 0)
		log_debug(registrar->worker->log, "registration.not_answered", "status=%u", status);
}

static void count(struct registrar *registrar, unsigned int status)
{
	if (status < 300)
		counter_add(&registrar->counters.accepted, 1);
	else if (status == 401 || status == 407)
		counter_add(&registrar->counters.challenged, 1);
	else
		counter_add(&registrar->counters.refused, 1);
}

static bool try_next(struct registrar *registrar, struct registering *registering, const char *why)
{
	uint32_t peer = registering->phones.registrar;
	struct transport_path path;

	peers_failed(registrar->peers, peer, registering->attempt.server, why);
	return peers_next(registrar->peers, peer, &registering->attempt, &path) == 0 &&
	       send_on(registrar, registering, &path) == 0;
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct registrar *registrar = owner;
	struct registering *registering = find_pending(registrar, context);
	const struct config *config = registrar->worker->config;
	unsigned int status = message_status(response);
	struct buf headers;
	(void)handle;

	if (!registering || status < 200)
		return;
	if (status == 503 && try_next(registrar, registering, "answers 503"))
		return;
	if (status != 503)
		peers_worked(registrar->peers, registering->phones.registrar,
			     registering->attempt.server);
	struct crossing crossing = {
		.from_trusted = config->interfaces[path->interface].trusted,
		.to_trusted = config->interfaces[registering->path.interface].trusted,
	};
	buf_init(&headers);
	if (status < 300)
		registering_granted(registrar, registering, response, &headers);
	headers_copy(response, &crossing, &headers);
	count(registrar, status);
	/* A redirected registrar would be somebody inside: the phone cannot go there. */
	if (status >= 300 && status < 400)
		status = 503;
	if (buf_failed(&headers))
		answer(registrar, registering, 500, SLICE_NONE);
	else
		answer(registrar, registering, status, buf_slice(&headers));
	buf_free(&headers);
	finish(registrar, registering);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct registrar *registrar = owner;
	struct registering *registering = find_pending(registrar, context);
	(void)handle;

	if (!registering || try_next(registrar, registering, err_text(err)))
		return;
	counter_add(&registrar->counters.failed, 1);
	answer(registrar, registering, err == -ERR_TIMEOUT ? 408 : 503,
	       err == -ERR_TIMEOUT ? SLICE_NONE : SLICE("Retry-After: 10\r\n"));
	finish(registrar, registering);
}

void registrar_refuse_limited(struct registrar *registrar, struct transaction_handle handle,
			      const struct message *request, const struct transport_path *path)
{
	counter_add(&registrar->counters.limited, 1);
	refuse(registrar->worker, handle, request, path, 503, SLICE("Retry-After: 10\r\n"));
}

/* --- look-ups for calls --- */

bool registrar_is_masked(const struct registrar *registrar, struct slice user)
{
	struct token token;
	return token_read(registrar->worker->token_key, TOKEN_CONTACT, user, &token) == 0 &&
	       (token.id & 3) == CONTACT_BINDING;
}

const struct binding *registrar_contact(const struct registrar *registrar, struct slice user)
{
	struct token token;

	if (token_read(registrar->worker->token_key, TOKEN_CONTACT, user, &token) != 0 ||
	    (token.id & 3) != CONTACT_BINDING)
		return NULL;
	const struct binding *binding = binding_find(&registrar->bindings, token.id >> 2);
	return binding && !binding->is_lost ? binding : NULL;
}

void registrar_flow_closed(struct registrar *registrar, uint64_t connection)
{
	binding_flow_closed(&registrar->bindings, connection);
}

static const struct binding *lookup(const struct registrar *registrar, struct slice uri,
				    const struct binding *after)
{
	const struct config *config = registrar->worker->config;
	const struct binding *found = NULL;

	for (size_t i = 0; i < config->phones_count && !found; i++) {
		struct buf aor;
		buf_init(&aor);
		if (registering_aor(registrar, config->phones[i].registrar, uri, &aor) == 0)
			found = binding_of_aor(&registrar->bindings, buf_slice(&aor), after);
		buf_free(&aor);
	}
	return found;
}

const struct binding *registrar_lookup(const struct registrar *registrar, struct slice uri,
				       const struct binding *after)
{
	const struct binding *binding = lookup(registrar, uri, after);

	while (binding && binding->is_lost)
		binding = lookup(registrar, uri, binding);
	return binding;
}

const struct binding *registrar_caller(const struct registrar *registrar, struct slice from_uri,
				       const struct transport_path *path)
{
	const struct binding *binding = NULL;

	/* A NAT may give a call another port than the registration had, and a phone another
	 * connection; the address stays. */
	while ((binding = lookup(registrar, from_uri, binding)))
		if (binding->path.interface == path->interface &&
		    addr_equal_ip(&binding->path.remote, &path->remote))
			return binding;
	return NULL;
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
	return registrar->pending.count;
}
