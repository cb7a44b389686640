/* revive_ringing.c - what the record of a call tells while it rings, and the same back: both
 * transactions of its INVITE, early dialogs, reliable replies, where else the route leads. Contacts
 * of a redirection are not kept, nor is what rings beside it. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include "sbc/call/fork.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

/* CSeq numbers that a successor leaves out. */
enum { CSEQ_BLOCK = 100 };
/* A longer INVITE is for the target in hand alone. */
enum { INVITE_MAX = 16 * 1024 };

bool record_is_ringing(const struct call *call)
{
	return call->state == CALL_SETUP && call->exchange.state != EXCHANGE_STORING;
}

/* The caller's INVITE as far as replies, CANCEL and ACK need it, out of the one that is kept. */
static int write_head(struct arena *arena, struct slice invite, struct slice *out)
{
	static const enum header_id ids[] = {HEADER_VIA,     HEADER_FROM, HEADER_TO,
					     HEADER_CALL_ID, HEADER_CSEQ, HEADER_MAX_FORWARDS};
	struct scan_limits limits = {.message_max = invite.len, .stream = true};
	struct scan *scan = calloc(1, sizeof(*scan));
	struct slice line;
	struct buf buf;
	int err = 0;

	buf_init(&buf);
	if (!scan ||
	    scan_message((char *)(uintptr_t)invite.data, invite.len, &limits, scan) != SCAN_ACCEPT)
		err = -ERR_MALFORMED;
	if (!err && slice_next_line(&invite, &line)) {
		buf_add(&buf, line);
		buf_add_text(&buf, "\r\n");
	}
	for (uint16_t i = 0; !err && i < scan->header_count; i++)
		for (size_t j = 0; j < sizeof(ids) / sizeof(ids[0]); j++)
			if (scan->headers[i].id == ids[j])
				builder_header(&buf, ids[j], scan->headers[i].value);
	buf_add_text(&buf, "Content-Length: 0\r\n\r\n");
	if (!err)
		*out = arena_copy(arena, buf_slice(&buf));
	if (!err && (buf_failed(&buf) || !out->data))
		err = -ERR_NO_MEMORY;
	buf_free(&buf);
	free(scan);
	return err;
}

/* Without its body: CANCEL and ACK are made of it. */
static struct slice head_of(struct slice request)
{
	return slice_sub(request, 0, slice_find_slice(request, SLICE("\r\n\r\n")) + 4);
}

static void fill_early(const struct early *early, struct record_leg *out)
{
	const struct dialog *near = &early->dialogs[CALLER], *far = &early->dialogs[CALLEE];
	const struct session *session = &early->session;

	out->early_id = early->id;
	out->remote_tag = far->remote_tag;
	out->remote_target = far->remote_target;
	for (size_t i = 0; i < far->route_count && i < RECORD_ROUTE_LIMIT; i++)
		out->route_set[out->route_count++] = far->routes[i];
	out->local_cseq = far->local_cseq + CSEQ_BLOCK;
	out->remote_cseq = far->remote_cseq;
	out->rseq = early->rseq;
	out->near_version = early->origin.version;
	out->near_hash = early->origin.hash;
	out->near_local_cseq = near->local_cseq + CSEQ_BLOCK;
	out->near_remote_cseq = near->remote_cseq;
	out->is_agreed = session_is_agreed(session);
	if (out->is_agreed) {
		out->sdp_received = session->agreed[CALLEE].received;
		out->sdp_sent = session->agreed[CALLEE].sent;
		out->near_offer = session->agreed[CALLER].received;
		out->near_shown = session->agreed[CALLER].sent;
	} else {
		out->sdp_received = session->answer;
		out->near_shown = session->answer_shown;
	}
}

static void fill_prack(const struct provisional *provisional, struct call_record *record)
{
	record->rseq = provisional->rseq;
	record->awaits_prack = provisional->is_waiting;
	if (!provisional->is_waiting)
		return;
	record->prack_has_sdp = provisional->has_sdp;
	record->prack_is_answer = provisional->is_offer;
	record->prack_early = provisional->early;
	record->prack_far_rseq = provisional->far_rseq;
}

/* The INVITE for others is whole, and not all the store's. */
static int fill_hunt(struct arena *arena, const struct call *call, struct call_record *record)
{
	struct hunt_kept kept;

	if (call->invite.len > INVITE_MAX || !hunt_has_next(&call->calls->hunter, &call->hunt))
		return write_head(arena, call->invite, &record->invite);
	hunt_keep(&call->hunt, &kept);
	record->invite = call->invite;
	record->target = call->target;
	record->hunt = slice_from(arena_printf(arena, "%u %u %llu", kept.steps, kept.tries,
					       (unsigned long long)kept.servers));
	return record->hunt.data ? 0 : -ERR_NO_MEMORY;
}

int ringing_fill(struct arena *arena, const struct call *call, struct call_record *record)
{
	const struct exchange *exchange = &call->exchange;
	uint32_t at = LEGS;

	record->state = RECORD_RINGING;
	record->answered_ms = 0;
	record->sent =
		head_of(transaction_sent(call->calls->worker->transactions, exchange->client));
	record->record_routes = exchange->record_routes;
	record->client_cseq = exchange->client_cseq;
	record->reliability = exchange->reliability;
	record->is_late = exchange->is_late;
	record->is_branch = call->fork != NULL;
	record->media_early = call->media_early;
	record->early_count = call->early_count;
	fill_prack(&call->provisional, record);
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		const struct session_timer *timer = &call->legs[leg].timer;
		record->legs[leg].is_confirmed = false;
		record->legs[leg].asked_interval_s = timer->asked_s;
		record->legs[leg].asked_minimum_s = timer->asked_minimum_s;
		record->legs[leg].asked_refresher = timer->asked_refresher;
		record->legs[leg].knows_timers = timer->is_known;
	}
	for (const struct early *early = call->early; early && at < record->leg_count;
	     early = early->next)
		fill_early(early, &record->legs[at++]);
	return fill_hunt(arena, call, record);
}

