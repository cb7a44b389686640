/* pcm.h - sound on its way to whoever asked for it: a connection, and RTP of G.711 as 16-bit PCM.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/buf.h"

/* Without waiting: what is sent before it is connected waits in its buffer. -ERR_REFUSED and other
 * codes of errno. */
MUST_CHECK int pcm_connect(const struct addr *to, const char *path, int *fd);
/* One stream of G.711, under these payload types. */
struct pcm {
	uint8_t pcma_type, pcmu_type;
	bool has_begun;
	uint32_t ssrc;
	uint32_t next; /* timestamp of the sample that is due */
};
#define PCM_HZ      8000
#define PCM_GAP_MAX (4 * PCM_HZ) /* samples of silence at once; after more it begins anew */

/* The sound of one packet, behind silence where something is missing: time goes on evenly. What
 * comes too late, is of another payload type, or no RTP, adds nothing. */
void pcm_add(struct pcm *pcm, struct buf *out, const uint8_t *rtp, size_t len);
