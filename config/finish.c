/* What follows from other values: listeners from addresses, the implied phones and routes of the
 * shortest file, what the machine decides; then the public struct.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#include <stdio.h>

#include "config/types.h"

static void *take(struct loaded *loaded, size_t count, size_t size)
{
	void *memory = arena_zalloc(loaded->arena, (count ? count : 1) * size);

	if (!memory)
		loaded->findings.failed = true;
	return memory;
}

/* --- interfaces ----------------------------------------------------------------------------------
 */

static bool has_address(const struct addr *list, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal_ip(&list[i], addr))
			return true;
	return false;
}

static bool is_first_of_family(const struct raw_interface *interface, size_t address,
			       uint8_t family)
{
	for (size_t i = 0; i < address; i++)
		if (interface->public.addresses[i].family == family)
			return false;
	return interface->public.addresses[address].family == family;
}

static void headers_finish(struct config_headers *headers, const struct raw_headers *in,
			   const struct raw_headers *out)
{
	headers->in.set = in->list;
	headers->in.set_count = in->count;
	headers->out.set = out->list;
	headers->out.set_count = out->count;
}

static void addresses_finish(struct loaded *loaded, struct raw_interface *interface)
{
	const struct config_host *host = loaded->host;
	size_t room = interface->address_count * HOST_DEVICE_ADDRESSES, count = 0;
	struct addr *addresses = take(loaded, room, sizeof(*addresses));

	if (!addresses)
		return;
	for (size_t i = 0; i < interface->address_count; i++) {
		struct raw_address *raw = &interface->addresses[i];
		struct addr found[HOST_DEVICE_ADDRESSES] = {raw->addr};
		int n = 1;
		if (raw->device) {
			interface->public.device = raw->device;
			n = host->device_addresses(host->owner, raw->device, found,
						   HOST_DEVICE_ADDRESSES);
		}
		for (int j = 0; j < n; j++) {
			if (!has_address(addresses, count, &found[j]) &&
			    count < HOST_DEVICE_ADDRESSES)
				addresses[count++] = found[j];
			else if (!raw->device && count < HOST_DEVICE_ADDRESSES)
				finding_warn(&loaded->findings, value_place(loaded, raw, NULL),
					     "this address is here a second time");
		}
	}
	interface->public.addresses = addresses;
	interface->public.address_count = count;
}

static const char *listener_name(struct loaded *loaded, const struct raw_listen *listen, size_t i)
{
	static const char *const names[] = {
		[CONFIG_UDP] = "udp", [CONFIG_TCP] = "tcp", [CONFIG_TLS] = "tls",
		[CONFIG_WS] = "ws",   [CONFIG_WSS] = "wss", [CONFIG_STUN] = "stun",
	};
	char group[ADDR_TEXT_SIZE], port[8] = "", number[24] = "";
	const char *transport = names[listen->transport];

	if (addr_is_set(&listen->group)) {
		transport = "multicast";
		addr_text(&listen->group, group);
	} else {
		(void)snprintf(group, sizeof(group), "%u", listen->port);
	}
	if (i)
		(void)snprintf(number, sizeof(number), "/%zu", i + 1);
	const char *name = arena_printf(loaded->arena, "%s/%s%s%s", transport, group, port, number);
	if (!name)
		loaded->findings.failed = true;
	return name;
}

/* "udp/5060", of the second address "udp/5060/2": names that another node can have as well. A group
 * is joined once, by the first address of its family. */
static void listeners_finish(struct loaded *loaded, struct raw_interface *interface)
{
	size_t room = interface->public.address_count * interface->listen_count, count = 0;
	struct config_listener *listeners = take(loaded, room, sizeof(*listeners));

	interface->listener_of = take(loaded, room, sizeof(*interface->listener_of));
	if (!listeners || !interface->listener_of)
		return;
	for (size_t i = 0; i < interface->public.address_count; i++) {
		const struct addr *addr = &interface->public.addresses[i];
		for (size_t j = 0; j < interface->listen_count; j++) {
			const struct raw_listen *listen = &interface->listen[j];
			if (addr_is_set(&listen->group) &&
			    !is_first_of_family(interface, i, listen->group.family))
				continue;
			struct config_listener *listener = &listeners[count];
			interface->listener_of[count++] = (uint32_t)j;
			listener->transport = listen->transport;
			listener->addr = *addr;
			listener->addr.port = listen->port;
			listener->group = listen->group;
			listener->name =
				listener_name(loaded, listen, addr_is_set(&listen->group) ? 0 : i);
		}
	}
	interface->public.listeners = listeners;
	interface->public.listener_count = count;
}

