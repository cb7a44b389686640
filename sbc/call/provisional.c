/* provisional.c - reliable provisional replies and PRACK (RFC 3262), on each leg by itself. When
 * both sides have them, the caller's PRACK goes on to the callee with what it carries. When only
 * the callee has, we PRACK; when only the caller has, we repeat and hear the PRACK.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/fork.h"
#include "sbc/call/verbs.h"

/* --- from the side that was called --- */

bool provisional_is_new(const struct call *call, const struct early *early,
			const struct message *response, uint32_t *rseq)
{
	uint32_t last = early ? early->rseq : call->exchange.rseq;
	uint32_t number = 0;

	*rseq = 0;
	if (!message_has_option(response, HEADER_REQUIRE, SLICE("100rel")))
		return true;
	if (slice_to_u32(message_value(response, HEADER_RSEQ), UINT32_MAX, &number) != 0 ||
	    number == 0)
		return true;
	*rseq = number;
	/* Repeated, or one before it is missing (RFC 3262 4): its sender repeats both. */
	return last == 0 || number == last + 1;
}

void provisional_taken(struct call *call, struct early *early, uint32_t rseq)
{
	if (rseq && early)
		early->rseq = rseq;
	else if (rseq)
		call->exchange.rseq = rseq;
}

static void on_over(struct calls *calls, uint64_t context)
{
	struct call *call = calls_find(calls, context >> 1);

	if (!call)
		return;
	call->pending--;
	call_release_if_done(call);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct call *call = calls_find(owner, context >> 1);
	(void)handle, (void)path;

	if (call)
		call_note(call, context & 1, false, response);
	if (message_status(response) >= 200)
		on_over(owner, context);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	(void)handle, (void)err;
	on_over(owner, context); /* whoever misses the PRACK gives up the INVITE */
}

static const struct client_handlers handlers = {on_response, on_failure};

void prack_send(struct call *call, uint8_t early, uint32_t rseq)
{
	uint8_t to = other_leg(call->exchange.from);
	struct dialog *dialog = early_dialog(call, early, to);
	struct client_request request = {
		.handlers = &handlers, .owner = call->calls, .context = call->number << 1 | to};
	struct leg_request prack = {
		.method = SLICE("PRACK"), .cseq = ++dialog->local_cseq, .max_forwards = 70};
	struct transaction_handle handle;
	struct buf own, bytes;

	buf_init(&own);
	buf_init(&bytes);
	buf_printf(&own, "RAck: %u %u INVITE\r\n", rseq, call->exchange.client_cseq);
	prack.own = buf_slice(&own);
	leg_way(call, to, dialog, &request.path, &request.hop);
	int err = buf_failed(&own) ? -ERR_NO_MEMORY : leg_write(call, to, dialog, &prack, &bytes);
	request.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &request, &handle);
	buf_free(&own);
	buf_free(&bytes);
	if (err) {
		log_debug(call->calls->worker->log, "call.prack_not_sent",
			  "call=%.*s reason=\"%s\"", TOKEN_LENGTH, call->id, err_text(err));
		return;
	}
	call->pending++;
	call_note_sent(call, to, prack.method, 0, prack.cseq, false);
}

/* --- towards the side that called --- */

bool provisional_may_send(const struct call *call, const struct draft *draft)
{
	const struct provisional *provisional = &call->provisional;

	if (!provisional->is_waiting)
		return !fork_holds(call);
	/* RFC 3262 3: one at a time; a 2xx does not overtake an offer or answer. */
	return draft->status >= 200 && !provisional->has_sdp;
}

bool provisional_is_reliable(const struct call *call, const struct draft *draft)
{
	if (draft->status <= 100 || draft->status >= 200)
		return false;
	return call->exchange.reliability == RELIABLE_REQUIRED ||
	       (call->exchange.reliability == RELIABLE_SUPPORTED && draft->rseq != 0);
}

void provisional_write(struct call *call, struct buf *out)
{
	struct provisional *provisional = &call->provisional;

	/* RFC 3262 3: the first one is anywhere between 1 and 2^31 - 1. */
	if (provisional->rseq == 0)
		provisional->rseq =
			(uint32_t)(random_u64(call->calls->worker->random) % 1000000 + 1);
	else
		provisional->rseq++;
	builder_header(out, HEADER_REQUIRE, SLICE("100rel"));
	builder_header_number(out, HEADER_RSEQ, provisional->rseq);
}

