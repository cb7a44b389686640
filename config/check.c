/* What no value shows alone: two that clash, one that nothing uses, a destination that cannot be
 * reached. Each finding names both places. SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#define MAX_CORES 16

/* --- sockets that clash --------------------------------------------------------------------------
 */

static const char *transport_name(enum config_transport transport)
{
	static const char *const names[] = {"udp", "tcp", "unix", "tls", "ws", "wss", "stun"};

	return names[transport];
}

static bool is_datagram(enum config_transport transport)
{
	return transport == CONFIG_UDP || transport == CONFIG_STUN;
}

/* Place of the entry of `listen` (or, by default, of the interface) that made this listener. */
static struct place listener_place(const struct loaded *loaded,
				   const struct raw_interface *interface, size_t listener)
{
	const struct raw_listen *listen = &interface->listen[interface->listener_of[listener]];

	return value_place(loaded, listen, interface->node);
}

static void listeners_check_pair(struct loaded *loaded, const struct raw_interface *a, size_t i,
				 const struct raw_interface *b, size_t j)
{
	const struct config_listener *first = &a->public.listeners[i];
	const struct config_listener *second = &b->public.listeners[j];
	char text[ADDR_TEXT_SIZE];

	bool group = addr_is_set(&first->group) || addr_is_set(&second->group);
	if (is_datagram(first->transport) != is_datagram(second->transport) ||
	    !addr_equal(&first->addr, &second->addr) ||
	    (group && !addr_equal(&first->group, &second->group)))
		return;
	finding_error(&loaded->findings, listener_place(loaded, b, j), "%s %s is listened on twice",
		      transport_name(second->transport), addr_text(&second->addr, text));
	finding_note(&loaded->findings, listener_place(loaded, a, i), "first by interface \"%s\"",
		     a->public.name);
}

static struct place ports_place(const struct loaded *loaded, const struct raw_interface *interface,
				const struct config_ports *ports)
{
	return value_place(loaded, ports, interface->node);
}

static const struct addr *shared_address(const struct config_media *a, const struct config_media *b)
{
	for (size_t i = 0; i < a->address_count; i++)
		for (size_t j = 0; j < b->address_count; j++)
			if (addr_equal_ip(&a->addresses[i], &b->addresses[j]))
				return &a->addresses[i];
	return NULL;
}

/* One range of `a` against one of `b`, which may be the same interface. */
static void media_check_ranges(struct loaded *loaded, const struct raw_interface *a,
			       const struct config_ports *x, const struct raw_interface *b,
			       const struct config_ports *y)
{
	const struct addr *addr = shared_address(&a->public.media, &b->public.media);
	char text[ADDR_TEXT_SIZE];

	if (!addr || x->last == 0 || y->last == 0 || x->first > y->last || y->first > x->last)
		return;
	finding_error(&loaded->findings, ports_place(loaded, b, y),
		      "media ports %u-%u of \"%s\" overlap %u-%u of \"%s\" on the same address %s",
		      y->first, y->last, b->public.name, x->first, x->last, a->public.name,
		      addr_ip_text(addr, text));
	finding_note(&loaded->findings, ports_place(loaded, a, x), "the other range is here");
}

/* The media ports of `a` against what is heard on the same address elsewhere. */
static void media_check_pair(struct loaded *loaded, const struct raw_interface *a,
			     const struct raw_interface *b)
{
	const struct config_media *x = &a->public.media, *y = &b->public.media;

	for (size_t i = 0; i < x->port_count; i++)
		for (size_t j = 0; j < (a == b ? i : y->port_count); j++)
			media_check_ranges(loaded, a, &x->ports[a == b ? j : i], b,
					   &y->ports[a == b ? i : j]);
}

/* SIP or NG inside a media range: the relay would take those packets. */
static void media_check_port(struct loaded *loaded, const struct raw_interface *interface,
			     const struct addr *addr, struct place place, const char *what)
{
	const struct config_media *media = &interface->public.media;
	const struct config_ports *ports = NULL;
	bool is_here = addr_is_any(addr);

	for (size_t i = 0; i < media->port_count; i++)
		if (addr->port >= media->ports[i].first && addr->port <= media->ports[i].last)
			ports = &media->ports[i];
	for (size_t i = 0; i < media->address_count; i++)
		is_here = is_here || addr_equal_ip(addr, &media->addresses[i]);
	if (!ports || !is_here)
		return;
	finding_error(&loaded->findings, place,
		      "%s port %u lies inside the media ports %u-%u of \"%s\"", what, addr->port,
		      ports->first, ports->last, interface->public.name);
	finding_note(&loaded->findings, ports_place(loaded, interface, ports),
		     "the media ports are here");
}

