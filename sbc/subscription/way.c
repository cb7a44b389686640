/* way.c - who sends this, and where may it go: as calls do (sbc/call/admit.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include "sbc/route/path.h"
#include "sbc/route/numbers.h"
#include "sbc/route/route.h"
#include "sbc/subscription/internal.h"

/* Of a domain of ours the flow that registered, or whoever has the password; of a relayed phone its
 * address. */
static bool is_registered(const struct subscriptions *all, const struct message *request,
			  const struct transport_path *path, bool may_challenge)
{
	const struct registrar *registrar = all->config.registrar;
	struct slice from = message_from(request)->uri;
	const struct binding *binding = registrar_caller(registrar, from, path);

	if (!binding || !may_challenge || !registrar_is_local(registrar, from))
		return binding != NULL;
	return path->connection ? binding->path.connection == path->connection
				: addr_equal(&binding->path.remote, &path->remote);
}

static bool identify(struct subscriptions *all, const struct message *request,
		     const struct transport_path *path, struct way *out)
{
	const struct config *config = all->worker->config;
	enum config_unknown_caller policy =
		config->interfaces[path->interface].security.unknown_caller;
	bool may_challenge = policy == CONFIG_UNKNOWN_CHALLENGE;

	out->from_peer = worker_peer_of(all->worker, path);
	if (out->from_peer >= 0 && config->peers[out->from_peer].interface == path->interface)
		return true;
	out->from_peer = -1;
	if (is_registered(all, request, path, may_challenge))
		return true;
	if (may_challenge &&
	    registrar_is_local(all->config.registrar, message_from(request)->uri)) {
		out->status =
			registrar_authenticate(all->config.registrar, request, path, &out->headers);
		return out->status == 0;
	}
	out->status = 403;
	out->is_silent = policy == CONFIG_UNKNOWN_DROP;
	return false;
}

static void to_phone(const struct binding *binding, struct slice uri, struct way *out)
{
	out->peer = -1;
	out->path = binding->path;
	out->interface = binding->path.interface;
	out->routes = binding->facts.path_set;
	registrar_target(binding, uri, &out->target);
	if (buf_failed(&out->target))
		out->status = 500;
}

/* The first of a route's destinations that is one. Another is tried by calls alone: what has no
 * ringing has nobody who waits. Numbers (ENUM) and other domains are for calls. */
static void choose(const struct subscriptions *all, const struct config_route *route,
		   const struct binding *binding, struct slice uri, struct way *out)
{
	out->status = 404;
	for (size_t i = 0; i < route->to_count; i++) {
		const struct config_end *end = &route->to[i];
		if (end->type == CONFIG_END_PHONES && !binding) {
			out->status = 480;
			continue;
		}
		if (end->type != CONFIG_END_PHONES && end->type != CONFIG_END_PEER &&
		    end->type != CONFIG_END_REJECT)
			continue;
		out->status = 0;
		if (end->type == CONFIG_END_PHONES) {
			to_phone(binding, uri, out);
		} else if (end->type == CONFIG_END_REJECT) {
			out->status = end->code;
		} else {
			out->peer = (int)end->peer;
			out->interface = (uint16_t)all->worker->config->peers[end->peer].interface;
		}
		return;
	}
}

static void find(struct subscriptions *all, const struct message *request, struct slice number,
		 const struct uri *uri, struct way *out)
{
	static const struct config_end phones = {.type = CONFIG_END_PHONES};
	static const struct config_route between_phones = {
		.name = "domain", .to = &phones, .to_count = 1, .implicit = true};
	struct registrar *registrar = all->config.registrar;
	struct slice called = message_request_uri(request);
	const struct binding *binding = registrar_contact_uri(registrar, uri);

	if (!binding)
		binding = registrar_lookup(registrar, called, NULL);
	if (!binding && registrar_is_masked(registrar, uri->user)) {
		out->status = 480;
		return;
	}
	struct route_query query = {.peer = out->from_peer,
				    .number = number,
				    .domain = uri->host,
				    .is_registered = binding != NULL,
				    .now = time(NULL)};
	const struct config_route *route = route_find(all->worker->config, &query);
	/* Phones of our own domains reach each other, unless a route that was written says else. */
	if ((!route || route->implicit) && out->from_peer < 0 &&
	    registrar_is_local(registrar, called))
		route = &between_phones;
	if (route)
		choose(all, route, binding, called, out);
	else
		out->status = 404;
}

void way_find(struct subscriptions *all, const struct message *request,
	      const struct transport_path *path, struct way *out)
{
	struct buf number;
	struct uri uri;

	*out = (struct way){.peer = -1};
	buf_init(&out->target);
	buf_init(&out->headers);
	if (!identify(all, request, path, out))
		return;
	buf_init(&number);
	if (uri_parse(message_request_uri(request), &uri) != 0)
		out->status = 400;
	else if (number_of(message_request_uri(request), &number) != 0)
		out->status = 416;
	else
		find(all, request, buf_slice(&number), &uri, out);
	buf_free(&number);
}

unsigned int way_may_refer(const struct subscriptions *all, const struct message *refer,
			   const struct transport_path *path, int from_peer)
{
	const struct config *config = all->worker->config;
	const struct config_dialog *policy = from_peer >= 0
						     ? &config->peers[from_peer].dialog
						     : &config->interfaces[path->interface].dialog;
	struct name_addr address;
	struct uri uri;

	if (name_addr_parse(message_value(refer, HEADER_REFER_TO), &address) != 0 ||
	    uri_parse(address.uri, &uri) != 0)
		return 400;
	if (policy->transfer == CONFIG_TRANSFER_REFUSE)
		return 603;
	struct route_query query = {
		.peer = from_peer,
		.number = uri.user,
		.domain = uri.host,
		.is_registered = registrar_lookup(all->config.registrar, address.uri, NULL) != NULL,
		.now = time(NULL)};
	/* What nobody outside may call he may not have called either. */
	return config->interfaces[path->interface].trusted || route_find(config, &query) ? 0 : 403;
}

void way_free(struct way *way)
{
	buf_free(&way->target);
	buf_free(&way->headers);
}

bool way_believes(const struct subscriptions *all, int peer)
{
	return peer >= 0 && all->worker->config->peers[peer].identity_trusted;
}
