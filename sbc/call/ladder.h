/* ladder.h - the last messages of a call, as a person draws them: who sent what when.
 * Bounded, embedded in the call, and small: texts are made when somebody looks (`show call`).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum { LADDER_EVENTS = 28, LADDER_TEXT = 40 };

struct ladder_note {       /* 16 bytes, as there are many */
	uint32_t after_ms; /* the first */
	uint32_t cseq;
	uint16_t code;  /* of a reply, 0 = a request */
	uint8_t method; /* of a request; METHOD_UNKNOWN = of one that we do not know */
	bool is_callee : 1;
	bool sent : 1;
	bool has_sdp : 1;
};

/* The first messages are kept (they say how the call was set up), then the newest. */
struct ladder {
	uint64_t first_ms; /* the loop's clock */
	uint32_t seen;
	struct ladder_note notes[LADDER_EVENTS];
};

/* What was said, without the addresses: the method of a request or the code of a reply. */
struct ladder_message {
	uint8_t leg; /* 0 = the caller's side */
	bool sent;   /* by us */
	bool has_sdp;
	uint16_t code; /* 0 = a request */
	uint32_t cseq;
	struct slice method;
};

struct ladder_event {
	uint64_t at_ms;
	uint8_t leg;
	bool sent;
	uint16_t code;
	uint32_t cseq;
	char text[LADDER_TEXT]; /* "INVITE sdp", "180 Ringing" */
};

void ladder_add(struct ladder *ladder, uint64_t now_ms, const struct ladder_message *message);
uint32_t ladder_count(const struct ladder *ladder);
/* Oldest first; false past the end. */
bool ladder_at(const struct ladder *ladder, uint32_t index, struct ladder_event *out);
/* Messages between the first and the newest that are not kept any more. */
uint32_t ladder_lost(const struct ladder *ladder);
