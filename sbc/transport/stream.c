/* The bytes of a TCP connection: messages cut out of what comes in, a bounded queue of what goes
 * out. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VECTORS = 64 }; /* messages of one writev */

void connection_path(const struct connection *connection, struct transport_path *out)
{
	*out = (struct transport_path){.interface = connection->interface,
				       .listener = connection->listener,
				       .transport = SIP_TCP,
				       .worker = connection->transport->config.worker,
				       .remote = connection->remote,
				       .connection = connection->id};
}

/* --- in --- */

static void deliver(struct connection *connection, char *data, size_t len, enum frame_result how)
{
	struct transport *transport = connection->transport;
	struct transport_message message = {.data = data,
					    .len = len,
					    .broken = how == FRAME_BROKEN,
					    .truncated = how == FRAME_LARGE};

	connection_path(connection, &message.path);
	connection->got_message = true;
	counter_add(&counters_of(transport, connection->interface)->received, 1);
	transport->config.on_message(transport->config.owner, &message);
}

/* Deal with everything that is whole in data; returns how much is used up. */
static size_t cut_messages(struct connection *connection, char *data, size_t len)
{
	struct transport *transport = connection->transport;
	size_t at = 0, length = 0;

	while (at < len && connection->reading && connection->state == CONNECTION_OPEN) {
		enum frame_result result =
			frame_next(&connection->frame, (struct slice){data + at, len - at},
				   transport->config.stream_max, &length);
		if (result == FRAME_MORE)
			break;
		connection->active_ms = loop_now_ms(transport->config.loop);
		connection->frame = (struct frame){0};
		if (result == FRAME_PING && stream_queue(connection, SLICE("\r\n"), 0))
			break;
		if (result == FRAME_MESSAGE)
			deliver(connection, data + at, length, result);
		if (result == FRAME_BROKEN || result == FRAME_LARGE) {
			/* Where the next message begins is anybody's guess. */
			connection->reading = false;
			deliver(connection, data + at, length, result);
			transport_close(transport, connection->id);
		}
		at += length;
	}
	return connection->reading ? at : len;
}

/* The beginning of a message is kept until the rest comes. */
static void keep_rest(struct connection *connection, struct slice rest)
{
	connection->partial_ms = loop_now_ms(connection->transport->config.loop);
	buf_add(&connection->in, rest);
	if (buf_failed(&connection->in))
		connection_close(connection, -ERR_NO_MEMORY);
}

static void use_kept(struct connection *connection, size_t used)
{
	if (used == connection->in.len) {
		buf_free(&connection->in); /* an idle connection holds no buffer */
	} else if (used) {
		buf_consume(&connection->in, used);
		connection->partial_ms = loop_now_ms(connection->transport->config.loop);
	}
}

/* Nothing that comes now is read as a message; it is taken so that the kernel does not answer it
 * with a reset, which would wipe out our last words at the peer. */
static void drain(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->transport->read_buffer, READ_SIZE);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_close(connection, -ERR_CLOSED);
}

static void on_readable(struct connection *connection)
{
	struct transport *transport = connection->transport;
	struct buf *in = &connection->in;
	bool kept = in->len != 0;
	char *to = kept ? buf_reserve(in, READ_MORE) : transport->read_buffer;

	if (!to) {
		connection_close(connection, -ERR_NO_MEMORY);
		return;
	}
	ssize_t n = read(connection->fd, to, kept ? READ_MORE : READ_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(connection, -ERR_CLOSED);
		return;
	}
	size_t len = (size_t)n, used;
	counter_add(&counters_of(transport, connection->interface)->bytes_received, len);
	if (kept) {
		in->len += len;
		used = cut_messages(connection, in->data, in->len);
	} else {
		used = cut_messages(connection, to, len);
	}
	if (connection->state == CONNECTION_CLOSED)
		return;
	if (kept)
		use_kept(connection, used);
	else if (used < len)
		keep_rest(connection, (struct slice){to + used, len - used});
	connection_arm(connection);
}

/* --- out --- */

