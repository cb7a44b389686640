/* response.c - what the side an INVITE went to says to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/credentials.h"
#include "sbc/call/fork.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

enum {
	LOGINS_MAX = 2,
	RAISES_MAX = 3,
	NUMBER_BITS = 34 /* of a call's number, as in its tokens */
};

static bool is_of_dialog(const struct dialog *dialog, const struct message *response)
{
	return slice_equal_nocase(dialog->local_tag, message_from_tag(response)) &&
	       slice_equal_nocase(dialog->remote_tag, message_to_tag(response));
}

/* A dialog of ours, perhaps ended since: its ACK was lost. */
static bool was_acked(const struct call *call, uint8_t leg, const struct message *response)
{
	return is_of_dialog(&call->legs[leg].dialog, response) &&
	       (call->legs[leg].ack.len > 0 || call->legs[leg].dialog.is_confirmed);
}

/* The answer to an INVITE whose call is ending, or that was answered already. */
static void on_late_answer(struct call *call, const struct message *response,
			   const struct transport_path *path)
{
	struct calls *calls = call->calls;
	struct call *holder;
	uint8_t leg;

	if (calls_by_tag(calls, message_from_tag(response), &holder, &leg) &&
	    was_acked(holder, leg, response)) {
		ack_repeat(holder, leg);
		return;
	}
	counter_add(&calls->counters.forks, 1);
	stray_end(calls, response, path, true);
}

/* This early dialog becomes the call. What is under way for another one is for nobody any more. */
static void settle(struct call *call, struct early *early)
{
	struct exchange *exchange = &call->exchange;
	struct provisional *provisional = &call->provisional;
	struct draft *draft = &exchange->draft;

	exchange->is_stale = call->media_early && call->media_early != early->id;
	if (provisional->is_waiting && provisional->early != early->id) {
		provisional_settle(call);
		provisional->is_waiting = false;
	}
	provisional->early = 0;
	if (draft->status && draft->early != early->id) {
		if (call->media_pending && call->media_owner == MEDIA_FOR_EXCHANGE) {
			call->media_pending = false;
			call->media_sequence++;
		}
		draft_clear(draft);
	}
	draft->early = 0;
	early_confirm(call, early);
}

/* The 2xx makes (or refreshes) the dialog of the leg that was called. */
static int confirm(struct call *call, const struct message *response,
		   const struct transport_path *path)
{
	struct exchange *exchange = &call->exchange;
	uint8_t to = other_leg(exchange->from);
	struct early *early;
	int err = 0;

	if (call_is_placed(call)) {
		err = early_take(call, response, &early);
		if (!err)
			err = dialog_set_routes(&early->dialogs[to], response, true);
		if (!err)
			settle(call, early);
		target_answered(call);
	}
	struct dialog *dialog = &call->legs[to].dialog;
	if (!err)
		err = dialog_set_target(dialog, response);
	dialog->is_confirmed = true;
	leg_seen(call, to, path);
	leg_learn(call, to, response);
	session_timer_answered(call, to, response);
	return err;
}

/* What the 2xx says, or means, about the session. An answer left out is the one that is known. */
static int complete(struct call *call, struct draft *draft)
{
	const struct exchange *exchange = &call->exchange;
	const struct session *session = &call->session;
	uint8_t to = other_leg(exchange->from);

	if (draft->body.len > 0)
		return 0;
	if (exchange->is_late)
		return exchange->is_initial && !session_is_agreed(session) ? -ERR_MALFORMED : 0;
	if (session->is_open && session->offerer == exchange->from && session->answer_shown.len > 0)
		return exchange->is_stale ? owned_set(&draft->body, session->answer) : 0;
	if (!session->is_open && !exchange->is_stale)
		return 0;
	return session_is_agreed(session) ? owned_set(&draft->body, session->agreed[to].received)
					  : -ERR_MALFORMED; /* no SDP anywhere */
}

/* Must the ACK wait for the answer to an offer in the 2xx? */
static bool offers(const struct call *call, const struct draft *draft)
{
	const struct exchange *exchange = &call->exchange;

	return exchange->is_late && draft->body.len > 0 &&
	       !(exchange->is_initial && session_is_agreed(&call->session));
}

/* A few bits of the tag that answered: they tell its repeated 2xx from another's when the call is
 * gone. */
