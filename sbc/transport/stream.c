/* What moves on a connection: messages cut out of what comes in, a bounded queue of what goes out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- in --- */

void stream_deliver(struct connection *connection, struct slice bytes, enum frame_result how)
{
	struct transport *transport = connection->transport;
	struct transport_message message = {.data = (char *)(uintptr_t)bytes.data,
					    .len = bytes.len,
					    .broken = how == FRAME_BROKEN,
					    .truncated = how == FRAME_LARGE};

	connection_path(connection, &message.path);
	connection->got_message = true;
	connection_touch(connection);
	counter_add(&counters_of(transport, connection->interface)->received, 1);
	transport->config.on_message(transport->config.owner, &message);
}

/* The end of what can be read. What was asked before may be with another worker: its answer still
 * goes out. */
static void part(struct connection *connection, bool had_message)
{
	if (!had_message || connection->state != CONNECTION_OPEN) {
		transport_close(connection->transport, connection->id);
		return;
	}
	connection->parting = true;
	connection->active_ms = loop_now_ms(connection->transport->config.loop);
	connection_arm(connection);
}

/* Deal with everything that is whole in data; returns how much is used up. */
static size_t cut_messages(struct connection *connection, struct slice data)
{
	struct transport *transport = connection->transport;
	size_t at = 0, length = 0;

	while (at < data.len && connection->reading && connection->state == CONNECTION_OPEN) {
		struct slice rest = slice_sub(data, at, data.len);
		enum frame_result result =
			frame_next(&connection->frame, rest, transport->config.stream_max, &length);
		if (result == FRAME_MORE)
			break;
		connection->frame = (struct frame){0};
		if (result == FRAME_PING || result == FRAME_PONG)
			connection_touch(connection);
		if (result == FRAME_PING && stream_queue(connection, SLICE("\r\n"), 0, false))
			break;
		if (result == FRAME_MESSAGE)
			stream_deliver(connection, slice_sub(rest, 0, length), result);
		if (result == FRAME_BROKEN || result == FRAME_LARGE) {
			/* Where the next message begins is anybody's guess. */
			bool had_message = connection->got_message;
			connection->reading = false;
			stream_deliver(connection, slice_sub(rest, 0, length), result);
			part(connection, had_message);
		}
		at += length;
	}
	return connection->reading ? at : data.len;
}

void stream_keep(struct connection *connection, struct slice rest)
{
	struct transport *transport = connection->transport;

	if (!connection->partial_ms)
		connection->partial_ms = loop_now_ms(transport->config.loop);
	buf_add(&connection->in, rest);
	transport->kept_bytes += connection->in.cap - connection->kept;
	connection->kept = connection->in.cap;
	if (buf_failed(&connection->in) ||
	    (transport->kept_bytes > KEPT_BYTES_MAX && connection->in.len > KEPT_SMALL))
		connection_close(connection, -ERR_NO_MEMORY);
}

/* An idle connection holds no buffer. Of a closed one it goes with the connection: its bytes may be
 * in use further up. */
void stream_forget(struct connection *connection)
{
	connection->transport->kept_bytes -= connection->kept;
	connection->kept = 0;
	connection->partial_ms = 0;
	if (connection->state != CONNECTION_CLOSED)
		buf_free(&connection->in);
}

static void take_stream(struct connection *connection, struct slice data)
{
	bool kept = connection->in.len != 0;
	size_t used = cut_messages(connection, data);

	if (connection->state == CONNECTION_CLOSED)
		return;
	if (kept && used == data.len) {
		stream_forget(connection);
	} else if (kept && used) {
		connection->partial_ms = loop_now_ms(connection->transport->config.loop);
		buf_consume(&connection->in, used);
	} else if (!kept && used < data.len) {
		stream_keep(connection, slice_sub(data, used, data.len));
	}
}

/* What the connection makes of bytes, by its state. */
static void take(struct connection *connection, struct slice data)
{
	if (connection->state == CONNECTION_OPEN && sip_transport_is_websocket(connection->kind)) {
		frames_take(connection, data);
		return;
	}
	if (connection->in.len) {
		stream_keep(connection, data);
		if (connection->state == CONNECTION_CLOSED)
			return;
		data = buf_slice(&connection->in);
	}
	if (connection->state == CONNECTION_UPGRADING)
		frames_upgrade(connection, data);
	else
		take_stream(connection, data);
}

