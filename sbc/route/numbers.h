/* numbers.h - telephone numbers in SIP and tel: URIs (RFC 3261 19.1.6, RFC 3966): the form in which
 * routes compare them, and the rules of a peer that change them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "sbc/message/uri.h"

/* What routes and rules see of a URI's user: escapes decoded in one way; of a number without visual
 * separators and without parameters ("+33-1;ext=5" is "+331"). -ERR_MALFORMED, -ERR_UNSUPPORTED. */
MUST_CHECK int number_of(struct slice uri, struct buf *out);
/* The URI with its number changed by the first rule that matches; byte for byte as it came when
 * none does. */
MUST_CHECK int numbers_apply(const struct config_number_rules *rules, struct slice uri,
			     struct buf *out);
