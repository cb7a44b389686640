/* reinvite.c - an INVITE inside a call, from either side: hold, resume, another address. Refused,
 * it leaves the session as it was (RFC 3261 14.1). SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/verbs.h"

/* 0, or the status of RFC 3261 14.2 for an INVITE that meets another, or an offer in an UPDATE. */
static unsigned int crossing_status(const struct call *call, uint8_t leg)
{
	const struct exchange *exchange = &call->exchange;

	if (exchange->state != EXCHANGE_NONE)
		return exchange->from == leg && !exchange->is_replied ? 500 : 491;
	return offer_crossing(call, 0, leg);
}

static unsigned int check(struct call *call, uint8_t leg, const struct message *request,
			  struct buf *headers)
{
	enum reliability reliability;
	unsigned int status = check_invite(request, headers);

	if (!status &&
	    admit_reliability(leg_policy(call, leg), request, &reliability) == -ERR_UNSUPPORTED) {
		builder_header(headers, HEADER_UNSUPPORTED, SLICE("100rel"));
		status = 420;
	}
	if (!status)
		status = session_timer_check(leg_policy(call, leg), request, headers);
	if (status)
		return status;
	status = crossing_status(call, leg);
	if (status == 500)
		buf_add_text(headers, "Retry-After: 5\r\n");
	if (status == 491)
		counter_add(&call->calls->counters.glare, 1);
	return status;
}

void reinvite_receive(struct call *call, uint8_t early, uint8_t leg,
		      struct transaction_handle handle, const struct message *request,
		      const struct transport_path *path)
{
	struct buf headers;
	(void)early, (void)path;

	buf_init(&headers);
	unsigned int status = check(call, leg, request, &headers);
	if (status)
		inside_answer(call, leg, handle, status, buf_slice(&headers));
	buf_free(&headers);
	if (status)
		return;
	counter_add(&call->calls->counters.reinvites, 1);
	int err = exchange_begin(call, leg, handle, request, false);
	/* A new Contact is the target from now on, whatever becomes of the offer. */
	if (!err)
		err = dialog_set_target(&call->legs[leg].dialog, request);
	if (err) {
		exchange_refuse(call, 500, SLICE_NONE);
		exchange_done(call);
		return;
	}
	exchange_start(call, parts_sdp(request));
}
