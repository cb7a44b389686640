/* reply_path.h - where the replies to a request go (RFC 3261 18.2.2, RFC 3581).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/scan.h"
#include "sbc/transport/transport.h"

/* To the address the request came from, always. The port is the source's with rport, and also when
 * the Via names another host (a NAT stands between); else the Via's own. So no reply ever goes to a
 * host that did not send the request. On a stream: the same connection, and if that is gone a new
 * one to the Via's port. */
void reply_path(const struct scan *request, const struct transport_path *received,
		struct transport_path *out);
