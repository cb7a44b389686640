/* inside.c - INFO in a dialog: passed on in the other one, the answer passed back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/topology/headers.h"

static void answer(struct call *call, struct transaction_handle handle, unsigned int status,
		   const struct message *response, uint8_t from)
{
	struct crossing crossing = leg_crossing(call, from, response != NULL);
	struct reply reply = {.status = status};
	struct buf lines;

	buf_init(&lines);
	if (response) {
		headers_copy(response, &crossing, &lines);
		reply.content_type = message_content_type(response);
		reply.body = message_has_sdp(response) ? SLICE_NONE : message_body(response);
		if (slice_is_empty(reply.body))
			reply.content_type = SLICE_NONE;
	}
	reply.headers = buf_failed(&lines) ? SLICE_NONE : buf_slice(&lines);
	if (transaction_reply(call->calls->worker->transactions, handle, &reply) != 0)
		log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s status=%u",
			  TOKEN_LENGTH, call->id, status);
	buf_free(&lines);
}

static void finish(struct call *call, struct relayed *relayed)
{
	*relayed = (struct relayed){0};
	call->pending--;
	call_release_if_done(call);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct call *call = calls_find(owner, context >> 8);
	uint8_t slot = (context >> 1) & 3, leg = context & 1;
	(void)handle;
	(void)path;

	if (!call || message_status(response) < 200)
		return;
	struct relayed *relayed = &call->relayed[slot];
	call_note(call, leg, false, response);
	if (relayed->server.id)
		answer(call, relayed->server, message_status(response), response, leg);
	finish(call, relayed);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct call *call = calls_find(owner, context >> 8);
	uint8_t slot = (context >> 1) & 3, leg = context & 1;
	(void)handle;

	if (!call)
		return;
	struct relayed *relayed = &call->relayed[slot];
	if (relayed->server.id)
		answer(call, relayed->server, err == -ERR_TIMEOUT ? 408 : 503, NULL, leg);
	finish(call, relayed);
}

static const struct client_handlers handlers = {on_response, on_failure};

static int pass_on(struct call *call, uint8_t slot, uint8_t to, const struct message *request)
{
	struct crossing crossing = leg_crossing(call, other_leg(to), true);
	int forwards = message_max_forwards(request);
	struct client_request out = {.handlers = &handlers,
				     .owner = call->calls,
				     .context = call->number << 8 | (uint64_t)slot << 1 | to};
	struct leg_request passed = {.method = message_method_text(request),
				     .cseq = ++call->legs[to].dialog.local_cseq,
				     .max_forwards = forwards < 0 ? 70 : forwards - 1,
				     .content_type = message_content_type(request),
				     .body = message_body(request)};
	struct buf lines, bytes;

	buf_init(&lines);
	buf_init(&bytes);
	headers_copy(request, &crossing, &lines);
	passed.headers = buf_slice(&lines);
	leg_way(call, to, &out.path);
	int err = buf_failed(&lines) ? -ERR_NO_MEMORY : leg_write(call, to, &passed, &bytes);
	out.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &out,
					  &call->relayed[slot].client);
	buf_free(&lines);
	buf_free(&bytes);
	if (!err)
		call_note_sent(call, to, passed.method, 0, passed.cseq, false);
	return err;
}

void inside_receive(struct call *call, uint8_t leg, struct transaction_handle handle,
		    const struct message *request)
{
	uint8_t to = other_leg(leg);

	for (uint8_t slot = 0; slot < RELAYS_MAX; slot++) {
		struct relayed *relayed = &call->relayed[slot];
		if (relayed->server.id || relayed->client.id)
			continue;
		if (!call->legs[to].dialog.is_confirmed || message_has_sdp(request))
			break;
		if (pass_on(call, slot, to, request) != 0)
			break;
		relayed->server = handle;
		call->pending++;
		record_reserve(call);
		return;
	}
	answer(call, handle, 500, NULL, leg);
}

/* The call ends: nobody waits for the answers any more. */
void inside_abort(struct call *call)
{
	for (uint8_t slot = 0; slot < RELAYS_MAX; slot++) {
		struct relayed *relayed = &call->relayed[slot];
		if (!relayed->server.id)
			continue;
		answer(call, relayed->server, 487, NULL, CALLER);
		relayed->server = TRANSACTION_NONE;
	}
}
