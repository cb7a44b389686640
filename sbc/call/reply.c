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
	parts_clear(&draft->parts);
	*draft = (struct draft){0};
}

int draft_take(struct call *call, struct draft *draft, const struct message *response)
{
	uint8_t to = other_leg(call->exchange.from);
	struct slice sdp = parts_sdp(response);
	struct crossing crossing = leg_crossing(call, to, sdp.len > 0 || parts_are_in(response));
	struct buf lines;

	buf_init(&lines);
	headers_copy(response, &crossing, &lines);
	headers_options(response, HEADER_SUPPORTED, &lines);
	int err =
		buf_failed(&lines) ? -ERR_NO_MEMORY : owned_set(&draft->headers, buf_slice(&lines));
	buf_free(&lines);
	if (!err)
		err = owned_set(&draft->body, sdp);
	if (!err)
		err = parts_take(&draft->parts, call, to, response);
	if (err) {
		draft_clear(draft);
		return err;
	}
	draft->status = message_status(response);
	return 0;
}

int reply_queue(struct call *call, struct draft *draft)
{
	struct exchange *exchange = &call->exchange;
	uint8_t count = exchange->waiting_count;
	struct draft *last = count > 0 ? &exchange->waiting[count - 1] : NULL;

	if (draft->status >= 200) {
		/* Nobody waits for what came before it any more. */
		while (exchange->waiting_count > 0)
			draft_clear(&exchange->waiting[--exchange->waiting_count]);
	} else if (last && last->status < 200 && last->rseq == 0 && last->early == draft->early) {
		/* A newer provisional takes the place of one that still waits. */
		draft_clear(last);
		exchange->waiting_count--;
	}
	if (!exchange->waiting)
		exchange->waiting = calloc(DRAFTS_MAX, sizeof(*exchange->waiting));
	if (!exchange->waiting || exchange->waiting_count == DRAFTS_MAX) {
		draft_clear(draft);
		return exchange->waiting ? -ERR_TOO_MANY : -ERR_NO_MEMORY;
	}
	exchange->waiting[exchange->waiting_count++] = *draft;
	*draft = (struct draft){0};
	return 0;
}

static struct draft dequeue(struct exchange *exchange)
{
	struct draft first = exchange->waiting[0];

	exchange->waiting_count--;
	memmove(&exchange->waiting[0], &exchange->waiting[1],
		exchange->waiting_count * sizeof(exchange->waiting[0]));
	exchange->waiting[exchange->waiting_count] = (struct draft){0};
	return first;
}

/* What `from` is shown with this reply. A provisional without SDP shows none; a 2xx repeats the
 * answer, unless `from` can rely on one that came before. */
static struct slice shown_body(struct call *call)
{
	const struct exchange *exchange = &call->exchange;
	const struct session *session = early_session(call, exchange->draft.early);

	if (exchange->draft.status < 200 && slice_is_empty(exchange->draft.body))
		return SLICE_NONE;
	if (!session->is_open)
		return exchange->draft.body.len > 0 && !exchange->is_late
			       ? session->agreed[exchange->from].sent
			       : SLICE_NONE;
	if (session->offerer == exchange->from)
		return session->answer_shown;
	return exchange->is_late ? session->offer_shown : SLICE_NONE;
}

static void write_own(struct call *call, bool is_reliable, struct buf *lines)
{
	struct exchange *exchange = &call->exchange;
	bool is_answer = exchange->draft.status >= 200;

	buf_add(lines, exchange->record_routes);
	leg_write_contact(call, exchange->from, lines);
	leg_write_allow(call, exchange->from, lines);
	buf_add_text(lines, exchange->reliability == RELIABLE_NEVER
				    ? "Supported: timer\r\n"
				    : "Supported: timer, 100rel\r\n");
	if (is_reliable)
		provisional_write(call, lines);
	if (is_answer)
		session_timer_answer(call, exchange->from, lines);
	buf_add(lines, exchange->draft.headers);
}

