/* bye.c - how calls end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/credentials.h"
#include "sbc/call/fork.h"
#include "sbc/call/takeover.h"
#include "sbc/call/verbs.h"
#include "sbc/route/locate.h"
#include "sbc/route/path.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

static void on_bye_over(struct calls *calls, uint64_t context)
{
	struct call *call = calls_find(calls, context >> 8);

	if (!call)
		return;
	call->pending--;
	call_release_if_done(call);
}

enum { BYE_AGAIN = 2 }; /* in the context, beside the leg: with credentials */
static void send_bye(struct call *call, uint8_t index, struct slice headers, uint8_t flags);

static void on_bye_response(void *owner, uint64_t context, struct transaction_handle handle,
			    const struct message *response, const struct transport_path *path)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, context >> 8);
	(void)handle;
	(void)path;

	if (call)
		call_note(call, context & 1, false, response);
	if (message_status(response) < 200)
		return;
	if (call && !(context & BYE_AGAIN) && credentials_asked(call, context & 1, response))
		send_bye(call, context & 1, SLICE_NONE, BYE_AGAIN);
	on_bye_over(calls, context);
}

static void on_bye_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, context >> 8);
	(void)handle;

	if (call)
		log_warn(calls->worker->log, "call.bye_unanswered",
			 "call=%.*s leg=%u reason=\"%s\"", TOKEN_LENGTH, call->id,
			 (unsigned int)(context & 1), err_text(err));
	on_bye_over(calls, context);
}

static const struct client_handlers bye_handlers = {on_bye_response, on_bye_failure};

static void send_bye(struct call *call, uint8_t index, struct slice headers, uint8_t flags)
{
	struct leg *leg = &call->legs[index];
	uint32_t cseq = ++leg->dialog.local_cseq;
	struct client_request request = {.handlers = &bye_handlers,
					 .owner = call->calls,
					 .context = call->number << 8 | flags | index};
	struct transaction_handle handle;
	struct buf bytes;

	leg->bye_after_ack = false;
	leg->dialog.is_confirmed = false; /* one BYE a dialog */
	buf_init(&bytes);
	struct leg_request bye = {
		.method = SLICE("BYE"), .cseq = cseq, .max_forwards = 70, .headers = headers};
	leg_way(call, index, &leg->dialog, &request.path, &request.hop);
	int err = leg_write(call, index, &leg->dialog, &bye, &bytes);
	request.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &request, &handle);
	buf_free(&bytes);
	if (err) {
		log_warn(call->calls->worker->log, "call.bye_not_sent",
			 "call=%.*s leg=%u reason=\"%s\"", TOKEN_LENGTH, call->id, index,
			 err_text(err));
		return;
	}
	call->pending++;
	call_note_sent(call, index, SLICE("BYE"), 0, cseq, false);
}

void bye_send(struct call *call, uint8_t index, struct slice headers)
{
	send_bye(call, index, headers, 0);
}

/* The open INVITE: its server side gets its final reply, its client side is cancelled. */
static void end_exchange(struct call *call, unsigned int status, struct slice reason)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->state == EXCHANGE_NONE)
		return;
	if (exchange->is_answered && !exchange->is_acked)
		ack_send(call, SLICE_NONE); /* a late offer nobody will answer */
	if (exchange->state == EXCHANGE_ACCEPTED)
		return; /* stays until its ACK */
	if (!exchange->is_replied)
		exchange_refuse(call, status ? status : 487, SLICE_NONE);
	if (exchange->client.id &&
	    transaction_cancel(call->calls->worker->transactions, exchange->client, reason) == 0)
		call_note_sent(call, other_leg(exchange->from), SLICE("CANCEL"), 0,
			       exchange->client_cseq, false);
	if (!exchange->client.id)
		exchange_clear(call);
}

static void end_leg(struct call *call, uint8_t index, struct slice reason)
{
	const struct exchange *exchange = &call->exchange;

	if (!call->legs[index].dialog.is_confirmed)
		return;
	if (exchange->state == EXCHANGE_ACCEPTED && exchange->from == index)
		call->legs[index].bye_after_ack = true;
	else
		bye_send(call, index, reason);
}

static void count_end(struct call *call)
{
	struct call_counters *counters = &call->calls->counters;

	if (call->answered_ms) {
		counter_add(&counters->ended, 1);
		counter_sub(&counters->up, 1);
	} else {
		counter_add(&counters->failed, 1);
	}
}

static void account(struct call *call)
{
	limits_leave(call->calls->limits, call->legs[CALLER].interface, call->legs[CALLER].peer,
		     call->is_emergency);
	count_end(call);
	if (call->is_told)
		return;
	cdr_log(call);
	call->cdr_ticket = cdr_write(call);
	if (!call->answered_ms || (call->cause != CALL_HUNG_UP && call->cause != CALL_STOPPED))
		recent_keep(call);
}

