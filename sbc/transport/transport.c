/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sbc/transport/internal.h"

const struct transport_timers transport_timers_default = {
	.connect_ms = 3000, /* scenario N5: the caller hears within seconds */
	.idle_ms = 3600000, /* a registered phone's connection is the only way to it */
	.first_ms = 10000,
	.stall_ms = 10000,
	.partial_ms = 10000,
};

/* --- life --- */

static void on_burst_end(void *owner)
{
	transport_flush(owner);
}

static int make_tables(struct transport *transport)
{
	int err = table_init(&transport->by_id, 256);

	if (!err)
		err = table_init(&transport->by_remote, 256);
	if (!err)
		err = table_init(&transport->by_alias, 256);
	if (!err)
		err = table_init(&transport->sources, 256);
	if (!err)
		err = table_init(&transport->elsewhere, 64);
	if (!err)
		err = table_init(&transport->name_table, 64);
	return err;
}

static int make_buffers(struct transport *transport)
{
	const struct transport_config *config = &transport->config;
	size_t room = config->interface_room > config->interface_count ? config->interface_room
								       : config->interface_count;

	transport->datagram_size = config->datagram_max;
	transport->datagrams = malloc(BURST * transport->datagram_size);
	transport->udp_queue = calloc(UDP_QUEUE, sizeof(*transport->udp_queue));
	transport->read_buffer = malloc(READ_SIZE);
	transport->write_buffer = malloc(RECORD_SIZE);
	transport->listeners = calloc(TRANSPORT_LISTENERS_MAX, sizeof(*transport->listeners));
	transport->config.interface_room = room;
	transport->interfaces = calloc(room + 1, sizeof(*transport->interfaces));
	transport->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	buf_init(&transport->udp_bytes);
	if (!transport->datagrams || !transport->udp_queue || !transport->read_buffer ||
	    !transport->write_buffer || !transport->listeners || !transport->interfaces ||
	    transport->spare_fd < 0)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < room; i++) {
		order_init(&transport->interfaces[i].fresh);
		order_init(&transport->interfaces[i].used);
	}
	transport_set_interfaces(transport, config->interfaces, config->interface_count);
	return 0;
}

static int make_tls(struct transport *transport)
{
	transport->last_waiting = &transport->waiting;
	transport->handshakes_left = HANDSHAKES_A_WAKE;
	if (!transport->config.tls)
		return 0;
	transport->tls = tls_share(transport->config.tls);
	return tls_sessions_create(&transport->sessions);
}

int transport_create(const struct transport_config *config, struct buf *why, struct transport **out)
{
	struct transport *transport = calloc(1, sizeof(*transport));

	if (!transport)
		return -ERR_NO_MEMORY;
	transport->config = *config;
	transport->spare_fd = -1;
	order_init(&transport->all);
	order_init(&transport->handshakes);
	int err = make_buffers(transport);
	if (!err)
		err = make_tables(transport);
	if (!err)
		err = make_tls(transport);
	for (size_t i = 0; !err && i < config->listener_count; i++)
		err = listener_open(transport, &config->listeners[i], why);
	if (!err)
		err = loop_on_burst_end(config->loop, on_burst_end, transport);
	if (err) {
		transport_destroy(transport);
		return err;
	}
	*out = transport;
	return 0;
}

void transport_set_interfaces(struct transport *transport,
			      const struct transport_interface *interfaces, size_t count)
{
	for (size_t i = 0; i < count && i < transport->config.interface_room; i++)
		transport->interfaces[i].info = interfaces[i];
	transport->interface_count = count;
}

