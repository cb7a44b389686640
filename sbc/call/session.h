/* session.h - offer/answer (RFC 3264, 6337) between the two sides of a call: which side's offer is
 * without its answer, and what both last agreed on. Whatever carries them, INVITE, PRACK, UPDATE or
 * their replies, the rules are here. An early dialog has one, the call has one once it is answered.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "control/base/slice.h"

enum { CALLER = 0, CALLEE = 1, LEGS = 2 };

/* What one side said and was shown. */
struct description {
	struct slice received; /* owned */
	struct slice sent;     /* owned */
};

struct session {
	bool is_open;                    /* the offerer has no answer yet that it may rely on */
	uint8_t offerer;                 /* leg, while open */
	struct slice offer;              /* owned; as received */
	struct slice offer_shown;        /* owned; as the other side got it */
	struct slice answer;             /* owned; while open: one that may still change */
	struct slice answer_shown;       /* owned */
	struct description agreed[LEGS]; /* the last offer and answer that both sides rely on */
};

void session_free(struct session *session);
/* 0, or what an offer of `leg` is answered now: 491 while the other side's waits for its answer,
 * 500 (with Retry-After) while its own does (RFC 3261 14.2, RFC 3311 5.2). */
unsigned int session_crossing(const struct session *session, uint8_t leg);
/* `leg` offers. -ERR_NO_MEMORY leaves nothing open. */
MUST_CHECK int session_offer(struct session *session, uint8_t leg, struct slice sdp);
/* The open offer goes on in another dialog of the same INVITE. */
MUST_CHECK int session_copy_offer(struct session *session, const struct session *from);
/* Does this body answer what its side was shown (RFC 3264 6)? -ERR_MALFORMED with the reason. */
MUST_CHECK int session_check_answer(const struct session *session, struct arena *scratch,
				    struct slice sdp, const char **reason);
/* Offer and answer are what both have now. Nothing happens unless both are there. */
MUST_CHECK int session_agree(struct session *session);
/* The offer of `leg` that was agreed on gets another answer: as if it were still open. */
MUST_CHECK int session_reopen(struct session *session, uint8_t leg);
/* The open offer was refused, or forgotten: what was agreed stays. */
void session_close(struct session *session);
/* Has this session ever been agreed on? */
bool session_is_agreed(const struct session *session);