/* Nothing that comes now is read as a message; it is taken so that the kernel does not answer it
 * with a reset, which would wipe out our last words at the peer. */
static void drain(struct connection *connection)
{
	ssize_t n =
		recv(connection->fd, connection->transport->read_buffer, READ_SIZE, MSG_DONTWAIT);
	if (n == 0 && connection->parting)
		connection_watch(connection, connection->first ? LOOP_WRITE : 0);
	else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_close(connection, -ERR_CLOSED);
}

static void on_readable(struct connection *connection)
{
	struct transport *transport = connection->transport;
	/* A record at a time over TLS; what is left the next wake-up finds: others come first. */
	int rounds = connection->tls ? RECORDS : 1;

	while (rounds-- && connection->reading && connection->state != CONNECTION_CLOSED) {
		ssize_t n = bytes_read(connection, transport->read_buffer, READ_SIZE);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			connection_close(connection, -ERR_CLOSED);
			return;
		}
		counter_add(&counters_of(transport, connection->interface)->bytes_received,
			    (uint64_t)n);
		take(connection, (struct slice){transport->read_buffer, (size_t)n});
	}
	if (connection->state == CONNECTION_CLOSED)
		return;
	if (connection->read_wants_write)
		connection_watch(connection, connection->events | LOOP_WRITE);
	connection_arm(connection);
}

/* --- out --- */

int stream_send(struct connection *connection, struct slice bytes, uint64_t token)
{
	bool is_request = token && !slice_starts(bytes, SLICE("SIP/2.0"));
	struct buf frame;

	if (!sip_transport_is_websocket(connection->kind))
		return stream_queue(connection, bytes, token, is_request);
	buf_init(&frame);
	/* Text unless it is none: SIP is UTF-8, a body need not be (RFC 7118 5). */
	websocket_write(websocket_is_text(bytes) ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, bytes,
			&frame);
	int err = buf_failed(&frame)
			  ? -ERR_NO_MEMORY
			  : stream_queue(connection, buf_slice(&frame), token, is_request);
	buf_free(&frame);
	return err;
}

int stream_queue(struct connection *connection, struct slice bytes, uint64_t token, bool is_request)
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
	queued->is_request = is_request;
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
		if (queued->is_request)
			unanswered_add(connection, queued->token);
		pop(connection);
	}
}

/* Everything is out: say our end, and wait a little for the peer's. */
static void finish(struct connection *connection)
{
	bytes_end(connection);
	connection->draining = true;
	connection->parting = false;
	connection->reading = false;
	connection->active_ms = loop_now_ms(connection->transport->config.loop);
	connection_arm(connection);
	connection_watch(connection, LOOP_READ);
}

void stream_flush(struct connection *connection)
{
	if (connection->state < CONNECTION_UPGRADING || connection->state == CONNECTION_CLOSED ||
	    connection->draining)
		return;
	while (connection->first) {
		ssize_t n = bytes_write_queue(connection);
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
		connection_watch(connection,
				 (connection->reading || connection->parting ? LOOP_READ : 0) |
					 (connection->first || connection->read_wants_write
						  ? LOOP_WRITE
						  : 0));
}

void stream_on_event(void *owner, int events)
{
	struct connection *connection = owner;

	switch ((enum connection_state)connection->state) {
	case CONNECTION_CONNECTING:
		open_on_connected(connection);
		return;
	case CONNECTION_SECURING:
		secure_on_event(connection);
		return;
	case CONNECTION_UPGRADING:
	case CONNECTION_OPEN:
		break;
	case CONNECTION_CLOSED:
		return;
	}
	bool read_wanted = (events & LOOP_WRITE) && connection->read_wants_write;
	if (events & LOOP_WRITE)
		stream_flush(connection);
	if ((!(events & LOOP_READ) && !read_wanted) || connection->state == CONNECTION_CLOSED)
		return;
	if (connection->draining || connection->parting)
		drain(connection);
	else if (connection->reading)
		on_readable(connection);
}
