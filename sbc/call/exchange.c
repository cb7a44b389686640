/* exchange.c - one INVITE across the call, from its arrival on one leg to its end on both.
 * The first INVITE and a re-INVITE go the same way; setup.c and reinvite.c are where they differ.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/exchange.h"
#include "sbc/call/fork.h"
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

static uint64_t merge_hash(const struct calls *calls, struct slice call_id, struct slice from_tag)
{
	return siphash(call_id, calls->hash_key) * 3 + siphash(from_tag, calls->hash_key);
}

static bool has_server(const struct call *call)
{
	return call->exchange.state != EXCHANGE_NONE && call->exchange.is_initial;
}

/* A proxy of the caller's side forked, and two branches come here. With another Request-URI each
 * goes to somebody else, and that is no merging. */
bool exchange_is_merged(const struct calls *calls, const struct message *request)
{
	struct slice call_id = message_call_id(request), tag = message_from_tag(request);
	struct table_link *link = NULL;

	while ((link = table_find(&calls->by_merge, merge_hash(calls, call_id, tag), link))) {
		const struct call *call = container_of(link, struct call, exchange.by_merge);
		const struct dialog *dialog = &call->legs[CALLER].dialog;
		if (has_server(call) && slice_equal(dialog->call_id, call_id) &&
		    slice_equal(dialog->remote_tag, tag) &&
		    call->exchange.server_cseq == message_cseq(request) &&
		    slice_equal(call->callee, message_request_uri(request)))
			return true;
	}
	return false;
}

/* RFC 5393 5.3.2: how far a request may still be forked is passed on, in equal parts. */
static void write_breadth(const struct call *call, const struct message *request, struct buf *out)
{
	struct slice value;
	uint32_t breadth = 60;

	if (message_header(request, SLICE("Max-Breadth"), &value) &&
	    slice_to_u32(slice_trim(value), UINT32_MAX, &breadth) != 0)
		breadth = 1; /* admit() and reinvite.c have refused what is no number */
	buf_printf(out, "Max-Breadth: %u\r\n", fork_breadth(call, breadth));
}

/* What of the extensions the other side may use. A late offer in a reliable provisional is answered
 * in its PRACK: only when the caller can do that too. */
static void write_extensions(const struct call *call, const struct message *request,
			     struct buf *out)
{
	const struct exchange *exchange = &call->exchange;
	enum config_reliable policy = leg_policy(call, other_leg(exchange->from))->reliable;
	bool may = policy != CONFIG_RELIABLE_NEVER &&
		   (!exchange->is_late || exchange->reliability != RELIABLE_NEVER);

	if (may && policy == CONFIG_RELIABLE_REQUIRE)
		builder_header(out, HEADER_REQUIRE, SLICE("100rel"));
	buf_add_text(out, "Supported: timer");
	if (may)
		buf_add_text(out, ", 100rel");
	if (message_has_option(request, HEADER_SUPPORTED, SLICE("199")))
		buf_add_text(out, ", 199");
	buf_add_text(out, "\r\n");
}

int exchange_keep_headers(struct call *call, const struct message *request)
{
	struct exchange *exchange = &call->exchange;
	struct crossing crossing =
		leg_crossing(call, exchange->from, message_body(request).len > 0);
	struct buf headers, own, routes;

	buf_init(&headers);
	buf_init(&own);
	buf_init(&routes);
	headers_copy(request, &crossing, &headers);
	registrar_drop_credentials(call->calls->registrar, &headers);
	write_extensions(call, request, &own);
	write_breadth(call, request, &own);
	headers_options(request, HEADER_SUPPORTED, &own);
	headers_options(request, HEADER_REQUIRE, &own);
	if (call_is_placed(call))
		refer_write_replaces(call, exchange->from, request, &own);
	copy_record_routes(request, &routes);
	int err = keep_lines(&exchange->headers, &headers);
	int second = keep_lines(&exchange->own_headers, &own);
	int third = keep_lines(&exchange->record_routes, &routes);
	int fourth = parts_take(&exchange->parts, call, exchange->from, request);
	return err ? err : second ? second : third ? third : fourth;
}

