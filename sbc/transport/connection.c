/* The life of a connection: found again by id, by far end or by alias, led from state to state, and
 * ended by silence of any kind. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A far end that is gone without a word (a phone that lost its network): the kernel asks after so
 * long a silence, so often. */
enum { PROBE_AFTER_S = 300, PROBE_EVERY_S = 30, PROBES = 4 };

void connection_path(const struct connection *connection, struct transport_path *out)
{
	*out = (struct transport_path){.interface = connection->interface,
				       .listener = connection->listener,
				       .transport = connection->kind,
				       .worker = connection->transport->config.worker,
				       .name = connection->name,
				       .remote = connection->remote,
				       .connection = connection->id};
}

/* --- finding --- */

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

static bool may_carry(const struct connection *connection, const struct transport_path *path)
{
	return connection->interface == path->interface && connection->kind == path->transport &&
	       !connection->closing;
}

/* Opened to there: whom it was opened for has been verified, or will be. */
static bool opened_for(const struct connection *connection, const struct transport_path *path)
{
	return addr_equal(&connection->remote, &path->remote) &&
	       (connection->accepted || connection->name == path->name);
}

struct connection *connection_find_remote(struct transport *transport,
					  const struct transport_path *path)
{
	uint64_t hash = remote_hash(transport, path->interface, &path->remote);
	struct table_link *link = NULL;

	while ((link = table_find(&transport->by_remote, hash, link))) {
		struct connection *connection = container_of(link, struct connection, by_remote);
		if (may_carry(connection, path) && opened_for(connection, path))
			return connection;
	}
	while ((link = table_find(&transport->by_alias, hash, link))) {
		struct connection *connection = container_of(link, struct connection, by_alias);
		if (may_carry(connection, path) && alias_is_for(connection, path))
			return connection;
	}
	return NULL;
}

void transport_follow(struct transport *transport, uint64_t id, uint8_t worker)
{
	struct connection *connection = connection_find(transport, id);

	if (connection)
		connection->followers |= 1ull << worker;
}

/* --- the end --- */

void connection_close(struct connection *connection, int err)
{
	struct transport *transport = connection->transport;

	if (connection->state == CONNECTION_CLOSED)
		return;
	secure_leave(connection);
	connection->state = CONNECTION_CLOSED;
	connection->reading = false;
	stream_drop_queue(connection, err);
	unanswered_tell(connection);
	stream_forget(connection);
	wheel_cancel(loop_wheel(transport->config.loop), &connection->timer);
	loop_io_remove(connection->io);
	connection->io = NULL;
	close(connection->fd);
	table_remove(&transport->by_id, &connection->by_id);
	table_remove(&transport->by_remote, &connection->by_remote);
	if (addr_is_set(&connection->alias))
		table_remove(&transport->by_alias, &connection->by_alias);
	order_remove(&connection->in_all);
	order_remove(&connection->in_interface);
	order_remove(&connection->in_source);
	if (connection->source)
		source_leave(transport, connection->source);
	interface_count_change(transport, connection->interface, -1);
	counter_sub(&counters_of(transport, connection->interface)->connections, 1);
	connection->next_dead = transport->dead;
	transport->dead = connection;
}

