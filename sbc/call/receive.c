/* receive.c - a request for the call layer: which dialog, which verb.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/fork.h"
#include "sbc/call/takeover.h"
#include "sbc/call/verbs.h"
#include "sbc/registration/caller.h"
#include "sbc/route/refuse.h"

#define ALLOW_LINE "Allow: " ALLOWED_METHODS "\r\n"

/* What we can do: to strangers no more than they ask with. */
static void tell(struct calls *calls, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path,
		 unsigned int status, struct slice lines)
{
	if (caller_may_be_forged(calls->registrar, request, path))
		refuse_briefly(calls->worker, handle, request, path, status, lines);
	else
		refuse(calls->worker, handle, request, path, status, lines);
}

static void refuse_method(struct calls *calls, struct transaction_handle handle,
			  const struct message *request, const struct transport_path *path)
{
	bool is_known = message_method(request) != METHOD_UNKNOWN;
	tell(calls, handle, request, path, is_known ? 405 : 501, SLICE(ALLOW_LINE));
}

/* Somebody asks whether we are there (RFC 3261 11.2). */
static void answer_options(struct calls *calls, struct transaction_handle handle,
			   const struct message *request, const struct transport_path *path)
{
	if (calls->is_stopping || calls_are_draining(calls))
		refuse(calls->worker, handle, request, path, 503, SLICE("Retry-After: 10\r\n"));
	else
		tell(calls, handle, request, path, 200,
		     SLICE(ALLOW_LINE "Accept: application/sdp\r\nAccept-Encoding: identity\r\n"
				      "Accept-Language: en\r\n"));
}

/* Hops, scheme, options: the same for all but ACK and CANCEL. True = it was answered. */
static bool refuse_bad(struct calls *calls, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path)
{
	struct buf headers;

	buf_init(&headers);
	unsigned int status = check_request(request, &headers);
	if (!status && check_is_secure(message_request_uri(request)) &&
	    !sip_transport_is_secure((enum sip_transport)path->transport))
		status = 416;
	if (status == 483)
		counter_add(&calls->counters.too_many_hops, 1);
	if (status)
		refuse(calls->worker, handle, request, path, status, buf_slice(&headers));
	buf_free(&headers);
	return status != 0;
}

static void receive_outside(struct calls *calls, struct transaction_handle handle,
			    const struct message *request, const struct transport_path *path)
{
	switch (message_method(request)) {
	case METHOD_INVITE:
		setup_receive(calls, handle, request, path);
		break;
	case METHOD_OPTIONS:
		if (!refuse_bad(calls, handle, request, path))
			answer_options(calls, handle, request, path);
		break;
	case METHOD_BYE:
	case METHOD_INFO:
	case METHOD_UPDATE:
	case METHOD_PRACK:
		counter_add(&calls->counters.unknown_dialog, 1);
		refuse(calls->worker, handle, request, path, 481, SLICE_NONE);
		break;
	case METHOD_ACK:
	case METHOD_CANCEL:
		break;
	default:
		if (!refuse_bad(calls, handle, request, path))
			refuse_method(calls, handle, request, path);
		break;
	}
}

/* What becomes of a request inside a call. A method that is not here is passed on to the other
 * side, which knows best what it means. */
struct inside_method {
	enum method method;
	void (*receive)(struct call *call, uint8_t early, uint8_t leg,
			struct transaction_handle handle, const struct message *request,
			const struct transport_path *path);
};

static void refuse_inside(struct call *call, uint8_t early, uint8_t leg,
			  struct transaction_handle handle, const struct message *request,
			  const struct transport_path *path)
{
	(void)early, (void)request, (void)path;
	inside_answer(call, leg, handle, 405, SLICE(ALLOW_LINE));
}

static const struct inside_method inside_methods[] = {
	{METHOD_INVITE, reinvite_receive}, {METHOD_BYE, bye_receive},
	{METHOD_UPDATE, update_receive},   {METHOD_PRACK, prack_receive},
	{METHOD_REFER, refer_receive},     {METHOD_SUBSCRIBE, refer_event},
	{METHOD_NOTIFY, refer_event},      {METHOD_REGISTER, refuse_inside},
	{METHOD_PUBLISH, refuse_inside},
};

static void dispatch(struct call *call, uint8_t early, uint8_t leg,
		     struct transaction_handle handle, const struct message *request,
		     const struct transport_path *path)
{
	for (size_t i = 0; i < sizeof(inside_methods) / sizeof(inside_methods[0]); i++) {
		if (inside_methods[i].method != message_method(request))
			continue;
		inside_methods[i].receive(call, early, leg, handle, request, path);
		return;
	}
	inside_receive(call, early, leg, handle, request, path);
}