int exchange_begin(struct call *call, uint8_t from, struct transaction_handle handle,
		   const struct message *request, bool is_initial)
{
	struct exchange *exchange = &call->exchange;
	int forwards = message_max_forwards(request);

	*exchange = (struct exchange){
		.state = EXCHANGE_CALLING,
		.server = handle,
		.from = from,
		.is_initial = is_initial,
		.is_update = message_method(request) == METHOD_UPDATE,
		.is_late = slice_is_empty(parts_sdp(request)),
		.server_cseq = message_cseq(request),
		.max_forwards = forwards < 0 ? 70 : forwards - 1,
	};
	table_insert(&call->calls->by_server, &exchange->by_server, spread(handle.id));
	if (is_initial)
		table_insert(&call->calls->by_merge, &exchange->by_merge,
			     merge_hash(call->calls, message_call_id(request),
					message_from_tag(request)));
	/* What has no PRACK yet gets none any more. */
	provisional_settle(call);
	call->provisional.is_waiting = false;
	leg_learn(call, from, request);
	session_timer_take(call, from, request);
	if (!exchange->is_update && handle.id &&
	    admit_reliability(leg_policy(call, from), request, &exchange->reliability) != 0)
		return -ERR_UNSUPPORTED;
	/* The first INVITE does not know yet where it goes. */
	return is_initial ? 0 : exchange_keep_headers(call, request);
}

void exchange_resume(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	const struct dialog *dialog = &call->legs[exchange->from].dialog;

	exchange->state = EXCHANGE_CALLING;
	table_insert(&call->calls->by_server, &exchange->by_server, spread(exchange->server.id));
	table_insert(&call->calls->by_merge, &exchange->by_merge,
		     merge_hash(call->calls, dialog->call_id, dialog->remote_tag));
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
	if (exchange->is_initial)
		table_remove(&call->calls->by_merge, &exchange->by_merge);
	owned_free(&exchange->headers);
	owned_free(&exchange->own_headers);
	owned_free(&exchange->record_routes);
	parts_clear(&exchange->parts);
	draft_clear(&exchange->draft);
	for (uint8_t i = 0; i < exchange->waiting_count; i++)
		draft_clear(&exchange->waiting[i]);
	free(exchange->waiting);
	*exchange = (struct exchange){0};
}

static void fail_offer(struct call *call, int err)
{
	unsigned int status = media_status_of(err);

	exchange_fail(call, status == 488 ? CALL_BAD_SDP : CALL_NO_RELAY, status,
		      status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
}

void exchange_start(struct call *call, struct slice sdp)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->is_late) {
		exchange_send(call);
		return;
	}
	int err = session_offer(&call->session, exchange->from, sdp);
	exchange->state = EXCHANGE_OFFERING;
	if (err)
		fail_offer(call, err);
	else
		exchange_go_on(call);
}

void exchange_go_on(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->state != EXCHANGE_OFFERING || exchange->is_asked || call_is_asking(call))
		return;
	exchange->is_asked = true;
	int err = call_ask(call, MEDIA_FOR_EXCHANGE, MEDIA_OFFER, exchange->from,
			   call->session.offer);
	if (err)
		fail_offer(call, err);
}

static int send_again(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	uint8_t to = other_leg(exchange->from);
	struct dialog *dialog = &call->legs[to].dialog;
	struct transport_path path;
	struct slice hop;
	struct buf own, bytes, body;

	exchange->client_cseq = ++dialog->local_cseq;
	record_reserve(call);
	buf_init(&own);
	buf_init(&bytes);
	buf_add(&own, exchange->own_headers);
	session_timer_ask(call, to, &own);
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
	leg_way(call, to, dialog, &path, &hop);
	int err = buf_failed(&own) || buf_failed(&body)
			  ? -ERR_NO_MEMORY
			  : leg_write(call, to, dialog, &request, &bytes);
	if (!err)
		err = exchange_request(call, buf_slice(&bytes), &path, hop);
	buf_free(&body);
	buf_free(&own);
	buf_free(&bytes);
	return err;
}

