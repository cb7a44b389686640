/* inside.c - a request in a dialog, passed on in the other one, and its answer passed back. SDP in
 * a PRACK or UPDATE goes through the relay first, and so does the answer to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/inside.h"
#include "sbc/call/credentials.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

void inside_answer(struct call *call, uint8_t leg, struct transaction_handle handle,
		   unsigned int status, struct slice lines)
{
	struct reply reply = {.status = status, .headers = lines};

	if (transaction_reply(call->calls->worker->transactions, handle, &reply) != 0)
		log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s status=%u",
			  TOKEN_LENGTH, call->id, status);
	else
		call_note_sent(call, leg, SLICE_NONE, status, 0, false);
}

static void relayed_free(struct relayed *relayed)
{
	owned_free(&relayed->method_text);
	owned_free(&relayed->headers);
	owned_free(&relayed->content_type);
	owned_free(&relayed->body);
	free(relayed);
}

/* Out of its slot. Its client transaction may go on alone. */
static void finish(struct call *call, uint8_t slot)
{
	struct relayed *relayed = call->relayed[slot];

	call->relayed[slot] = NULL;
	if (relayed->client.id)
		call->pending--;
	relayed_free(relayed);
	call_release_if_done(call);
}

static void answer(struct call *call, struct relayed *relayed, unsigned int status,
		   struct slice lines)
{
	if (!relayed->server.id)
		return;
	inside_answer(call, relayed->from, relayed->server, status, lines);
	relayed->server = TRANSACTION_NONE;
}

/* The offer in it came to nothing. */
static void withdraw(struct call *call, struct relayed *relayed, bool was_told)
{
	struct session *session = early_session(call, relayed->early);

	if (!relayed->is_offer || !session->is_open || session->offerer != relayed->from)
		return;
	session_close(session);
	if (was_told)
		restore_begin(call, relayed->early, CALLER);
}

static void fail(struct call *call, uint8_t slot, unsigned int status)
{
	struct relayed *relayed = call->relayed[slot];

	answer(call, relayed, status, status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
	withdraw(call, relayed, relayed->state != RELAYED_READY);
	finish(call, slot);
}

/* --- the answer --- */

static void reply_with(struct call *call, struct relayed *relayed, struct slice body)
{
	struct reply reply = {
		.status = relayed->status, .content_type = relayed->content_type, .body = body};
	struct buf lines;

	buf_init(&lines);
	if (relayed->method == METHOD_UPDATE || relayed->method == METHOD_OPTIONS)
		leg_write_allow(call, relayed->from, &lines);
	if (relayed->method == METHOD_UPDATE && relayed->status < 300) {
		leg_write_contact(call, relayed->from, &lines);
		if (call->state == CALL_UP)
			session_timer_answer(call, relayed->from, &lines);
	}
	buf_add(&lines, relayed->headers);
	reply.headers = buf_slice(&lines);
	if (buf_failed(&lines) ||
	    transaction_reply(call->calls->worker->transactions, relayed->server, &reply) != 0)
		log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s status=%u",
			  TOKEN_LENGTH, call->id, relayed->status);
	else
		call_note_sent(call, relayed->from, SLICE_NONE, relayed->status, 0,
			       relayed->is_offer && body.len > 0);
	relayed->server = TRANSACTION_NONE;
	buf_free(&lines);
}

/* The answer to the offer in it. The side that gave it holds to it: if it cannot be told, the call
 * is over. */
static void take_answer(struct call *call, uint8_t slot)
{
	struct relayed *relayed = call->relayed[slot];
	uint8_t to = other_leg(relayed->from);
	struct session *session = early_session(call, relayed->early);

	int err = body_check_answer(call, relayed->early, to, relayed->body);
	if (!err)
		err = owned_set(&session->answer, relayed->body);
	relayed->state = RELAYED_ANSWERED;
	if (!err) {
		inside_go_on(call);
		return;
	}
	answer(call, relayed, 488, SLICE_NONE);
	finish(call, slot);
	call_end(call, CALL_BAD_SDP, 488, -1, SLICE_NONE);
}

