/* relay.c - a REGISTER on its way to the registrar behind us, and its answer back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/auth/header.h"
#include "sbc/registration/registering.h"
#include "sbc/route/path.h"
#include "sbc/route/refuse.h"
#include "sbc/route/shared.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"
#include "sbc/topology/owned.h"

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path);
static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err);
static const struct client_handlers client_handlers = {on_response, on_failure};

void registering_free(struct registrar *registrar, struct registering *registering)
{
	/* The server in hand counts it no more. */
	peers_end(registrar->peers, registering->rules.registrar, &registering->attempt);
	asked_free(&registering->asked);
	owned_free(&registering->domain);
	owned_free(&registering->rest);
	owned_free(&registering->extras);
	free(registering);
}

static struct registering *find_pending(const struct registrar *registrar, uint64_t number)
{
	struct table_link *link = table_find(&registrar->pending, number, NULL);
	return link ? container_of(link, struct registering, link) : NULL;
}

static void finish(struct registrar *registrar, struct registering *registering)
{
	table_remove(&registrar->pending, &registering->link);
	registering_free(registrar, registering);
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
	buf_add_text(&uri, registering->is_secure ? "sips:" : "sip:");
	if (registering->domain.len > 0)
		buf_add(&uri, registering->domain);
	else
		addr_add_host(&uri, &path->remote);
	if (registering->domain.len == 0 && path->remote.port != 5060)
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

/* What the registrar is asked for: long, whatever the phone said; as it stands when it leaves. */
static uint32_t expires_for(const struct registrar *registrar,
			    const struct registering *registering)
{
	const struct config_phones *phones = &registering->rules;
	uint32_t expires_s = phones->expires_registrar_ms / 1000;
	uint32_t minimum_s = registrar->minimum_s[phones->registrar % MINIMA];

	return expires_s < minimum_s ? minimum_s : expires_s;
}

/* RFC 3261 10.2: the Request-URI names the domain, whichever server it goes to. A phone that knows
 * our address only means the one domain that is served, or the registrar by its name. */
static int set_domain(const struct registrar *registrar, struct registering *registering,
		      const struct message *request)
{
	const struct config *config = registrar->worker->config;
	const struct config_phones *rules = &registering->rules;
	const struct config_server *server = &config->peers[rules->registrar].servers[0];
	struct addr literal;
	struct uri uri;

	if (uri_parse(message_request_uri(request), &uri) != 0)
		return -ERR_MALFORMED;
	if (addr_parse_ip(uri.host, &literal) != 0 && !hosts_is_own(config, uri.host))
		return owned_set(&registering->domain, uri.host);
	if (rules->domain_count == 1)
		return owned_set(&registering->domain, slice_from(rules->domains[0]));
	return server->addr.family ? 0 : owned_set(&registering->domain, slice_from(server->host));
}

static int next_server(struct registrar *registrar, struct registering *registering,
		       struct transport_path *path)
{
	int err;

	do {
		err = peers_next(registrar->peers, registering->rules.registrar,
				 &registering->attempt, path);
	} while (!err && registering->is_secure &&
		 !sip_transport_is_secure((enum sip_transport)path->transport));
	return err;
}

static int prepare(struct registrar *registrar, struct registering *registering,
		   const struct message *request, struct transport_path *path)
{
	uint32_t peer = registering->rules.registrar;
	struct buf rest, extras;

	if (!rate_take(&peers_shared(registrar->peers)->peers[peer].registers,
		       registrar->worker->config->peers[peer].limits.register_rate,
		       wheel_now_ms(registrar->worker->wheel)))
		return -ERR_UNREACHABLE;
	struct slice scheme;
	registering->is_secure = uri_scheme_of(message_request_uri(request), &scheme) == URI_SIPS;
	int err = next_server(registrar, registering, path);
	if (err)
		return err;
	err = set_domain(registrar, registering, request);
	if (err)
		return err;
	buf_init(&rest);
	buf_init(&extras);
	asked_write_extras(&registering->asked, request, &extras);
	err = registering_write(registrar, registering, request, path,
				expires_for(registrar, registering), &rest);
	if (!err)
		err = owned_set(&registering->rest, buf_slice(&rest));
	if (!err)
		err = buf_failed(&extras) ? -ERR_NO_MEMORY
					  : owned_set(&registering->extras, buf_slice(&extras));
	buf_free(&rest);
	buf_free(&extras);
	return err ? err : send_on(registrar, registering, path);
}

/* --- whose login failed --- */

static uint64_t nonce_of(const struct registrar *registrar, struct slice value)
{
	struct auth_fields fields;

	if (auth_fields_parse(value, &fields) != 0)
		return 0;
	return siphash(fields.nonce, registrar->secret) | 1;
}

static uint64_t credentials_nonce(const struct registrar *registrar, const struct message *request)
{
	uint64_t nonce = nonce_of(registrar, message_value(request, HEADER_AUTHORIZATION));
	return nonce ? nonce
		     : nonce_of(registrar, message_value(request, HEADER_PROXY_AUTHORIZATION));
}

static struct challenge *challenge_of(struct registrar *registrar, struct slice aor, uint64_t *hash)
{
	*hash = siphash(aor, registrar->secret);
	return &registrar->challenges[*hash % CHALLENGES];
}

/* A nonce may be too old and its answer right all the same: only what fails on the nonce that was
 * given out last is a wrong password. */
static void note_refusal(struct registrar *registrar, const struct registering *registering,
			 const struct message *response)
{
	unsigned int status = message_status(response);
	uint64_t aor;
	struct challenge *last = challenge_of(registrar, registering->asked.aor, &aor);

	if (status != 401 && status != 407 && status != 403)
		return;
	if (registering->nonce && last->aor == aor && last->nonce == registering->nonce)
		registrar_login_failed(registrar, &registering->path);
	if (status == 403)
		return;
	*last = (struct challenge){
		.aor = aor,
		.nonce = nonce_of(registrar,
				  message_value(response, status == 401
								  ? HEADER_WWW_AUTHENTICATE
								  : HEADER_PROXY_AUTHENTICATE))};
}

/* --- there --- */

/* 0, or the status to refuse with; -1: answered here. */
static int begin(struct registrar *registrar, struct registering *registering,
		 const struct message *request, struct buf *headers)
{
	const struct config_phones *phones = &registering->rules;
	struct transport_path path;
	struct buf aor;

	buf_init(&aor);
	int err = registering_aor(registrar, phones->registrar, message_to(request)->uri, &aor);
	unsigned int status = err == -ERR_NO_MEMORY ? 500 : err ? 400 : 0;
	if (!status)
		status = asked_read(&registrar->bindings, buf_slice(&aor), request, true,
				    &registering->asked, headers);
	buf_free(&aor);
	if (status)
		return (int)status;
	if (absorb(registrar, registering->server, request, &registering->path, &registering->asked,
		   phones))
		return -1;
	if (asked_is_too_many(&registrar->bindings, &registering->asked, phones->contacts))
		return 403;
	registering->nonce = credentials_nonce(registrar, request);
	err = prepare(registrar, registering, request, &path);
	if (err)
		return err == -ERR_UNREACHABLE ? 503 : err == -ERR_MALFORMED ? 400 : 500;
	return 0;
}

void relay_receive(struct registrar *registrar, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path,
		   uint32_t phones)
{
	struct registering *registering = calloc(1, sizeof(*registering));
	struct buf headers;
	int status = 500;

	buf_init(&headers);
	if (registering) {
		registering->number = ++registrar->next_number;
		registering->server = handle;
		registering->path = *path;
		registering->rules = registrar->worker->config->phones[phones];
		status = begin(registrar, registering, request, &headers);
		registering->rules.domains = NULL; /* of a configuration that may go */
		registering->rules.domain_count = 0;
	}
	if (status == 0) {
		table_insert(&registrar->pending, &registering->link, registering->number);
	} else if (registering) {
		registering_free(registrar, registering);
	}
	if (status > 0) {
		if (status == 503)
			buf_add_text(&headers, "Retry-After: 10\r\n");
		counter_add(&registrar->counters.refused_here, 1);
		refuse(registrar->worker, handle, request, path, (unsigned int)status,
		       buf_failed(&headers) ? SLICE_NONE : buf_slice(&headers));
	}
	buf_free(&headers);
}

/* --- and back --- */

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
	uint32_t peer = registering->rules.registrar;
	struct transport_path path;

	peers_try_failed(registrar->peers, peer, &registering->attempt, why, 0);
	return next_server(registrar, registering, &path) == 0 &&
	       send_on(registrar, registering, &path) == 0;
}