void call_end(struct call *call, enum call_cause cause, unsigned int status, int by,
	      struct slice reason)
{
	struct calls *calls = call->calls;

	if (call->state == CALL_ENDING)
		return;
	call->state = CALL_ENDING;
	call_count_unprotected(call);
	call->cause = cause;
	call->status = call->answered_ms        ? 200
		       : call->exchange.refused ? call->exchange.refused
						: status;
	call->ended_by = by;
	call->ended_ms = call_now(call);
	wheel_cancel(calls->worker->wheel, &call->upkeep);
	provisional_settle(call);
	for (uint8_t leg = 0; leg < LEGS; leg++)
		session_timer_stop(call, leg);
	call->restore.state = RESTORE_NONE;
	renew_drop(call);
	target_end(call);
	inside_abort(call);
	transfer_lender_over(call);
	transfer_over(call);
	end_exchange(call, status, reason);
	for (uint8_t leg = 0; leg < LEGS; leg++)
		end_leg(call, leg, reason);
	/* While the relay is still placing the call nobody knows which one: its answer cleans up.
	 */
	if (!call->media_pending || call->media.relay >= 0)
		media_delete(calls->media, &call->media);
	call->media_pending = false;
	if (!call->is_branch)
		account(call);
	record_drop_told(call);
	call_release_if_done(call);
}

void call_lose(struct call *call)
{
	struct calls *calls = call->calls;
	struct transactions *transactions = calls->worker->transactions;

	if (call->state == CALL_ENDING) {
		call->is_stored = false;
		return;
	}
	log_info(calls->worker->log, "call.lost", "call=%.*s effect=\"another node has it\"",
		 TOKEN_LENGTH, call->id);
	counter_add(&calls->counters.lost, 1);
	takeover_lost_one(calls);
	if (call->state == CALL_UP)
		counter_sub(&calls->counters.up, 1);
	call->state = CALL_ENDING;
	call_count_unprotected(call);
	wheel_cancel(calls->worker->wheel, &call->upkeep);
	provisional_settle(call);
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		struct session_timer *timer = &call->legs[leg].timer;
		session_timer_stop(call, leg);
		if (timer->client.id)
			transaction_abandon(transactions, timer->client);
		timer->client = TRANSACTION_NONE;
	}
	call->restore.state = RESTORE_NONE;
	renew_drop(call);
	target_end(call);
	inside_drop(call);
	if (call->exchange.client.id)
		transaction_abandon(transactions, call->exchange.client);
	transaction_drop(transactions, call->exchange.server);
	exchange_clear(call);
	call->media_pending = false;
	call->is_stored = false; /* the record is another's */
	call->pending = 0;
	if (fork_lost(call))
		limits_leave(calls->limits, call->legs[CALLER].interface, call->legs[CALLER].peer,
			     call->is_emergency);
	call_release_if_done(call);
}

/* The caller ends one of several early dialogs (RFC 3261 15): the callee hears it there, the others
 * ring on. */
static bool ends_one_of_many(const struct call *call, uint8_t early, uint8_t leg)
{
	return early && leg == CALLER && call->state == CALL_SETUP && call->early->next;
}

void bye_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path)
{
	struct crossing crossing = leg_crossing(call, leg, false);
	struct reply reply = {.status = 200};
	struct buf lines;

	if (ends_one_of_many(call, early, leg)) {
		inside_receive(call, early, leg, handle, request, path);
		early_end(call, early_find(call, early));
		return;
	}
	if (transaction_reply(call->calls->worker->transactions, handle, &reply) != 0)
		log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s status=200",
			  TOKEN_LENGTH, call->id);
	call_note_sent(call, leg, SLICE_NONE, 200, message_cseq(request), false);
	call->legs[leg].dialog.is_confirmed = false;
	call->legs[leg].bye_after_ack = false;
	if (transfer_outlives(call, leg))
		return;
	buf_init(&lines);
	headers_copy(request, &crossing, &lines);
	registrar_drop_credentials(call->calls->registrar, &lines);
	call_end(call, call->answered_ms ? CALL_HUNG_UP : CALL_CANCELLED, 487, leg,
		 buf_failed(&lines) ? SLICE_NONE : buf_slice(&lines));
	buf_free(&lines);
}

/* --- a 2xx without a call --- */

static void on_stray_response(void *owner, uint64_t context, struct transaction_handle handle,
			      const struct message *response, const struct transport_path *path)
{
	(void)owner, (void)context, (void)handle, (void)response, (void)path;
}
static void on_stray_failure(void *owner, uint64_t context, struct transaction_handle handle,
			     int err)
{
	(void)owner, (void)context, (void)handle, (void)err;
}
static const struct client_handlers stray_handlers = {on_stray_response, on_stray_failure};

