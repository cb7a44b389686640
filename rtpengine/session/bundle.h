/* bundle.h - what an SDP says of all its streams together. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/media.h"
#include "rtpengine/session/options.h"

struct dialog;

/* Before its sections are written: mids where they are asked for, header extensions taken out. */
MUST_CHECK int bundle_prepare(struct sdp *sdp, const struct options *options);
/* After: the group, and whether we are ICE lite. */
MUST_CHECK int bundle_write(const struct dialog *dialog, int to, struct sdp *sdp,
			    const struct options *options, bool is_answer);
