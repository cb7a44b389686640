/* policy.h - what the configuration says of each side's media, in words of NG: encryption, ICE,
 * rtcp-mux, BUNDLE. A side that may do none of it costs no word more than before.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/ng/value.h"
#include "sbc/media/media.h"

/* Of an offer from one side to the other. */
void policy_offer(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		  const struct config_media *to, struct slice sdp);
/* It needs mids in what it is offered (RFC 9143). */
bool policy_offers_bundle(const struct config_media *to);
/* Of its answer, which goes to `to`. */
void policy_answer(struct arena *arena, struct ng_value *dict, const struct config_media *to);
