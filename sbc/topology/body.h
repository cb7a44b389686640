/* body.h - the SDP that one side is shown: ours in o= and s=, nothing in it that tells of the other
 * side. The relay has put its own addresses in already; this takes away what a relay leaves.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "control/base/buf.h"

/* The o= line a leg shows over its life (RFC 3264 5: same id, version rises by one when the body
 * changes). Owned by the leg; zeroed and given an id at the start. */
struct body_origin {
	uint64_t session_id; /* random, below 2^63: RFC 8866 5.2 wants a decimal some can store */
	uint64_t version;
	uint64_t hash; /* of the last body without its o= line; 0 = none yet */
};

/* Rewrites `sdp` for the side of `origin` and appends it to out. -ERR_MALFORMED (with the reason),
 * -ERR_TOO_LARGE, -ERR_TOO_MANY, -ERR_NO_MEMORY; nothing is appended then. */
MUST_CHECK int body_hide(struct arena *arena, struct slice sdp, struct body_origin *origin,
			 struct buf *out, const char **reason);
