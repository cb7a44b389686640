/* exchange.c - one INVITE across the call, from its arrival on one leg to its end on both.
 * The first INVITE and a re-INVITE go the same way; setup.c and reinvite.c are where they differ.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

static uint64_t spread(uint64_t id)
{
	return id * 0x9e3779b97f4a7c15u;
}

/* RFC 3261 12.1.1: replies that make a dialog carry the Record-Routes of their request. */
static void copy_record_routes(const struct message *request, struct buf *out)
{
	struct slice member;

	for (size_t i = 0; message_member(request, HEADER_RECORD_ROUTE, i, &member); i++)
		builder_header(out, HEADER_RECORD_ROUTE, member);
}

static int keep_lines(struct slice *owned, struct buf *lines)
{
	int err = buf_failed(lines) ? -ERR_NO_MEMORY : owned_set(owned, buf_slice(lines));
	buf_free(lines);
	return err;
}

int exchange_begin(struct call *call, uint8_t from, struct transaction_handle handle,
		   const struct message *request, bool is_initial)
{
	struct exchange *exchange = &call->exchange;
	struct crossing crossing = leg_crossing(call, from, message_has_sdp(request));
	int forwards = message_max_forwards(request);
	struct buf headers, routes;

	*exchange = (struct exchange){
		.state = EXCHANGE_CALLING,
		.server = handle,
		.from = from,
		.is_initial = is_initial,
		.is_late = !message_has_sdp(request),
		.server_cseq = message_cseq(request),
		.max_forwards = forwards < 0 ? 70 : forwards - 1,
	};
	table_insert(&call->calls->by_server, &exchange->by_server, spread(handle.id));
	buf_init(&headers);
	buf_init(&routes);
	headers_copy(request, &crossing, &headers);
	copy_record_routes(request, &routes);
	int err = keep_lines(&exchange->headers, &headers);
	int second = keep_lines(&exchange->record_routes, &routes);
	return err ? err : second;
}

void exchange_clear(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct wheel *wheel = call->calls->worker->wheel;

	if (exchange->state == EXCHANGE_NONE)
		return;
	wheel_cancel(wheel, &exchange->repeat);
	wheel_cancel(wheel, &exchange->wait);
	table_remove(&call->calls->by_server, &exchange->by_server);
	owned_free(&exchange->headers);
	owned_free(&exchange->record_routes);
	owned_free(&exchange->offer);
	owned_free(&exchange->offer_shown);
	owned_free(&exchange->answer);
	owned_free(&exchange->answer_shown);
	draft_clear(&exchange->draft);
	draft_clear(&exchange->next);
	*exchange = (struct exchange){0};
}

int exchange_ask(struct call *call, enum media_verb verb, uint8_t from, struct slice sdp)
{
	struct media_end here = leg_media(call, from);
	struct media_end there = leg_media(call, other_leg(from));
	uint64_t handle = call->number << 8 | ++call->media_sequence;

	call->media_verb = verb;
	int err =
		media_exchange(call->calls->media, verb, &call->media, &here, &there, sdp, handle);
	call->media_pending = err == 0;
	return err;
}

void exchange_start(struct call *call, struct slice sdp)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->is_late) {
		exchange_send(call);
		return;
	}
	int err = owned_set(&exchange->offer, sdp);
	if (!err) {
		exchange->state = EXCHANGE_OFFERING;
		err = exchange_ask(call, MEDIA_OFFER, exchange->from, sdp);
	}
	if (err) {
		unsigned int status = media_status_of(err);
		exchange_fail(call, status == 488 ? CALL_BAD_SDP : CALL_NO_RELAY, status,
			      status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
	}
}

void exchange_send(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	uint8_t to = other_leg(exchange->from);
	struct leg *leg = &call->legs[to];
	struct transport_path path;
	struct buf bytes;

	if (exchange->is_cancelled) {
		exchange_fail(call, CALL_CANCELLED, 487, SLICE_NONE);
		return;
	}
	exchange->state = EXCHANGE_CALLING;
	if (exchange->is_initial) {
		int failed = setup_send(call);
		if (failed)
			exchange_fail(call, CALL_UNREACHABLE, failed == -ERR_NO_MEMORY ? 500 : 503,
				      SLICE("Retry-After: 10\r\n"));
		return;
	}
	exchange->client_cseq = ++leg->dialog.local_cseq;
	record_reserve(call);
	struct leg_request request = {.method = SLICE("INVITE"),
				      .cseq = exchange->client_cseq,
				      .max_forwards = exchange->max_forwards,
				      .headers = exchange->headers,
				      .content_type = SLICE("application/sdp"),
				      .body = exchange->offer_shown};
	leg_way(call, to, &path);
	buf_init(&bytes);
	int err = leg_write(call, to, &request, &bytes);
	if (!err)
		err = exchange_request(call, buf_slice(&bytes), &path);
	buf_free(&bytes);
	if (err)
		exchange_fail(call, CALL_FAILED, 500, SLICE_NONE);
}

