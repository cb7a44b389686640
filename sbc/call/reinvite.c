/* reinvite.c - an INVITE inside a call, from either side: hold, resume, another address. Refused,
 * it leaves the session as it was (RFC 3261 14.1). SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/verbs.h"
#include "sbc/route/refuse.h"

/* 0, or the status of RFC 3261 14.2 for an INVITE that meets another. */
static unsigned int crossing_status(const struct call *call, uint8_t leg)
{
	const struct exchange *exchange = &call->exchange;

	if (exchange->state == EXCHANGE_NONE)
		return 0;
	return exchange->from == leg && !exchange->is_replied ? 500 : 491;
}

void reinvite_receive(struct call *call, uint8_t leg, struct transaction_handle handle,
		      const struct message *request, const struct transport_path *path)
{
	struct calls *calls = call->calls;
	struct buf headers;

	buf_init(&headers);
	unsigned int status = check_invite(request, &headers);
	if (!status) {
		status = crossing_status(call, leg);
		if (status == 500)
			buf_add_text(&headers, "Retry-After: 5\r\n");
		if (status == 491)
			counter_add(&calls->counters.glare, 1);
	}
	if (status)
		refuse(calls->worker, handle, request, path, status, buf_slice(&headers));
	buf_free(&headers);
	if (status)
		return;
	counter_add(&calls->counters.reinvites, 1);
	int err = exchange_begin(call, leg, handle, request, false);
	/* A new Contact is the target from now on, whatever becomes of the offer. */
	if (!err)
		err = dialog_set_target(&call->legs[leg].dialog, request);
	if (err) {
		exchange_refuse(call, 500, SLICE_NONE);
		exchange_done(call);
		return;
	}
	exchange_start(call, message_body(request));
}

/* The relay may already hold the refused offer: it is told again what both sides agreed on, the
 * caller's side as the offer, then the other's as the answer. */
void reinvite_restore(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	const struct leg *leg = &call->legs[CALLER];
	bool has_offered = exchange->offer.len > 0;

	if (!has_offered || slice_is_empty(leg->sdp_received) || !call->media.is_open) {
		exchange_done(call);
		return;
	}
	exchange->state = EXCHANGE_RESTORING;
	if (exchange_ask(call, MEDIA_OFFER, CALLER, leg->sdp_received) != 0)
		exchange_done(call);
}

void reinvite_restored(struct call *call)
{
	const struct leg *leg = &call->legs[CALLEE];

	if (call->media_verb == MEDIA_ANSWER || call->state == CALL_ENDING ||
	    exchange_ask(call, MEDIA_ANSWER, CALLEE, leg->sdp_received) != 0)
		exchange_done(call);
}