static void sockets_check(struct loaded *loaded)
{
	for (size_t n = 0; n < loaded->interface_count; n++) {
		const struct raw_interface *b = &loaded->interfaces[n];
		for (size_t j = 0; j < b->public.listener_count; j++) {
			for (size_t i = 0; i < j; i++)
				listeners_check_pair(loaded, b, i, b, j);
			for (size_t m = 0; m < n; m++)
				for (size_t i = 0; i < loaded->interfaces[m].public.listener_count;
				     i++)
					listeners_check_pair(loaded, &loaded->interfaces[m], i, b,
							     j);
		}
		for (size_t m = 0; m <= n; m++)
			media_check_pair(loaded, &loaded->interfaces[m], b);
		for (size_t m = 0; m < loaded->interface_count; m++)
			for (size_t j = 0; j < b->public.listener_count; j++)
				if (b->public.listeners[j].transport == CONFIG_UDP ||
				    b->public.listeners[j].transport == CONFIG_STUN)
					media_check_port(loaded, &loaded->interfaces[m],
							 &b->public.listeners[j].addr,
							 listener_place(loaded, b, j), "SIP");
		for (size_t i = 0; i < loaded->file.relay_listen_count; i++)
			if (loaded->file.relay_listen[i].transport == CONFIG_UDP)
				media_check_port(
					loaded, b, &loaded->file.relay_listen[i].addr,
					value_place(loaded, &loaded->file.relay_listen[i], b->node),
					"NG");
	}
}

/* --- destinations without a usable listener (R5) -------------------------------------------------
 */

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

static void reach_check(struct loaded *loaded)
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
	for (size_t i = 0; i < loaded->peer_count; i++) {
		const struct raw_peer *peer = &loaded->peers[i];
		for (size_t j = 0; peer->interface_known && j < peer->public.server_count; j++)
			server_check(loaded, peer, &peer->public.servers[j]);
	}
}

/* --- who is who: sources that two peers claim ----------------------------------------------------
 */

static struct place network_place(const struct loaded *loaded, const struct raw_peer *peer,
				  size_t i)
{
	size_t addresses = 0;

	for (size_t j = 0; j < peer->public.server_count; j++)
		if (addr_is_set(&peer->public.servers[j].addr) && addresses++ == i)
			return value_place(loaded, &peer->public.servers[j], peer->node);
	return value_place(loaded, &peer->accept_from[i - addresses], peer->node);
}

static bool networks_overlap(const struct cidr *a, const struct cidr *b)
{
	return cidr_contains(a, &b->network) || cidr_contains(b, &a->network);
}

static void sources_check_pair(struct loaded *loaded, const struct raw_peer *a,
			       const struct raw_peer *b, unsigned *budget)
{
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < a->public.accept_from_count; i++) {
		for (size_t j = 0; j < b->public.accept_from_count; j++) {
			const struct cidr *second = &b->public.accept_from[j];
			if (*budget == 0)
				return;
			--*budget;
			if (!networks_overlap(&a->public.accept_from[i], second))
				continue;
			finding_warn(
				&loaded->findings, network_place(loaded, b, j),
				"requests from %s/%u are also those of peer \"%s\", which comes "
				"first and gets them",
				addr_ip_text(&second->network, text), second->bits, a->public.name);
			finding_note(&loaded->findings, network_place(loaded, a, i),
				     "peer \"%s\" takes them here", a->public.name);
			return;
		}
	}
}

static void sources_check(struct loaded *loaded)
{
	unsigned budget = LINT_BUDGET;

	for (size_t n = 0; n < loaded->peer_count; n++)
		for (size_t m = 0; m < n && budget; m++, budget -= budget > 0) {
			const struct raw_peer *a = &loaded->peers[m], *b = &loaded->peers[n];
			if (a->interface_known && b->interface_known &&
			    a->public.interface == b->public.interface)
				sources_check_pair(loaded, a, b, &budget);
		}
}

/* --- phones, limits, machine ---------------------------------------------------------------------
 */

