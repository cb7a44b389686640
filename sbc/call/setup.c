/* setup.c - an INVITE that begins a call: leg A, the route, leg B.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/route/hops.h"
#include "sbc/route/refuse.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

static int make_caller(struct call *call, const struct message *request,
		       const struct transport_path *path, int peer)
{
	struct leg *leg = &call->legs[CALLER];
	struct dialog *dialog = &leg->dialog;
	const struct name_addr *from = message_from(request);
	const struct name_addr *to = message_to(request);

	leg->path = *path;
	leg->interface = path->interface;
	leg->is_trusted = call->calls->worker->config->interfaces[path->interface].trusted;
	leg->peer = peer;
	int err = owned_set(&dialog->call_id, message_call_id(request));
	if (!err)
		err = owned_set(&dialog->remote_tag, message_from_tag(request));
	if (!err)
		err = owned_set(&dialog->remote_display, from->display);
	if (!err)
		err = owned_set(&dialog->remote_uri, from->uri);
	if (!err)
		err = owned_set(&dialog->local_display, to->display);
	if (!err)
		err = owned_set(&dialog->local_uri, to->uri);
	if (!err)
		err = owned_set(&call->caller, from->uri);
	if (!err)
		err = owned_set(&call->callee, message_request_uri(request));
	if (!err)
		err = dialog_set_routes(dialog, request, false);
	if (!err)
		err = dialog_set_target(dialog, request);
	if (!err && slice_is_empty(dialog->remote_target))
		err = owned_set(&dialog->remote_target, from->uri);
	if (!err)
		err = leg_set_contact(call, CALLER, path);
	if (!err && !dialog_accept_cseq(dialog, message_cseq(request)))
		err = -ERR_INVALID;
	return err;
}

int setup_send(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct leg *leg = &call->legs[CALLEE];
	struct buf own, bytes, body;

	int err = leg_set_contact(call, CALLEE, &leg->path);
	if (err)
		return err;
	early_end_all(call); /* of a server that refused since */
	exchange->client_cseq = ++leg->dialog.local_cseq;
	buf_init(&own);
	buf_add(&own, exchange->own_headers);
	session_timer_ask(call, CALLEE, &own);
	struct leg_request request = {
		.method = SLICE("INVITE"),
		.cseq = exchange->client_cseq,
		.max_forwards = exchange->max_forwards,
		.own = buf_slice(&own),
		.headers = exchange->headers,
	};
	buf_init(&body);
	request.body = parts_wrap(&exchange->parts, call->session.offer_shown, &body,
				  &request.content_type);
	buf_init(&bytes);
	err = buf_failed(&own) || buf_failed(&body)
		      ? -ERR_NO_MEMORY
		      : leg_write(call, CALLEE, &leg->dialog, &request, &bytes);
	if (!err)
		err = exchange_request(call, buf_slice(&bytes), &leg->path, SLICE_NONE);
	if (!err)
		target_sent(call);
	buf_free(&own);
	buf_free(&body);
	buf_free(&bytes);
	return err;
}

static void say_begin(const struct call *call)
{
	const struct config *config = call->calls->worker->config;
	char addr[ADDR_TEXT_SIZE];

	log_info(call->calls->worker->log, "call.begin",
		 "call=%.*s from=%s source=%s caller=%.*s callee=%.*s route=%s", TOKEN_LENGTH,
		 call->id, config->interfaces[call->legs[CALLER].interface].name,
		 addr_text(&call->legs[CALLER].path.remote, addr), SLICE_ARG(call->caller),
		 SLICE_ARG(call->callee), call->route->name);
}

/* What it is called by where it goes to tells where it came from. */
static int mark_callee(struct call *call, const struct message *request,
		       const struct transport_path *path)
{
	struct dialog *dialog = &call->legs[CALLEE].dialog;
	struct buf tag;

	buf_init(&tag);
	hops_write_tag(call->calls->worker, TOKEN_TAG, request, path,
		       slice_sub(dialog->local_tag, 0, TOKEN_LENGTH), &tag);
	int err =
		buf_failed(&tag) ? -ERR_NO_MEMORY : owned_set(&dialog->local_tag, buf_slice(&tag));
	buf_free(&tag);
	return err;
}

int setup_begin(struct call *call, struct transaction_handle handle, const struct message *request,
		const struct transport_path *path, const struct admission *admission)
{
	call->route = admission->route;
	call->is_emergency = admission->route->priority == CONFIG_PRIORITY_EMERGENCY;
	call->wants_privacy = headers_want_privacy(request);
	int err = make_caller(call, request, path, admission->peer);
	if (!err)
		err = mark_callee(call, request, path);
	if (!err)
		err = admission->replaced ? replaces_begin(call, admission)
					  : target_begin(call, request);
	int second = exchange_begin(call, CALLER, handle, request, true);
	call_note(call, CALLER, false, request);
	return err ? err : second;
}

void setup_receive(struct calls *calls, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path)
{
	struct admission admission;
	struct call *call;
	struct buf headers;

	buf_init(&headers);
	admit(calls, request, path, &headers, &admission);
	if (admission.is_silent)
		refuse_silently(calls->worker, handle);
	else if (admission.status)
		refuse(calls->worker, handle, request, path, admission.status, admission.headers);
	buf_free(&headers);
	if (admission.status)
		return;
	if (call_create(calls, &call) != 0) {
		limits_leave(calls->limits, path->interface, admission.peer,
			     admission.route->priority == CONFIG_PRIORITY_EMERGENCY);
		refuse(calls->worker, handle, request, path, 500, SLICE_NONE);
		return;
	}
	counter_add(&calls->counters.attempts, 1);
	int err = setup_begin(call, handle, request, path, &admission);
	if (err) {
		exchange_fail(call, CALL_FAILED,
			      err == -ERR_NO_MEMORY ? 500
			      : err == -ERR_BUSY    ? 491
						    : 400,
			      SLICE_NONE);
		return;
	}
	say_begin(call);
	err = admission.replaced ? replaces_go_on(call, request) : target_go(call, request);
	if (err && call->state != CALL_ENDING)
		target_fail(call, err);
}
