/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/transfer.h"
#include <stdlib.h>
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

/* How long a side that is in the middle of something is waited for: five seconds. */
enum { WAIT_MS = 200, TRIES_MAX = 25 };

int transfer_create(struct call *call)
{
	call->transfer = calloc(1, sizeof(*call->transfer));
	if (!call->transfer)
		return -ERR_NO_MEMORY;
	call->transfer->call = call;
	call->hunt.peer = -1; /* it may never hunt */
	return 0;
}

void transfer_free(struct call *call)
{
	if (!call->transfer)
		return;
	wheel_cancel(call->calls->worker->wheel, &call->transfer->wait);
	lead_free(&call->transfer->lead);
	free(call->transfer);
	call->transfer = NULL;
}

bool transfer_borrows(const struct call *call, uint8_t leg)
{
	return call->transfer && call->transfer->loans[leg].call;
}

/* --- lending --- */

int transfer_take(struct call *call, uint8_t leg)
{
	struct loan *loan = &call->transfer->loans[leg];
	struct call *lender = calls_find(call->calls, loan->call);

	if (!lender || lender->state != CALL_UP || !lender->legs[loan->leg].dialog.is_confirmed)
		return -ERR_NOT_FOUND;
	if (!call_is_at_rest(lender) || lender->legs[loan->leg].timer.client.id)
		return -ERR_BUSY;
	lender->lent_to = call->number;
	if (call->transfer->referrer != lender->number)
		record_keep(lender, false);
	leg_move(lender, loan->leg, call, leg);
	lender->away |= (uint8_t)(1u << loan->leg);
	loan->is_taken = true;
	return 0;
}

void transfer_tell_again(struct call *call, uint8_t leg)
{
	struct slice *sent = &call->session.agreed[leg].sent;
	const char *reason;

	if (sent->len > 0 && body_show(call, leg, 0, *sent, sent, &reason) == 0)
		session_timer_tell(call, leg);
}

static void give_back(struct call *call, uint8_t leg, bool was_shifted)
{
	struct loan *loan = &call->transfer->loans[leg];
	struct call *lender = calls_find(call->calls, loan->call);

	if (!loan->is_taken || !lender || lender->state != CALL_UP)
		return; /* it ends with this call */
	loan->is_taken = false;
	leg_move(call, leg, lender, loan->leg);
	lender->away &= (uint8_t) ~(1u << loan->leg);
	if (!lender->legs[loan->leg].dialog.is_confirmed || lender->away)
		call_end(lender, CALL_HUNG_UP, 0, loan->leg, SLICE_NONE);
	else if (was_shifted)
		transfer_tell_again(lender, loan->leg);
}

/* --- the caller's side --- */

static void on_wait_over(struct timer *timer, uint64_t now_ms)
{
	struct transfer *transfer = container_of(timer, struct transfer, wait);
	(void)now_ms;

	reply_go_on(transfer->call);
}

bool transfer_is_ready(struct call *call)
{
	struct transfer *transfer = call->transfer;

	if (!transfer_borrows(call, CALLER) || transfer->loans[CALLER].is_taken)
		return true;
	int err = transfer_take(call, CALLER);
	if (!err)
		return true;
	if (err == -ERR_BUSY && transfer->tries++ < TRIES_MAX)
		wheel_arm(call->calls->worker->wheel, &transfer->wait, call_now(call) + WAIT_MS,
			  on_wait_over);
	else
		call_end(call, CALL_FAILED, 491, -1, SLICE_NONE);
	return false;
}

bool transfer_reply(struct call *call, unsigned int status)
{
	if (!transfer_borrows(call, CALLER))
		return false;
	if (status < 200)
		refer_notify(call->transfer, status);
	else if (transfer_offer(call) != 0)
		call_end(call, CALL_FAILED, 500, -1, SLICE_NONE);
	return true;
}

/* --- the end of it --- */

static void say_joined(const struct call *call)
{
	log_info(call->calls->worker->log, "call.transferred", "call=%.*s caller=%.*s callee=%.*s",
		 TOKEN_LENGTH, call->id, SLICE_ARG(call->caller), SLICE_ARG(call->callee));
}

void transfer_joined(struct call *call)
{
	struct calls *calls = call->calls;
	struct loan loans[LEGS];

	if (!call->transfer)
		return;
	memcpy(loans, call->transfer->loans, sizeof(loans));
	refer_notify(call->transfer, 200);
	transfer_free(call);
	counter_add(&calls->counters.transfers, 1);
	say_joined(call);
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		struct call *lender = calls_find(calls, loans[leg].call);
		if (!lender)
			continue;
		lender->lent_to = 0;
		call_end(lender, CALL_TRANSFERRED, 0, -1, SLICE_NONE);
	}
}

/* A callee of another call that has answered our INVITE without an offer: it is told what it had,
 * which answers what it offers as it did before. */
static void answer_as_before(struct call *call)
{
	const struct loan *loan = &call->transfer->loans[CALLEE];
	const struct exchange *exchange = &call->exchange;
	struct call *lender = calls_find(call->calls, loan->call);
	struct slice body = SLICE_NONE;
	const char *reason;

	if (!loan->is_taken || !lender || !exchange->is_late || !exchange->is_answered ||
	    exchange->is_acked)
		return;
	if (body_show(call, CALLEE, 0, lender->session.agreed[loan->leg].sent, &body, &reason) != 0)
		body = SLICE_NONE;
	ack_send(call, body);
	owned_free(&body);
}

void transfer_over(struct call *call)
{
	struct transfer *transfer = call->transfer;

	if (!transfer)
		return;
	answer_as_before(call);
	call->transfer = NULL; /* nothing of it is asked any more */
	refer_notify(transfer, call->status >= 300 ? call->status : 487);
	call->transfer = transfer;
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		struct call *lender = calls_find(call->calls, transfer->loans[leg].call);
		if (lender && lender->lent_to == call->number)
			lender->lent_to = 0;
		if (transfer->loans[leg].is_taken)
			give_back(call, leg, leg == CALLER && transfer->is_shifted);
		else if (lender && lender->away && lender->state == CALL_UP)
			call_end(lender, CALL_HUNG_UP, 0, -1, SLICE_NONE);
		if (lender && lender->state == CALL_UP)
			record_keep_soon(lender, 0);
	}
	transfer_free(call);
}

void transfer_lender_over(struct call *call)
{
	struct call *borrower = call->lent_to ? calls_find(call->calls, call->lent_to) : NULL;

	call->lent_to = 0;
	if (!borrower || !borrower->transfer)
		return;
	/* Who has the leg already goes on alone. */
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		const struct loan *loan = &borrower->transfer->loans[leg];
		if (loan->call == call->number && loan->is_taken)
			return;
	}
	call_end(borrower, CALL_CANCELLED, 487, -1, SLICE_NONE);
}

bool transfer_outlives(struct call *call, uint8_t leg)
{
	const struct call *made = call->lent_to ? calls_find(call->calls, call->lent_to) : NULL;
	const struct transfer *transfer = made ? made->transfer : NULL;

	if (!transfer || transfer->referrer != call->number || transfer->referrer_leg != leg ||
	    call->state != CALL_UP)
		return false;
	call->away |= (uint8_t)(1u << leg);
	session_timer_stop(call, leg);
	record_keep(call, false);
	return true;
}
