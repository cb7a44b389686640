/* player.h - a sound played to one side in place of what the other sends: G.711, 20 ms a packet,
 * from a timer of the control thread. Owned by the side. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/session.h"

/* Position reached, in packets of 20 ms. Nothing played: 0. The rules are not published anew. */
uint64_t player_stop(struct stream *stream, int side);
