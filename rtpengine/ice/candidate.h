/* candidate.h - the line a=candidate (RFC 8839 5.1). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

enum ice_type { ICE_HOST, ICE_SRFLX, ICE_PRFLX, ICE_RELAY };

struct ice_candidate {
	struct addr addr;
	uint32_t priority;  /* 1 to 2^31 - 1 */
	uint8_t component;  /* 1 to 256 in the RFC; 1 RTP, 2 RTCP here */
	uint8_t type;       /* enum ice_type */
	uint8_t foundation; /* of ours, a number for each base; others' is not read */
};

/* What follows "candidate:". -ERR_MALFORMED; -ERR_UNSUPPORTED: well formed, and not for us (TCP, a
 * host name such as mDNS's, a third component): to be passed over. */
MUST_CHECK int ice_candidate_read(struct slice text, struct ice_candidate *out);
/* "1 1 UDP 2130706431 192.0.2.1 30000 typ host" */
void ice_candidate_write(const struct ice_candidate *candidate, struct buf *out);
/* Of a host candidate of ours, RFC 8445 5.1.2.1. */
uint32_t ice_priority(enum ice_type type, uint16_t local_preference, uint8_t component);