/* The first certificate with the first key, and so on. */
static void certificates_finish(struct loaded *loaded, struct raw_interface *interface)
{
	size_t count = interface->certificate_count;
	struct config_certificate *list = take(loaded, count, sizeof(*list));

	for (size_t i = 0; list && i < count && i < interface->key_count; i++)
		list[i] =
			(struct config_certificate){interface->certificates[i], interface->keys[i]};
	interface->public.tls.certificates = list;
	interface->public.tls.certificate_count = list && count == interface->key_count ? count : 0;
}

static void media_finish(struct raw_interface *interface)
{
	struct config_media *media = &interface->public.media;

	if (media->address_count == 0) {
		media->addresses = interface->public.addresses;
		media->address_count = interface->public.address_count;
	}
}

static void interfaces_finish(struct loaded *loaded)
{
	struct config_interface *public = take(loaded, loaded->interface_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->interface_count; i++) {
		struct raw_interface *interface = &loaded->interfaces[i];
		addresses_finish(loaded, interface);
		listeners_finish(loaded, interface);
		certificates_finish(loaded, interface);
		media_finish(interface);
		interface->public.advertise_host = interface->advertise.host;
		interface->public.advertise_addr = interface->advertise.addr;
		headers_finish(&interface->public.headers, &interface->set_in, &interface->set_out);
		public[i] = interface->public;
	}
	loaded->file.public.interfaces = public;
	loaded->file.public.interface_count = public ? loaded->interface_count : 0;
}

/* --- peers ---------------------------------------------------------------------------------------
 */

static void servers_finish(struct loaded *loaded, struct raw_peer *peer)
{
	struct place address = value_place(loaded, &peer->address, NULL);
	struct place servers = value_place(loaded, &peer->servers, NULL);

	if (address.offset != PLACE_NOWHERE && servers.offset != PLACE_NOWHERE) {
		finding_error(
			&loaded->findings, servers,
			"peer \"%s\" has both address and servers: put all of them under servers",
			peer->public.name);
		finding_note(&loaded->findings, address, "address is here");
	} else if (address.offset == PLACE_NOWHERE && servers.offset == PLACE_NOWHERE &&
		   peer->node->type == YAML_MAP) {
		finding_error(&loaded->findings, value_place(loaded, NULL, peer->node),
			      "peer \"%s\" has no address", peer->public.name);
		finding_note(&loaded->findings, PLACE_NONE, "add address: or servers: %s",
			     type_server.write);
	} else if (servers.offset != PLACE_NOWHERE && peer->server_count == 0 &&
		   loaded->findings.errors == 0) {
		finding_error(&loaded->findings, servers, "servers is empty: write %s",
			      type_server.write);
	}
	bool one = servers.offset == PLACE_NOWHERE && peer->address.host;
	peer->public.servers = one ? &peer->address : peer->servers;
	peer->public.server_count = one ? 1 : peer->server_count;
}

/* A request from one of its servers is always the peer's. */
static void accept_finish(struct loaded *loaded, struct raw_peer *peer)
{
	size_t room = peer->public.server_count + peer->accept_from_count, count = 0;
	struct cidr *networks = take(loaded, room, sizeof(*networks));

	if (!networks)
		return;
	for (size_t i = 0; i < peer->public.server_count; i++) {
		if (!addr_is_set(&peer->public.servers[i].addr))
			continue; /* its addresses are known later, to whoever asks DNS */
		struct cidr *network = &networks[count++];
		network->network = peer->public.servers[i].addr;
		network->network.port = 0;
		network->bits = network->network.family == AF_INET ? 32 : 128;
	}
	for (size_t i = 0; i < peer->accept_from_count; i++)
		networks[count++] = peer->accept_from[i];
	peer->public.accept_from = networks;
	peer->public.accept_from_count = count;
}

/* Who registers answers challenges with the same name and password, unless others are written. */
static void registration_finish(struct raw_peer *peer)
{
	struct config_credentials *credentials = &peer->public.credentials;
	struct config_register *registration = &peer->public.registration;

	if (!credentials->password)
		credentials->password = peer->register_password;
	if (!credentials->user && credentials->password)
		credentials->user =
			peer->register_auth_user ? peer->register_auth_user : registration->user;
	if (registration->user && !registration->domain && peer->public.server_count)
		registration->domain = peer->public.servers[0].host;
}

/* What only an interface has. */
static void peer_media_finish(const struct loaded *loaded, struct raw_peer *peer)
{
	if (!peer->interface_known)
		return;
	const struct config_media *from = &loaded->interfaces[peer->public.interface].public.media;
	peer->public.media.ports = from->ports;
	peer->public.media.port_count = from->port_count;
	peer->public.media.addresses = from->addresses;
	peer->public.media.address_count = from->address_count;
	peer->public.media.dscp = from->dscp;
}