uint32_t ringing_legs(const struct call *call)
{
	uint32_t legs = LEGS;

	for (const struct early *early = call->early; early && legs < RECORD_LEGS_LIMIT;
	     early = early->next)
		legs++;
	return legs;
}

/* --- back --- */

static int resume_server(struct call *call, const struct call_record *record,
			 struct transaction_handle *out)
{
	struct scan_limits limits = {.message_max = record->invite.len, .stream = true};
	struct exchange *exchange = &call->exchange;
	const struct leg *leg = &call->legs[CALLER];
	struct scan *scan = calloc(1, sizeof(*scan));
	int err = -ERR_MALFORMED;

	if (scan &&
	    scan_message((char *)(uintptr_t)record->invite.data, record->invite.len, &limits,
			 scan) == SCAN_ACCEPT &&
	    scan->is_request && scan->method == METHOD_INVITE) {
		exchange->server_cseq = scan->cseq;
		if (scan->max_forwards > 0)
			exchange->max_forwards = scan->max_forwards - 1;
		err = transaction_resume_server(call->calls->worker->transactions, scan, &leg->path,
						leg->dialog.local_tag, out);
	}
	free(scan);
	return err;
}

/* Branches share the caller's INVITE, whichever of them comes first. */
static int resume_branch(struct call *call, const struct call_record *record)
{
	struct exchange *exchange = &call->exchange;
	struct transaction_handle server = TRANSACTION_NONE;

	int err = resume_server(call, record, &server);
	if (err && (err != -ERR_EXISTS || !record->is_branch))
		return err;
	struct call *sibling = err ? calls_by_server(call->calls, server) : NULL;
	if (err && (!sibling || !sibling->fork)) {
		call->is_branch = exchange->is_replied = true;
		return 0;
	}
	int second = record->is_branch ? fork_resume(call, sibling) : 0;
	if (second && !err)
		transaction_drop(call->calls->worker->transactions, server);
	if (!second)
		exchange->server = server;
	return second;
}

static int resume_client(struct call *call, const struct call_record *record)
{
	struct client_request request = {.bytes = record->sent,
					 .path = call->legs[CALLEE].path,
					 .handlers = &exchange_handlers,
					 .owner = call->calls,
					 .context = call->number};

	if (!slice_starts(record->sent, SLICE("INVITE ")))
		return -ERR_MALFORMED;
	int err = transaction_resume_client(call->calls->worker->transactions, &request,
					    &call->exchange.client);
	call->pending += err == 0;
	return err;
}

static void resume_prack(struct call *call, const struct call_record *record)
{
	call->provisional = (struct provisional){.rseq = record->rseq,
						 .is_waiting = record->awaits_prack,
						 .has_sdp = record->prack_has_sdp,
						 .is_offer = record->prack_is_answer,
						 .early = (uint8_t)record->prack_early,
						 .far_rseq = record->prack_far_rseq,
						 .server = call->exchange.server,
						 .server_cseq = call->exchange.server_cseq,
						 .client_cseq = call->exchange.client_cseq};
}

static void resume_asked(struct call *call, const struct call_record *record)
{
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		const struct record_leg *from = &record->legs[leg];
		struct session_timer *timer = &call->legs[leg].timer;
		timer->asked_s = from->asked_interval_s;
		timer->asked_minimum_s = from->asked_minimum_s;
		timer->asked_refresher = from->asked_refresher <= REFRESHER_UAS
						 ? (enum refresher)from->asked_refresher
						 : REFRESHER_ANY;
		timer->is_known = from->knows_timers;
	}
}

int ringing_resume(struct call *call, const struct call_record *record)
{
	struct exchange *exchange = &call->exchange;

	*exchange = (struct exchange){.from = CALLER,
				      .is_initial = true,
				      .is_late = record->is_late,
				      .client_cseq = record->client_cseq,
				      .max_forwards = 70,
				      .heard_ms = call_now(call)};
	if (record->reliability <= RELIABLE_REQUIRED)
		exchange->reliability = (enum reliability)record->reliability;
	int err = owned_set(&call->invite, record->invite);
	if (!err)
		err = resume_branch(call, record);
	if (err)
		return err;
	exchange_resume(call);
	err = owned_set(&exchange->record_routes, record->record_routes);
	if (!err)
		err = resume_client(call, record);
	resume_prack(call, record);
	resume_asked(call, record);
	for (uint32_t i = LEGS; i < record->leg_count && !err; i++)
		err = early_resume(call, &record->legs[i]);
	if (call->early_count < record->early_count && record->early_count < UINT8_MAX)
		call->early_count = (uint8_t)record->early_count;
	call->media_early = (uint8_t)record->media_early;
	call->rung_client = exchange->client.id;
	call->rung_early = call->early_count;
	/* Another target is one on another side: nothing of what crossed was kept. */
	call->has_provisional = true;
	call->sent_ms = call_now(call);
	if (!err)
		err = owned_set(&call->target, record->target);
	return err;
}

int ringing_resume_hunt(struct call *call, const struct call_record *record)
{
	unsigned long long servers;
	struct hunt_kept kept;
	char text[64];

	slice_copy(record->hunt, text, sizeof(text));
	if (!call->route || slice_is_empty(record->target) ||
	    sscanf(text, "%10u %10u %20llu", &kept.steps, &kept.tries, &servers) != 3)
		return 0;
	kept.servers = servers;
	return hunt_resume_rest(&call->hunt, call->route, &kept);
}
