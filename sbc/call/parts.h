/* parts.h - what comes with a session description in one body (RFC 5621): ISUP and the like. Kept
 * while the description is with the relay, and put around the relay's on its way out.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/message.h"

struct call;

struct parts {             /* zeroed: a body of one piece */
	struct slice type; /* owned; multipart/...;boundary=... */
	struct slice body; /* owned; whole, with the description as received */
};

/* The session description of a message: its body, or a part of it; empty = none. */
struct slice parts_sdp(const struct message *message);
bool parts_are_in(const struct message *message);
/* From a message of this leg; nothing when it has no parts. -ERR_MALFORMED, -ERR_NO_MEMORY. */
MUST_CHECK int parts_take(struct parts *parts, const struct call *call, uint8_t from,
			  const struct message *message);
void parts_clear(struct parts *parts);
/* Body and Content-Type with `sdp` (may be empty) in them; `out` may hold the body. */
struct slice parts_wrap(const struct parts *parts, struct slice sdp, struct buf *out,
			struct slice *type);
