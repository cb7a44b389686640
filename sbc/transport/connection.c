/* The life of TCP connections: accepted within limits, opened without waiting, found again by id,
 * by far end or by alias, and ended by silence of any kind. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPT_BURST = 64,
	EVICT_AFTER_MS = 1000, /* silence after which a connection may make room for a new one */
};

static uint64_t remote_hash(const struct transport *transport, uint16_t interface,
			    const struct addr *addr)
{
	return addr_hash(addr, transport->config.hash_key) ^ interface;
}

struct connection *connection_find(struct transport *transport, uint64_t id)
{
	struct table_link *link = NULL;
	while ((link = table_find(&transport->by_id, id * 0x9e3779b97f4a7c15ull, link))) {
		struct connection *connection = container_of(link, struct connection, by_id);
		if (connection->id == id)
			return connection;
	}
	return NULL;
}

static struct connection *find_remote(struct transport *transport, uint16_t interface,
				      const struct addr *remote)
{
	uint64_t hash = remote_hash(transport, interface, remote);
	struct table_link *link = NULL;

	while ((link = table_find(&transport->by_remote, hash, link))) {
		struct connection *connection = container_of(link, struct connection, by_remote);
		if (connection->interface == interface && !connection->closing &&
		    addr_equal(&connection->remote, remote))
			return connection;
	}
	while ((link = table_find(&transport->by_alias, hash, link))) {
		struct connection *connection = container_of(link, struct connection, by_alias);
		if (connection->interface == interface && !connection->closing &&
		    addr_equal(&connection->alias, remote))
			return connection;
	}
	return NULL;
}

/* --- sources --- */

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
	table_insert(&transport->sources, &source->link, hash);
	return source;
}

static void source_leave(struct transport *transport, struct source *source)
{
	if (--source->connections)
		return;
	table_remove(&transport->sources, &source->link);
	free(source);
}

/* --- end --- */

void connection_close(struct connection *connection, int err)
{
	struct transport *transport = connection->transport;

	if (connection->state == CONNECTION_CLOSED)
		return;
	connection->state = CONNECTION_CLOSED;
	connection->reading = false;
	stream_drop_queue(connection, err);
	wheel_cancel(loop_wheel(transport->config.loop), &connection->timer);
	loop_io_remove(connection->io);
	connection->io = NULL;
	close(connection->fd);
	table_remove(&transport->by_id, &connection->by_id);
	table_remove(&transport->by_remote, &connection->by_remote);
	if (addr_is_set(&connection->alias))
		table_remove(&transport->by_alias, &connection->by_alias);
	if (connection->source)
		source_leave(transport, connection->source);
	if (connection->prev)
		connection->prev->next = connection->next;
	else
		transport->connections = connection->next;
	if (connection->next)
		connection->next->prev = connection->prev;
	transport->interfaces[connection->interface].connections--;
	counter_sub(&counters_of(transport, connection->interface)->connections, 1);
	connection->next_dead = transport->dead;
	transport->dead = connection;
}

void connections_bury(struct transport *transport)
{
	while (transport->dead) {
		struct connection *connection = transport->dead;
		transport->dead = connection->next_dead;
		buf_free(&connection->in);
		free(connection);
	}
}

/* --- time --- */

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t due_ms(const struct connection *connection)
{
	const struct transport_timers *timers = &connection->transport->config.timers;

	if (connection->state == CONNECTION_CONNECTING)
		return connection->opened_ms + timers->connect_ms;
	if (connection->draining)
		return connection->active_ms + DRAIN_MS;
	uint64_t due = connection->active_ms + timers->idle_ms;
	if (connection->accepted && !connection->got_message)
		due = min(due, connection->opened_ms + timers->first_ms);
	if (connection->in.len)
		due = min(due, connection->partial_ms + timers->partial_ms);
	if (connection->first)
		due = min(due, connection->stuck_ms + timers->stall_ms);
	return due;
}

