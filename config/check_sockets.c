/* Sockets that clash: two listeners, two ranges of media ports, one inside the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

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

	if (a->public.retired || b->public.retired)
		return;
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

	for (size_t i = 0; !interface->public.retired && i < media->port_count; i++)
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

void check_sockets(struct loaded *loaded)
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
