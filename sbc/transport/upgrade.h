/* upgrade.h - the HTTP request that makes a connection a WebSocket for SIP (RFC 6455 4.2, RFC 7118
 * 5.1), read strictly and within limits, and its answer. No sockets here.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

enum { UPGRADE_MAX = 8192 }; /* bytes of the whole head: cookies are counted */

struct upgrade_policy {
	const char *const *origins; /* "https://phone.example.com"; none = any */
	size_t origin_count;
};

/* Looks at what has come so far; `used` bytes are the head when it is whole.
 * 0: `answer` is a 101. -ERR_AGAIN: not whole yet. Else `answer` says what is wrong, and the
 * connection ends after it. */
MUST_CHECK int upgrade_read(const struct upgrade_policy *policy, struct slice data, size_t *used,
			    struct buf *answer);
