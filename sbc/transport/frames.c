/* SIP over WebSocket (RFC 7118): first the HTTP request, then one message in each message.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"
#include "sbc/transport/upgrade.h"

void frames_upgrade(struct connection *connection, struct slice data)
{
	struct transport *transport = connection->transport;
	struct transport_interface *interface = &transport->interfaces[connection->interface].info;
	struct upgrade_policy policy = {interface->origins, interface->origin_count};
	struct buf answer;
	size_t used = 0;

	buf_init(&answer);
	int err = upgrade_read(&policy, data, &used, &answer);
	if (err == -ERR_AGAIN) {
		if (!connection->in.len)
			stream_keep(connection, data);
		return;
	}
	if (buf_failed(&answer) || stream_queue(connection, buf_slice(&answer), 0, false)) {
		buf_free(&answer);
		connection_close(connection, -ERR_NO_MEMORY);
		return;
	}
	buf_free(&answer);
	if (err) {
		counter_add(&counters_of(transport, connection->interface)->not_upgraded, 1);
		connection->reading = false;
		connection->closing = true;
		connection->state = CONNECTION_OPEN; /* its queue may go out */
		return;
	}
	connection_next_state(connection);
	/* A client may not write before it has our answer; one that does is read all the same. */
	if (used < data.len)
		frames_take(connection, slice_sub(data, used, data.len));
	stream_forget(connection);
}

/* A message that is only CRLFs is a keep-alive, as on a stream (RFC 5626 4.4.1). */
static bool keepalive(struct connection *connection, struct slice payload)
{
	struct buf pong;

	if (slice_equal(payload, SLICE("\r\n")))
		return true;
	if (!slice_equal(payload, SLICE("\r\n\r\n")))
		return false;
	buf_init(&pong);
	websocket_write(WEBSOCKET_TEXT, SLICE("\r\n"), &pong);
	/* A queue that is full has ended the connection. */
	if (!buf_failed(&pong) && stream_queue(connection, buf_slice(&pong), 0, false))
		connection->reading = false;
	buf_free(&pong);
	return true;
}

static void answer_control(struct connection *connection, enum websocket_event event,
			   struct slice payload, uint16_t status)
{
	struct buf frame;

	buf_init(&frame);
	if (event == WEBSOCKET_PING)
		websocket_write(WEBSOCKET_REPLY, payload, &frame);
	else
		websocket_write_close(status, &frame);
	if (!buf_failed(&frame) && stream_queue(connection, buf_slice(&frame), 0, false))
		connection->reading = false;
	buf_free(&frame);
	if (event == WEBSOCKET_PING)
		return;
	connection->reading = false;
	transport_close(connection->transport, connection->id);
}

static void handle(struct connection *connection, enum websocket_event event, struct slice payload,
		   uint16_t status)
{
	switch (event) {
	case WEBSOCKET_MESSAGE:
		if (!keepalive(connection, payload))
			stream_deliver(connection, payload, FRAME_MESSAGE);
		else
			connection_touch(connection);
		break;
	case WEBSOCKET_PONG:
		connection_touch(connection);
		break;
	case WEBSOCKET_PING:
		connection_touch(connection);
		answer_control(connection, event, payload, status);
		break;
	case WEBSOCKET_CLOSE:
	case WEBSOCKET_BROKEN:
		answer_control(connection, event, payload, status);
		break;
	case WEBSOCKET_MORE:
		break;
	}
}

void frames_take(struct connection *connection, struct slice data)
{
	struct transport *transport = connection->transport;
	enum websocket_event event = WEBSOCKET_PONG;

	if (!connection->websocket &&
	    websocket_create(transport->config.stream_max, &connection->websocket)) {
		connection_close(connection, -ERR_NO_MEMORY);
		return;
	}
	while (event != WEBSOCKET_MORE && connection->reading &&
	       connection->state == CONNECTION_OPEN) {
		struct slice payload;
		uint16_t status;
		event = websocket_next(connection->websocket, &data, &payload, &status);
		if (event != WEBSOCKET_MORE)
			connection->partial_ms = 0;
		handle(connection, event, payload, status);
	}
	if (connection->state != CONNECTION_OPEN || !connection->reading)
		return; /* it goes when the connection does */
	if (websocket_is_between(connection->websocket)) {
		websocket_destroy(connection->websocket);
		connection->websocket = NULL;
	} else if (!connection->partial_ms) {
		connection->partial_ms = loop_now_ms(transport->config.loop);
	}
}