/* Before it is looked at: 0, or what to answer. */
static unsigned int check_inside(struct call *call, uint8_t early, uint8_t leg,
				 const struct message *request, struct buf *headers)
{
	unsigned int status = check_request(request, headers);

	if (status == 483)
		counter_add(&call->calls->counters.too_many_hops, 1);
	if (status)
		return status;
	if (!dialog_accept_cseq(early_dialog(call, early, leg), message_cseq(request)))
		return 500;
	if (call->state == CALL_ENDING && message_method(request) != METHOD_BYE)
		return 481;
	/* Its other side is being handed over (RFC 3261 14.2), or has gone. */
	if (call->away && message_method(request) != METHOD_BYE) {
		buf_add_text(headers, "Retry-After: 2\r\n");
		return message_method(request) == METHOD_INVITE ? 491 : 500;
	}
	/* Before any reply of the callee there is no dialog to pass it on in. */
	bool has_dialog = early || call->legs[CALLEE].dialog.is_confirmed;
	if (!has_dialog && message_method(request) != METHOD_INVITE &&
	    message_method(request) != METHOD_BYE)
		return 481;
	return 0;
}

static void receive_inside(struct call *call, uint8_t early, uint8_t leg,
			   struct transaction_handle handle, const struct message *request,
			   const struct transport_path *path)
{
	struct buf headers;

	call_note(call, leg, false, request);
	leg_seen(call, leg, path);
	if (message_method(request) == METHOD_ACK) {
		ack_receive(call, leg, request);
		return;
	}
	buf_init(&headers);
	unsigned int status = check_inside(call, early, leg, request, &headers);
	if (status)
		inside_answer(call, leg, handle, status, buf_slice(&headers));
	else
		dispatch(call, early, leg, handle, request, path);
	buf_free(&headers);
}

void calls_receive(struct calls *calls, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path)
{
	bool is_ack = message_method(request) == METHOD_ACK;
	uint8_t leg = 0, early = 0;

	if (message_method(request) == METHOD_INVITE && refer_waits(calls, handle, request, path))
		return;
	if (slice_is_empty(message_to_tag(request))) {
		receive_outside(calls, handle, request, path);
		return;
	}
	struct call *call = calls_match(calls, request, &leg, &early);
	if (!call && takeover_request(calls, handle, request, path))
		return;
	if (call && !leg_is_source(call, leg, path)) {
		counter_add(&calls->counters.foreign_source, 1);
		call = NULL;
	}
	if (call) {
		receive_inside(call, early, leg, handle, request, path);
	} else if (!is_ack) {
		counter_add(&calls->counters.unknown_dialog, 1);
		if (message_max_forwards(request) == 0)
			counter_add(&calls->counters.too_many_hops, 1);
		refuse(calls->worker, handle, request, path,
		       message_max_forwards(request) == 0 ? 483 : 481, SLICE_NONE);
	}
}

void calls_cancelled(struct calls *calls, struct transaction_handle handle,
		     const struct message *cancel)
{
	struct call *call = calls_by_server(calls, handle);

	if (!call && refer_cancelled(calls, handle))
		return;
	if (!call || call->exchange.is_replied || call->exchange.is_cancelled)
		return;
	struct exchange *exchange = &call->exchange;
	call_note(call, exchange->from, false, cancel);
	exchange->is_cancelled = true;
	fork_abandon(call);
	if (exchange->is_initial) {
		exchange_refuse(call, 487, SLICE_NONE);
		call_end(call, CALL_CANCELLED, 487, exchange->from, SLICE_NONE);
	} else if (exchange->client.id && transaction_cancel(calls->worker->transactions,
							     exchange->client, SLICE_NONE) == 0) {
		/* The other side decides: its 487, or its 200 that crossed, goes back. */
		call_note_sent(call, other_leg(exchange->from), SLICE("CANCEL"), 0,
			       exchange->client_cseq, false);
	}
}

void calls_server_failed(struct calls *calls, struct transaction_handle handle, int err)
{
	struct call *call = calls_by_server(calls, handle);

	if (!call)
		return;
	log_debug(calls->worker->log, "call.reply_lost", "call=%.*s reason=\"%s\"", TOKEN_LENGTH,
		  call->id, err_text(err));
	if (call->state == CALL_ENDING || !call->exchange.is_initial || call->exchange.is_replied)
		return;
	fork_abandon(call);
	call_end(call, CALL_UNREACHABLE, 0, -1, SLICE_NONE);
}
