/* ack.c - ACK on both legs: the one we wait for after our 2xx, and the one we owe for theirs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

static void on_repeat_due(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, exchange.repeat);
	struct exchange *exchange = &call->exchange;
	struct worker *worker = call->calls->worker;

	if (now_ms < exchange->repeat_until_ms &&
	    transaction_repeat(worker->transactions, exchange->server) == 0) {
		exchange->repeat_ms *= 2;
		if (exchange->repeat_ms > transaction_timers_default.t2_ms)
			exchange->repeat_ms = transaction_timers_default.t2_ms;
		uint64_t due = now_ms + exchange->repeat_ms;
		wheel_arm(worker->wheel, timer,
			  due < exchange->repeat_until_ms ? due : exchange->repeat_until_ms,
			  on_repeat_due);
		return;
	}
	/* RFC 3261 13.3.1.4: the dialog is confirmed, the session is not; BYE it */
	counter_add(&call->calls->counters.no_ack, 1);
	uint8_t from = exchange->from;
	bool owes_bye = call->legs[from].bye_after_ack;
	exchange_clear(call);
	if (owes_bye)
		bye_send(call, from, SLICE_NONE);
	if (call->state == CALL_ENDING)
		call_release_if_done(call);
	else
		call_end(call, CALL_NO_ACK, 0, -1, SLICE_NONE);
}

void ack_await(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	uint64_t now = call_now(call);

	exchange->state = EXCHANGE_ACCEPTED;
	exchange->repeat_ms = transaction_timers_default.t1_ms;
	exchange->repeat_until_ms = now + 64ull * transaction_timers_default.t1_ms;
	wheel_arm(call->calls->worker->wheel, &exchange->repeat, now + exchange->repeat_ms,
		  on_repeat_due);
}

void ack_send(struct call *call, struct slice sdp)
{
	struct exchange *exchange = &call->exchange;
	struct worker *worker = call->calls->worker;
	uint8_t to = other_leg(exchange->from);
	struct leg *leg = &call->legs[to];
	struct buf bytes, sent;

	buf_init(&bytes);
	buf_init(&sent);
	struct leg_request request = {.method = SLICE("ACK"),
				      .cseq = exchange->client_cseq,
				      .max_forwards = 70,
				      .content_type = SLICE("application/sdp"),
				      .body = sdp};
	leg_way(call, to, &leg->dialog, &leg->ack_path);
	int err = leg_write(call, to, &leg->dialog, &request, &bytes);
	if (!err)
		err = transactions_send_ack(worker->transactions, buf_slice(&bytes), &leg->ack_path,
					    &sent);
	if (!err)
		err = buf_failed(&sent) ? -ERR_NO_MEMORY : owned_set(&leg->ack, buf_slice(&sent));
	buf_free(&bytes);
	buf_free(&sent);
	exchange->is_acked = true;
	leg->ack_cseq = exchange->client_cseq;
	call_note_sent(call, to, SLICE("ACK"), 0, exchange->client_cseq, sdp.len > 0);
	if (err)
		log_warn(worker->log, "call.ack_not_sent", "call=%.*s leg=%u reason=\"%s\"",
			 TOKEN_LENGTH, call->id, to, err_text(err));
}

void ack_repeat(struct call *call, uint8_t index)
{
	struct leg *leg = &call->legs[index];

	/* Not acknowledged yet: the answer to a late offer is still to come. */
	if (slice_is_empty(leg->ack))
		return;
	if (transactions_resend(call->calls->worker->transactions, leg->ack, &leg->ack_path) != 0)
		log_debug(call->calls->worker->log, "call.ack_not_repeated", "call=%.*s leg=%u",
			  TOKEN_LENGTH, call->id, index);
}

void ack_again(struct call *call, uint8_t index, uint32_t cseq)
{
	struct leg *leg = &call->legs[index];
	struct leg_request ack = {.method = SLICE("ACK"), .cseq = cseq, .max_forwards = 70};
	struct transport_path path;
	struct buf bytes;

	buf_init(&bytes);
	leg_way(call, index, &leg->dialog, &path);
	int err = leg_write(call, index, &leg->dialog, &ack, &bytes);
	if (!err)
		err = transactions_send_ack(call->calls->worker->transactions, buf_slice(&bytes),
					    &path, NULL);
	buf_free(&bytes);
	call_note_sent(call, index, ack.method, 0, ack.cseq, false);
	if (err)
		log_debug(call->calls->worker->log, "call.ack_not_sent", "call=%.*s", TOKEN_LENGTH,
			  call->id);
}

/* The late offer was never answered: nothing to talk with. */
static void without_answer(struct call *call)
{
	ack_send(call, SLICE_NONE);
	exchange_clear(call);
	call_end(call, CALL_BAD_SDP, 0, -1, SLICE_NONE);
}

static void take_answer(struct call *call, const struct message *ack)
{
	struct exchange *exchange = &call->exchange;

	struct session *session = &call->session;

	if (!message_has_sdp(ack) ||
	    body_check_answer(call, 0, exchange->from, message_body(ack)) != 0 ||
	    owned_set(&session->answer, message_body(ack)) != 0) {
		without_answer(call);
		return;
	}
	exchange->state = EXCHANGE_ACKING;
	if (call_ask(call, MEDIA_FOR_EXCHANGE, MEDIA_ANSWER, exchange->from, session->answer) != 0)
		without_answer(call);
}

void ack_media(struct call *call, const struct media_result *result)
{
	struct exchange *exchange = &call->exchange;
	const char *reason = result->reason;
	int err = result->err;

	if (!err)
		err = body_show(call, other_leg(exchange->from), 0, result->sdp,
				&call->session.answer_shown, &reason);
	if (err) {
		log_warn(call->calls->worker->log, "call.answer_failed", "call=%.*s reason=\"%s\"",
			 TOKEN_LENGTH, call->id, reason ? reason : err_text(err));
		without_answer(call);
		return;
	}
	ack_send(call, call->session.answer_shown);
	if (session_agree(&call->session) != 0)
		log_warn(call->calls->worker->log, "call.sdp_not_kept", "call=%.*s", TOKEN_LENGTH,
			 call->id);
	exchange_done(call);
	if (transfer_borrows(call, CALLER)) {
		call_answered(call);
		record_keep(call, false);
		transfer_joined(call);
	}
}

void ack_receive(struct call *call, uint8_t leg, const struct message *ack)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->state != EXCHANGE_ACCEPTED || exchange->from != leg ||
	    exchange->server_cseq != message_cseq(ack))
		return; /* repeated, or of another INVITE */
	wheel_cancel(call->calls->worker->wheel, &exchange->repeat);
	if (call->state == CALL_ENDING) {
		bool owes_bye = call->legs[leg].bye_after_ack;
		if (!exchange->is_acked)
			ack_send(call, SLICE_NONE);
		exchange_clear(call);
		if (owes_bye)
			bye_send(call, leg, SLICE_NONE);
		call_release_if_done(call);
	} else if (!exchange->is_acked) {
		take_answer(call, ack);
	} else {
		exchange_done(call);
	}
}
