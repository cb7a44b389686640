/* piercing.h - empty datagrams to a peer that waits behind a NAT, until it speaks (flag
 * pierce-NAT). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/session.h"

/* Begin, or begin anew, where a side of an answered dialog asks for it. */
void piercing_start(struct session *session, uint64_t now_ms);
void piercing_stop(struct session *session);
