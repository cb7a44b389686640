/* subscription.h - somebody who gets copies of what participants send (SIPREC, RFC 7866): a leg of
 * its own in the session, one m= line per stream, one-way. Its streams point at streams of dialogs,
 * which say so when they go. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/session.h"

#define SESSION_MAX_SUBSCRIPTIONS 8

/* Which flows get copies of what `side` of the stream sends: at most FLOW_COPIES_MAX. */
void subscriptions_copies(const struct stream *stream, int side,
			  struct flow_id copies[FLOW_COPIES_MAX]);
void subscriptions_forget(struct stream *stream); /* it is being destroyed */
/* The session's affinity is another now: its flows anew, on the same ports. */
MUST_CHECK int subscriptions_move(struct session *session);
void subscriptions_free(struct session *session, uint64_t now_ms);
