/* way.c - who sends this, and where may it go.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/caller.h"
#include "sbc/route/path.h"
#include "sbc/route/numbers.h"
#include "sbc/route/route.h"
#include "sbc/route/shared.h"
#include "sbc/subscription/internal.h"

size_t way_contacts(const struct subscriptions *all, struct slice uri, bool is_secure,
		    struct binding **out)
{
	struct arena *arena = all->worker->arena;
	struct binding *list = arena_alloc(arena, CONTACTS_MAX * sizeof(*list));
	size_t count = 0, kept = 0;

	if (list)
		count = registrar_contacts(all->config.registrar, uri, arena, list, CONTACTS_MAX);
	for (size_t i = 0; i < count; i++) {
		bool is_known = is_secure && !sip_transport_is_secure(
						     (enum sip_transport)list[i].path.transport);
		for (size_t k = 0; k < kept && !is_known; k++)
			is_known = binding_is_same_phone(&list[k], &list[i]);
		if (!is_known)
			list[kept++] = list[i];
	}
	*out = list;
	return kept;
}

void way_to_phone(const struct binding *binding, struct slice uri, struct way *out)
{
	out->peer = -1;
	out->path = binding->path;
	out->interface = binding->path.interface;
	buf_add(&out->routes, binding->facts.path_set);
	registrar_target(binding, uri, &out->target);
	if (buf_failed(&out->target) || buf_failed(&out->routes))
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
			way_to_phone(binding, uri, out);
		} else if (end->type == CONFIG_END_REJECT) {
			out->status = end->code;
		} else {
			out->peer = (int)end->peer;
			out->interface = (uint16_t)all->worker->config->peers[end->peer].interface;
			shared_add_service_route(peers_shared(all->config.peers),
						 (uint32_t)end->peer,
						 wheel_now_ms(all->worker->wheel), &out->routes);
			if (buf_failed(&out->routes))
				out->status = 500;
		}
		return;
	}
}

/* RFC 5630 3.1.3: one that is reached by TLS, or none. */
static const struct binding *secured(const struct subscriptions *all, struct slice called,
				     const struct binding *binding)
{
	struct binding *list;

	if (!binding || sip_transport_is_secure((enum sip_transport)binding->path.transport))
		return binding;
	return way_contacts(all, called, true, &list) > 0 ? list : NULL;
}

static void find(struct subscriptions *all, const struct message *request, struct slice number,
		 const struct uri *uri, struct way *out)
{
	struct slice called = message_request_uri(request);
	struct caller_query query = {.peer = out->from_peer,
				     .called = called,
				     .number = number,
				     .uri = uri,
				     .now = time(NULL)};
	struct caller_way way;

	out->status = caller_find(all->config.registrar, &query, &way);
	if (out->status)
		return;
	if (uri->scheme == URI_SIPS)
		way.binding = secured(all, called, way.binding);
	choose(all, way.route, way.binding, called, out);
}

void way_find(struct subscriptions *all, const struct message *request,
	      const struct transport_path *path, struct way *out)
{
	struct caller caller;
	struct buf number;
	struct uri uri;

	*out = (struct way){.peer = -1};
	buf_init(&out->target);
	buf_init(&out->routes);
	buf_init(&out->headers);
	bool is_known =
		caller_identify(all->config.registrar, request, path, &out->headers, &caller);
	out->from_peer = caller.peer;
	out->status = caller.status;
	out->is_silent = caller.is_silent;
	if (!is_known)
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
	/* Nobody beyond is to carry out transfers, and here there is no call to be transferred. */
	if (policy->transfer == CONFIG_TRANSFER_LOCAL)
		return 403;
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
	buf_free(&way->routes);
	buf_free(&way->headers);
}

bool way_believes(const struct subscriptions *all, int peer)
{
	return peer >= 0 && all->worker->config->peers[peer].identity_trusted;
}
