/* What follows from other values: the implied phones and routes of the shortest file, what the
 * machine decides; then the public struct. SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#include "config/types.h"

void *finish_take(struct loaded *loaded, size_t count, size_t size)
{
	void *memory = arena_zalloc(loaded->arena, (count ? count : 1) * size);

	if (!memory)
		loaded->findings.failed = true;
	return memory;
}

void finish_headers(struct config_headers *headers, const struct raw_headers *in,
		    const struct raw_headers *out)
{
	headers->in.set = in->list;
	headers->in.set_count = in->count;
	headers->out.set = out->list;
	headers->out.set_count = out->count;
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
	struct raw_phones *phones = finish_take(loaded, loaded->interface_count, sizeof(*phones));
	for (size_t i = 0; phones && i < loaded->interface_count; i++) {
		if (loaded->interfaces[i].public.trusted || loaded->interfaces[i].public.retired)
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
	struct raw_route *routes = finish_take(loaded, 2, sizeof(*routes));
	struct config_end *ends = finish_take(loaded, 2, sizeof(*ends));
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
	struct config_phones *public = finish_take(loaded, loaded->phones_count, sizeof(*public));

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
	struct config_domain *public = finish_take(loaded, loaded->domain_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->domain_count; i++)
	public[i] = loaded->domains[i].public;
	loaded->file.public.domains = public;
	loaded->file.public.domain_count = public ? loaded->domain_count : 0;
}

static void routes_finish(struct loaded *loaded)
{
	struct config_route *public = finish_take(loaded, loaded->route_count, sizeof(*public));

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
		file->relay_listen =
			finish_take(loaded, file->control_count, sizeof(*file->relay_listen));
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
}

static void cores_finish(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	unsigned cpus = loaded->host->cpu_count(loaded->host->owner);

	if (!origin_of(loaded, &file->cores)) {
		file->cores = finish_take(loaded, 1, sizeof(*file->cores));
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
	finish_interfaces(loaded);
	finish_peers(loaded);
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
