/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/websocket.h"

#include <stdlib.h>
#include <wslay/wslay.h>

enum { STATUS_PROTOCOL = 1002, STATUS_NOT_TEXT = 1007, STATUS_LARGE = 1009, STATUS_FAILED = 1011 };

struct websocket {
	wslay_frame_context_ptr frames;
	struct slice feed; /* what wslay has not taken yet */
	size_t max;
	uint64_t fed;  /* bytes wslay has taken */
	uint64_t used; /* of those: in whole frames */
	uint64_t left; /* payload of the frame at hand that has not come */
	bool in_frame;
	bool fin;
	uint8_t opcode;   /* of the frame at hand */
	uint8_t message;  /* opcode of the message at hand; 0 = none */
	uint8_t header;   /* bytes */
	bool is_taken;    /* `data` was handed out */
	struct buf data;  /* of the message */
	uint64_t payload; /* of the frame */
	char control[WEBSOCKET_CONTROL_MAX];
	size_t control_len;
};

static ssize_t on_receive(uint8_t *out, size_t size, int flags, void *owner)
{
	struct websocket *websocket = owner;
	size_t n = websocket->feed.len < size ? websocket->feed.len : size;

	(void)flags;
	if (!n)
		return -1; /* wslay takes that for "later" */
	memcpy(out, websocket->feed.data, n);
	websocket->feed = slice_sub(websocket->feed, n, websocket->feed.len);
	websocket->fed += n;
	return (ssize_t)n;
}

int websocket_create(size_t max, struct websocket **out)
{
	static const struct wslay_frame_callbacks callbacks = {.recv_callback = on_receive};
	struct websocket *websocket = calloc(1, sizeof(*websocket));

	if (!websocket)
		return -ERR_NO_MEMORY;
	websocket->max = max;
	buf_init(&websocket->data);
	if (wslay_frame_context_init(&websocket->frames, &callbacks, websocket)) {
		free(websocket);
		return -ERR_NO_MEMORY;
	}
	*out = websocket;
	return 0;
}

void websocket_destroy(struct websocket *websocket)
{
	if (!websocket)
		return;
	wslay_frame_context_free(websocket->frames);
	buf_free(&websocket->data);
	free(websocket);
}

