/* bundle.h - several streams of one SDP on one transport (RFC 9143). Each stream has ports of its
 * own; once a group is agreed with a side, one of its streams carries all of them there.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/media.h"
#include "rtpengine/flow.h"
#include "rtpengine/session/options.h"

struct dialog;
struct stream;

/* An SDP that came: what a bundled section leaves to the one its group begins with is put into it,
 * so that each can be read by itself. -ERR_NO_MEMORY. */
MUST_CHECK int bundle_read(struct sdp *sdp);
/* The number of the header extension that carries the mid; 0 = none. */
uint8_t bundle_mid_id(const struct sdp_media *media);
/* The exchange is complete: which streams of this side share, and who carries them. */
void bundle_agree(struct dialog *dialog, int side, bool is_offerer, const struct options *options);

/* Before the sections of an SDP for side `to` are written: mids where they are asked for, header
 * extensions taken out, which are offered to be shared. */
MUST_CHECK int bundle_prepare(struct dialog *dialog, int to, struct sdp *sdp,
			      const struct options *options, bool is_answer);
/* Whether this section of an SDP for that side is the first of its group. */
bool bundle_is_tagged(const struct stream *stream, int side, const struct sdp_media *media);
/* After: the groups, and whether we are ICE lite. */
MUST_CHECK int bundle_write(const struct dialog *dialog, int to, struct sdp *sdp,
			    const struct options *options, bool is_answer);

/* The streams that this one carries on that side, itself among them; false: none but itself. */
bool bundle_members(const struct stream *carrier, int side, struct flow_bundle *out);
/* The first live stream that this one carries, other than itself; NULL = there is none. */
const struct stream *bundle_first(const struct stream *carrier, int side);
