/* codecs.h - the codecs that an interface or a peer allows, in its order, applied to an SDP before
 * the relay sees it: any NG relay will do.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "control/base/buf.h"

struct codec_list { /* count 0 = all, as they come */
	const char *const *names;
	size_t count;
};

/* `out` gets the SDP that goes from one side to the other, in the order of `to`; telephone-event
 * stays. 0, or -ERR_UNSUPPORTED: no medium is left (488); -ERR_MALFORMED, -ERR_TOO_LARGE,
 * -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int codecs_filter(struct arena *arena, struct slice sdp, struct codec_list from,
			     struct codec_list to, struct buf *out);
