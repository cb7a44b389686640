/* stun.h - the STUN server's side of Binding (RFC 8489, 5389 and 3489): what is the sender's
 * address as seen from here. Keeps nothing; asks for no credentials. The answer holds the address,
 * and what the request's own generation needs to read it, no more: it is no amplifier.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

enum { STUN_ANSWER_MAX = 128 };

/* Could this datagram be STUN? SIP begins with a letter (RFC 7983). */
bool stun_is(struct slice datagram);
/* 0: `out` and `len` are the answer. -ERR_UNSUPPORTED: no request that a server answers.
 * -ERR_MALFORMED: none at all, to be counted as a bad message. Neither is answered. */
MUST_CHECK int stun_answer(struct slice datagram, const struct addr *source,
			   char out[STUN_ANSWER_MAX], size_t *len);