bool websocket_is_between(const struct websocket *websocket)
{
	return !websocket->in_frame && !websocket->message && websocket->fed == websocket->used;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool websocket_is_text(struct slice text)
{
	const unsigned char *at = (const unsigned char *)text.data, *end = at + text.len;

	while (at < end) {
		unsigned char first = *at++;
		unsigned int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
		unsigned char low = 0x80, high = 0xbf; /* of the second byte */
		if (first < 0x80)
			continue;
		if (!more || first > 0xf4)
			return false;
		if (first == 0xe0)
			low = 0xa0;
		else if (first == 0xed)
			high = 0x9f;
		else if (first == 0xf0)
			low = 0x90;
		else if (first == 0xf4)
			high = 0x8f;
		for (; more; more--, low = 0x80, high = 0xbf)
			if (at == end || *at < low || *at++ > high)
				return false;
	}
	return true;
}

/* What the head of a frame says, against what may come now: 0 or the status to end with. */
static uint16_t check_head(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
	bool is_control = wslay_is_ctrl_frame(frame->opcode);
	bool is_data = frame->opcode == WSLAY_TEXT_FRAME || frame->opcode == WSLAY_BINARY_FRAME;

	/* A client masks (RFC 6455 5.1); no extension was agreed on (5.2). */
	if (!frame->mask || frame->rsv)
		return STATUS_PROTOCOL;
	if (is_control) {
		if (frame->opcode > WSLAY_PONG || !frame->fin ||
		    frame->payload_length > WEBSOCKET_CONTROL_MAX)
			return STATUS_PROTOCOL;
	} else if (is_data ? websocket->message != 0
			   : frame->opcode != WSLAY_CONTINUATION_FRAME || !websocket->message) {
		return STATUS_PROTOCOL;
	} else if (frame->payload_length > websocket->max - websocket->data.len) {
		return STATUS_LARGE;
	}
	return 0;
}

static uint16_t begin_frame(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
	if (websocket->is_taken) {
		buf_free(&websocket->data);
		websocket->is_taken = false;
	}
	uint16_t status = check_head(websocket, frame);
	if (status)
		return status;
	websocket->in_frame = true;
	websocket->fin = frame->fin;
	websocket->opcode = frame->opcode;
	websocket->payload = websocket->left = frame->payload_length;
	/* Two bytes, the mask, and the longer forms of the length (RFC 6455 5.2). */
	websocket->header = frame->payload_length > 0xffff ? 14
			    : frame->payload_length > 125  ? 8
							   : 6;
	websocket->control_len = 0;
	if (frame->opcode == WSLAY_TEXT_FRAME || frame->opcode == WSLAY_BINARY_FRAME)
		websocket->message = frame->opcode;
	return 0;
}

static uint16_t take_payload(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
	struct slice part = {(const char *)frame->data, frame->data_length};

	if (part.len > websocket->left)
		return STATUS_PROTOCOL;
	websocket->left -= part.len;
	if (!wslay_is_ctrl_frame(websocket->opcode)) {
		buf_add(&websocket->data, part);
		return buf_failed(&websocket->data) ? STATUS_FAILED : 0;
	}
	memcpy(websocket->control + websocket->control_len, part.data, part.len);
	websocket->control_len += part.len;
	return 0;
}

static bool may_be_sent(uint16_t status) /* RFC 6455 7.4 */
{
	return (status >= 1000 && status <= 1014 && status != 1004 && status != 1005 &&
		status != 1006) ||
	       (status >= 3000 && status <= 4999);
}

static enum websocket_event closed(struct websocket *websocket, uint16_t *status)
{
	struct slice text = {websocket->control, websocket->control_len};

	*status = 0;
	if (!text.len)
		return WEBSOCKET_CLOSE;
	if (text.len >= 2)
		*status = (uint16_t)((uint8_t)text.data[0] << 8 | (uint8_t)text.data[1]);
	if (may_be_sent(*status) && websocket_is_text(slice_sub(text, 2, text.len)))
		return WEBSOCKET_CLOSE;
	*status = STATUS_PROTOCOL;
	return WEBSOCKET_BROKEN;
}

/* The frame at hand is whole: an event, or MORE when the message is not. */
static enum websocket_event end_frame(struct websocket *websocket, struct slice *payload,
				      uint16_t *status)
{
	websocket->in_frame = false;
	websocket->used += websocket->header + websocket->payload;
	if (wslay_is_ctrl_frame(websocket->opcode)) {
		*payload = (struct slice){websocket->control, websocket->control_len};
		if (websocket->opcode == WSLAY_CONNECTION_CLOSE)
			return closed(websocket, status);
		return websocket->opcode == WSLAY_PING ? WEBSOCKET_PING : WEBSOCKET_PONG;
	}
	if (!websocket->fin)
		return WEBSOCKET_MORE;
	*payload = buf_slice(&websocket->data);
	bool is_text = websocket->message == WSLAY_TEXT_FRAME;
	websocket->message = 0;
	websocket->is_taken = true;
	if (!is_text || websocket_is_text(*payload))
		return WEBSOCKET_MESSAGE;
	*status = STATUS_NOT_TEXT;
	return WEBSOCKET_BROKEN;
}

enum websocket_event websocket_next(struct websocket *websocket, struct slice *input,
				    struct slice *payload, uint16_t *status)
{
	enum websocket_event event = WEBSOCKET_MORE;

	websocket->feed = *input;
	*payload = SLICE_NONE;
	*status = 0;
	while (event == WEBSOCKET_MORE && !*status) {
		struct wslay_frame_iocb frame = {0};
		ssize_t n = wslay_frame_recv(websocket->frames, &frame);
		if (n == WSLAY_ERR_WANT_READ)
			break;
		*status = n < 0 ? STATUS_PROTOCOL : 0;
		if (!*status && !websocket->in_frame)
			*status = begin_frame(websocket, &frame);
		if (!*status)
			*status = take_payload(websocket, &frame);
		if (!*status && !websocket->left)
			event = end_frame(websocket, payload, status);
	}
	*input = websocket->feed;
	if (event == WEBSOCKET_MORE && *status)
		event = WEBSOCKET_BROKEN;
	return event;
}

void websocket_write(enum websocket_kind kind, struct slice payload, struct buf *out)
{
	uint8_t head[WEBSOCKET_HEADER_MAX] = {(uint8_t)(0x80 | kind)};
	size_t len = 2;

	if (payload.len > 0xffff) {
		head[1] = 127;
		for (; len < 10; len++)
			head[len] = (uint8_t)((uint64_t)payload.len >> (72 - 8 * len));
	} else if (payload.len > 125) {
		head[1] = 126;
		head[2] = (uint8_t)(payload.len >> 8);
		head[3] = (uint8_t)payload.len;
		len = 4;
	} else {
		head[1] = (uint8_t)payload.len;
	}
	buf_add(out, (struct slice){(const char *)head, len});
	buf_add(out, payload);
}

void websocket_write_close(uint16_t status, struct buf *out)
{
	char code[2] = {(char)(status >> 8), (char)(status & 0xff)};

	websocket_write(WEBSOCKET_END, (struct slice){code, status ? sizeof(code) : 0}, out);
}
