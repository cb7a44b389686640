/* ack.c - ACK on both legs: the one we wait for after our 2xx, and the one we owe for theirs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/route/locate.h"
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

static void on_located(void *owner, uint64_t context, int err, const struct dns_targets *targets);

/* The ACK that the leg holds. Its transaction is nobody's: here it waits for a name (RFC 3263). */
static int send_owed(struct call *call, struct leg *leg, bool may_wait)
{
	struct worker *worker = call->calls->worker;
	struct transaction_ways ways;
	struct slice hop;
	struct buf sent;
	int err = -ERR_NOT_FOUND;

	leg_way(call, leg->index, &leg->dialog, &leg->ack_path, &hop);
	if (hop.len > 0)
		err = locate_ways(worker, &leg->ack_path, hop, on_located, call->calls,
				  call->number << 1 | leg->index, &ways);
	if (err == -ERR_AGAIN && may_wait)
		return 0;
	if (!err)
		leg->ack_path = ways.paths[0];
	buf_init(&sent);
	err = transactions_send_ack(worker->transactions, leg->ack, &leg->ack_path, &sent);
	if (!err)
		err = buf_failed(&sent) ? -ERR_NO_MEMORY : owned_set(&leg->ack, buf_slice(&sent));
	leg->ack_is_unsent = err != 0;
	buf_free(&sent);
	return err;
}

static bool same_way(const struct transport_path *a, const struct transport_path *b)
{
	return a->transport == b->transport && addr_equal(&a->remote, &b->remote);
}

/* It did not arrive: perhaps another address of the name has it arrive. */
static int send_again(struct call *call, struct leg *leg)
{
	struct worker *worker = call->calls->worker;
	struct transport_path path;
	struct slice hop;
	struct buf sent;

	leg_way(call, leg->index, &leg->dialog, &path, &hop);
	if (hop.len > 0) {
		locate_failed(worker, &leg->ack_path);
		locate_now(worker, hop, &path);
	}
	if (hop.len == 0 || same_way(&path, &leg->ack_path))
		return transactions_resend(worker->transactions, leg->ack, &leg->ack_path);
	leg->ack_path = path;
	buf_init(&sent);
	int err = transactions_reroute(worker->transactions, leg->ack, &path, &sent);
	if (!err)
		err = owned_set(&leg->ack, buf_slice(&sent));
	buf_free(&sent);
	return err;
}

static void say_unsent(const struct call *call, uint8_t index, int err)
{
	log_warn(call->calls->worker->log, "call.ack_not_sent", "call=%.*s leg=%u reason=\"%s\"",
		 TOKEN_LENGTH, call->id, index, err_text(err));
}

static void on_located(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	struct call *call = calls_find(owner, context >> 1);
	uint8_t index = context & 1;
	(void)err, (void)targets;

	if (!call || !call->legs[index].ack_is_unsent)
		return; /* the leg has moved: a repeated 2xx asks for it */
	err = send_owed(call, &call->legs[index], false);
	if (err)
		say_unsent(call, index, err);
}

void ack_owe(struct call *call, uint8_t index, uint32_t cseq, struct slice sdp)
{
	struct leg *leg = &call->legs[index];
	struct leg_request request = {.method = SLICE("ACK"),
				      .cseq = cseq,
				      .max_forwards = 70,
				      .content_type = SLICE("application/sdp"),
				      .body = sdp};
	struct buf bytes;

	buf_init(&bytes);
	int err = leg_write(call, index, &leg->dialog, &request, &bytes);
	if (!err)
		err = owned_set(&leg->ack, buf_slice(&bytes));
	buf_free(&bytes);
	leg->ack_cseq = cseq;
	leg->ack_is_unsent = !err;
	if (!err)
		err = send_owed(call, leg, true);
	call_note_sent(call, index, request.method, 0, cseq, sdp.len > 0);
	if (err)
		say_unsent(call, index, err);
}

void ack_send(struct call *call, struct slice sdp)
{
	struct exchange *exchange = &call->exchange;

	ack_owe(call, other_leg(exchange->from), exchange->client_cseq, sdp);
	exchange->is_acked = true;
}

void ack_repeat(struct call *call, uint8_t index)
{
	struct leg *leg = &call->legs[index];
	int err;

	/* Not acknowledged yet: the answer to a late offer is still to come. */
	if (slice_is_empty(leg->ack))
		return;
	if (leg->ack_is_unsent)
		err = send_owed(call, leg, true);
	else
		err = send_again(call, leg);
	if (err)
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
	leg_way_now(call, index, &path);
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
