/* policing.h - what an SDP lets a side send: its payload types, and how much at most. Generous: it
 * stops floods, it does not shape. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/media.h"
#include "rtpengine/flow.h"

struct policing {
	struct flow_limit limit;
	uint64_t payload_types[2]; /* a bit each; all zero = not RTP */
};

void policing_read(const struct sdp_media *media, struct policing *out);
/* What may arrive from `side` when `other` is across: each is sent what it said it receives, and
 * some send what they receive themselves. */
void policing_rule(const struct policing *side, const struct policing *other,
		   struct flow_rule *rule);
