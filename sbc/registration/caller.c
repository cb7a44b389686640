/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/caller.h"
#include "sbc/registration/registering.h"
#include "sbc/route/route.h"

/* Of a domain of ours the very flow that registered is known, or whoever has the password: behind
 * one NAT there are others. Of a relayed phone, whose password we do not know, its address. */
static bool is_registered(const struct registrar *registrar, const struct message *request,
			  const struct transport_path *path, bool may_challenge)
{
	struct slice from = message_from(request)->uri;
	const struct binding *binding = registrar_caller(registrar, from, path);

	if (!binding || !may_challenge || !registrar_is_local(registrar, from))
		return binding != NULL;
	return path->connection ? binding->path.connection == path->connection
				: addr_equal(&binding->path.remote, &path->remote);
}

bool caller_identify(struct registrar *registrar, const struct message *request,
		     const struct transport_path *path, struct buf *headers, struct caller *out)
{
	const struct config *config = registrar->worker->config;
	const struct config_interface *side = &config->interfaces[path->interface];
	bool may_challenge = side->security.unknown_caller == CONFIG_UNKNOWN_CHALLENGE;

	*out = (struct caller){.peer = worker_peer_of(registrar->worker, path)};
	if (out->peer >= 0 && config->peers[out->peer].interface == path->interface)
		return true;
	out->peer = -1;
	if (is_registered(registrar, request, path, may_challenge))
		return true;
	if (may_challenge && registrar_is_local(registrar, message_from(request)->uri)) {
		out->status = registrar_authenticate(registrar, request, path, headers);
		return out->status == 0;
	}
	out->status = 403;
	/* Who has no password here is not told that there are any. */
	out->is_silent = side->security.unknown_caller == CONFIG_UNKNOWN_DROP ||
			 (may_challenge && !side->trusted);
	return false;
}

bool caller_may_be_forged(const struct registrar *registrar, const struct message *request,
			  const struct transport_path *path)
{
	const struct worker *worker = registrar->worker;

	return !worker->config->interfaces[path->interface].trusted &&
	       !sip_transport_is_reliable((enum sip_transport)path->transport) &&
	       worker_peer_of(worker, path) < 0 &&
	       !registrar_caller(registrar, message_from(request)->uri, path);
}

unsigned int caller_find(const struct registrar *registrar, const struct caller_query *query,
			 struct caller_way *out)
{
	static const struct config_end phones = {.type = CONFIG_END_PHONES};
	static const struct config_route between_phones = {
		.name = "domain", .to = &phones, .to_count = 1, .implicit = true};
	const struct binding *binding = query->lead;

	if (!binding)
		binding = registrar_contact_uri(registrar, query->uri);
	if (!binding)
		binding = registrar_lookup(registrar, query->called, NULL);
	*out = (struct caller_way){.binding = binding};
	if (!binding && registrar_is_masked(registrar, query->uri->user))
		return 480; /* the registrar has not heard yet */
	struct route_query asked = {.peer = query->peer,
				    .number = query->number,
				    .domain = query->uri->host,
				    .is_registered = binding != NULL,
				    .now = query->now};
	out->route = route_find(registrar->worker->config, &asked);
	/* Phones of our own domains reach each other, unless a route that somebody wrote says else.
	 */
	if ((!out->route || out->route->implicit) && query->peer < 0 &&
	    registrar_is_local(registrar, query->called))
		out->route = &between_phones;
	return out->route ? 0 : 404;
}
