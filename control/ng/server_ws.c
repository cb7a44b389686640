/* server_ws.c - NG in WebSocket messages (RFC 6455; wslay does the framing), as Kamailio speaks it
 * to a relay: one message is one "cookie document", its answer another. A client that does not read
 * its answers is not read from either. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/serving.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#define REPLY_MAX   (1u << 20)
#define MESSAGE_MAX (NG_MAX_BYTES + NG_COOKIE_MAX_BYTES + 1)
#define QUEUE_MAX   (256u << 10) /* bytes of answers not taken yet */
#define SEND_MAX    (64u << 10)  /* bytes of frames made of them */

struct ng_websocket {
	struct ng_websocket *next;
	struct ng_listener *listener;
	void *handle; /* of the HTTP connection it was */
	struct addr source;
	int fd;
	bool is_plain; /* no cookies */
	bool is_broken;
	struct loop_io *io;
	struct buf early; /* what came with the handshake */
	struct buf out;
	wslay_event_context_ptr frames;
};

static void websocket_close(struct ng_websocket *websocket)
{
	struct ng_server *server = websocket->listener->server;
	struct ng_websocket **link = &server->websockets;

	while (*link != websocket)
		link = &(*link)->next;
	*link = websocket->next;
	server->connection_count--;
	ng_held_drop(server, websocket);
	loop_io_remove(websocket->io);
	wslay_event_context_free(websocket->frames);
	buf_free(&websocket->early);
	buf_free(&websocket->out);
	ng_http_release(websocket->listener, websocket->handle);
	free(websocket);
}

static ssize_t on_receive(wslay_event_context_ptr frames, uint8_t *data, size_t len, int flags,
			  void *owner)
{
	struct ng_websocket *websocket = owner;
	ssize_t n;

	(void)flags;
	if (wslay_event_get_queued_msg_length(frames) > QUEUE_MAX) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (websocket->early.len) {
		n = (ssize_t)(websocket->early.len < len ? websocket->early.len : len);
		memcpy(data, websocket->early.data, (size_t)n);
		buf_consume(&websocket->early, (size_t)n);
		return n;
	}
	do
		n = recv(websocket->fd, data, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* Heads and payloads come by themselves: collected, they leave in one piece. */
static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len, int flags,
		       void *owner)
{
	struct ng_websocket *websocket = owner;

	(void)flags;
	if (websocket->out.len > SEND_MAX) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	buf_add(&websocket->out, (struct slice){(const char *)data, len});
	if (!buf_failed(&websocket->out))
		return (ssize_t)len;
	wslay_event_set_error(frames, WSLAY_ERR_NOMEM);
	return -1;
}

/* -ERR_CLOSED: the peer is gone. */
static int flush(struct ng_websocket *websocket)
{
	while (websocket->out.len || wslay_event_want_write(websocket->frames)) {
		if (wslay_event_send(websocket->frames) != 0)
			return -ERR_CLOSED;
		ssize_t n = send(websocket->fd, websocket->out.data, websocket->out.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n <= 0)
			return -ERR_CLOSED;
		buf_consume(&websocket->out, (size_t)n);
	}
	return 0;
}

static void work(struct ng_websocket *websocket);
static void on_again(struct ng_held *held);

/* Answers, or holds it. */
static void take_message(struct ng_websocket *websocket, struct slice text, uint8_t opcode,
			 bool may_wait)
{
	struct ng_server *server = websocket->listener->server;
	struct ng_message message = {.source = &websocket->source,
				     .document = text,
				     .max_bytes = REPLY_MAX,
				     .may_wait = may_wait};
	struct buf answer;

	if (!websocket->is_plain && !ng_split_cookie(text, &message.cookie, &message.document)) {
		counter_add(&server->counters.dropped, 1);
		return;
	}
	buf_init(&answer);
	uint64_t wait = ng_server_answer(server, &message, &answer);
	struct wslay_event_msg reply = {
		.opcode = opcode, .msg = (const uint8_t *)answer.data, .msg_length = answer.len};
	struct ng_held *held = wait ? ng_held_add(server, wait, on_again, websocket, text) : NULL;
	if (held)
		held->opcode = opcode;
	if ((wait && !held) || buf_failed(&answer) ||
	    (answer.len && wslay_event_queue_msg(websocket->frames, &reply) != 0))
		websocket->is_broken = true;
	buf_free(&answer);
}

static void on_again(struct ng_held *held)
{
	struct ng_websocket *websocket = held->owner;

	take_message(websocket, (struct slice){held->data, held->len}, held->opcode, false);
	work(websocket);
}

static void on_message(wslay_event_context_ptr frames,
		       const struct wslay_event_on_msg_recv_arg *message, void *owner)
{
	(void)frames;
	if (!wslay_is_ctrl_frame(message->opcode))
		take_message(owner, (struct slice){(const char *)message->msg, message->msg_length},
			     message->opcode, true);
}

/* Everything that can be done now. */
static void work(struct ng_websocket *websocket)
{
	wslay_event_context_ptr frames = websocket->frames;
	bool failed = flush(websocket) != 0 || wslay_event_recv(frames) != 0 ||
		      flush(websocket) != 0 || websocket->is_broken;
	int events = (wslay_event_want_read(frames) &&
				      wslay_event_get_queued_msg_length(frames) <= QUEUE_MAX
			      ? LOOP_READ
			      : 0) |
		     (websocket->out.len ? LOOP_WRITE : 0);

	if (failed || !events)
		websocket_close(websocket);
	else
		loop_io_set(websocket->io, events);
}

static void on_io(void *owner, int events)
{
	(void)events;
	work(owner);
}

int ng_websocket_open(struct ng_listener *listener, int fd, const struct addr *source,
		      bool is_plain, struct slice early, void *handle)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_receive,
		.send_callback = on_send,
		.on_msg_recv_callback = on_message,
	};
	struct ng_server *server = listener->server;

	if (server->connection_count >= server->max_connections) {
		counter_add(&server->counters.dropped, 1);
		return -ERR_TOO_MANY;
	}
	struct ng_websocket *websocket = calloc(1, sizeof(*websocket));
	if (!websocket)
		return -ERR_NO_MEMORY;
	websocket->listener = listener;
	websocket->handle = handle;
	websocket->source = *source;
	websocket->fd = fd;
	websocket->is_plain = is_plain;
	buf_init(&websocket->early);
	buf_init(&websocket->out);
	buf_add(&websocket->early, early);
	int err = -ERR_NO_MEMORY;
	if (buf_failed(&websocket->early) ||
	    wslay_event_context_server_init(&websocket->frames, &callbacks, websocket) != 0)
		goto fail;
	wslay_event_config_set_max_recv_msg_length(websocket->frames, MESSAGE_MAX);
	/* Written at first: what came with the handshake is looked at in the next turn. */
	err = loop_io_add(server->loop, fd, LOOP_READ | LOOP_WRITE, on_io, websocket,
			  &websocket->io);
	if (err)
		goto fail;
	websocket->next = server->websockets;
	server->websockets = websocket;
	server->connection_count++;
	return 0;
fail:
	if (websocket->frames)
		wslay_event_context_free(websocket->frames);
	buf_free(&websocket->early);
	free(websocket);
	return err;
}

void ng_websocket_close_all(struct ng_server *server)
{
	struct ng_websocket *websocket = server->websockets;

	while (websocket) {
		struct ng_websocket *next = websocket->next;

		websocket_close(websocket);
		websocket = next;
	}
}