static void remember_silent(const struct connection *connection, uint64_t now_ms)
{
	struct transport *transport = connection->transport;
	struct silent *silent = &transport->silent[transport->next_silent++ % SILENT_MAX];

	*silent = (struct silent){.remote = connection->remote,
				  .interface = connection->interface,
				  .until_ms = now_ms + SILENT_MS};
}

static bool is_silent(const struct transport *transport, const struct transport_path *path)
{
	uint64_t now_ms = loop_now_ms(transport->config.loop);

	for (size_t i = 0; i < SILENT_MAX; i++) {
		const struct silent *silent = &transport->silent[i];
		if (silent->until_ms > now_ms && silent->interface == path->interface &&
		    addr_equal(&silent->remote, &path->remote))
			return true;
	}
	return false;
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct connection *connection = container_of(timer, struct connection, timer);
	struct transport_counters *counters =
		counters_of(connection->transport, connection->interface);

	if (now_ms < due_ms(connection)) { /* something moved meanwhile */
		connection_arm(connection);
		return;
	}
	if (connection->state == CONNECTION_CONNECTING) {
		counter_add(&counters->connect_failed, 1);
		remember_silent(connection, now_ms);
	} else if (connection->first) {
		counter_add(&counters->stalled, 1);
	} else {
		counter_add(&counters->timed_out, 1);
	}
	connection_close(connection, -ERR_TIMEOUT);
}

void connection_arm(struct connection *connection)
{
	uint64_t due = due_ms(connection);

	if (connection->state == CONNECTION_CLOSED)
		return;
	/* A due time that moves away is found out when the timer fires: no work for each message.
	 */
	if (timer_is_armed(&connection->timer) && connection->timer.due_ms <= due)
		return;
	wheel_arm(loop_wheel(connection->transport->config.loop), &connection->timer, due,
		  on_timer);
}

/* --- beginning --- */

static int connection_create(struct transport *transport, uint16_t listener, int fd,
			     const struct addr *remote, bool accepted, struct connection **out)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	uint16_t interface = transport->listeners[listener].info.interface;
	int one = 1;

	if (!connection)
		return -ERR_NO_MEMORY;
	connection->transport = transport;
	connection->fd = fd;
	connection->listener = listener;
	connection->interface = interface;
	connection->remote = *remote;
	connection->accepted = accepted;
	connection->reading = true;
	connection->last = &connection->first;
	connection->state = accepted ? CONNECTION_OPEN : CONNECTION_CONNECTING;
	connection->opened_ms = loop_now_ms(transport->config.loop);
	connection->active_ms = connection->opened_ms;
	buf_init(&connection->in);
	int err = loop_io_add(transport->config.loop, fd, accepted ? LOOP_READ : LOOP_WRITE,
			      stream_on_event, connection, &connection->io);
	if (err) {
		free(connection);
		return err;
	}
	/* Messages are whole: nothing is gained by waiting for more. */
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->id = (uint64_t)transport->config.worker << 56 | ++transport->last_connection;
	table_insert(&transport->by_id, &connection->by_id, connection->id * 0x9e3779b97f4a7c15ull);
	table_insert(&transport->by_remote, &connection->by_remote,
		     remote_hash(transport, interface, remote));
	connection->next = transport->connections;
	if (connection->next)
		connection->next->prev = connection;
	transport->connections = connection;
	transport->interfaces[interface].connections++;
	counter_add(&counters_of(transport, interface)->connections, 1);
	connection_arm(connection);
	*out = connection;
	return 0;
}

/* The longest silent connection of a source (NULL = of anybody) makes room. */
static bool evict(struct transport *transport, uint16_t interface, const struct source *source)
{
	struct connection *oldest = NULL;

	for (struct connection *at = transport->connections; at; at = at->next) {
		if (at->interface != interface || !at->accepted || at->first ||
		    (source && at->source != source))
			continue;
		if (!oldest || at->active_ms < oldest->active_ms)
			oldest = at;
	}
	if (!oldest || loop_now_ms(transport->config.loop) < oldest->active_ms + EVICT_AFTER_MS)
		return false;
	counter_add(&counters_of(transport, interface)->timed_out, 1);
	connection_close(oldest, -ERR_CLOSED);
	return true;
}

