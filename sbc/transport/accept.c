/* Connections that others open: how many of them, and whose. Who has not said anything yet makes
 * room first. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPT_BURST = 64,
	EVICT_AFTER_MS = 1000, /* silence after which a connection may make room for a new one */
	/* And one that messages came over, for a stranger: longer than phones are silent that keep
	 * their flow alive (RFC 5626 4.4.1). */
	EVICT_USED_AFTER_MS = 150000,
};

static struct source *source_find(struct transport *transport, uint16_t interface,
				  const struct addr *addr, bool make)
{
	struct addr key = *addr;
	key.port = 0;
	uint64_t hash = remote_hash(transport, interface, &key);
	struct table_link *link = NULL;

	while ((link = table_find(&transport->sources, hash, link))) {
		struct source *source = container_of(link, struct source, link);
		if (source->interface == interface && addr_equal(&source->addr, &key))
			return source;
	}
	if (!make)
		return NULL;
	struct source *source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->addr = key;
	source->interface = interface;
	order_init(&source->order);
	table_insert(&transport->sources, &source->link, hash);
	return source;
}

static uint64_t source_hash(const struct transport *transport, uint16_t interface,
			    const struct addr *addr)
{
	struct addr key = *addr;

	key.port = 0;
	return remote_hash(transport, interface, &key);
}

void interface_count_change(struct transport *transport, uint16_t index, int change)
{
	transport->interfaces[index].connections += (uint32_t)change;
	if (transport->config.crowd)
		crowd_change(transport->config.crowd, index, change);
}

uint32_t interface_count(const struct transport *transport, uint16_t index)
{
	return transport->config.crowd ? crowd_count(transport->config.crowd, index)
				       : transport->interfaces[index].connections;
}

static uint32_t source_count(const struct transport *transport, uint16_t interface,
			     const struct addr *addr, const struct source *source)
{
	if (transport->config.crowd)
		return crowd_count_source(transport->config.crowd,
					  source_hash(transport, interface, addr));
	return source ? source->connections : 0;
}

static void source_enter(struct transport *transport, struct source *source)
{
	source->connections++;
	if (transport->config.crowd)
		crowd_change_source(transport->config.crowd,
				    source_hash(transport, source->interface, &source->addr), 1);
}

void source_leave(struct transport *transport, struct source *source)
{
	if (transport->config.crowd)
		crowd_change_source(transport->config.crowd,
				    source_hash(transport, source->interface, &source->addr), -1);
	if (--source->connections)
		return;
	table_remove(&transport->sources, &source->link);
	free(source);
}

static bool evict(struct connection *connection, uint32_t after_ms)
{
	struct transport *transport = connection->transport;

	if (connection->first ||
	    loop_now_ms(transport->config.loop) < connection->active_ms + after_ms)
		return false;
	counter_add(&counters_of(transport, connection->interface)->timed_out, 1);
	connection_close(connection, -ERR_CLOSED);
	return true;
}

bool accept_evict(struct transport *transport, uint16_t index)
{
	struct interface *interface = &transport->interfaces[index];
	struct order_link *fresh = order_first(&interface->fresh);
	struct order_link *used = order_first(&interface->used);

	return (fresh &&
		evict(container_of(fresh, struct connection, in_interface), EVICT_AFTER_MS)) ||
	       (used &&
		evict(container_of(used, struct connection, in_interface), EVICT_USED_AFTER_MS));
}

static bool source_evict(struct source *source)
{
	struct order_link *link = order_first(&source->order);

	return link && evict(container_of(link, struct connection, in_source), EVICT_AFTER_MS);
}

static bool has_room(struct transport *transport, uint16_t index, const struct addr *remote)
{
	struct interface *interface = &transport->interfaces[index];
	struct source *source = source_find(transport, index, remote, false);

	/* Only one of this worker's own can make room: who is refused comes again, elsewhere. */
	if (interface->info.connections_source &&
	    source_count(transport, index, remote, source) >= interface->info.connections_source &&
	    !(source && source_evict(source)))
		return false;
	return !interface->info.connections_max ||
	       interface_count(transport, index) < interface->info.connections_max ||
	       accept_evict(transport, index);
}

static void accepted(struct listener *listener, int fd, const struct addr *remote)
{
	struct transport *transport = listener->transport;
	uint16_t interface = listener->info.interface;
	struct connection *connection;

	if (!has_room(transport, interface, remote)) {
		counter_add(&counters_of(transport, interface)->refused, 1);
		close(fd);
		return;
	}
	struct source *source = source_find(transport, interface, remote, true);
	if (!source) {
		close(fd);
		return;
	}
	source_enter(transport, source);
	if (connection_create(transport, listener->index, fd, remote, true, &connection)) {
		source_leave(transport, source);
		close(fd);
		return;
	}
	connection->source = source;
	order_append(&source->order, &connection->in_source);
	order_append(&transport->interfaces[interface].fresh, &connection->in_interface);
	counter_add(&counters_of(transport, interface)->accepted, 1);
	connection_next_state(connection);
}

/* No descriptor left: take the waiting one with the spare, and close it, so that the listener does
 * not stay readable for ever. */
static void refuse_one(struct listener *listener)
{
	struct transport *transport = listener->transport;

	close(transport->spare_fd);
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	transport->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	counter_add(&counters_of(transport, listener->info.interface)->refused, 1);
}

void accept_on_readable(void *owner, int events)
{
	struct listener *listener = owner;

	(void)events;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		struct addr remote;
		int fd = accept4(listener->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE)
				refuse_one(listener);
			return;
		}
		addr_from_sockaddr((const struct sockaddr *)&from, &remote);
		accepted(listener, fd, &remote);
	}
}