static void pass_back(struct call *call, uint8_t slot, const struct message *response)
{
	struct relayed *relayed = call->relayed[slot];
	bool is_success = message_status(response) < 300;
	bool is_answered = relayed->is_offer && is_success;

	if (relayed_take_response(call, relayed, response) != 0) {
		fail(call, slot, 500);
		return;
	}
	if (is_success && relayed->method == METHOD_UPDATE) {
		uint8_t to = other_leg(relayed->from);
		if (dialog_set_target(early_dialog(call, relayed->early, to), response) != 0)
			log_debug(call->calls->worker->log, "call.no_memory", NULL);
		if (call->state == CALL_UP)
			session_timer_answered(call, to, response);
	}
	if (is_answered) {
		if (!message_has_sdp(response))
			owned_free(&relayed->body);
		take_answer(call, slot);
		return;
	}
	bool is_sdp = message_has_sdp(response);
	reply_with(call, relayed, is_sdp ? SLICE_NONE : relayed->body);
	withdraw(call, relayed, true);
	finish(call, slot);
}

/* RFC 3261 12.2.1.2, RFC 5057: the other side does not know the dialog any more. */
static bool is_lost(const struct call *call, const struct relayed *relayed, unsigned int status)
{
	return call->state == CALL_UP && relayed->method != METHOD_PRACK &&
	       (status == 481 || (status == 408 && relayed->method == METHOD_UPDATE));
}

static void send_request(struct call *call, uint8_t slot, struct slice body);

/* It wants credentials, or newer ones (RFC 7616 3.3, stale): once more with them. */
static bool send_again(struct call *call, uint8_t slot, uint8_t leg, const struct message *response)
{
	struct relayed *relayed = call->relayed[slot];
	const struct session *session = early_session(call, relayed->early);
	struct slice body = relayed->body;

	if (relayed->is_repeated || !credentials_asked(call, leg, response))
		return false;
	relayed->is_repeated = true;
	if (relayed->is_offer)
		body = session->offer_shown;
	else if (relayed->is_answer)
		body = session->agreed[leg].sent;
	send_request(call, slot, body);
	return true;
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct call *call = calls_find(owner, context >> 8);
	uint8_t slot = (context >> 1) & 7, leg = context & 1;
	(void)path;

	if (!call || message_status(response) < 200)
		return;
	struct relayed *relayed = call->relayed[slot];
	if (!relayed || relayed->client.id != handle.id)
		return;
	call_note(call, leg, false, response);
	leg_learn(call, leg, response);
	relayed->client = TRANSACTION_NONE;
	call->pending--;
	if (!relayed->server.id) {
		finish(call, slot);
		return;
	}
	if (send_again(call, slot, leg, response))
		return;
	bool lost = is_lost(call, relayed, message_status(response));
	pass_back(call, slot, response);
	if (lost) {
		call->legs[leg].dialog.is_confirmed = message_status(response) == 408;
		call_end(call, CALL_DIALOG_LOST, 0, -1, SLICE_NONE);
	}
	call_go_on(call);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct call *call = calls_find(owner, context >> 8);
	uint8_t slot = (context >> 1) & 7;

	struct relayed *relayed = call ? call->relayed[slot] : NULL;
	if (!relayed || relayed->client.id != handle.id)
		return;
	unsigned int status = err == -ERR_TIMEOUT ? 408 : 503;
	bool lost = is_lost(call, relayed, status);
	relayed->client = TRANSACTION_NONE;
	call->pending--;
	fail(call, slot, status);
	if (lost)
		call_end(call, CALL_DIALOG_LOST, 0, -1, SLICE_NONE);
	call_go_on(call);
}

static const struct client_handlers handlers = {on_response, on_failure};

/* --- the request --- */