void connections_bury(struct transport *transport)
{
	const struct transport_config *config = &transport->config;

	while (transport->dead) {
		struct connection *connection = transport->dead;
		transport->dead = connection->next_dead;
		if (config->on_closed && connection->followers)
			config->on_closed(config->owner, connection->id, connection->followers);
		tls_link_free(connection->tls);
		websocket_destroy(connection->websocket);
		buf_free(&connection->in);
		free(connection);
	}
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

/* --- time --- */

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t due_ms(const struct connection *connection)
{
	const struct transport_timers *timers = &connection->transport->config.timers;

	if (connection->state == CONNECTION_CONNECTING ||
	    (connection->state == CONNECTION_SECURING && !connection->accepted))
		return connection->opened_ms + timers->connect_ms;
	if (connection->draining)
		return connection->active_ms + DRAIN_MS;
	if (connection->parting && !connection->closing)
		return connection->active_ms + PARTING_MS;
	uint64_t due = connection->active_ms + timers->idle_ms;
	if (connection->accepted && !connection->got_message)
		due = min(due, connection->opened_ms + timers->first_ms);
	if (connection->partial_ms)
		due = min(due, connection->partial_ms + timers->partial_ms);
	if (connection->first)
		due = min(due, connection->stuck_ms + timers->stall_ms);
	return due;
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
	if (connection->parting && !connection->closing) {
		transport_close(connection->transport, connection->id);
		connection_arm(connection); /* what it cannot get rid of must not keep it */
		return;
	}
	if (!connection->accepted && connection->state <= CONNECTION_SECURING) {
		counter_add(&counters->connect_failed, 1);
		open_remember_silent(connection, now_ms);
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

void connection_touch(struct connection *connection)
{
	struct transport *transport = connection->transport;

	connection->active_ms = loop_now_ms(transport->config.loop);
	if (!connection->accepted || connection->state == CONNECTION_CLOSED)
		return;
	order_remove(&connection->in_source);
	order_append(&connection->source->order, &connection->in_source);
	order_remove(&connection->in_interface);
	struct interface *interface = &transport->interfaces[connection->interface];
	order_append(connection->got_message ? &interface->used : &interface->fresh,
		     &connection->in_interface);
}

/* --- the beginning --- */

void connection_watch(struct connection *connection, int events)
{
	if (connection->events == events || !connection->io)
		return;
	connection->events = (uint8_t)events;
	loop_io_set(connection->io, events);
}

static void set_options(int fd)
{
	int on = 1, after = PROBE_AFTER_S, every = PROBE_EVERY_S, count = PROBES;

	/* Messages are whole: nothing is gained by waiting for more. */
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof(after));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

int connection_create(struct transport *transport, uint16_t listener, int fd,
		      const struct addr *remote, bool accepted, struct connection **out)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	const struct transport_listener *info = &transport->listeners[listener]->info;

	if (!connection)
		return -ERR_NO_MEMORY;
	connection->transport = transport;
	connection->fd = fd;
	connection->listener = listener;
	connection->interface = info->interface;
	connection->kind = (uint8_t)info->transport;
	connection->remote = *remote;
	connection->accepted = accepted;
	connection->reading = true;
	connection->last = &connection->first;
	connection->state = CONNECTION_CONNECTING;
	connection->events = accepted ? LOOP_READ : LOOP_WRITE;
	connection->opened_ms = loop_now_ms(transport->config.loop);
	connection->active_ms = connection->opened_ms;
	buf_init(&connection->in);
	int err = loop_io_add(transport->config.loop, fd, connection->events, stream_on_event,
			      connection, &connection->io);
	if (err) {
		free(connection);
		return err;
	}
	set_options(fd);
	connection->id = (uint64_t)transport->config.worker << 56 | ++transport->last_connection;
	table_insert(&transport->by_id, &connection->by_id, connection->id * 0x9e3779b97f4a7c15ull);
	table_insert(&transport->by_remote, &connection->by_remote,
		     remote_hash(transport, connection->interface, remote));
	order_append(&transport->all, &connection->in_all);
	interface_count_change(transport, connection->interface, 1);
	counter_add(&counters_of(transport, connection->interface)->connections, 1);
	connection_arm(connection);
	*out = connection;
	return 0;
}

void connection_next_state(struct connection *connection)
{
	bool is_secure = sip_transport_is_secure(connection->kind);

	if (connection->state == CONNECTION_CONNECTING && is_secure)
		connection->state = CONNECTION_SECURING;
	else if (connection->state < CONNECTION_UPGRADING &&
		 sip_transport_is_websocket(connection->kind))
		connection->state = CONNECTION_UPGRADING;
	else
		connection->state = CONNECTION_OPEN;
	connection->stuck_ms = loop_now_ms(connection->transport->config.loop);
	connection_arm(connection);
	if (connection->state == CONNECTION_SECURING)
		secure_on_event(connection);
	else if (connection->state == CONNECTION_OPEN)
		stream_flush(connection);
}