static int send_draft(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	const struct draft *draft = &exchange->draft;
	bool is_reliable = provisional_is_reliable(call, draft);
	struct slice sdp = shown_body(call), type;
	struct buf wrapped, lines;

	buf_init(&wrapped);
	struct slice body = parts_wrap(&draft->parts, sdp, &wrapped, &type);
	struct reply reply = {.status = draft->status,
			      .to_tag = early_dialog(call, draft->early, exchange->from)->local_tag,
			      .content_type = type,
			      .body = body};

	buf_init(&lines);
	write_own(call, is_reliable, &lines);
	reply.headers = buf_slice(&lines);
	int err = buf_failed(&lines) || buf_failed(&wrapped)
			  ? -ERR_NO_MEMORY
			  : transaction_reply(call->calls->worker->transactions, exchange->server,
					      &reply);
	buf_free(&lines);
	buf_free(&wrapped);
	call_note_sent(call, exchange->from, SLICE_NONE, reply.status, exchange->server_cseq,
		       sdp.len > 0);
	if (!err && is_reliable)
		provisional_await(call, draft, sdp.len > 0);
	return err;
}

/* The offerer may rely on what it was just sent. */
static void agree(struct call *call, uint8_t early)
{
	struct session *session = early_session(call, early);

	if (session->is_open && session->offerer == call->exchange.from &&
	    session_agree(session) != 0)
		log_warn(call->calls->worker->log, "call.sdp_not_kept", "call=%.*s", TOKEN_LENGTH,
			 call->id);
}

void call_answered(struct call *call)
{
	call->state = CALL_UP;
	call->answered_ms = call_now(call);
	counter_add(&call->calls->counters.answered, 1);
	counter_add(&call->calls->counters.up, 1);
	call_count_unprotected(call);
	record_upkeep(call);
}

/* The 2xx goes to the side that asked, and waits for its ACK. */
static void accept_now(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	int err = send_draft(call);
	if (err) {
		log_warn(call->calls->worker->log, "call.answer_not_sent",
			 "call=%.*s reason=\"%s\"", TOKEN_LENGTH, call->id, err_text(err));
		exchange_break(call, CALL_FAILED, 500);
		return;
	}
	exchange->is_replied = true;
	provisional_settle(call);
	draft_clear(&exchange->draft);
	call->legs[exchange->from].dialog.is_confirmed = true;
	agree(call, 0);
	if (exchange->is_initial)
		call_answered(call);
	if (exchange->is_reoffered)
		renew_call(call);
	if (exchange->is_update)
		exchange_done(call);
	else
		ack_await(call);
	transfer_joined(call);
}

static void send_now(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (transfer_reply(call, exchange->draft.status)) {
		draft_clear(&exchange->draft);
		reply_go_on(call);
		return;
	}
	if (exchange->draft.status < 200) {
		bool is_reliable = provisional_is_reliable(call, &exchange->draft);
		bool has_news = is_reliable || exchange->draft.body.len > 0;
		if (send_draft(call) != 0)
			log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s",
				  TOKEN_LENGTH, call->id);
		else if (is_reliable && exchange->draft.body.len > 0)
			agree(call, exchange->draft.early);
		/* RFC 6228: that early dialog has ended. */
		struct early *early = early_find(call, exchange->draft.early);
		if (early && exchange->draft.status == 199)
			early_end(call, early);
		draft_clear(&exchange->draft);
		record_ring(call, has_news);
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
	call_count_unprotected(call);
	if (exchange->state != EXCHANGE_STORING || call->state == CALL_ENDING)
		return;
	wheel_cancel(call->calls->worker->wheel, &exchange->wait);
	if (!acknowledged)
		counter_add(&call->calls->counters.unprotected, 1);
	accept_now(call);
}

/* The body could not be made fit for the other side. A reliable one has been agreed on over there,
 * so nothing can be left out. */
static void fail_body(struct call *call, unsigned int status, const char *reason)
{
	struct exchange *exchange = &call->exchange;

	log_warn(call->calls->worker->log, "call.answer_failed",
		 "call=%.*s status=%u reason=\"%s\"", TOKEN_LENGTH, call->id, status, reason);
	if (exchange->draft.status >= 200 || exchange->draft.rseq) {
		draft_clear(&exchange->draft);
		exchange_break(call, status == 488 ? CALL_BAD_SDP : CALL_NO_RELAY, status);
		return;
	}
	owned_free(&exchange->draft.body); /* ringing goes on without early media */
	send_now(call);
}

