/* diff.h - what one loaded file says that another did not. Private to config/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/raw.h"

struct diff {
	const struct loaded *before;
	const struct loaded *after;
	struct buf *out;
	unsigned lines;
	unsigned fixed; /* of them: what a running daemon cannot take */
};

void diff_make(struct diff *diff);
/* A peer by another name, or with other servers, is another peer. */
bool diff_is_same_peer(const struct config *before, const struct config_peer *a,
		       const struct config *after, const struct config_peer *b);
