/* Peers as both halves use them: servers, whose requests are theirs, how they log in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#include "config/types.h"

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
	struct cidr *networks = finish_take(loaded, room, sizeof(*networks));

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
	if (!peer->interface_known && !peer->public.retired)
		return;
	const struct config_media *from = &loaded->interfaces[peer->public.interface].public.media;
	peer->public.media.ports = from->ports;
	peer->public.media.port_count = from->port_count;
	peer->public.media.addresses = from->addresses;
	peer->public.media.address_count = from->address_count;
	peer->public.media.dscp = from->dscp;
	if (peer->public.retired) {
		peer->public.media.keying = from->keying;
		peer->public.media.keying_count = from->keying_count;
	}
}

void finish_peers(struct loaded *loaded)
{
	struct config_peer *public = finish_take(loaded, loaded->peer_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->peer_count; i++) {
		struct raw_peer *peer = &loaded->peers[i];
		if (peer->public.retired) {
			peer_media_finish(loaded, peer);
			public[i] = peer->public;
			continue;
		}
		servers_finish(loaded, peer);
		accept_finish(loaded, peer);
		registration_finish(peer);
		finish_headers(&peer->public.headers, &peer->set_in, &peer->set_out);
		peer_media_finish(loaded, peer);
		peer->public.identity_trusted = peer->identity == RAW_IDENTITY_TRUSTED;
		public[i] = peer->public;
	}
	loaded->file.public.peers = public;
	loaded->file.public.peer_count = public ? loaded->peer_count : 0;
}
