/* Destinations without a usable listener: calls there would fail one by one (scenario R5).
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

static const char *const send_names[] = {"", "udp", "tcp", "tls"};
static const char *const send_titles[] = {"", "UDP ", "TCP ", "TLS "};

static bool listener_fits(const struct config_listener *listener, enum config_send transport)
{
	if (addr_is_set(&listener->group) || listener->transport == CONFIG_STUN)
		return false; /* nothing is sent from there */
	switch (transport) {
	case CONFIG_SEND_UDP:
		return listener->transport == CONFIG_UDP;
	case CONFIG_SEND_TCP:
		return listener->transport == CONFIG_TCP;
	case CONFIG_SEND_TLS:
		return listener->transport == CONFIG_TLS;
	case CONFIG_SEND_AUTO:
		break;
	}
	return true;
}

static bool can_send(const struct raw_interface *interface, enum config_send transport,
		     uint8_t family)
{
	for (size_t i = 0; i < interface->public.listener_count; i++) {
		const struct config_listener *listener = &interface->public.listeners[i];
		if (listener_fits(listener, transport) &&
		    (family == 0 || listener->addr.family == family))
			return true;
	}
	return false;
}

static void server_check(struct loaded *loaded, const struct raw_peer *peer,
			 const struct config_server *server)
{
	const struct raw_interface *interface = &loaded->interfaces[peer->public.interface];
	enum config_send transport = server->transport;
	uint8_t family = server->addr.family;
	char text[ADDR_TEXT_SIZE];

	if (interface->public.listener_count == 0)
		return; /* its own error says so */
	if (transport == CONFIG_SEND_AUTO)
		transport = interface->public.send;
	if (can_send(interface, transport, family))
		return;
	finding_error(&loaded->findings, value_place(loaded, server, peer->node),
		      "%s cannot be reached: interface \"%s\" has no %s%slistener",
		      family ? addr_text(&server->addr, text) : server->host,
		      interface->public.name, send_titles[transport],
		      family == AF_INET    ? "IPv4 "
		      : family == AF_INET6 ? "IPv6 "
					   : "");
	finding_note(&loaded->findings,
		     interface->listen_count && origin_of(loaded, &interface->listen)
			     ? value_place(loaded, &interface->listen, interface->node)
			     : value_place(loaded, &interface->addresses, interface->node),
		     "what \"%s\" has is here", interface->public.name);
}

static void destination_check(struct loaded *loaded, const struct raw_route *route, size_t to)
{
	const struct config_end *end = &route->to[to];
	struct place place = value_place(loaded, end, route->node);

	if (end->type == CONFIG_END_REJECT && to + 1 < route->to_count)
		finding_warn(&loaded->findings, value_place(loaded, end + 1, route->node),
			     "never reached: the destination before it is an answer");
	if ((end->type != CONFIG_END_ENUM && end->type != CONFIG_END_DNS) ||
	    end->interface >= loaded->interface_count)
		return;
	const struct raw_interface *interface = &loaded->interfaces[end->interface];
	if (interface->public.listener_count && !can_send(interface, interface->public.send, 0))
		finding_error(&loaded->findings, place,
			      "nothing can be sent from interface \"%s\": it has no %slistener",
			      interface->public.name, send_titles[interface->public.send]);
}

void check_reach(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->interface_count; i++) {
		const struct raw_interface *interface = &loaded->interfaces[i];
		enum config_send send = interface->public.send;
		if (interface->public.listener_count == 0)
			continue;
		if (!can_send(interface, send, 0))
			finding_error(&loaded->findings,
				      value_place(loaded, &interface->public.send, interface->node),
				      "send: %s needs a %slistener on interface \"%s\" (listen: "
				      "[%s/%u])",
				      send_names[send], send_titles[send], interface->public.name,
				      send_names[send], send == CONFIG_SEND_TLS ? 5061 : 5060);
		if (interface->public.send_replies == CONFIG_REPLIES_TCP &&
		    !can_send(interface, CONFIG_SEND_TCP, 0))
			finding_error(&loaded->findings,
				      value_place(loaded, &interface->public.send_replies,
						  interface->node),
				      "send-replies: tcp needs a TCP listener on interface \"%s\" "
				      "(listen: [tcp/5060])",
				      interface->public.name);
	}
	for (size_t i = 0; i < loaded->route_count; i++)
		for (size_t j = 0; j < loaded->routes[i].to_count; j++)
			destination_check(loaded, &loaded->routes[i], j);
	for (size_t i = 0; i < loaded->peer_count; i++) {
		const struct raw_peer *peer = &loaded->peers[i];
		for (size_t j = 0; peer->interface_known && j < peer->public.server_count; j++)
			server_check(loaded, peer, &peer->public.servers[j]);
	}
}
