/* response.c - what the side an INVITE went to says to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

static bool is_of_dialog(const struct dialog *dialog, const struct message *response)
{
	return dialog->is_confirmed &&
	       slice_equal_nocase(dialog->local_tag, message_from_tag(response)) &&
	       slice_equal_nocase(dialog->remote_tag, message_to_tag(response));
}

/* The answer to an INVITE whose call is ending, or that was answered already. */
static void on_late_answer(struct call *call, const struct message *response,
			   const struct transport_path *path)
{
	struct calls *calls = call->calls;

	for (uint8_t leg = 0; leg < LEGS; leg++) {
		if (is_of_dialog(&call->legs[leg].dialog, response)) {
			ack_repeat(call, leg);
			return;
		}
	}
	counter_add(&calls->counters.forks, 1);
	stray_end(calls, response, path, true);
}

/* The 2xx makes (or refreshes) the dialog of the leg that was called. */
static int confirm(struct call *call, const struct message *response,
		   const struct transport_path *path)
{
	struct exchange *exchange = &call->exchange;
	uint8_t to = other_leg(exchange->from);
	struct dialog *dialog = &call->legs[to].dialog;
	int err = 0;

	if (exchange->is_initial) {
		err = owned_set(&dialog->remote_tag, message_to_tag(response));
		if (!err)
			err = dialog_set_routes(dialog, response, true);
		if (call->legs[to].peer >= 0)
			peers_worked(call->calls->peers, (uint32_t)call->legs[to].peer,
				     call->attempt.server);
	}
	if (!err)
		err = dialog_set_target(dialog, response);
	dialog->is_confirmed = true;
	leg_seen(call, to, path);
	return err;
}

static void on_answer(struct call *call, const struct message *response,
		      const struct transport_path *path)
{
	struct exchange *exchange = &call->exchange;
	struct draft draft = {0};

	exchange->is_answered = true;
	exchange->client = TRANSACTION_NONE;
	call->pending--;
	int err = confirm(call, response, path);
	if (!err)
		err = draft_take(call, &draft, response);
	if (!exchange->is_late)
		ack_send(call, SLICE_NONE);
	if (!err && slice_is_empty(draft.body) && exchange->is_initial &&
	    slice_is_empty(exchange->answer))
		err = -ERR_MALFORMED; /* no SDP anywhere: no call without media */
	if (err) {
		draft_clear(&draft);
		exchange_fail(call, CALL_BAD_SDP, err == -ERR_NO_MEMORY ? 500 : 488, SLICE_NONE);
		return;
	}
	draft_clear(&exchange->next);
	exchange->next = draft;
	reply_go_on(call);
}

static void on_provisional(struct call *call, const struct message *response)
{
	struct exchange *exchange = &call->exchange;

	call->has_provisional = true;
	if (message_status(response) == 100 || exchange->is_cancelled)
		return;
	if (!call->ringing_ms && exchange->is_initial)
		call->ringing_ms = call_now(call);
	/* A newer provisional takes the place of one that still waits. */
	draft_clear(&exchange->next);
	if (draft_take(call, &exchange->next, response) != 0)
		draft_clear(&exchange->next);
	reply_go_on(call);
}

/* What the caller is told about a final reply of the callee (RFC 3261 16.7 step 6). */
static unsigned int status_to_pass(unsigned int status)
{
	if (status >= 300 && status < 400)
		return 480; /* we follow no redirection, and its targets are the other side's */
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

static void on_refusal(struct call *call, const struct message *response)
{
	struct exchange *exchange = &call->exchange;
	unsigned int status = status_to_pass(message_status(response));
	struct crossing crossing = leg_crossing(call, other_leg(exchange->from), false);
	struct buf headers;

	exchange->client = TRANSACTION_NONE;
	call->pending--;
	if (status == 503 && exchange->is_initial && setup_try_next(call, "answers 503"))
		return;
	buf_init(&headers);
	headers_copy(response, &crossing, &headers);
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
	if (message_status(response) < 300)
		stray_end(call->calls, response, path, !is_of_dialog(dialog, response));
	call_release_if_done(call);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, context);
	unsigned int status = message_status(response);

	if (!call || (call->exchange.client.id != handle.id && status >= 200)) {
		/* Of an INVITE that is over: only a 2xx still wants something. */
		if (status < 200 || status >= 300)
			return;
		if (call)
			on_late_answer(call, response, path);
		else
			stray_end(calls, response, path, true);
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
	struct call *call = calls_find(calls, context);

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
	    setup_try_next(call, is_timeout ? "no answer to INVITE" : err_text(err)))
		return;
	unsigned int status = exchange->is_cancelled ? 487 : is_timeout ? 408 : 503;
	exchange_refuse(call, status, status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
	if (exchange->is_initial)
		call_end(call, is_timeout ? CALL_NO_ANSWER : CALL_UNREACHABLE, status, -1,
			 SLICE_NONE);
	else
		call_end(call, CALL_DIALOG_LOST, status, -1, SLICE_NONE);
}

const struct client_handlers exchange_handlers = {on_response, on_failure};
