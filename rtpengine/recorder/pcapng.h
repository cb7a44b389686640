/* pcapng.h - packets as a capture file (pcapng, draft-ietf-opsawg-pcapng): one section, one
 * interface of raw IP. Headers are made anew from the addresses; the payload is as it was, in
 * clear. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/buf.h"

void pcapng_start(struct buf *out);
/* One datagram; both addresses are of one family. */
void pcapng_add(struct buf *out, uint64_t unix_ns, const struct addr *from, const struct addr *to,
		struct slice payload);
