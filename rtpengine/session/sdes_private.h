/* sdes_private.h - what sdes.c and the media record know of a side's keys.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/sdes.h"

struct sdes_list {
	unsigned count;          /* at most SDES_LINES */
	struct sdes_line *lines; /* owned; no longer than that */
};
void sdes_list_clear(struct sdes_list *list); /* wipes */
/* -ERR_NO_MEMORY: it stays as it is. */
MUST_CHECK int sdes_list_set(struct sdes_list *list, const struct sdes_line *lines, unsigned count);

struct sdes {
	bool is_offered;  /* `offered` waits for its answer */
	bool is_required; /* RTP/SAVP: one of the told ones, or nothing */
	bool is_used;
	struct sdes_list offered; /* by its newest SDP */
	struct sdes_list said;    /* by the one in effect */
	struct sdes_list told;    /* by our offer to it */
	struct sdes_line in, out; /* in effect */
};
