/* ladder.h - the last messages of a call, as a person draws them: who sent what when.
 * Bounded and embedded in the call; read by `show call`.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

#define LADDER_EVENTS 28
#define LADDER_TEXT   40

struct ladder_event {
	uint64_t at_ms; /* the loop's clock */
	uint8_t leg;    /* 0 = the caller's side */
	bool sent;      /* by us */
	uint16_t code;  /* of a reply, 0 = a request */
	uint32_t cseq;
	char text[LADDER_TEXT]; /* "INVITE sdp", "180 Ringing" */
};

/* The first messages are kept (they say how the call was set up), then the newest. */
struct ladder {
	struct ladder_event events[LADDER_EVENTS];
	uint32_t seen;
};

/* What was said, without the addresses: the method of a request or "code reason". */
struct ladder_message {
	uint8_t leg;
	bool sent;
	bool has_sdp;
	uint16_t code;
	uint32_t cseq;
	struct slice text; /* method or reason phrase */
};

void ladder_add(struct ladder *ladder, uint64_t now_ms, const struct ladder_message *message);
uint32_t ladder_count(const struct ladder *ladder);
/* Oldest first; NULL past the end. */
const struct ladder_event *ladder_at(const struct ladder *ladder, uint32_t index);
/* Messages between the first and the newest that are not kept any more. */
uint32_t ladder_lost(const struct ladder *ladder);