/* The dialog as the response alone tells it. */
static int stray_dialog(struct dialog *dialog, const struct message *response)
{
	const struct name_addr *from = message_from(response);
	const struct name_addr *to = message_to(response);

	int err = owned_set(&dialog->call_id, message_call_id(response));
	if (!err)
		err = owned_set(&dialog->local_tag, message_from_tag(response));
	if (!err)
		err = owned_set(&dialog->remote_tag, message_to_tag(response));
	if (!err)
		err = owned_set(&dialog->local_display, from->display);
	if (!err)
		err = owned_set(&dialog->local_uri, from->uri);
	if (!err)
		err = owned_set(&dialog->remote_display, to->display);
	if (!err)
		err = owned_set(&dialog->remote_uri, to->uri);
	if (!err)
		err = dialog_set_routes(dialog, response, true);
	if (!err)
		err = dialog_set_target(dialog, response);
	if (!err && slice_is_empty(dialog->remote_target))
		err = -ERR_MALFORMED;
	return err;
}

static int stray_send(struct calls *calls, const struct dialog *dialog, uint32_t cseq,
		      const struct transport_path *path, bool is_bye)
{
	struct client_request request = {.path = *path, .handlers = &stray_handlers};
	struct transaction_handle handle;
	struct buf bytes;

	buf_init(&bytes);
	dialog_write_request(dialog, is_bye ? SLICE("BYE") : SLICE("ACK"), cseq, 70, &bytes);
	builder_body(&bytes, SLICE_NONE, SLICE_NONE);
	request.bytes = buf_slice(&bytes);
	int err = buf_failed(&bytes) ? -ERR_NO_MEMORY : 0;
	if (!err && is_bye)
		err = transaction_request(calls->worker->transactions, &request, &handle);
	else if (!err)
		err = transactions_send_ack(calls->worker->transactions, request.bytes, path, NULL);
	buf_free(&bytes);
	return err;
}

/* Only what answers an INVITE of ours: its From tag cannot be made by anybody else. */
static bool is_ours(const struct calls *calls, const struct message *response)
{
	struct token token;
	return token_read(calls->worker->token_key, TOKEN_TAG,
			  slice_sub(message_from_tag(response), 0, TOKEN_LENGTH), &token) == 0;
}

/* It comes again until its ACK does: a name is known by then. */
static void find_stray(const struct worker *worker, struct slice hop, struct transport_path *way)
{
	struct transport_path target;

	if (path_is_named(hop))
		locate_now(worker, hop, way);
	else if (path_to_uri(worker, way->interface, hop, &target) == 0)
		*way = target;
}

void stray_end(struct calls *calls, const struct message *response,
	       const struct transport_path *path, bool with_bye)
{
	struct dialog dialog = {0};
	struct transport_path way = *path;
	uint32_t cseq = message_cseq(response);

	if (!is_ours(calls, response))
		return;
	int may = limits_take_stray(calls->limits, message_from_tag(response),
				    message_to_tag(response), wheel_now_ms(calls->worker->wheel));
	if (may == -ERR_BUSY)
		return; /* a true one is repeated until its ACK */
	int err = stray_dialog(&dialog, response);
	if (!err && calls->worker->config->interfaces[path->interface].trusted)
		find_stray(calls->worker, dialog_next_hop(&dialog), &way);
	if (!err)
		err = stray_send(calls, &dialog, cseq, &way, false);
	if (!err && with_bye && may == 0)
		err = stray_send(calls, &dialog, cseq + 1, &way, true);
	dialog_free(&dialog);
	if (err)
		log_debug(calls->worker->log, "call.stray_answer", "reason=\"%s\"", err_text(err));
}

/* Of a call that is here, whose INVITE was another process's, or is long over: its ACK was lost. */
static bool is_answered_again(struct calls *calls, const struct message *response)
{
	struct call *call;
	uint8_t leg;

	if (!calls_by_tag(calls, message_from_tag(response), &call, &leg) ||
	    !slice_equal_nocase(call->legs[leg].dialog.remote_tag, message_to_tag(response)))
		return false;
	ack_again(call, leg, message_cseq(response));
	return true;
}

void calls_stray(struct calls *calls, const struct message *response,
		 const struct transport_path *path)
{
	bool is_answer = message_status(response) >= 200 && message_status(response) < 300;

	if (!is_ours(calls, response) || (is_answer && is_answered_again(calls, response)) ||
	    takeover_response(calls, response, path) || !is_answer)
		return;
	counter_add(&calls->counters.forks, 1);
	stray_end(calls, response, path, true);
}