int exchange_request(struct call *call, struct slice bytes, const struct transport_path *path)
{
	struct exchange *exchange = &call->exchange;
	struct client_request request = {.bytes = bytes,
					 .path = *path,
					 .handlers = &exchange_handlers,
					 .owner = call->calls,
					 .context = call->number};

	int err =
		transaction_request(call->calls->worker->transactions, &request, &exchange->client);
	if (err)
		return err;
	call->pending++;
	call_note_sent(call, other_leg(exchange->from), SLICE("INVITE"), 0, exchange->client_cseq,
		       exchange->offer_shown.len > 0);
	return 0;
}

void exchange_refuse(struct call *call, unsigned int status, struct slice headers)
{
	struct exchange *exchange = &call->exchange;
	struct reply reply = {.status = status,
			      .to_tag = call->legs[exchange->from].dialog.local_tag,
			      .headers = headers};

	if (exchange->is_replied)
		return;
	exchange->is_replied = true;
	call_note_sent(call, exchange->from, SLICE_NONE, status, exchange->server_cseq, false);
	if (transaction_reply(call->calls->worker->transactions, exchange->server, &reply) != 0)
		log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s status=%u",
			  TOKEN_LENGTH, call->id, status);
}

void exchange_fail(struct call *call, enum call_cause cause, unsigned int status,
		   struct slice headers)
{
	exchange_refuse(call, status, headers);
	if (call->exchange.is_initial)
		call_end(call, cause, status, -1, SLICE_NONE);
	else
		reinvite_restore(call);
}

static void on_offered(struct call *call, const struct media_result *result)
{
	struct exchange *exchange = &call->exchange;
	struct leg *to = &call->legs[other_leg(exchange->from)];
	const char *reason = result->reason;
	struct buf shown;
	int err = result->err;
	unsigned int status = result->status;

	buf_init(&shown);
	if (!err) {
		arena_reset(call->calls->scratch);
		err = body_hide(call->calls->scratch, result->sdp, &to->origin, &shown, &reason);
		if (!err)
			err = owned_set(&exchange->offer_shown, buf_slice(&shown));
		status = err ? 500 : 0;
	}
	buf_free(&shown);
	if (!err) {
		exchange_send(call);
		return;
	}
	log_warn(call->calls->worker->log, "call.offer_failed", "call=%.*s status=%u reason=\"%s\"",
		 TOKEN_LENGTH, call->id, status, reason ? reason : err_text(err));
	exchange_fail(call, status == 488 ? CALL_BAD_SDP : CALL_NO_RELAY, status,
		      status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
}

void exchange_media(struct call *call, const struct media_result *result)
{
	switch (call->exchange.state) {
	case EXCHANGE_OFFERING:
		on_offered(call, result);
		break;
	case EXCHANGE_CALLING:
		reply_media(call, result);
		break;
	case EXCHANGE_ACKING:
		ack_media(call, result);
		break;
	case EXCHANGE_RESTORING:
		reinvite_restored(call);
		break;
	case EXCHANGE_NONE:
	case EXCHANGE_STORING:
	case EXCHANGE_ACCEPTED:
		break;
	}
}

/* Both sides hold these SDPs now. */
void exchange_agree(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	uint8_t offerer = exchange->is_late ? other_leg(exchange->from) : exchange->from;
	struct leg *from = &call->legs[offerer];
	struct leg *to = &call->legs[other_leg(offerer)];

	if (slice_is_empty(exchange->offer) || slice_is_empty(exchange->answer))
		return;
	if (owned_set(&from->sdp_received, exchange->offer) != 0 ||
	    owned_set(&from->sdp_sent, exchange->answer_shown) != 0 ||
	    owned_set(&to->sdp_received, exchange->answer) != 0 ||
	    owned_set(&to->sdp_sent, exchange->offer_shown) != 0)
		log_warn(call->calls->worker->log, "call.sdp_not_kept", "call=%.*s", TOKEN_LENGTH,
			 call->id);
}

void exchange_done(struct call *call)
{
	bool has_changed = !call->exchange.is_initial && call->exchange.is_answered;

	exchange_clear(call);
	if (has_changed && call->state == CALL_UP)
		record_keep(call, false);
	call_release_if_done(call);
}
