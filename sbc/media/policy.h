/* policy.h - what the configuration says of each side's media, in words of NG: encryption, ICE,
 * rtcp-mux, BUNDLE. A side that may do none of it costs no word more than before.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/ng/value.h"
#include "sbc/media/media.h"

/* Of the peer, where there is one; of the side otherwise. */
const struct config_media *policy_of(const struct config *config, const struct media_end *end);
/* Whether a side may offer this: -ERR_UNSUPPORTED for RTP where SRTP is required, SRTP where there
 * is none, or keys agreed in a way that is not its policy's. */
MUST_CHECK int policy_check(const struct config_media *from, struct slice sdp);
/* Of an offer from one side to the other; `agreed` is what `to` described last, if anything. */
void policy_offer(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		  const struct config_media *to, struct slice agreed, struct slice sdp);
/* It needs mids in what it is offered (RFC 9143). */
bool policy_offers_bundle(const struct config_media *to);
/* Source rule and idle time-out of a peer, where they are not those of its interface, which the
 * relay knows. */
void policy_add_limits(struct arena *arena, struct ng_value *dict, const struct config *config,
		       const struct media_end *from, const struct media_end *to);
/* Of its answer, which goes to `to`. */
void policy_answer(struct arena *arena, struct ng_value *dict, const struct config_media *to);