static bool has_room(struct transport *transport, uint16_t index, const struct addr *remote)
{
	struct interface *interface = &transport->interfaces[index];
	struct source *source = source_find(transport, index, remote, false);

	if (interface->info.connections_source && source &&
	    source->connections >= interface->info.connections_source &&
	    !evict(transport, index, source))
		return false;
	return !interface->info.connections_max ||
	       interface->connections < interface->info.connections_max ||
	       evict(transport, index, NULL);
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
	source->connections++;
	if (connection_create(transport, listener->index, fd, remote, true, &connection)) {
		source_leave(transport, source);
		close(fd);
		return;
	}
	connection->source = source;
	counter_add(&counters_of(transport, interface)->accepted, 1);
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

void tcp_on_acceptable(void *owner, int events)
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

static int open_socket(const struct transport *transport, uint16_t listener,
		       const struct addr *remote, int *out)
{
	struct sockaddr_storage sa;
	struct addr local = transport->listeners[listener].info.address;
	int fd = socket(remote->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	/* From our interface's address, whatever the routes prefer. */
	local.port = 0;
	socklen_t len = addr_to_sockaddr(&local, &sa);
	if (bind(fd, (struct sockaddr *)&sa, len))
		goto fail;
	len = addr_to_sockaddr(remote, &sa);
	if (connect(fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS)
		goto fail;
	*out = fd;
	return 0;
fail:;
	int err = err_from_errno(errno);
	close(fd);
	return err;
}

static int connection_open(struct transport *transport, const struct transport_path *path,
			   struct connection **out)
{
	const struct interface *interface = &transport->interfaces[path->interface];
	int fd = -1;

	if (is_silent(transport, path))
		return -ERR_TIMEOUT;
	if (interface->info.connections_max &&
	    interface->connections >= interface->info.connections_max &&
	    !evict(transport, path->interface, NULL))
		return -ERR_TOO_MANY;
	int err = open_socket(transport, path->listener, &path->remote, &fd);
	if (!err)
		err = connection_create(transport, path->listener, fd, &path->remote, false, out);
	if (err) {
		counter_add(&counters_of(transport, path->interface)->connect_failed, 1);
		if (fd >= 0)
			close(fd);
		return err;
	}
	counter_add(&counters_of(transport, path->interface)->opened, 1);
	return 0;
}

int tcp_send(struct transport *transport, const struct transport_path *path, struct slice bytes,
	     uint64_t token)
{
	struct connection *connection = NULL;

	if (path->connection)
		connection = connection_find(transport, path->connection);
	if (!connection || connection->closing)
		connection = find_remote(transport, path->interface, &path->remote);
	if (!connection) {
		int err = connection_open(transport, path, &connection);
		if (err)
			return err;
	}
	return stream_queue(connection, bytes, token);
}

void transport_alias(struct transport *transport, const struct transport_path *path,
		     const struct addr *address)
{
	struct connection *connection = connection_find(transport, path->connection);

	if (!connection || addr_equal(&connection->remote, address) ||
	    (addr_is_set(&connection->alias) && addr_equal(&connection->alias, address)))
		return;
	if (addr_is_set(&connection->alias))
		table_remove(&transport->by_alias, &connection->by_alias);
	connection->alias = *address;
	connection->by_alias = (struct table_link){0};
	table_insert(&transport->by_alias, &connection->by_alias,
		     remote_hash(transport, connection->interface, address));
}

bool transport_connection_is_open(const struct transport *transport, uint64_t connection)
{
	return connection_find((struct transport *)(uintptr_t)transport, connection) != NULL;
}

void transport_close(struct transport *transport, uint64_t id)
{
	struct connection *connection = connection_find(transport, id);
	if (!connection)
		return;
	connection->closing = true;
	if (!connection->first)
		connection_close(connection, -ERR_CLOSED);
}