static void send_request(struct call *call, uint8_t slot, struct slice body)
{
	struct relayed *relayed = call->relayed[slot];
	uint8_t to = other_leg(relayed->from);
	struct dialog *dialog = early_dialog(call, relayed->early, to);
	struct client_request out = {.handlers = &handlers,
				     .owner = call->calls,
				     .context = call->number << 8 | (uint64_t)slot << 1 | to};
	struct leg_request passed = {.method = relayed->method_text,
				     .cseq = ++dialog->local_cseq,
				     .max_forwards = relayed->max_forwards,
				     .headers = relayed->headers,
				     .content_type = relayed->content_type,
				     .body = body};
	struct buf bytes;

	buf_init(&bytes);
	leg_way(call, to, dialog, &out.path, &out.hop);
	int err = leg_write(call, to, dialog, &passed, &bytes);
	out.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &out,
					  &relayed->client);
	buf_free(&bytes);
	if (err) {
		fail(call, slot, 500);
		return;
	}
	relayed->state = RELAYED_SENT;
	call->pending++;
	call_note_sent(call, to, passed.method, 0, passed.cseq, relayed->is_offer);
	record_reserve(call);
}

/* SDP in it: an offer, or (a PRACK) the answer to what the callee offered in its provisional. */
static int take_sdp(struct call *call, struct relayed *relayed, struct slice sdp)
{
	struct session *session = early_session(call, relayed->early);

	relayed->is_offer = !session->is_open;
	if (relayed->is_offer)
		return session_offer(session, relayed->from, sdp);
	relayed->is_answer = true;
	int err = body_check_answer(call, relayed->early, relayed->from, sdp);
	if (!err)
		err = owned_set(&session->answer, sdp);
	return err;
}

static int free_slot(const struct call *call, uint8_t *out)
{
	for (uint8_t slot = 0; slot < RELAYED_MAX; slot++) {
		if (call->relayed[slot])
			continue;
		*out = slot;
		return 0;
	}
	return -ERR_TOO_MANY;
}

void inside_pass(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, enum method as, struct slice own)
{
	bool has_sdp = message_has_sdp(request);
	struct relayed *relayed;
	uint8_t slot;

	if (free_slot(call, &slot) != 0 || !(relayed = calloc(1, sizeof(*relayed)))) {
		inside_answer(call, leg, handle, 500, SLICE("Retry-After: 2\r\n"));
		return;
	}
	call->relayed[slot] = relayed;
	relayed->from = leg;
	relayed->early = early;
	relayed->server = handle;
	int err = relayed_take_request(call, relayed, request, as, own);
	if (!err && has_sdp)
		err = take_sdp(call, relayed, message_body(request));
	if (err) {
		bool is_fatal = err == -ERR_MALFORMED && !relayed->is_offer;
		fail(call, slot, err == -ERR_NO_MEMORY ? 500 : has_sdp ? 488 : 400);
		/* The offer of the other side cannot be answered any more. */
		if (is_fatal)
			exchange_break(call, CALL_BAD_SDP, 488);
		return;
	}
	if (has_sdp)
		inside_go_on(call);
	else
		send_request(call, slot, relayed->body);
}

void inside_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path)
{
	const struct dialog *to = early_dialog(call, early, other_leg(leg));
	(void)path;

	/* An SDP means something in the requests that negotiate, and there alone. */
	if (message_has_sdp(request))
		inside_answer(call, leg, handle, 415, SLICE_NONE);
	else if (!early && !to->is_confirmed)
		inside_answer(call, leg, handle, 481, SLICE_NONE);
	else
		inside_pass(call, early, leg, handle, request, message_method(request), SLICE_NONE);
}

/* --- the relay --- */