/* An answer, or (late) the offer of the side that was called, for the relay. */
static void ask_relay(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	const struct draft *draft = &exchange->draft;
	struct session *session = early_session(call, draft->early);
	uint8_t to = other_leg(exchange->from);
	int err;

	if (exchange->is_late) {
		err = session_offer(session, to, draft->body);
	} else {
		/* One that differs from what both relied on is an answer to the same offer. */
		err = session->is_open ? 0 : session_reopen(session, exchange->from);
		if (!err)
			err = body_check_answer(call, draft->early, to, draft->body);
		if (!err)
			err = owned_set(&session->answer, draft->body);
	}
	if (!err)
		err = call_ask(call, MEDIA_FOR_EXCHANGE,
			       exchange->is_late ? MEDIA_OFFER : MEDIA_ANSWER, to, draft->body);
	call->media_early = draft->early;
	exchange->is_stale = false;
	if (err)
		fail_body(call, media_status_of(err), err_text(err));
}

/* It is another process than when it rang, or another node's. */
static bool has_lost_offer(const struct call *call, const struct media_result *result)
{
	const struct exchange *exchange = &call->exchange;
	const struct ng_client *client = media_client(call->calls->media);
	bool is_away = result->status == 503 && ng_client_relay_serves(client, -1) &&
		       !ng_client_relay_serves(client, call->media.relay);

	return !exchange->is_late && !exchange->is_reoffered &&
	       (result->err == -ERR_NOT_FOUND || is_away);
}

/* A relay gets the offer, then the answer to the one of before. What the other side was shown is
 * told anew as soon as the call is answered. */
static void offer_again(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	const struct session *session = early_session(call, exchange->draft.early);

	if (!ng_client_relay_serves(media_client(call->calls->media), call->media.relay))
		call->media.relay = -1;
	exchange->is_reoffered = exchange->is_reoffering = true;
	int err = call_ask(call, MEDIA_FOR_EXCHANGE, MEDIA_OFFER, exchange->from, session->offer);
	if (err)
		fail_body(call, media_status_of(err), err_text(err));
}

static void answer_again(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	exchange->is_reoffering = false;
	int err = call_ask(call, MEDIA_FOR_EXCHANGE, MEDIA_ANSWER, other_leg(exchange->from),
			   exchange->draft.body);
	if (err)
		fail_body(call, media_status_of(err), err_text(err));
}

void reply_media(struct call *call, const struct media_result *result)
{
	struct exchange *exchange = &call->exchange;
	struct session *session = early_session(call, exchange->draft.early);
	struct slice *shown = exchange->is_late ? &session->offer_shown : &session->answer_shown;
	const char *reason = result->reason;

	if (result->err && has_lost_offer(call, result)) {
		offer_again(call);
		return;
	}
	if (result->err) {
		fail_body(call, result->status, reason);
		return;
	}
	if (exchange->is_reoffering) {
		answer_again(call);
		return;
	}
	int err =
		body_show(call, exchange->from, exchange->draft.early, result->sdp, shown, &reason);
	if (err)
		fail_body(call, 500, reason ? reason : err_text(err));
	else
		send_now(call);
}

/* What this body answers is known: was it said before? */
static bool is_known(const struct call *call, const struct session *session, struct slice body)
{
	uint8_t to = other_leg(call->exchange.from);

	if (call->exchange.is_stale)
		return false;
	if (session->is_open)
		return slice_equal(body, session->answer) && session->answer_shown.len > 0;
	return slice_equal(body, session->agreed[to].received);
}

/* Is there anything in the body that the relay must hear? */
static bool has_news(struct call *call)
{
	const struct exchange *exchange = &call->exchange;
	struct draft *draft = &call->exchange.draft;
	const struct session *session = early_session(call, draft->early);

	if (slice_is_empty(draft->body))
		return false;
	if (!exchange->is_late) {
		/* With an offer of its own under way (UPDATE) it can only repeat itself. */
		if (!session->is_open || session->offerer == exchange->from)
			return !is_known(call, session, draft->body);
		owned_free(&draft->body);
		return false;
	}
	/* An offer in an unreliable provisional is none (RFC 3261 13.2.1); after one that was
	 * answered in a PRACK the 2xx only repeats it. */
	bool is_offer = exchange->draft.status >= 200
				? !session_is_agreed(session) || !exchange->is_initial
				: draft->rseq != 0;
	if (!is_offer)
		owned_free(&draft->body);
	return is_offer;
}

void reply_go_on(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->state != EXCHANGE_CALLING || exchange->draft.status ||
	    exchange->waiting_count == 0 || call_is_asking(call) ||
	    !provisional_may_send(call, &exchange->waiting[0]) ||
	    (exchange->waiting[0].status >= 200 && !transfer_is_ready(call)))
		return;
	exchange->draft = dequeue(exchange);
	if (has_news(call))
		ask_relay(call);
	else
		send_now(call);
}