void transport_destroy(struct transport *transport)
{
	if (!transport)
		return;
	struct order_link *link;
	while ((link = order_first(&transport->all)))
		connection_close(container_of(link, struct connection, in_all), -ERR_CLOSED);
	transport->config.on_closed = NULL; /* nobody is left to hear of it */
	connections_bury(transport);
	wheel_cancel(loop_wheel(transport->config.loop), &transport->waiting_timer);
	tls_release(transport->tls);
	tls_sessions_destroy(transport->sessions);
	names_free(transport);
	transport_forget_elsewhere(transport, 0);
	table_free(&transport->elsewhere);
	listeners_free(transport);
	if (transport->spare_fd >= 0)
		close(transport->spare_fd);
	table_free(&transport->by_id);
	table_free(&transport->by_remote);
	table_free(&transport->by_alias);
	table_free(&transport->sources);
	buf_free(&transport->udp_bytes);
	free(transport->udp_queue);
	free(transport->datagrams);
	free(transport->read_buffer);
	free(transport->write_buffer);
	free(transport->interfaces);
	free(transport->failures);
	free(transport);
}

/* --- sending --- */

void transport_failed(struct transport *transport, const struct transport_path *path,
		      uint64_t token, int err)
{
	if (!token)
		return;
	if (transport->failure_count == transport->failure_size) {
		size_t size = transport->failure_size ? 2 * transport->failure_size : 16;
		void *grown = realloc(transport->failures, size * sizeof(*transport->failures));
		if (!grown)
			return; /* the transaction's own timer will tell */
		transport->failures = grown;
		transport->failure_size = size;
	}
	transport->failures[transport->failure_count++] =
		(struct failure){.path = *path, .token = token, .err = err};
}

static bool can_be_reached(const struct addr *remote)
{
	return addr_is_set(remote) && remote->port && !addr_is_any(remote) &&
	       !addr_is_multicast(remote) &&
	       !(remote->family == AF_INET && remote->v4.s_addr == INADDR_BROADCAST);
}

/* Firewalls that let no datagram out, not even a reply (scenario N4): to where the sender says that
 * it listens. */
static void reply_by_tcp(const struct transport *transport, struct transport_path *path)
{
	uint16_t listener;
	if (transport_listener_for(transport, path->interface, SIP_TCP, path->remote.family,
				   &listener))
		return;
	path->transport = SIP_TCP;
	path->listener = listener;
	path->connection = 0;
	if (path->via_port)
		path->remote.port = path->via_port;
}

/* On a connection: the one it names, one that is there, or a new one. */
static int send_on_connection(struct transport *transport, const struct transport_path *path,
			      struct slice bytes, uint64_t token)
{
	const struct transport_config *config = &transport->config;
	struct connection *connection = NULL;

	if (path->connection)
		connection = connection_find(transport, path->connection);
	if (connection && !connection->closing)
		return stream_send(connection, bytes, token);
	if (path->flow || sip_transport_is_websocket(path->transport))
		return -ERR_CLOSED;
	connection = connection_find_remote(transport, path);
	uint64_t elsewhere = connection ? 0 : alias_elsewhere(transport, path);
	if (elsewhere) {
		struct transport_path there = *path;
		there.connection = elsewhere;
		there.flow = true;
		return config->relay(config->owner, &there, bytes, token) ? 0 : -ERR_AGAIN;
	}
	if (!connection && transport->listeners[path->listener]->fd < 0)
		return -ERR_UNREACHABLE; /* it was removed */
	if (!connection) {
		int err = connection_open(transport, path, &connection);
		if (err)
			return err;
	}
	return stream_send(connection, bytes, token);
}

int transport_send(struct transport *transport, const struct transport_path *to, struct slice bytes,
		   uint64_t token)
{
	const struct transport_config *config = &transport->config;
	struct transport_path path = *to;

	if (path.interface >= transport->interface_count ||
	    path.listener >= transport->listener_count)
		return -ERR_INVALID;
	if (path.transport == SIP_UDP && slice_starts(bytes, SLICE("SIP/2.0")) &&
	    transport->interfaces[path.interface].info.replies_by_tcp)
		reply_by_tcp(transport, &path);
	if (!can_be_reached(&path.remote))
		return -ERR_UNREACHABLE;
	if (transport->listeners[path.listener]->info.address.family != path.remote.family)
		return -ERR_UNREACHABLE;
	if (path.transport == SIP_UDP)
		return udp_send(transport, &path, bytes, token);
	uint8_t owner = (uint8_t)(path.connection >> 56);
	if (path.connection && owner != config->worker && config->relay) {
		/* Names are numbered by each worker for itself: it opens no other in its place. */
		path.flow |= path.transport == SIP_TLS;
		return config->relay(config->owner, &path, bytes, token) ? 0 : -ERR_AGAIN;
	}
	return send_on_connection(transport, &path, bytes, token);
}

