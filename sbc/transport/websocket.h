/* websocket.h - messages out of and into WebSocket frames (RFC 6455; wslay reads the frames,
 * the rules about their order are ours). No sockets here.
 * A struct websocket is what is kept of a frame or message that is not whole: between messages
 * none is needed. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

enum websocket_event {
	WEBSOCKET_MORE,    /* the input is used up */
	WEBSOCKET_MESSAGE, /* `payload` is one, text or binary */
	WEBSOCKET_PING,    /* answer `payload` by a pong */
	WEBSOCKET_PONG,
	WEBSOCKET_CLOSE,  /* the peer ends it; answer with `status` (0 = none) */
	WEBSOCKET_BROKEN, /* end it with `status` (RFC 6455 7.4.1) */
};

enum websocket_kind { /* opcodes that we send */
		      WEBSOCKET_TEXT = 1,
		      WEBSOCKET_BINARY = 2,
		      WEBSOCKET_END = 8,
		      WEBSOCKET_REPLY = 10,
};
enum { WEBSOCKET_HEADER_MAX = 10, WEBSOCKET_CONTROL_MAX = 125 };

struct websocket;

/* `max`: bytes of one message. */
MUST_CHECK int websocket_create(size_t max, struct websocket **out);
void websocket_destroy(struct websocket *websocket); /* NULL is fine */
/* Reads from the front of *input, which shrinks, up to the next event. What `payload` points at is
 * valid until the next call, and may be written to. After CLOSE and BROKEN: no more calls. */
enum websocket_event websocket_next(struct websocket *websocket, struct slice *input,
				    struct slice *payload, uint16_t *status);
/* Nothing is begun: it may be destroyed, and made again when bytes come. */
bool websocket_is_between(const struct websocket *websocket);

bool websocket_is_text(struct slice bytes); /* UTF-8 throughout */
/* Appends a whole frame, as a server sends them. */
void websocket_write(enum websocket_kind kind, struct slice payload, struct buf *out);
/* Appends a closing frame; status 0 = none. */
void websocket_write_close(uint16_t status, struct buf *out);
