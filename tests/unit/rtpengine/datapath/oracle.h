/* oracle.h - libsrtp2, to compare with. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/flow.h"

struct oracle;
struct oracle *oracle_create(const struct flow_srtp *srtp, bool is_outgoing);
void oracle_destroy(struct oracle *oracle);
/* In place; true = done, *len = the new length. 256 bytes of room must be behind. */
bool oracle_protect(struct oracle *oracle, bool is_rtcp, uint8_t *data, uint16_t *len);
bool oracle_unprotect(struct oracle *oracle, bool is_rtcp, uint8_t *data, uint16_t *len);