static void tell_failures(struct transport *transport)
{
	/* Telling may bring more; those are told in the next round. */
	struct failure *failures = transport->failures;
	size_t count = transport->failure_count;

	transport->failures = NULL;
	transport->failure_count = 0;
	transport->failure_size = 0;
	for (size_t i = 0; i < count; i++)
		transport->config.on_error(transport->config.owner, &failures[i].path,
					   failures[i].token, failures[i].err);
	free(failures);
}

static void send_queued(struct transport *transport)
{
	udp_flush(transport);
	while (transport->dirty) {
		struct connection *connection = transport->dirty;
		transport->dirty = connection->next_dirty;
		connection->dirty = false;
		stream_flush(connection);
	}
}

void transport_flush(struct transport *transport)
{
	/* A failure makes its transaction try elsewhere or give up: a few rounds at most, each one
	 * ends a transaction or its only second try. */
	for (int round = 0; round < 8; round++) {
		send_queued(transport);
		connections_bury(transport);
		if (!transport->failure_count)
			break;
		tell_failures(transport);
	}
	send_queued(transport);
	secure_renew(transport);
}

/* --- who is who --- */

int transport_listener_for(const struct transport *transport, uint16_t interface,
			   enum sip_transport kind, uint8_t family, uint16_t *listener)
{
	int err = -ERR_NOT_FOUND;

	for (uint16_t i = 0; i < transport->listener_count; i++) {
		const struct listener *at = transport->listeners[i];
		const struct transport_listener *info = &at->info;
		if (info->interface != interface || info->transport != kind ||
		    info->purpose != TRANSPORT_SIP || addr_is_set(&info->group) ||
		    info->address.family != family || at->fd < 0)
			continue;
		*listener = i;
		err = 0;
		if (!at->is_draining)
			break;
	}
	return err;
}

const struct transport_listener *transport_listener(const struct transport *transport,
						    uint16_t index)
{
	return index < transport->listener_count ? &transport->listeners[index]->info : NULL;
}

uint16_t transport_listener_count(const struct transport *transport)
{
	return transport->listener_count;
}

int transport_listener_fd(const struct transport *transport, uint16_t index)
{
	return index < transport->listener_count ? transport->listeners[index]->fd : -1;
}

const struct transport_interface *transport_interface(const struct transport *transport,
						      uint16_t index)
{
	return index < transport->interface_count ? &transport->interfaces[index].info : NULL;
}

const struct transport_counters *transport_counters(const struct transport *transport,
						    uint16_t interface)
{
	return &transport->interfaces[interface].counters;
}

void transport_stop_accepting(struct transport *transport)
{
	for (size_t i = 0; i < transport->listener_count; i++) {
		if (transport->listeners[i]->info.transport != SIP_UDP &&
		    transport->listeners[i]->io)
			loop_io_set(transport->listeners[i]->io, 0);
	}
}

void transport_set_tls(struct transport *transport, struct tls *tls)
{
	tls_release(transport->tls);
	transport->tls = tls_share(tls);
	/* What others verified in the past is verified anew. It stays where it is: open connections
	 * bring their tickets there. */
	if (transport->sessions)
		tls_sessions_clear(transport->sessions);
	else if (tls_sessions_create(&transport->sessions))
		transport->sessions = NULL; /* without memory nothing is resumed */
}