static void peers_finish(struct loaded *loaded)
{
	struct config_peer *public = take(loaded, loaded->peer_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->peer_count; i++) {
		struct raw_peer *peer = &loaded->peers[i];
		servers_finish(loaded, peer);
		accept_finish(loaded, peer);
		registration_finish(peer);
		headers_finish(&peer->public.headers, &peer->set_in, &peer->set_out);
		peer_media_finish(loaded, peer);
		peer->public.identity_trusted = peer->identity == RAW_IDENTITY_TRUSTED;
		public[i] = peer->public;
	}
	loaded->file.public.peers = public;
	loaded->file.public.peer_count = public ? loaded->peer_count : 0;
}

/* --- phones and routes, written or implied -------------------------------------------------------
 */

static bool is_trusted_peer(const struct loaded *loaded, const struct raw_peer *peer)
{
	return peer->interface_known && loaded->interfaces[peer->public.interface].public.trusted;
}

/* Without phones and routes in the file: phones of every untrusted side register with the one peer
 * of the trusted ones, if it is one. */
static void imply_phones(struct loaded *loaded)
{
	const struct yaml_node *root = loaded->file.node;
	size_t registrars = 0, registrar = 0;

	if (yaml_get(root, SLICE("phones")) || yaml_get(root, SLICE("routes")))
		return;
	for (size_t i = 0; i < loaded->peer_count; i++)
		if (is_trusted_peer(loaded, &loaded->peers[i])) {
			registrar = i;
			registrars++;
		}
	if (registrars > 1)
		finding_warn(
			&loaded->findings, value_place(loaded, NULL, loaded->peers[registrar].node),
			"%zu peers are on trusted interfaces, so none is the phones' registrar by "
			"itself: write phones: and routes:",
			registrars);
	if (registrars != 1)
		return;
	struct raw_phones *phones = take(loaded, loaded->interface_count, sizeof(*phones));
	for (size_t i = 0; phones && i < loaded->interface_count; i++) {
		if (loaded->interfaces[i].public.trusted)
			continue;
		struct raw_phones *entry = &phones[loaded->phones_count++];
		entry->public.from = (uint32_t)i;
		entry->public.registrar = (uint32_t)registrar;
		entry->public.contacts = 10;
		entry->public.expires_device_ms = 60000;
		entry->public.expires_registrar_ms = 3600000;
		entry->public.implicit = true;
	}
	loaded->phones = phones;
}

static void imply_routes(struct loaded *loaded)
{
	if (loaded->phones_count == 0 || yaml_get(loaded->file.node, SLICE("routes")))
		return;
	uint32_t registrar = loaded->phones[0].public.registrar;
	for (size_t i = 1; i < loaded->phones_count; i++)
		if (loaded->phones[i].public.registrar != registrar) {
			finding_warn(
				&loaded->findings,
				value_place(loaded, &loaded->phones[i].public.registrar,
					    loaded->phones[i].node),
				"phones have several registrars, so no route follows by itself: "
				"write routes:");
			return;
		}
	if (registrar >= loaded->peer_count)
		return;
	struct raw_route *routes = take(loaded, 2, sizeof(*routes));
	struct config_end *ends = take(loaded, 2, sizeof(*ends));
	if (!routes || !ends)
		return;
	ends[0] = (struct config_end){.type = CONFIG_END_PHONES};
	ends[1] = (struct config_end){.type = CONFIG_END_PEER, .peer = registrar};
	for (int i = 0; i < 2; i++) {
		routes[i].name = i ? "to-phones" : "from-phones";
		routes[i].from = &ends[i];
		routes[i].from_count = 1;
		routes[i].is_whole = true;
		routes[i].to = &ends[1 - i];
		routes[i].to_count = 1;
		routes[i].public.registered = i == 1;
		routes[i].public.implicit = true;
	}
	loaded->routes = routes;
	loaded->route_count = 2;
}

static void phones_finish(struct loaded *loaded)
{
	struct config_phones *public = take(loaded, loaded->phones_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->phones_count; i++) {
		struct raw_phones *phones = &loaded->phones[i];
		phones->public.domains = phones->domains;
		phones->public.domain_count = phones->domain_count;
		public[i] = phones->public;
	}
	loaded->file.public.phones = public;
	loaded->file.public.phones_count = public ? loaded->phones_count : 0;
}

static void domains_finish(struct loaded *loaded)
{
	struct config_domain *public = take(loaded, loaded->domain_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->domain_count; i++)
	public[i] = loaded->domains[i].public;
	loaded->file.public.domains = public;
	loaded->file.public.domain_count = public ? loaded->domain_count : 0;
}

