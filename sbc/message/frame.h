/* frame.h - where one message ends in a byte stream (RFC 3261 18.3). Resumable, so that a peer that
 * sends one byte at a time costs no more than one that does not.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum frame_result {
	FRAME_MORE,    /* not yet whole */
	FRAME_MESSAGE, /* `length` bytes are one message */
	FRAME_PING,    /* CRLF CRLF (RFC 5626 4.4.1): `length` bytes to skip, answer CRLF */
	FRAME_PONG,    /* CRLF: `length` bytes to skip */
	FRAME_BROKEN, /* no usable Content-Length: `length` bytes hold the head; answer and close */
	FRAME_LARGE,  /* beyond `max`: `length` bytes hold the head, or what there is; close */
};

struct frame {       /* zeroed at the start of each message */
	size_t seen; /* bytes already looked at */
	size_t head; /* length of the head when its end was found */
	size_t total;
};

enum frame_result frame_next(struct frame *frame, struct slice data, size_t max, size_t *length);
