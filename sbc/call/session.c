/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/session.h"
#include "control/sdp/media.h"
#include "sbc/topology/owned.h"

void session_close(struct session *session)
{
	owned_free(&session->offer);
	owned_free(&session->offer_shown);
	owned_free(&session->answer);
	owned_free(&session->answer_shown);
	session->is_open = false;
}

void session_free(struct session *session)
{
	session_close(session);
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		owned_free(&session->agreed[leg].received);
		owned_free(&session->agreed[leg].sent);
	}
}

unsigned int session_crossing(const struct session *session, uint8_t leg)
{
	if (!session->is_open)
		return 0;
	/* Answered, but not so that the offerer may rely on it: a moment later it will be. */
	if (session->offerer == leg || session->answer_shown.len > 0)
		return 500;
	return 491;
}

int session_offer(struct session *session, uint8_t leg, struct slice sdp)
{
	session_close(session);
	int err = owned_set(&session->offer, sdp);
	session->is_open = err == 0;
	session->offerer = leg;
	return err;
}

int session_copy_offer(struct session *session, const struct session *from)
{
	if (!from->is_open)
		return 0;
	int err = session_offer(session, from->offerer, from->offer);
	if (!err)
		err = owned_set(&session->offer_shown, from->offer_shown);
	return err;
}

int session_check_answer(const struct session *session, struct arena *scratch, struct slice sdp,
			 const char **reason)
{
	struct sdp *offer, *answer;
	struct sdp_error why = {0};

	arena_reset(scratch);
	int err = sdp_parse(scratch, session->offer_shown, &offer, NULL);
	if (!err)
		err = sdp_parse(scratch, sdp, &answer, &why);
	if (err) {
		*reason = why.reason ? why.reason : err_text(err);
		return err;
	}
	return sdp_answer_check(offer, answer, reason);
}

static void take(struct slice *owned, struct slice *from)
{
	owned_free(owned);
	*owned = *from;
	*from = SLICE_NONE;
}

int session_agree(struct session *session)
{
	struct description *offerer = &session->agreed[session->offerer];
	struct description *answerer = &session->agreed[session->offerer ^ 1];

	if (!session->is_open || slice_is_empty(session->answer) ||
	    slice_is_empty(session->answer_shown))
		return -ERR_INVALID;
	take(&offerer->received, &session->offer);
	take(&offerer->sent, &session->answer_shown);
	take(&answerer->received, &session->answer);
	take(&answerer->sent, &session->offer_shown);
	session_close(session);
	return 0;
}

int session_reopen(struct session *session, uint8_t leg)
{
	int err = session_offer(session, leg, session->agreed[leg].received);
	if (!err)
		err = owned_set(&session->offer_shown, session->agreed[leg ^ 1].sent);
	return err;
}

bool session_is_agreed(const struct session *session)
{
	return session->agreed[CALLER].received.len > 0 && session->agreed[CALLEE].received.len > 0;
}
