/* reply.c - replies to an INVITE on their way back: through the relay if they hold SDP, through the
 * store if they answer a new call, then to the side that asked. One at a time, in order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/route/refuse.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

void draft_clear(struct draft *draft)
{
	owned_free(&draft->headers);
	owned_free(&draft->body);
	*draft = (struct draft){0};
}

int draft_take(struct call *call, struct draft *draft, const struct message *response)
{
	uint8_t to = other_leg(call->exchange.from);
	bool has_sdp = message_has_sdp(response);
	struct crossing crossing = leg_crossing(call, to, has_sdp);
	struct buf lines;

	buf_init(&lines);
	headers_copy(response, &crossing, &lines);
	int err =
		buf_failed(&lines) ? -ERR_NO_MEMORY : owned_set(&draft->headers, buf_slice(&lines));
	buf_free(&lines);
	if (!err && has_sdp)
		err = owned_set(&draft->body, message_body(response));
	if (err) {
		draft_clear(draft);
		return err;
	}
	draft->status = message_status(response);
	return 0;
}

/* The SDP that goes with the draft in hand; empty = none. */
static struct slice shown_body(const struct call *call)
{
	const struct exchange *exchange = &call->exchange;

	if (exchange->draft.status < 200 && slice_is_empty(exchange->draft.body))
		return SLICE_NONE;
	return exchange->is_late ? exchange->offer_shown : exchange->answer_shown;
}

static int send_draft(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct slice body = shown_body(call);
	struct reply reply = {.status = exchange->draft.status,
			      .to_tag = call->legs[exchange->from].dialog.local_tag,
			      .content_type = body.len > 0 ? SLICE("application/sdp") : SLICE_NONE,
			      .body = body};
	struct buf lines;

	buf_init(&lines);
	buf_add(&lines, exchange->record_routes);
	leg_write_contact(call, exchange->from, &lines);
	builder_header(&lines, HEADER_ALLOW, SLICE(ALLOWED_METHODS));
	buf_add(&lines, exchange->draft.headers);
	reply.headers = buf_slice(&lines);
	int err = buf_failed(&lines) ? -ERR_NO_MEMORY
				     : transaction_reply(call->calls->worker->transactions,
							 exchange->server, &reply);
	buf_free(&lines);
	call_note_sent(call, exchange->from, SLICE_NONE, reply.status, exchange->server_cseq,
		       body.len > 0);
	return err;
}

/* The 2xx goes to the side that asked, and waits for its ACK. */
static void accept_now(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	int err = send_draft(call);
	if (err) {
		log_warn(call->calls->worker->log, "call.answer_not_sent",
			 "call=%.*s reason=\"%s\"", TOKEN_LENGTH, call->id, err_text(err));
		exchange_fail(call, CALL_FAILED, 500, SLICE_NONE);
		return;
	}
	exchange->is_replied = true;
	draft_clear(&exchange->draft);
	call->legs[exchange->from].dialog.is_confirmed = true;
	if (!exchange->is_late)
		exchange_agree(call);
	if (exchange->is_initial) {
		call->state = CALL_UP;
		call->answered_ms = call_now(call);
		counter_add(&call->calls->counters.answered, 1);
		counter_add(&call->calls->counters.up, 1);
		record_upkeep(call);
	}
	ack_await(call);
}

static void send_now(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->draft.status < 200) {
		if (send_draft(call) != 0)
			log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s",
				  TOKEN_LENGTH, call->id);
		draft_clear(&exchange->draft);
		reply_go_on(call);
		return;
	}
	if (exchange->is_initial) {
		exchange->state = EXCHANGE_STORING;
		record_keep(call, true);
		return;
	}
	accept_now(call);
}

void reply_stored(struct call *call, bool acknowledged)
{
	struct exchange *exchange = &call->exchange;

	call->is_protected = acknowledged;
	if (exchange->state != EXCHANGE_STORING || call->state == CALL_ENDING)
		return;
	wheel_cancel(call->calls->worker->wheel, &exchange->wait);
	if (!acknowledged)
		counter_add(&call->calls->counters.unprotected, 1);
	accept_now(call);
}

/* The body could not be made fit for the other side. */
static void fail_body(struct call *call, unsigned int status, const char *reason)
{
	struct exchange *exchange = &call->exchange;

	log_warn(call->calls->worker->log, "call.answer_failed",
		 "call=%.*s status=%u reason=\"%s\"", TOKEN_LENGTH, call->id, status, reason);
	if (exchange->draft.status >= 200) {
		draft_clear(&exchange->draft);
		exchange_fail(call, status == 488 ? CALL_BAD_SDP : CALL_NO_RELAY, status,
			      status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
		return;
	}
	owned_free(&exchange->draft.body); /* ringing goes on without early media */
	send_now(call);
}

static void ask_relay(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	enum media_verb verb = exchange->is_late ? MEDIA_OFFER : MEDIA_ANSWER;
	struct slice *kept = exchange->is_late ? &exchange->offer : &exchange->answer;

	int err = owned_set(kept, exchange->draft.body);
	if (!err)
		err = exchange_ask(call, verb, other_leg(exchange->from), exchange->draft.body);
	if (err)
		fail_body(call, media_status_of(err), err_text(err));
}

void reply_media(struct call *call, const struct media_result *result)
{
	struct exchange *exchange = &call->exchange;
	struct leg *from = &call->legs[exchange->from];
	struct slice *shown = exchange->is_late ? &exchange->offer_shown : &exchange->answer_shown;
	const char *reason = result->reason;
	struct buf body;

	if (result->err) {
		fail_body(call, result->status, reason);
		return;
	}
	buf_init(&body);
	arena_reset(call->calls->scratch);
	int err = body_hide(call->calls->scratch, result->sdp, &from->origin, &body, &reason);
	if (!err)
		err = owned_set(shown, buf_slice(&body));
	buf_free(&body);
	if (err)
		fail_body(call, 500, reason ? reason : err_text(err));
	else
		send_now(call);
}

void reply_go_on(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->draft.status || !exchange->next.status || call->media_pending ||
	    exchange->state != EXCHANGE_CALLING)
		return;
	exchange->draft = exchange->next;
	exchange->next = (struct draft){0};
	struct draft *draft = &exchange->draft;
	/* An offer in an unreliable provisional is none (RFC 3261 13.2.1). */
	if (exchange->is_late && draft->status < 200)
		owned_free(&draft->body);
	if (slice_is_empty(draft->body) ||
	    (!exchange->is_late && slice_equal(draft->body, exchange->answer) &&
	     exchange->answer_shown.len > 0))
		send_now(call);
	else
		ask_relay(call);
}
