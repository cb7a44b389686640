/* restore.c - an offer was refused after the relay had been told: the relay is told again what both
 * sides agreed on, the caller's side as the offer, then the other's as the answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"

void restore_begin(struct call *call, uint8_t early)
{
	if (call->state == CALL_ENDING || !call->media.is_open ||
	    !session_is_agreed(early_session(call, early)))
		return;
	call->restore = RESTORE_WAITING;
	call->restore_early = early;
	restore_go_on(call);
}

static void ask(struct call *call, enum restore_state state)
{
	const struct session *session = early_session(call, call->restore_early);
	bool offers = state == RESTORE_OFFERING;
	uint8_t from = offers ? CALLER : CALLEE;

	call->restore = state;
	if (call->state == CALL_ENDING || !session_is_agreed(session) ||
	    call_ask(call, MEDIA_FOR_RESTORE, offers ? MEDIA_OFFER : MEDIA_ANSWER, from,
		     session->agreed[from].received) != 0)
		call->restore = RESTORE_NONE;
}

void restore_go_on(struct call *call)
{
	if (call->restore == RESTORE_WAITING && !call->media_pending)
		ask(call, RESTORE_OFFERING);
}

void restore_media(struct call *call)
{
	if (call->restore == RESTORE_OFFERING)
		ask(call, RESTORE_ANSWERING);
	else
		call->restore = RESTORE_NONE;
}
