/* sdes_private.h - what sdes.c and the media record know of a side's keys.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/sdes.h"

struct sdes {
	unsigned offered_count, said_count, told_count;
	bool is_offered;  /* `offered` waits for its answer */
	bool is_required; /* RTP/SAVP: one of the told ones, or nothing */
	bool is_used;
	struct sdes_line offered[SDES_LINES]; /* by its newest SDP */
	struct sdes_line said[SDES_LINES];    /* by the one in effect */
	struct sdes_line told[SDES_LINES];    /* by our offer to it */
	struct sdes_line in, out;             /* in effect */
};