static uint64_t answer_context(const struct calls *calls, uint64_t number,
			       const struct message *response)
{
	uint64_t hash = siphash_nocase(message_to_tag(response), calls->hash_key);
	return number | hash << NUMBER_BITS;
}

static void on_answer(struct call *call, const struct message *response,
		      const struct transport_path *path)
{
	struct exchange *exchange = &call->exchange;
	struct draft draft = {0};

	transaction_set_context(call->calls->worker->transactions, exchange->client,
				answer_context(call->calls, call->number, response));
	exchange->is_answered = true;
	fork_won(call);
	exchange->client = TRANSACTION_NONE;
	call->pending--;
	int err = confirm(call, response, path);
	if (!err)
		err = draft_take(call, &draft, response);
	if (!err)
		err = complete(call, &draft);
	if (err || !offers(call, &draft))
		ack_send(call, SLICE_NONE);
	if (!err && exchange->is_replied)
		err = -ERR_TIMEOUT; /* an UPDATE that has had its answer */
	if (!err)
		err = reply_queue(call, &draft);
	if (err) {
		draft_clear(&draft);
		exchange_break(call, CALL_BAD_SDP, err == -ERR_NO_MEMORY ? 500 : 488);
		return;
	}
	reply_go_on(call);
}

/* The early dialog of a provisional reply. False: it is ended (199), or one too many. */
static bool take_early(struct call *call, const struct message *response, struct early **out)
{
	*out = NULL;
	if (!call_is_placed(call) || slice_is_empty(message_to_tag(response)))
		return true;
	if (early_take(call, response, out) != 0)
		return false;
	if (dialog_set_target(&(*out)->dialogs[CALLEE], response) != 0)
		log_debug(call->calls->worker->log, "call.no_memory", NULL);
	return true;
}

static void on_provisional(struct call *call, const struct message *response)
{
	struct exchange *exchange = &call->exchange;
	unsigned int status = message_status(response);
	struct draft draft = {0};
	struct early *early;
	uint32_t rseq;

	call->has_provisional = true;
	if (exchange->is_initial)
		target_heard(call, status);
	if (status == 100 || exchange->is_cancelled)
		return;
	exchange->heard_ms = call_now(call);
	leg_learn(call, other_leg(exchange->from), response);
	if (!take_early(call, response, &early) ||
	    !provisional_is_new(call, early, response, &rseq))
		return;
	if (exchange->is_update) { /* has but one reply */
		if (rseq)
			prack_send(call, 0, rseq);
		provisional_taken(call, NULL, rseq);
		return;
	}
	if (!call->ringing_ms && exchange->is_initial)
		call->ringing_ms = call_now(call);
	if (draft_take(call, &draft, response) != 0)
		return; /* as if it had been lost: a reliable one comes again */
	draft.early = early ? early->id : 0;
	draft.rseq = rseq;
	if (rseq && exchange->reliability == RELIABLE_NEVER) {
		prack_send(call, draft.early, rseq);
		draft.rseq = 0;
	}
	if (reply_queue(call, &draft) != 0)
		return;
	provisional_taken(call, early, rseq);
	reply_go_on(call);
}

/* What the caller is told about a final reply of the callee (RFC 3261 16.7 step 6). */
static unsigned int status_to_pass(const struct call *call, unsigned int status)
{
	/* Nothing to follow, and its contacts are the other side's. */
	if (status >= 300 && status < 400 &&
	    !(call->exchange.is_initial && target_passes_redirects(call)))
		return 480;
	return status;
}

static enum call_cause cause_of(unsigned int status)
{
	switch (status) {
	case 408:
		return CALL_NO_ANSWER;
	case 488:
	case 606:
		return CALL_BAD_SDP;
	default:
		return CALL_REFUSED;
	}
}

static bool is_timer_c_over(const struct call *call)
{
	return call_now(call) - call->exchange.heard_ms >= transaction_timers_default.timer_c_ms;
}