/* 423: it wants longer than we ask. What it wants is remembered, and the phone, which asked for
 * something else, is sent round once more. */
static bool learn_minimum(struct registrar *registrar, const struct registering *registering,
			  const struct message *response)
{
	uint32_t *minimum_s = &registrar->minimum_s[registering->rules.registrar % MINIMA];
	uint32_t wanted_s;

	if (message_status(response) != 423 ||
	    slice_to_u32(message_value(response, HEADER_MIN_EXPIRES), 86400, &wanted_s) != 0 ||
	    wanted_s <= *minimum_s)
		return false;
	*minimum_s = wanted_s;
	return true;
}

static void pass_on(struct registrar *registrar, struct registering *registering,
		    const struct message *response, const struct transport_path *path,
		    unsigned int status)
{
	const struct config *config = registrar->worker->config;
	struct crossing crossing = {
		.from_trusted = config->interfaces[path->interface].trusted,
		.to_trusted = config->interfaces[registering->path.interface].trusted,
	};
	struct buf headers;

	buf_init(&headers);
	if (status < 300)
		registering_granted(registrar, registering, response, &headers);
	if (status == 503)
		buf_add_text(&headers, "Retry-After: 1\r\n");
	else
		headers_copy(response, &crossing, &headers);
	if (buf_failed(&headers))
		answer(registrar, registering, 500, SLICE_NONE);
	else
		answer(registrar, registering, status, buf_slice(&headers));
	buf_free(&headers);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct registrar *registrar = owner;
	struct registering *registering = find_pending(registrar, context);
	unsigned int status = message_status(response);
	(void)handle;

	if (!registering || status < 200)
		return;
	if (status == 503 && try_next(registrar, registering, "answers 503"))
		return;
	if (status != 503)
		peers_worked(registrar->peers, registering->rules.registrar,
			     registering->attempt.server);
	count(registrar, status);
	note_refusal(registrar, registering, response);
	/* A redirected registrar would be somebody inside: the phone cannot go there. */
	if ((status >= 300 && status < 400) || learn_minimum(registrar, registering, response))
		status = 503;
	pass_on(registrar, registering, response, path, status);
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
