/* RFC 5923: a connection that its far end opened serves requests to where it listens. A worker
 * knows its own, and those of the other workers, to whom it gives what is to go there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <stdlib.h>

enum { ELSEWHERE_MAX = 1024 };

struct elsewhere {
	struct table_link link;
	struct addr address;
	uint64_t connection;
	uint16_t interface;
	uint8_t kind;
};

/* An alias is an address over TCP; over TLS it is who the peer has proven to be. */
bool alias_is_for(const struct connection *connection, const struct transport_path *path)
{
	if (!addr_equal(&connection->alias, &path->remote))
		return false;
	return connection->kind != SIP_TLS ||
	       tls_peer_is(connection->tls, transport_name_text(connection->transport, path->name),
			   &path->remote);
}

bool transport_alias(struct transport *transport, const struct transport_path *path,
		     const struct addr *address)
{
	struct connection *connection = connection_find(transport, path->connection);

	if (!connection || sip_transport_is_websocket(connection->kind) ||
	    addr_equal(&connection->remote, address) ||
	    (addr_is_set(&connection->alias) && addr_equal(&connection->alias, address)))
		return false;
	if (addr_is_set(&connection->alias))
		table_remove(&transport->by_alias, &connection->by_alias);
	connection->alias = *address;
	connection->by_alias = (struct table_link){0};
	table_insert(&transport->by_alias, &connection->by_alias,
		     remote_hash(transport, connection->interface, address));
	/* Names are numbered by each worker for itself: the others ask for an address alone. */
	return connection->kind != SIP_TLS || tls_peer_is(connection->tls, NULL, address);
}

static struct elsewhere *find(const struct transport *transport, const struct transport_path *path,
			      const struct addr *address)
{
	uint64_t hash = remote_hash(transport, path->interface, address);
	struct table_link *link = NULL;

	while ((link = table_find(&transport->elsewhere, hash, link))) {
		struct elsewhere *one = container_of(link, struct elsewhere, link);
		if (one->interface == path->interface && one->kind == path->transport &&
		    addr_equal(&one->address, address))
			return one;
	}
	return NULL;
}

void transport_alias_elsewhere(struct transport *transport, const struct transport_path *path,
			       const struct addr *address)
{
	struct elsewhere *one = find(transport, path, address);

	if (!one) {
		one = transport->elsewhere.count < ELSEWHERE_MAX ? calloc(1, sizeof(*one)) : NULL;
		if (!one)
			return; /* then a connection of our own is opened */
		one->interface = path->interface;
		one->kind = path->transport;
		one->address = *address;
		table_insert(&transport->elsewhere, &one->link,
			     remote_hash(transport, path->interface, address));
	}
	one->connection = path->connection;
}

void transport_forget_elsewhere(struct transport *transport, uint64_t connection)
{
	struct table_link *link =
		transport->elsewhere.count ? table_next(&transport->elsewhere, NULL) : NULL;

	while (link) {
		struct elsewhere *one = container_of(link, struct elsewhere, link);
		link = table_next(&transport->elsewhere, link);
		if (connection && one->connection != connection)
			continue;
		table_remove(&transport->elsewhere, &one->link);
		free(one);
	}
}

uint64_t alias_elsewhere(const struct transport *transport, const struct transport_path *path)
{
	const struct elsewhere *one = path->name || !transport->elsewhere.count
					      ? NULL
					      : find(transport, path, &path->remote);

	return one ? one->connection : 0;
}
