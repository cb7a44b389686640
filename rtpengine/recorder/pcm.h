/* pcm.h - sound on its way to whoever asked for it: a connection, and RTP of G.711 as 16-bit PCM.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/buf.h"

/* Without waiting: what is sent before it is connected waits in its buffer. -ERR_REFUSED and other
 * codes of errno. */
MUST_CHECK int pcm_connect(const struct addr *to, const char *path, int *fd);
/* Whichever of the two payload types it is; what is neither, or no RTP, adds nothing. */
void pcm_add(struct buf *out, const uint8_t *rtp, size_t len, uint8_t pcma_type, uint8_t pcmu_type);