/* Nobody acknowledged it for 64*T1 (RFC 3262 3). */
static void give_up(struct call *call)
{
	struct provisional *provisional = &call->provisional;

	provisional->is_waiting = false;
	counter_add(&call->calls->counters.no_prack, 1);
	if (call->state == CALL_ENDING || call->exchange.state == EXCHANGE_NONE ||
	    call->exchange.is_replied)
		return;
	exchange_break(call, CALL_NO_PRACK, 504);
}

static void on_repeat_due(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, provisional.repeat);
	struct provisional *provisional = &call->provisional;
	struct worker *worker = call->calls->worker;

	if (now_ms >= provisional->repeat_until_ms ||
	    transaction_repeat(worker->transactions, provisional->server) != 0) {
		give_up(call);
		return;
	}
	provisional->repeat_ms *= 2;
	uint64_t due = now_ms + provisional->repeat_ms;
	wheel_arm(worker->wheel, timer,
		  due < provisional->repeat_until_ms ? due : provisional->repeat_until_ms,
		  on_repeat_due);
}

void provisional_await(struct call *call, const struct draft *draft, bool has_sdp)
{
	const struct exchange *exchange = &call->exchange;
	struct provisional *provisional = &call->provisional;
	uint64_t now = call_now(call);

	provisional->is_waiting = true;
	provisional->has_sdp = has_sdp;
	provisional->is_offer = has_sdp && exchange->is_late;
	provisional->early = draft->early;
	provisional->far_rseq = draft->rseq;
	provisional->server = exchange->server;
	provisional->server_cseq = exchange->server_cseq;
	provisional->client_cseq = exchange->client_cseq;
	provisional->repeat_ms = transaction_timers_default.t1_ms;
	provisional->repeat_until_ms = now + 64ull * transaction_timers_default.t1_ms;
	wheel_arm(call->calls->worker->wheel, &provisional->repeat, now + provisional->repeat_ms,
		  on_repeat_due);
}

void provisional_settle(struct call *call)
{
	wheel_cancel(call->calls->worker->wheel, &call->provisional.repeat);
}

/* RAck: response-num CSeq-num Method (RFC 3262 7.2). */
static bool acknowledges(const struct provisional *provisional, uint8_t early,
			 const struct message *prack)
{
	struct slice rack = slice_trim(message_value(prack, HEADER_RACK));
	struct slice number = slice_cut(&rack, ' ');
	uint32_t rseq = 0, cseq = 0;

	rack = slice_trim(rack);
	struct slice second = slice_cut(&rack, ' ');
	if (slice_to_u32(number, UINT32_MAX, &rseq) != 0 ||
	    slice_to_u32(second, UINT32_MAX, &cseq) != 0)
		return false;
	return provisional->is_waiting && provisional->rseq == rseq &&
	       provisional->server_cseq == cseq && provisional->early == early &&
	       slice_equal(slice_trim(rack), SLICE("INVITE"));
}

/* The other side did not ask for it: an answer of ours, unless it offers something new. */
static void answer_here(struct call *call, uint8_t early, uint8_t leg,
			struct transaction_handle handle, const struct message *request,
			const struct transport_path *path)
{
	if (message_has_sdp(request))
		update_receive(call, early, leg, handle, request, path);
	else
		inside_answer(call, leg, handle, 200, SLICE_NONE);
}

void prack_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path)
{
	struct provisional *provisional = &call->provisional;
	struct buf own;

	if (!acknowledges(provisional, early, request)) {
		inside_answer(call, leg, handle, 481, SLICE_NONE);
		return;
	}
	bool is_offer = message_has_sdp(request) && !provisional->is_offer;
	unsigned int status = is_offer ? offer_crossing(call, early, leg) : 0;
	if (provisional->is_offer && !message_has_sdp(request))
		status = 400; /* it owes an answer */
	if (status) {
		inside_answer(call, leg, handle, status,
			      status == 500 ? SLICE("Retry-After: 2\r\n") : SLICE_NONE);
		return;
	}
	provisional_settle(call);
	provisional->is_waiting = false;
	if (provisional->far_rseq) {
		buf_init(&own);
		buf_printf(&own, "RAck: %u %u INVITE\r\n", provisional->far_rseq,
			   provisional->client_cseq);
		inside_pass(call, early, leg, handle, request, METHOD_PRACK, buf_slice(&own));
		buf_free(&own);
	} else {
		answer_here(call, early, leg, handle, request, path);
	}
	call_go_on(call);
}