static void routes_finish(struct loaded *loaded)
{
	struct config_route *public = take(loaded, loaded->route_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->route_count; i++) {
		struct raw_route *route = &loaded->routes[i];
		route->public.name = route->name;
		route->public.from = route->from;
		route->public.from_count = route->from_count;
		route->public.numbers = route->numbers;
		route->public.number_count = route->number_count;
		route->public.to = route->to;
		route->public.to_count = route->to_count;
		public[i] = route->public;
	}
	loaded->file.public.routes = public;
	loaded->file.public.route_count = public ? loaded->route_count : 0;
}

/* --- the rest of the file ------------------------------------------------------------------------
 */

static bool is_loopback(const struct addr *addr)
{
	return (addr->family == AF_INET && addr->bytes[0] == 127) ||
	       (addr->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->v6));
}

static bool is_local(const struct config_endpoint *endpoint)
{
	return endpoint->transport == CONFIG_UNIX || is_loopback(&endpoint->addr);
}

static void relay_finish(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	struct config_relay *relay = &file->public.relay;

	if (!origin_of(loaded, &file->relay_listen)) {
		file->relay_listen = take(loaded, file->control_count, sizeof(*file->relay_listen));
		for (size_t i = 0; file->relay_listen && i < file->control_count; i++)
			if (is_local(&file->control[i]))
				file->relay_listen[file->relay_listen_count++] = file->control[i];
	}
	relay->control = file->control;
	relay->control_count = file->control_count;
	relay->listen = file->relay_listen;
	relay->listen_count = file->relay_listen_count;
}

static void state_finish(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	struct findings *findings = &loaded->findings;
	struct place servers = value_place(loaded, &file->state_servers, NULL);

	struct config_state *state = &file->public.state;

	state->servers = file->state_servers;
	state->server_count = file->state_server_count;
	if (file->state_server_count)
		state->server = file->state_servers[0];
	if (state->store != CONFIG_STORE_REDIS && servers.offset != PLACE_NOWHERE)
		finding_warn(findings, servers,
			     "state.servers is not used: state.store is not redis");
	if (state->store != CONFIG_STORE_REDIS)
		return;
	if (servers.offset == PLACE_NOWHERE && state->sentinel.server_count == 0)
		finding_error(findings, value_place(loaded, &state->store, NULL),
			      "store: redis needs its server (servers: [10.0.0.5:6379])");
	else if (file->state_server_count > 1 && schema_is_later("several servers"))
		finding_error(findings, value_place(loaded, &file->state_servers[1], NULL),
			      "more than one Redis server is not supported by this version");
}

static void cores_finish(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	unsigned cpus = loaded->host->cpu_count(loaded->host->owner);

	if (!origin_of(loaded, &file->cores)) {
		file->cores = take(loaded, 1, sizeof(*file->cores));
		if (!file->cores)
			return;
		file->cores[0] = cpus ? cpus - 1 : 0;
		file->core_count = 1;
		origin_set(loaded, &file->cores, ORIGIN_HOST, PLACE_NONE);
	}
	if (!origin_of(loaded, &file->workers)) {
		unsigned others = cpus > file->core_count ? cpus - (unsigned)file->core_count : 1;
		file->workers = others > 64 ? 64 : others;
		origin_set(loaded, &file->workers, ORIGIN_HOST, PLACE_NONE);
	}
	file->public.dataplane.cores = file->cores;
	file->public.dataplane.core_count = file->core_count;
	file->public.dataplane.driver = file->driver.driver;
	file->public.dataplane.pci_address = file->driver.pci_address;
	file->public.workers = file->workers;
}

static void names_finish(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	const struct config_host *host = loaded->host;
	char name[65];

	if (!origin_of(loaded, &file->public.node)) {
		host->node_name(host->owner, name, sizeof(name));
		file->public.node = type_text(loaded, slice_from(name));
		origin_set(loaded, &file->public.node, ORIGIN_HOST, PLACE_NONE);
	}
	if (!origin_of(loaded, &file->public.user)) {
		file->public.user = host->has_user(host->owner, "postern") ? "postern" : "nobody";
		origin_set(loaded, &file->public.user, ORIGIN_HOST, PLACE_NONE);
	}
}

void finish_sections(struct loaded *loaded)
{
	interfaces_finish(loaded);
	peers_finish(loaded);
	domains_finish(loaded);
	imply_phones(loaded);
	imply_routes(loaded);
	phones_finish(loaded);
	routes_finish(loaded);
	relay_finish(loaded);
	state_finish(loaded);
	cores_finish(loaded);
	names_finish(loaded);
}
