/* request.h - the NG dictionaries of an offer, an answer, a delete and a query.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/ng/value.h"
#include "sbc/media/media.h"

struct ng_value *request_exchange(struct arena *arena, const struct config *config,
				  enum media_verb verb, const struct media_session *session,
				  const struct media_end *from, const struct media_end *to,
				  struct slice sdp, bool is_natted);
struct ng_value *request_plain(struct arena *arena, const char *command,
			       const struct media_session *session);
/* Does this SDP name another address than the one its signalling came from? -ERR_MALFORMED,
 * -ERR_TOO_LARGE, -ERR_TOO_MANY: the SDP cannot be used. */
MUST_CHECK int request_is_natted(struct arena *arena, struct slice sdp, const struct addr *source,
				 bool *out);