int stream_queue(struct connection *connection, struct slice bytes, uint64_t token)
{
	struct transport *transport = connection->transport;

	if (connection->queued_messages >= QUEUE_MESSAGES_MAX ||
	    connection->queued_bytes + bytes.len > QUEUE_BYTES_MAX) {
		counter_add(&counters_of(transport, connection->interface)->stalled, 1);
		connection_close(connection, -ERR_BUSY);
		return -ERR_BUSY;
	}
	struct queued *queued = malloc(sizeof(*queued) + bytes.len);
	if (!queued)
		return -ERR_NO_MEMORY;
	queued->next = NULL;
	queued->token = token;
	queued->len = bytes.len;
	queued->sent = 0;
	memcpy(queued->bytes, bytes.data, bytes.len);
	if (!connection->first) {
		connection->stuck_ms = loop_now_ms(transport->config.loop);
		connection_arm(connection);
	}
	*connection->last = queued;
	connection->last = &queued->next;
	connection->queued_bytes += bytes.len;
	connection->queued_messages++;
	if (!connection->dirty) {
		connection->dirty = true;
		connection->next_dirty = transport->dirty;
		transport->dirty = connection;
	}
	return 0;
}

static void pop(struct connection *connection)
{
	struct queued *queued = connection->first;
	connection->first = queued->next;
	if (!connection->first)
		connection->last = &connection->first;
	connection->queued_bytes -= queued->len;
	connection->queued_messages--;
	free(queued);
}

void stream_drop_queue(struct connection *connection, int err)
{
	struct transport_path path;

	connection_path(connection, &path);
	while (connection->first) {
		transport_failed(connection->transport, &path, connection->first->token, err);
		counter_add(&counters_of(connection->transport, connection->interface)->send_errors,
			    1);
		pop(connection);
	}
}

static void written(struct connection *connection, size_t n)
{
	struct transport_counters *counters =
		counters_of(connection->transport, connection->interface);

	counter_add(&counters->bytes_sent, n);
	connection->stuck_ms = loop_now_ms(connection->transport->config.loop);
	while (connection->first) {
		struct queued *queued = connection->first;
		size_t left = queued->len - queued->sent;
		if (n < left) {
			queued->sent += n;
			return;
		}
		n -= left;
		counter_add(&counters->sent, 1);
		pop(connection);
	}
}

static void watch(struct connection *connection, bool want_write)
{
	connection->want_write = want_write;
	loop_io_set(connection->io,
		    (connection->reading ? LOOP_READ : 0) | (want_write ? LOOP_WRITE : 0));
}

/* Everything is out: say our end, and wait a little for the peer's. */
static void finish(struct connection *connection)
{
	shutdown(connection->fd, SHUT_WR);
	connection->draining = true;
	connection->reading = false;
	connection->active_ms = loop_now_ms(connection->transport->config.loop);
	connection_arm(connection);
	loop_io_set(connection->io, LOOP_READ);
}

void stream_flush(struct connection *connection)
{
	if (connection->state != CONNECTION_OPEN || connection->draining)
		return;
	while (connection->first) {
		struct iovec vectors[VECTORS];
		int count = 0;
		for (struct queued *q = connection->first; q && count < VECTORS; q = q->next)
			vectors[count++] = (struct iovec){q->bytes + q->sent, q->len - q->sent};
		struct msghdr header = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
		ssize_t n = sendmsg(connection->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			connection_close(connection, err_from_errno(errno));
			return;
		}
		written(connection, (size_t)n);
	}
	if (!connection->first && connection->closing)
		finish(connection);
	else
		watch(connection, connection->first != NULL);
}

static void on_connected(struct connection *connection)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct transport *transport = connection->transport;

	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		counter_add(&counters_of(transport, connection->interface)->connect_failed, 1);
		connection_close(connection, err_from_errno(error));
		return;
	}
	connection->state = CONNECTION_OPEN;
	connection->active_ms = loop_now_ms(transport->config.loop);
	connection->stuck_ms = connection->active_ms;
	connection_arm(connection);
	stream_flush(connection);
}

void stream_on_event(void *owner, int events)
{
	struct connection *connection = owner;

	if (connection->state == CONNECTION_CONNECTING) {
		on_connected(connection);
		return;
	}
	if (events & LOOP_WRITE)
		stream_flush(connection);
	if (!(events & LOOP_READ) || connection->state != CONNECTION_OPEN)
		return;
	if (connection->draining)
		drain(connection);
	else if (connection->reading)
		on_readable(connection);
}
