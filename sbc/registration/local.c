/* local.c - a REGISTER for a domain of ours: the subscriber's digest, then RFC 3261 10.3 steps 5 to
 * 8 against our own bindings; they may be kept beyond the process before the phone hears its 200.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/registration/keeper.h"
#include "sbc/registration/location.h"
#include "sbc/registration/registering.h"
#include "sbc/route/refuse.h"
#include "sbc/topology/owned.h"

/* How long a 200 waits for the store: then it goes out, and the registration counts as not kept. */
enum { KEEP_WAIT_MS = 1000 };

static const struct config_domain *domain_of(const struct registrar *registrar, uint32_t domain)
{
	return &registrar->worker->config->domains[domain];
}

/* Digests were made over the name in lower case. */
static struct slice realm_of(const struct registrar *registrar, struct slice name)
{
	char *text = arena_text(registrar->worker->arena, name);

	for (char *c = text; c && *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
	return text ? (struct slice){text, name.len} : name;
}

void local_question(const struct registrar *registrar, uint32_t domain, bool is_proxy,
		    enum digest_algorithm *algorithms, struct auth_question *out)
{
	const struct config_domain *config = domain_of(registrar, domain);
	size_t count = 0;

	for (size_t i = 0; i < config->algorithm_count && count < DIGEST_ALGORITHMS; i++)
		algorithms[count++] =
			config->algorithms[i] == CONFIG_ALGORITHM_MD5 ? DIGEST_MD5 : DIGEST_SHA_256;
	*out = (struct auth_question){.realm = realm_of(registrar, slice_from(config->name)),
				      .algorithms = algorithms,
				      .algorithm_count = count,
				      .is_proxy = is_proxy};
}

/* --- keeping --- */

void keeping_free(struct keeping *keeping)
{
	wheel_cancel(keeping->registrar->worker->wheel, &keeping->timer);
	table_remove(&keeping->registrar->keepings, &keeping->link);
	owned_free(&keeping->headers);
	free(keeping);
}

static void accept_now(struct registrar *registrar, struct transaction_handle server,
		       struct slice headers)
{
	struct reply reply = {.status = 200, .headers = headers};

