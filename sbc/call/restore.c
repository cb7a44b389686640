/* restore.c - the relay is told again what both sides agreed on, one side's part as the offer, then
 * the other's as the answer: after an offer that was refused, after an answer to something that was
 * told again, or because the relay has lost it all (renew.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

void restore_begin(struct call *call, uint8_t early, uint8_t from)
{
	struct restore *restore = &call->restore;

	if (call->state == CALL_ENDING || !call->media.is_open ||
	    !session_is_agreed(early_session(call, early)))
		return;
	restore->next_early = early;
	restore->next_from = from;
	if (restore->state == RESTORE_OFFERING || restore->state == RESTORE_ANSWERING) {
		restore->is_again = true; /* what is under way ends as it began */
		return;
	}
	restore->state = RESTORE_WAITING;
	restore_go_on(call);
}

static void finish(struct call *call, const struct media_result *result)
{
	bool renews = call->restore.renews;

	call->restore.state = call->restore.is_again ? RESTORE_WAITING : RESTORE_NONE;
	call->restore.is_again = call->restore.renews = false;
	if (renews)
		renew_done(call, result);
}

static void ask(struct call *call, enum restore_state state)
{
	const struct session *session = early_session(call, call->restore.early);
	bool offers = state == RESTORE_OFFERING;
	uint8_t from = offers ? call->restore.from : other_leg(call->restore.from);
	int err = -ERR_INVALID;

	call->restore.state = state;
	if (call->state != CALL_ENDING && session_is_agreed(session))
		err = call_ask(call, MEDIA_FOR_RESTORE, offers ? MEDIA_OFFER : MEDIA_ANSWER, from,
			       session->agreed[from].received);
	if (err)
		finish(call, &(struct media_result){.err = err, .reason = err_text(err)});
}

void restore_go_on(struct call *call)
{
	if (call->restore.state != RESTORE_WAITING || call->media_pending)
		return;
	call->restore.told = 0;
	call->restore.early = call->restore.next_early;
	call->restore.from = call->restore.next_from;
	ask(call, RESTORE_OFFERING);
}

/* What the relay says to `leg` now, when that is not what it has. */
static int take(struct call *call, uint8_t leg, struct media_result *result)
{
	struct slice *sent = &call->session.agreed[leg].sent;
	struct slice shown = SLICE_NONE;

	int err = body_show(call, leg, 0, result->sdp, &shown, &result->reason);
	if (err)
		return err;
	if (slice_equal(shown, *sent)) {
		owned_free(&shown);
		return 0;
	}
	owned_free(sent);
	*sent = shown;
	call->restore.told |= (uint8_t)(1u << leg);
	return 0;
}

void restore_media(struct call *call, const struct media_result *result)
{
	struct restore *restore = &call->restore;
	bool offered = restore->state == RESTORE_OFFERING;
	struct media_result taken = *result;

	if (!taken.err && restore->renews)
		taken.err = take(call, offered ? other_leg(restore->from) : restore->from, &taken);
	if (offered && !taken.err)
		ask(call, RESTORE_ANSWERING);
	else
		finish(call, &taken);
}