static void phones_check(struct loaded *loaded)
{
	for (size_t n = 0; n < loaded->phones_count; n++) {
		const struct raw_phones *phones = &loaded->phones[n];
		if (phones->public.registrar < loaded->peer_count &&
		    loaded->peers[phones->public.registrar].public.interface == phones->public.from)
			finding_warn(&loaded->findings,
				     value_place(loaded, &phones->public.registrar, phones->node),
				     "the registrar is on the phones' own interface: registrations "
				     "go back "
				     "to where they came from");
		for (size_t m = 0; m < n && n < 512; m++) {
			const struct raw_phones *before = &loaded->phones[m];
			if (before->public.from != phones->public.from ||
			    before->public.from >= loaded->interface_count || before->domain_count)
				continue;
			finding_warn(&loaded->findings, value_place(loaded, NULL, phones->node),
				     "never used: the entry before takes every domain of that "
				     "interface");
			finding_note(&loaded->findings, value_place(loaded, NULL, before->node),
				     "that entry is here");
			break;
		}
	}
}

static bool rate_is_higher(struct config_rate a, struct config_rate b)
{
	return a.count && b.count &&
	       (uint64_t)a.count * b.period_ms > (uint64_t)b.count * a.period_ms;
}

static void limits_check(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->interface_count; i++) {
		const struct raw_interface *interface = &loaded->interfaces[i];
		const struct config_limits *limits = &interface->public.limits;
		const struct config_media *media = &interface->public.media;
		unsigned room = 0; /* RTP and RTCP of one audio stream */
		for (size_t j = 0; j < media->port_count; j++)
			room += (media->ports[j].last - media->ports[j].first + 1u) / 2;

		if (rate_is_higher(limits->per_source.setup_rate, limits->setup_rate))
			finding_warn(&loaded->findings,
				     value_place(loaded, &limits->per_source.setup_rate,
						 interface->node),
				     "can never be reached: the whole interface takes less "
				     "(limits.setup-rate)");
		if (rate_is_higher(limits->per_source.register_rate, limits->register_rate))
			finding_warn(&loaded->findings,
				     value_place(loaded, &limits->per_source.register_rate,
						 interface->node),
				     "can never be reached: the whole interface takes less "
				     "(limits.register-rate)");
		if (room && limits->calls > room && origin_of(loaded, &limits->calls))
			finding_warn(&loaded->findings,
				     value_place(loaded, &limits->calls, interface->node),
				     "can never be reached: media.ports has room for %u calls",
				     room);
	}
}

static void machine_check(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	unsigned cpus = loaded->host->cpu_count(loaded->host->owner);

	for (size_t i = 0; i < file->core_count; i++)
		if (file->cores[i] >= cpus)
			finding_error(&loaded->findings, value_place(loaded, &file->cores[i], NULL),
				      "this machine has no CPU %u: it has 0 to %u", file->cores[i],
				      cpus - 1);
	if (file->core_count > MAX_CORES || (file->core_count == 0 && !loaded->findings.errors))
		finding_error(&loaded->findings, value_place(loaded, &file->cores, NULL),
			      "dataplane.cores takes 1 to %d CPUs", MAX_CORES);
	if (file->public.stats.socket && file->public.stats.relay_socket &&
	    strcmp(file->public.stats.socket, file->public.stats.relay_socket) == 0) {
		finding_error(&loaded->findings,
			      value_place(loaded, &file->public.stats.relay_socket, NULL),
			      "both halves cannot have the stats socket %s",
			      file->public.stats.socket);
		finding_note(&loaded->findings,
			     value_place(loaded, &file->public.stats.socket, NULL),
			     "the other one is here");
	}
	for (size_t i = 0; i < file->relay_listen_count; i++) {
		const struct config_endpoint *endpoint = &file->relay_listen[i];
		if (endpoint->transport != CONFIG_UNIX && !addr_is_private(&endpoint->addr))
			finding_warn(&loaded->findings, value_place(loaded, endpoint, NULL),
				     "NG asks for no password: let nobody but the signalling half "
				     "reach %s",
				     endpoint->text);
	}
}

void check_sections(struct loaded *loaded)
{
	if (loaded->findings.failed)
		return;
	sockets_check(loaded);
	reach_check(loaded);
	sources_check(loaded);
	phones_check(loaded);
	check_routes(loaded);
	if (!loaded->findings.errors) /* what is wrong may be what would use them */
		check_unused(loaded);
	limits_check(loaded);
	machine_check(loaded);
}