	counter_add(&registrar->counters.accepted, 1);
	if (transaction_reply(registrar->worker->transactions, server, &reply) != 0)
		log_debug(registrar->worker->log, "registration.not_answered", "status=200");
}

static void on_too_long(struct timer *timer, uint64_t now_ms)
{
	struct keeping *keeping = container_of(timer, struct keeping, timer);
	(void)now_ms;

	counter_add(&keeping->registrar->counters.not_kept, 1);
	accept_now(keeping->registrar, keeping->server, keeping->headers);
	keeping_free(keeping);
}

void local_kept(void *owner, uint64_t number, int err)
{
	struct registrar *registrar = owner;
	struct table_link *link = table_find(&registrar->keepings, number, NULL);

	if (!link)
		return;
	struct keeping *keeping = container_of(link, struct keeping, link);
	if (err)
		counter_add(&registrar->counters.not_kept, 1);
	if (!err && --keeping->missing > 0)
		return;
	accept_now(registrar, keeping->server, keeping->headers);
	keeping_free(keeping);
}

/* Hand a binding, or its end, to the keeper; `number` waits for it. */
static bool give(struct registrar *registrar, const struct binding *binding, bool is_removal,
		 uint64_t number)
{
	struct uri uri;
	int index = uri_parse(binding->aor, &uri) == 0 ? registrar_domain(registrar, uri.host) : -1;
	if (index < 0)
		return false;
	const struct config_domain *domain = domain_of(registrar, (uint32_t)index);
	struct keeper *keeper = registry_keeper(registrar->registry);
	struct keeper_job job = {.worker = registrar->worker,
				 .number = number,
				 .at_once = domain->keep == CONFIG_KEEP_AT_ONCE,
				 .is_removal = is_removal};
	struct buf name, value;

	if (!keeper || domain->keep == CONFIG_KEEP_NEVER || registrar->is_taking_over)
		return false;
	buf_init(&name);
	buf_init(&value);
	location_write_name(binding, &name);
	if (!is_removal)
		location_write(registrar->worker, binding, &value);
	job.name = buf_slice(&name);
	job.value = buf_slice(&value);
	int err = buf_failed(&name) || buf_failed(&value) ? -ERR_NO_MEMORY
							  : keeper_give(keeper, &job);
	buf_free(&name);
	buf_free(&value);
	if (err)
		counter_add(&registrar->counters.not_kept, 1);
	return !err && job.at_once && number;
}

void local_expired(struct registrar *registrar, const struct binding *binding)
{
	(void)give(registrar, binding, true, 0);
}

/* --- the bindings --- */

struct change {
	struct registrar *registrar;
	const struct asked *asked;
	const struct transport_path *path;
	uint32_t domain;
	uint64_t number;
	uint32_t waiting; /* answers of the keeper to come */
};

static void remove_one(struct change *change, struct binding *binding)
{
	change->waiting += give(change->registrar, binding, true, change->number);
	binding_remove(binding);
}

static void remove_all(struct change *change)
{
	struct binding *binding;

	while ((binding = binding_of_aor(&change->registrar->bindings, change->asked->aor, NULL)))
		remove_one(change, binding);
}

static int apply(struct change *change)
{
	struct registrar *registrar = change->registrar;
	const struct config_domain *domain = domain_of(registrar, change->domain);
	struct binding_facts facts;
	int err = 0;

	if (change->asked->star)
		remove_all(change);
	for (uint32_t i = 0; !err && i < change->asked->count; i++) {
		const struct asked_contact *contact = &change->asked->contacts[i];
		struct binding *binding = binding_find(&registrar->bindings, contact->id);
		if (contact->expires_s == 0) {
			if (binding)
				remove_one(change, binding);
			continue;
		}
		asked_facts(change->asked, contact, &facts);
		if (facts.expires_s > domain->expires_maximum_ms / 1000)
			facts.expires_s = domain->expires_maximum_ms / 1000;
		err = binding_put(&registrar->bindings, change->asked->aor, contact->id, &facts,
				  change->path, &binding);
		if (!err)
			change->waiting += give(registrar, binding, false, change->number);
	}
	return err;
}

/* RFC 3261 10.3 steps 6 and 7: nothing is changed unless everything may be. */
static unsigned int check(const struct registrar *registrar, const struct asked *asked,
			  uint32_t domain, struct buf *headers)
{
	const struct config_domain *rules = domain_of(registrar, domain);
	uint32_t minimum_s = rules->expires_minimum_ms / 1000;
	struct binding *binding = NULL;

	for (uint32_t i = 0; i < asked->count; i++) {
		if (asked->contacts[i].expires_s == 0 || asked->contacts[i].expires_s >= minimum_s)
			continue;
		builder_header_number(headers, HEADER_MIN_EXPIRES, minimum_s);
		return 423;
	}
	while ((binding = binding_of_aor(&registrar->bindings, asked->aor, binding)))
		if (slice_equal(binding->facts.call_id, asked->call_id) &&
		    asked->cseq <= binding->facts.cseq)
			return 500; /* out of order */
	return asked_is_too_many(&registrar->bindings, asked, rules->contacts) ? 403 : 0;
}

static int wait_for_keeper(struct registrar *registrar, struct transaction_handle server,
			   const struct change *change, struct slice headers)
{
	struct keeping *keeping = calloc(1, sizeof(*keeping));
	if (!keeping)
		return -ERR_NO_MEMORY;

	keeping->registrar = registrar;
	keeping->number = change->number;
	keeping->server = server;
	keeping->missing = change->waiting;
	if (owned_set(&keeping->headers, headers) != 0) {
		free(keeping);
		return -ERR_NO_MEMORY;
	}
	table_insert(&registrar->keepings, &keeping->link, keeping->number);
	wheel_arm(registrar->worker->wheel, &keeping->timer,
		  wheel_now_ms(registrar->worker->wheel) + KEEP_WAIT_MS, on_too_long);
	return 0;
}

static unsigned int answer(struct registrar *registrar, struct transaction_handle handle,
			   const struct message *request, const struct transport_path *path,
			   const struct asked *asked, uint32_t domain)
{
	struct change change = {.registrar = registrar,
				.asked = asked,
				.path = path,
				.domain = domain,
				.number = ++registrar->next_number};
	struct buf lines;

	if (apply(&change) != 0)
		return 500;
	buf_init(&lines);
	asked_write_contacts(&registrar->bindings, asked->aor, &lines);
	asked_write_extras(asked, request, &lines);
	int err = buf_failed(&lines) ? -ERR_NO_MEMORY : 0;
	if (!err && change.waiting > 0)
		err = wait_for_keeper(registrar, handle, &change, buf_slice(&lines));
	else if (!err)
		accept_now(registrar, handle, buf_slice(&lines));
	buf_free(&lines);
	return err ? 500 : 0;
}

/* The AOR is the user's in the domain: no port, no parameters, sip: */
static int make_aor(const struct message *request, struct buf *out)
{
	struct uri uri;

	int err = uri_parse(message_to(request)->uri, &uri);
	if (err)
		return err;
	uri.scheme = URI_SIP;
	uri.port = 0;
	return slice_is_empty(uri.user) ? -ERR_MALFORMED : uri_canonical(&uri, out);
}

static unsigned int handle_known(struct registrar *registrar, struct transaction_handle handle,
				 const struct message *request, const struct transport_path *path,
				 uint32_t domain, struct buf *headers)
{
	struct asked asked = {0};
	struct buf aor;

	buf_init(&aor);
	unsigned int status = make_aor(request, &aor) != 0 ? 400 : 0;
	if (!status)
		status = asked_read(&registrar->bindings, buf_slice(&aor), request, false, &asked,
				    headers);
	if (!status)
		status = check(registrar, &asked, domain, headers);
	if (!status)
		status = answer(registrar, handle, request, path, &asked, domain);
	asked_free(&asked);
	buf_free(&aor);
	return status;
}

void local_receive(struct registrar *registrar, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path,
		   uint32_t domain)
{
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	enum digest_algorithm algorithms[DIGEST_ALGORITHMS];
	struct auth_question question;
	struct slice user;
	struct buf headers;
	unsigned int status;

	buf_init(&headers);
	local_question(registrar, domain, false, algorithms, &question);
	enum auth_verdict verdict =
		auth_server_check(&registrar->auth, &question, request, now, &user);
	if (verdict == AUTH_ACCEPTED) {
		status = auth_user_is(user, message_to(request)->uri)
				 ? handle_known(registrar, handle, request, path, domain, &headers)
				 : 403;
	} else {
		if (verdict == AUTH_REFUSED)
			registrar_login_failed(registrar, path);
		counter_add(&registrar->counters.challenged, 1);
		auth_server_challenge(&registrar->auth, &question, verdict == AUTH_STALE, now,
				      &headers);
		status = 401;
	}
	if (status) {
		if (status != 401)
			counter_add(&registrar->counters.refused_here, 1);
		refuse(registrar->worker, handle, request, path, status,
		       buf_failed(&headers) ? SLICE_NONE : buf_slice(&headers));
	}
	buf_free(&headers);
}

/* --- what was kept --- */

static int on_location(void *owner, struct slice name, struct slice value)
{
	struct registrar *registrar = owner;
	struct worker *worker = registrar->worker;
	struct location_text location;
	struct binding *binding;
	struct uri uri;

	if (location_read(worker, name, value, &location) != 0 ||
	    uri_parse(location.aor, &uri) != 0 ||
	    shard_of_aor(worker->shard, location.aor) != worker->index)
		return 0;
	int domain = registrar_domain(registrar, uri.host);
	if (domain < 0)
		return 0;
	location.facts.registrar = BINDING_NO_PEER;
	uint64_t id = binding_id(&registrar->bindings, location.aor,
				 location.facts.parameters.len ? location.facts.parameters
							       : location.facts.contact);
	return binding_put(&registrar->bindings, location.aor, id, &location.facts, &location.path,
			   &binding) == -ERR_NO_MEMORY
		       ? -ERR_NO_MEMORY
		       : 0;
}

void local_take_over(struct registrar *registrar)
{
	registrar->is_taking_over = true;
	int err = keeper_each(registry_keeper(registrar->registry), on_location, registrar);
	registrar->is_taking_over = false;
	if (err)
		log_warn(registrar->worker->log, "locations.not_read", "reason=\"%s\"",
			 err_text(err));
	log_info(registrar->worker->log, "locations.read", "worker=%u count=%u",
		 registrar->worker->index, registrar->bindings.ids.count);
}