bool call_is_placed(const struct call *call)
{
	return call->exchange.is_initial && !transfer_borrows(call, CALLEE);
}

void exchange_send(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->is_cancelled) {
		exchange_fail(call, CALL_CANCELLED, 487, SLICE_NONE);
		return;
	}
	exchange->state = EXCHANGE_CALLING;
	int err = call_is_placed(call) ? setup_send(call) : send_again(call);
	if (err && exchange->is_initial)
		exchange_fail(call, CALL_UNREACHABLE, err == -ERR_NO_MEMORY ? 500 : 503,
			      SLICE("Retry-After: 10\r\n"));
	else if (err)
		exchange_fail(call, CALL_FAILED, 500, SLICE_NONE);
}

int exchange_request(struct call *call, struct slice bytes, const struct transport_path *path,
		     struct slice hop)
{
	struct exchange *exchange = &call->exchange;
	struct client_request request = {.bytes = bytes,
					 .path = *path,
					 .hop = hop,
					 .handlers = &exchange_handlers,
					 .owner = call->calls,
					 .context = call->number};

	int err =
		transaction_request(call->calls->worker->transactions, &request, &exchange->client);
	if (err)
		return err;
	exchange->heard_ms = call_now(call);
	call->pending++;
	call_note_sent(call, other_leg(exchange->from), SLICE("INVITE"), 0, exchange->client_cseq,
		       call->session.is_open);
	return 0;
}

void exchange_refuse(struct call *call, unsigned int status, struct slice headers)
{
	struct exchange *exchange = &call->exchange;
	struct reply reply = {.status = status,
			      .to_tag = call->legs[exchange->from].dialog.local_tag,
			      .headers = headers};

	if (exchange->state == EXCHANGE_NONE || exchange->is_replied)
		return;
	exchange->is_replied = true;
	provisional_settle(call);
	if (call->fork && !fork_refused(call, &reply.status, &reply.headers))
		return; /* others may still answer */
	exchange->refused = (uint16_t)reply.status;
	status = reply.status;
	if (!exchange->server.id) /* a transfer: nobody sent an INVITE */
		return;
	call_note_sent(call, exchange->from, SLICE_NONE, status, exchange->server_cseq, false);
	if (transaction_reply(call->calls->worker->transactions, exchange->server, &reply) != 0)
		log_debug(call->calls->worker->log, "call.reply_not_sent", "call=%.*s status=%u",
			  TOKEN_LENGTH, call->id, status);
	fork_free(call);
}

void exchange_fail(struct call *call, enum call_cause cause, unsigned int status,
		   struct slice headers)
{
	bool was_told = call->session.is_open && !call->exchange.is_initial;

	exchange_refuse(call, status, headers);
	if (call->exchange.is_initial) {
		call_end(call, cause, status, -1, SLICE_NONE);
		return;
	}
	session_close(&call->session);
	exchange_done(call);
	if (was_told)
		restore_begin(call, 0, CALLER);
}

void exchange_break(struct call *call, enum call_cause cause, unsigned int status)
{
	exchange_refuse(call, status, SLICE_NONE);
	call_end(call, cause, status, -1, SLICE_NONE);
}

static void on_offered(struct call *call, const struct media_result *result)
{
	struct exchange *exchange = &call->exchange;
	const char *reason = result->reason;
	int err = result->err;
	unsigned int status = result->status;

	if (!err) {
		err = body_show(call, other_leg(exchange->from), 0, result->sdp,
				&call->session.offer_shown, &reason);
		status = err ? 500 : 0;
	}
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
	case EXCHANGE_NONE:
	case EXCHANGE_STORING:
	case EXCHANGE_ACCEPTED:
		break;
	}
}

void exchange_done(struct call *call)
{
	bool has_changed = !call->exchange.is_initial && call->exchange.is_answered;

	exchange_clear(call);
	if (has_changed && call->state == CALL_UP)
		record_keep(call, false);
	call_release_if_done(call);
}
