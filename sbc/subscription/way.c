/* way.c - who sends this, and where may it go: as calls do (sbc/call/admit.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/path.h"
#include "sbc/route/route.h"
#include "sbc/subscription/internal.h"

static bool identify(struct subscriptions *all, const struct message *request,
		     const struct transport_path *path, struct way *out)
{
	const struct config *config = all->worker->config;

	out->from_peer = worker_peer_of(all->worker, path);
	if (out->from_peer >= 0 && config->peers[out->from_peer].interface == path->interface)
		return true;
	out->from_peer = -1;
	if (registrar_caller(all->config.registrar, message_from(request)->uri, path))
		return true;
	out->status = 403;
	out->is_silent = !config->interfaces[path->interface].trusted;
	return false;
}

static void to_phone(const struct binding *binding, struct way *out)
{
	if (!binding) {
		out->status = 480;
		return;
	}
	out->peer = -1;
	out->path = binding->path;
	out->interface = binding->path.interface;
	out->target = binding->facts.contact;
}

static void to_end(const struct subscriptions *all, const struct config_end *end,
		   const struct binding *binding, struct way *out)
{
	switch (end->type) {
	case CONFIG_END_PHONES:
		to_phone(binding, out);
		break;
	case CONFIG_END_PEER:
		out->peer = (int)end->peer;
		out->interface = (uint16_t)all->worker->config->peers[end->peer].interface;
		break;
	default:
		/* Numbers are for calls, and another domain's server is asked by calls alone. */
		out->status = 404;
		break;
	}
}

void way_find(struct subscriptions *all, const struct message *request,
	      const struct transport_path *path, struct way *out)
{
	struct registrar *registrar = all->config.registrar;
	struct route_query query = {.peer = -1};
	struct uri uri;

	*out = (struct way){.peer = -1};
	if (!identify(all, request, path, out))
		return;
	if (uri_parse(message_request_uri(request), &uri) != 0) {
		out->status = 400;
		return;
	}
	query.peer = out->from_peer;
	query.number = uri.user;
	query.domain = uri.host;
	query.now = time(NULL);
	const struct binding *binding = registrar_contact(registrar, uri.user);
	if (!binding)
		binding = registrar_lookup(registrar, message_request_uri(request), NULL);
	query.is_registered = binding != NULL;
	if (!binding && registrar_is_masked(registrar, uri.user)) {
		out->status = 480;
		return;
	}
	const struct config_route *route = route_find(all->worker->config, &query);
	if (!route || route->to_count == 0)
		out->status = 404;
	else
		to_end(all, &route->to[0], binding, out);
}

bool way_believes(const struct subscriptions *all, int peer)
{
	return peer >= 0 && all->worker->config->peers[peer].identity_trusted;
}
