/* update.c - UPDATE (RFC 3311) from either side, before and after the answer: passed on, or as a
 * re-INVITE where the other side does not know it; without SDP, answered here when it only
 * refreshes this leg. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"

/* An UPDATE that became a re-INVITE is answered within timer F of its sender, or not at all. */
enum { UPDATE_ANSWER_MS = 20000 };

unsigned int offer_crossing(const struct call *call, uint8_t early, uint8_t leg)
{
	const struct exchange *exchange = &call->exchange;
	const struct session *session = early_session((struct call *)(uintptr_t)call, early);

	if (session_timer_is_inviting(call))
		return 491;
	unsigned int status = session_crossing(session, leg);
	if (status || exchange->state == EXCHANGE_NONE)
		return status;
	/* A re-INVITE is under way: whoever offers in it, this one comes between. Of the first
	 * INVITE the offer is answered, unless its 2xx is still to make it. */
	if (!exchange->is_initial || !session_is_agreed(session))
		return exchange->from == leg ? 500 : 491;
	return 0;
}

static void refuse_offer(struct call *call, uint8_t leg, struct transaction_handle handle,
			 unsigned int status)
{
	if (status == 491)
		counter_add(&call->calls->counters.glare, 1);
	inside_answer(call, leg, handle, status,
		      status == 500 ? SLICE("Retry-After: 2\r\n") : SLICE_NONE);
}

static void answer_here(struct call *call, uint8_t leg, struct transaction_handle handle)
{
	struct buf lines;

	buf_init(&lines);
	leg_write_contact(call, leg, &lines);
	leg_write_allow(call, leg, &lines);
	if (call->state == CALL_UP)
		session_timer_answer(call, leg, &lines);
	inside_answer(call, leg, handle, buf_failed(&lines) ? 500 : 200, buf_slice(&lines));
	buf_free(&lines);
}

static void on_answer_due(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, exchange.repeat);
	struct exchange *exchange = &call->exchange;
	(void)now_ms;

	exchange_refuse(call, 504, SLICE_NONE);
	if (exchange->client.id && transaction_cancel(call->calls->worker->transactions,
						      exchange->client, SLICE_NONE) == 0)
		call_note_sent(call, other_leg(exchange->from), SLICE("CANCEL"), 0,
			       exchange->client_cseq, false);
}

/* The other side knows only re-INVITE. */
static void translate(struct call *call, uint8_t leg, struct transaction_handle handle,
		      const struct message *request)
{
	if (call->state != CALL_UP || call->exchange.state != EXCHANGE_NONE) {
		inside_answer(call, leg, handle, 500, SLICE("Retry-After: 5\r\n"));
		return;
	}
	if (exchange_begin(call, leg, handle, request, false) != 0) {
		exchange_fail(call, CALL_FAILED, 500, SLICE_NONE);
		return;
	}
	wheel_arm(call->calls->worker->wheel, &call->exchange.repeat,
		  call_now(call) + UPDATE_ANSWER_MS, on_answer_due);
	exchange_start(call, message_body(request));
}

/* 0, or what is wrong with it. */
static unsigned int check(struct call *call, uint8_t early, uint8_t leg,
			  const struct message *request, struct buf *headers)
{
	if (message_body(request).len > 0 && !message_has_sdp(request)) {
		builder_header(headers, HEADER_ACCEPT, SLICE("application/sdp"));
		return 415;
	}
	unsigned int status = session_timer_check(leg_policy(call, leg), request, headers);
	if (!status && message_has_sdp(request))
		status = offer_crossing(call, early, leg);
	return status;
}

static void pass(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request)
{
	struct buf own;

	buf_init(&own);
	buf_add_text(&own, "Supported: timer\r\n");
	if (call->state == CALL_UP)
		session_timer_ask(call, other_leg(leg), &own);
	inside_pass(call, early, leg, handle, request, METHOD_UPDATE, buf_slice(&own));
	buf_free(&own);
}

void update_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path)
{
	bool has_sdp = message_has_sdp(request);
	struct buf headers;
	(void)path;

	counter_add(&call->calls->counters.updates, 1);
	leg_learn(call, leg, request);
	buf_init(&headers);
	unsigned int status = check(call, early, leg, request, &headers);
	if (status && buf_slice(&headers).len > 0)
		inside_answer(call, leg, handle, status, buf_slice(&headers));
	else if (status)
		refuse_offer(call, leg, handle, status);
	buf_free(&headers);
	if (status)
		return;
	session_timer_take(call, leg, request);
	/* A new Contact is the target from now on (RFC 3311 5.2). */
	if (dialog_set_target(early_dialog(call, early, leg), request) != 0) {
		inside_answer(call, leg, handle, 500, SLICE_NONE);
		return;
	}
	bool is_refresh = message_value(request, HEADER_SESSION_EXPIRES).len > 0;
	if (!has_sdp && (is_refresh || !call->legs[other_leg(leg)].allows_update))
		answer_here(call, leg, handle);
	else if (call->legs[other_leg(leg)].allows_update)
		pass(call, early, leg, handle, request);
	else
		translate(call, leg, handle, request);
}
