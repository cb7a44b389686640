/* transfer_offer.c - the side that a transfer leaves is offered what the new one offers (RFC 3725
 * 4.1), by INVITE in the dialog that it has; its answer goes back in the ACK.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/transfer.h"
#include "sbc/call/credentials.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

/* The side that answered, wherever its leg is by now. */
static struct leg *holder_of(const struct calls *calls, const struct message *response,
			     struct call **call)
{
	uint8_t leg;
	return calls_by_tag(calls, message_from_tag(response), call, &leg) ? &(*call)->legs[leg]
									   : NULL;
}

static void on_accepted(struct call *call, const struct message *response)
{
	struct slice sdp = parts_sdp(response);
	int err = dialog_set_target(&call->legs[CALLER].dialog, response);

	session_timer_answered(call, CALLER, response);
	call->transfer->is_shifted = true;
	if (!err && sdp.len == 0)
		err = -ERR_MALFORMED;
	if (!err)
		err = body_check_answer(call, 0, CALLER, sdp);
	if (!err)
		err = owned_set(&call->session.answer, sdp);
	if (!err) {
		call->exchange.state = EXCHANGE_ACKING;
		err = call_ask(call, MEDIA_FOR_EXCHANGE, MEDIA_ANSWER, CALLER,
			       call->session.answer);
	}
	if (err)
		call_end(call, CALL_BAD_SDP, 488, -1, SLICE_NONE);
}

static void on_refused(struct call *call, unsigned int status)
{
	if (status == 481 || status == 408)
		call->legs[CALLER].dialog.is_confirmed = false;
	call_end(call, CALL_REFUSED, status, CALLER, SLICE_NONE);
}

/* The leg went back to its call before its peer answered. */
static void on_late(struct call *holder, const struct leg *leg, bool is_success)
{
	if (is_success && holder->state == CALL_UP)
		session_timer_tell(holder, leg->index);
}

bool transfer_late_answer(const struct call *call, const struct message *response)
{
	struct call *holder = NULL;
	struct leg *leg = holder_of(call->calls, response, &holder);

	if (!leg || holder == call || holder->state != CALL_UP ||
	    !slice_equal_nocase(leg->dialog.remote_tag, message_to_tag(response)))
		return false;
	ack_owe(holder, leg->index, message_cseq(response),
		call->exchange.is_late ? holder->session.agreed[leg->index].sent : SLICE_NONE);
	if (!call->exchange.is_late)
		session_timer_tell(holder, leg->index);
	return true;
}

static void offer_again(struct call *call)
{
	call->transfer->is_repeated = true;
	if (transfer_offer(call) != 0)
		call_end(call, CALL_FAILED, 500, -1, SLICE_NONE);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, context), *holder = NULL;
	bool is_success = message_status(response) < 300;

	if (message_status(response) < 200)
		return;
	struct leg *leg = holder_of(calls, response, &holder);
	if (is_success && leg && leg->ack_cseq == message_cseq(response) && leg->ack.len > 0) {
		ack_repeat(holder, leg->index);
		return;
	}
	if (is_success && leg)
		ack_owe(holder, leg->index, message_cseq(response), SLICE_NONE);
	if (!call)
		return;
	call->pending--;
	call_note(call, CALLER, false, response);
	bool is_due = call->transfer && call->transfer->client.id == handle.id;
	if (is_due)
		call->transfer->client = TRANSACTION_NONE;
	if (!is_due || call->state == CALL_ENDING) {
		if (leg)
			on_late(holder, leg, is_success);
		call_release_if_done(call);
		return;
	}
	leg_seen(call, CALLER, path);
	leg_learn(call, CALLER, response);
	if (is_success)
		on_accepted(call, response);
	else if (!call->transfer->is_repeated && credentials_asked(call, CALLER, response))
		offer_again(call);
	else
		on_refused(call, message_status(response));
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct call *call = calls_find(owner, context);

	if (!call)
		return;
	call->pending--;
	if (call->state == CALL_ENDING || !call->transfer ||
	    call->transfer->client.id != handle.id) {
		call_release_if_done(call);
		return;
	}
	call->transfer->client = TRANSACTION_NONE;
	on_refused(call, err == -ERR_TIMEOUT ? 408 : 503);
}

static const struct client_handlers handlers = {on_response, on_failure};

int transfer_offer(struct call *call)
{
	struct leg *leg = &call->legs[CALLER];
	struct client_request out = {
		.handlers = &handlers, .owner = call->calls, .context = call->number};
	struct buf own, bytes;

	call->exchange.state = EXCHANGE_STORING;
	buf_init(&own);
	buf_init(&bytes);
	buf_add_text(&own, "Supported: timer\r\n");
	session_timer_ask(call, CALLER, &own);
	struct leg_request request = {.method = SLICE("INVITE"),
				      .cseq = ++leg->dialog.local_cseq,
				      .max_forwards = 70,
				      .own = buf_slice(&own),
				      .content_type = SLICE("application/sdp"),
				      .body = call->session.offer_shown};
	leg_way(call, CALLER, &leg->dialog, &out.path, &out.hop);
	int err = buf_failed(&own) ? -ERR_NO_MEMORY
				   : leg_write(call, CALLER, &leg->dialog, &request, &bytes);
	out.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &out,
					  &call->transfer->client);
	buf_free(&own);
	buf_free(&bytes);
	if (err)
		return err;
	call->pending++;
	call_note_sent(call, CALLER, request.method, 0, request.cseq, true);
	return 0;
}
