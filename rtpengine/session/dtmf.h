/* dtmf.h - telephone events (RFC 4733) that commands play into the audio of a side, one after the
 * other. Owned by the side. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/session.h"

/* What of it a rule needs now. */
struct flow_play dtmf_play(const struct stream *stream, int side);
/* The event with this id is over. */
void dtmf_played(struct stream *stream, int side, uint32_t id);
void dtmf_free(struct sessions *sessions, struct dtmf *dtmf); /* NULL is fine */