static void ask(struct call *call, uint8_t slot)
{
	struct relayed *relayed = call->relayed[slot];
	bool is_back = relayed->state == RELAYED_ANSWERED;
	bool is_answer = is_back || !relayed->is_offer;
	uint8_t from = is_back ? other_leg(relayed->from) : relayed->from;

	relayed->state = is_back ? RELAYED_ANSWERING : RELAYED_ASKING;
	if (is_answer)
		call->media_early = relayed->early;
	int err = call_ask(call, (uint8_t)(MEDIA_FOR_RELAYED + slot),
			   is_answer ? MEDIA_ANSWER : MEDIA_OFFER, from, relayed->body);
	if (err) {
		struct media_result result = {.err = err, .status = media_status_of(err)};
		inside_media(call, slot, &result);
	}
}

void inside_go_on(struct call *call)
{
	for (uint8_t slot = 0; slot < RELAYED_MAX && !call_is_asking(call); slot++) {
		const struct relayed *relayed = call->relayed[slot];
		if (relayed &&
		    (relayed->state == RELAYED_READY || relayed->state == RELAYED_ANSWERED))
			ask(call, slot);
	}
}

/* The answer has been through the relay: both hold to it. */
static void agreed(struct call *call, uint8_t slot)
{
	struct relayed *relayed = call->relayed[slot];
	struct session *session = early_session(call, relayed->early);

	if (relayed->state == RELAYED_ANSWERING)
		reply_with(call, relayed, session->answer_shown);
	else
		send_request(call, slot, session->answer_shown);
	if (session_agree(session) != 0)
		log_warn(call->calls->worker->log, "call.sdp_not_kept", "call=%.*s", TOKEN_LENGTH,
			 call->id);
	if (call->relayed[slot] && relayed->state == RELAYED_ANSWERING)
		finish(call, slot);
	if (call->state == CALL_UP)
		record_keep(call, false);
}

void inside_media(struct call *call, uint8_t slot, const struct media_result *result)
{
	struct relayed *relayed = call->relayed[slot];
	const char *reason = result->reason;

	if (!relayed || (relayed->state != RELAYED_ASKING && relayed->state != RELAYED_ANSWERING))
		return;
	struct session *session = early_session(call, relayed->early);
	bool is_back = relayed->state == RELAYED_ANSWERING;
	bool is_answer = is_back || !relayed->is_offer;
	uint8_t to = is_back ? relayed->from : other_leg(relayed->from);
	unsigned int status = result->status;

	int err = result->err;
	if (!err) {
		err = body_show(call, to, relayed->early, result->sdp,
				is_answer ? &session->answer_shown : &session->offer_shown,
				&reason);
		status = err ? 500 : 0;
	}
	if (err) {
		log_warn(call->calls->worker->log, "call.update_failed",
			 "call=%.*s status=%u reason=\"%s\"", TOKEN_LENGTH, call->id, status,
			 reason ? reason : err_text(err));
		fail(call, slot, status);
		if (is_answer)
			exchange_break(call, CALL_NO_RELAY, status);
	} else if (is_answer) {
		agreed(call, slot);
	} else {
		send_request(call, slot, session->offer_shown);
	}
}

/* The call ends: nobody waits for the answers any more. */
void inside_abort(struct call *call)
{
	for (uint8_t slot = 0; slot < RELAYED_MAX; slot++) {
		struct relayed *relayed = call->relayed[slot];
		if (!relayed)
			continue;
		answer(call, relayed, 487, SLICE_NONE);
		if (!relayed->client.id)
			finish(call, slot);
	}
}

void inside_drop(struct call *call)
{
	struct transactions *transactions = call->calls->worker->transactions;

	for (uint8_t slot = 0; slot < RELAYED_MAX; slot++) {
		struct relayed *relayed = call->relayed[slot];
		if (!relayed)
			continue;
		if (relayed->client.id)
			transaction_abandon(transactions, relayed->client);
		transaction_drop(transactions, relayed->server);
	}
	inside_free(call);
}

void inside_free(struct call *call)
{
	for (uint8_t slot = 0; slot < RELAYED_MAX; slot++) {
		if (call->relayed[slot])
			relayed_free(call->relayed[slot]);
		call->relayed[slot] = NULL;
	}
}