static void on_refusal(struct call *call, const struct message *response)
{
	struct exchange *exchange = &call->exchange;
	unsigned int status = status_to_pass(call, message_status(response));
	struct crossing crossing = leg_crossing(call, other_leg(exchange->from), false);
	struct buf headers;

	exchange->client = TRANSACTION_NONE;
	call->pending--;
	uint8_t to = other_leg(exchange->from);
	if ((status == 401 || status == 407) && exchange->logins < LOGINS_MAX &&
	    credentials_challenged(call, to, response, exchange->logins > 0)) {
		exchange->logins++;
		exchange_send(call);
		return;
	}
	if (exchange->is_initial && target_refused(call, response))
		return;
	if (status == 422 && exchange->raises++ < RAISES_MAX &&
	    session_timer_raise(call, other_leg(exchange->from), response)) {
		exchange_send(call);
		return;
	}
	/* What our own timer C ended (RFC 3261 16.8) was nobody's wish. */
	if (status == 487 && !exchange->is_cancelled && is_timer_c_over(call))
		status = 408;
	buf_init(&headers);
	if (credentials_may_cross(call, to, status))
		headers_copy(response, &crossing, &headers);
	else
		status = 403;
	if (status >= 300 && status < 400)
		target_write_contacts(call, response, &headers);
	struct slice lines = buf_failed(&headers) ? SLICE_NONE : buf_slice(&headers);
	if (exchange->is_initial) {
		exchange_refuse(call, status, lines);
		call_end(call, exchange->is_cancelled ? CALL_CANCELLED : cause_of(status), status,
			 other_leg(exchange->from), SLICE_NONE);
	} else if (status == 481 || status == 408) {
		/* RFC 3261 12.2.1.2: the dialog is gone on that side */
		exchange_refuse(call, status, lines);
		call->legs[other_leg(exchange->from)].dialog.is_confirmed = status == 408;
		call_end(call, CALL_DIALOG_LOST, status, -1, SLICE_NONE);
	} else {
		exchange_fail(call, cause_of(status), status, lines);
	}
	buf_free(&headers);
}

/* A final reply while the call is ending: CANCEL and 200 crossed, or BYE and a re-INVITE's 200. */
static void on_too_late(struct call *call, const struct message *response,
			const struct transport_path *path)
{
	const struct dialog *dialog = &call->legs[other_leg(call->exchange.from)].dialog;

	call->exchange.client = TRANSACTION_NONE;
	call->pending--;
	if (message_status(response) < 300 && !transfer_late_answer(call, response))
		stray_end(call->calls, response, path, !is_of_dialog(dialog, response));
	call_release_if_done(call);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct calls *calls = owner;
	uint64_t number = context & ((1ull << NUMBER_BITS) - 1);
	struct call *call = calls_find(calls, number);
	unsigned int status = message_status(response);

	if (!call || (call->exchange.client.id != handle.id && status >= 200)) {
		/* Of an INVITE that is over: only a 2xx still wants something. */
		if (status < 200 || status >= 300)
			return;
		if (call)
			on_late_answer(call, response, path);
		else
			stray_end(calls, response, path,
				  context != answer_context(calls, number, response));
		return;
	}
	if (call->exchange.client.id != handle.id)
		return;
	call_note(call, other_leg(call->exchange.from), false, response);
	if (call->state == CALL_ENDING && status >= 200) {
		on_too_late(call, response, path);
	} else if (call->state == CALL_ENDING) {
		return;
	} else if (status < 200) {
		on_provisional(call, response);
	} else if (status < 300) {
		on_answer(call, response, path);
	} else {
		on_refusal(call, response);
	}
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, context & ((1ull << NUMBER_BITS) - 1));

	if (!call || call->exchange.client.id != handle.id)
		return;
	struct exchange *exchange = &call->exchange;
	exchange->client = TRANSACTION_NONE;
	call->pending--;
	if (call->state == CALL_ENDING) {
		call_release_if_done(call);
		return;
	}
	bool is_timeout = err == -ERR_TIMEOUT;
	if (exchange->is_initial && !call->has_provisional &&
	    target_try_next(call, is_timeout ? "no answer to INVITE" : err_text(err), 0))
		return;
	/* A phone's connection that broke before we heard of it: 430 (RFC 5626 5.3) is for proxies.
	 */
	bool is_lost = err == -ERR_CLOSED && call->legs[other_leg(exchange->from)].peer < 0;
	unsigned int status = exchange->is_cancelled ? 487 : is_timeout ? 408 : is_lost ? 480 : 503;
	exchange_refuse(call, status, status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
	if (exchange->is_initial)
		call_end(call, is_timeout ? CALL_NO_ANSWER : CALL_UNREACHABLE, status, -1,
			 SLICE_NONE);
	else
		call_end(call, CALL_DIALOG_LOST, status, -1, SLICE_NONE);
}

const struct client_handlers exchange_handlers = {on_response, on_failure};
