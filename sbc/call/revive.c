/* revive.c - a live call out of its record. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "sbc/cdr/cdr_file.h"
#include "sbc/route/place.h"
#include "sbc/route/shared.h"
#include "sbc/call/fork.h"
#include "sbc/call/takeover.h"
#include "sbc/call/transfer.h"
#include "sbc/call/verbs.h"
#include "sbc/dialog/kept.h"
#include "sbc/topology/owned.h"

/* RFC 3261 8.1.1.5 has a limit. */
enum { CSEQ_STEP_MS = 10, CSEQ_MAX = 1u << 30 };

/* Unix milliseconds as this loop's clock has them: earlier than its start is a number that wraps
 * round, and differences come out right. */
static uint64_t loop_ms(const struct calls *calls, uint64_t unix_ms)
{
	return unix_ms ? unix_ms - calls->unix_offset_ms : 0;
}

static int read_name(const struct calls *calls, const struct call_record *record, struct token *out)
{
	bool is_whole = record->state == RECORD_ANSWERED ? record->leg_count == LEGS
							 : record->leg_count >= LEGS;

	if (record->state == RECORD_ENDING || !is_whole)
		return -ERR_MALFORMED;
	return token_read(calls->worker->token_key, TOKEN_CALL_ID, record->id, out);
}

/* Another node has other addresses, unless it took ours over: its Contact is told with the next
 * request that may (RFC 3261 12.2.1.1). */
static int check_contact(struct call *call, uint8_t index)
{
	const struct leg *leg = &call->legs[index];
	const struct transport_listener *listener =
		transport_listener(call->calls->worker->transport, leg->path.listener);

	if (slice_find_slice(leg->dialog.local_contact, slice_from(listener->sent_by)) <
	    leg->dialog.local_contact.len)
		return 0;
	return leg_set_contact(call, index, &leg->path);
}

/* Whoever had it before us may have used numbers without time to write so: the later a process is
 * started, the higher are its own. */
static uint32_t first_cseq(const struct calls *calls, const struct call_record *record,
			   uint32_t reserved)
{
	uint64_t now_ms = wheel_now_ms(calls->worker->wheel) + calls->unix_offset_ms;
	uint64_t age_ms = now_ms > record->created_ms ? now_ms - record->created_ms : 0;
	uint64_t first = reserved + age_ms / CSEQ_STEP_MS;

	return first < CSEQ_MAX ? (uint32_t)first : reserved;
}

static int take_leg(struct call *call, uint8_t index, const struct call_record *record)
{
	const struct record_leg *from = &record->legs[index];
	const struct calls *calls = call->calls;
	const struct config *config = calls->worker->config;
	struct leg *leg = &call->legs[index];

	int err = place_read(calls->worker, from, &leg->path);
	if (!err)
		err = dialog_resume(&leg->dialog, from);
	if (err)
		return err;
	leg->interface = leg->path.interface;
	leg->is_trusted = config->interfaces[leg->interface].trusted;
	leg->peer = place_peer(config, from->peer);
	leg->allows_update = from->allows_update;
	leg->timer.minimum_s = from->minimum_se_s;
	leg->origin.version = from->sdp_session_version;
	leg->origin.hash = from->sdp_session_hash;
	if (slice_to_u64(from->sdp_session_id, UINT64_MAX, &leg->origin.session_id) != 0)
		return -ERR_MALFORMED;
	leg_enter_name(call, index);
	call->reserved_cseq[index] = from->local_cseq;
	leg->dialog.local_cseq = first_cseq(calls, record, from->local_cseq);
	return check_contact(call, index);
}

/* The offer that its ACK will answer is open; else both have what they were sent. */
static int take_session(struct session *session, const struct record_leg *legs)
{
	int err = 0;

	for (uint8_t leg = 0; leg < LEGS && !err; leg++) {
		if (legs[leg].offer == RECORD_OFFER_RECEIVED) {
			err = session_offer(session, leg, legs[leg].sdp_received);
			return err ? err
				   : owned_set(&session->offer_shown,
					       legs[other_leg(leg)].sdp_sent);
		}
	}
	for (uint8_t leg = 0; leg < LEGS && !err; leg++) {
		err = owned_set(&session->agreed[leg].received, legs[leg].sdp_received);
		if (!err)
			err = owned_set(&session->agreed[leg].sent, legs[leg].sdp_sent);
	}
	return err;
}

static int find_relay(const struct calls *calls, struct slice name)
{
	const struct ng_client *client = media_client(calls->media);
	struct ng_relay_state state;

	for (unsigned int i = 0; i < ng_client_relay_count(client); i++) {
		ng_client_relays(client, i, &state);
		if (slice_equal(slice_from(state.name), name))
			return (int)i;
	}
	return -1;
}

static void take_media(struct call *call, const struct call_record *record)
{
	if (record->ng_call_id.len != TOKEN_LENGTH)
		return;
	media_session_init(&call->media, record->ng_call_id.data);
	call->media.relay = find_relay(call->calls, record->relay);
	call->media.is_open = call->media.relay >= 0;
}

static void take_refers(struct call *call, const struct call_record *record)
{
	for (uint32_t i = 0; i < record->refer_count && i < REFERS_MAX; i++) {
		struct refer_id *refer = &call->refers[call->refer_count];
		char text[40];
		unsigned int from;

		slice_copy(record->refers[i], text, sizeof(text));
		if (sscanf(text, "%1u %10u %10u", &from, &refer->in, &refer->out) != 3)
			continue;
		refer->from = (uint8_t)(from & 1);
		call->refer_count++;
	}
}

static const struct config_route *find_route(const struct config *config, struct slice name)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (slice_equal(slice_from(config->routes[i].name), name))
			return &config->routes[i];
	return NULL;
}

static int take_rest(struct call *call, const struct call_record *record)
{
	const struct calls *calls = call->calls;
	uint64_t now = call_now(call);

	call->created_ms = loop_ms(calls, record->created_ms);
	call->ringing_ms = loop_ms(calls, record->ringing_ms);
	call->answered_ms = loop_ms(calls, record->answered_ms);
	/* By a clock that is ahead of ours. */
	if (call->answered_ms && (int64_t)(now - call->answered_ms) < 0)
		call->answered_ms = now;
	if ((int64_t)((call->answered_ms ? call->answered_ms : now) - call->created_ms) < 0)
		call->created_ms = call->answered_ms ? call->answered_ms : now;
	call->route = find_route(call->config, record->route);
	call->is_emergency = record->is_emergency;
	call->wants_privacy = record->wants_privacy;
	call->epoch = record->epoch;
	(void)session_ids_read(record->session_ids, &call->session_ids);
	take_refers(call, record);
	take_media(call, record);
	int err = owned_set(&call->media_state, record->relay_state);
	if (err)
		return err;
	err = owned_set(&call->caller, record->caller);
	return err ? err : owned_set(&call->callee, record->callee);
}

/* Another node's clock may be wrong by minutes: the peer gets a whole interval once more, and what
 * we owe is sent soon, not all at once. */
static void resume_timer(struct call *call, uint8_t index, const struct call_record *record)
{
	const struct record_leg *leg = &record->legs[index];
	const struct worker *worker = call->calls->worker;
	bool is_ours = leg->refresher == RECORD_REFRESHER_US;
	uint64_t whole_ms = leg->session_interval_s * 1000ull, now = call_now(call);
	uint64_t expires_ms = loop_ms(call->calls, leg->next_refresh_ms);

	if (!whole_ms)
		return;
	if (!slice_equal(record->node, slice_from(worker->config->node)) ||
	    (int64_t)(expires_ms - now) < 0 || expires_ms - now > whole_ms) {
		expires_ms = now + whole_ms;
		session_timer_restore(call, index, leg->session_interval_s, is_ours, expires_ms);
		if (is_ours)
			session_timer_resume(call, index,
					     now + random_u64(worker->random) % (whole_ms / 4 + 1));
		return;
	}
	session_timer_restore(call, index, leg->session_interval_s, is_ours, expires_ms);
}

static void count(struct call *call, const struct call_record *record)
{
	struct calls *calls = call->calls;
	uint32_t server = record->legs[CALLEE].server;

	if (fork_is_alone(call))
		limits_enter_again(calls->limits, call->legs[CALLER].interface,
				   call->legs[CALLER].peer, record->is_emergency);
	hunt_resume(&calls->hunter, &call->hunt, call->legs[CALLEE].peer,
		    server ? server - 1 : UINT32_MAX, record->is_emergency);
	counter_add(&calls->counters.revived, 1);
	if (call->state == CALL_UP)
		counter_add(&calls->counters.up, 1);
}

/* It is as it was before anybody could see it. */
static void forget(struct call *call)
{
	struct transactions *transactions = call->calls->worker->transactions;

	transaction_abandon(transactions, call->exchange.client);
	if (fork_is_alone(call))
		transaction_drop(transactions, call->exchange.server);
	exchange_clear(call);
	call->pending = 0;
	call->state = CALL_ENDING;
	call_release_if_done(call);
}

int call_revive(struct calls *calls, const struct call_record *record, struct call **out)
{
	struct token name;
	struct call *call;

	int err = read_name(calls, record, &name);
	if (!err && calls_by_token(calls, &name, 0))
		err = -ERR_EXISTS;
	if (!err)
		err = call_create_named(calls, &name, &call);
	if (err)
		return err;
	for (uint8_t leg = 0; leg < LEGS && !err; leg++)
		err = take_leg(call, leg, record);
	if (!err)
		err = take_session(&call->session, record->legs);
	if (!err)
		err = take_rest(call, record);
	if (!err && record->state == RECORD_RINGING)
		err = ringing_resume(call, record);
	if (err) {
		forget(call);
		return err;
	}
	if (record->state == RECORD_ANSWERED)
		call->state = CALL_UP;
	call->is_stored = call->is_protected = true;
	call->stored_ms = call_now(call);
	count(call, record);
	if (record->state == RECORD_RINGING && ringing_resume_hunt(call, record) != 0)
		log_warn(calls->worker->log, "call.no_more_targets", "call=%.*s reason=\"%s\"",
			 TOKEN_LENGTH, call->id, err_text(-ERR_NO_MEMORY));
	for (uint8_t leg = 0; leg < LEGS; leg++)
		resume_timer(call, leg, record);
	if (call->state == CALL_UP) {
		record_doubt(call);
		renew_taken_up(call, record);
	}
	*out = call;
	return 0;
}

static bool has_cdr(const struct call *call)
{
	const struct shared *shared = call->calls->worker->shared;

	return shared && shared->cdr &&
	       cdr_file_told(shared->cdr, (struct slice){call->id, TOKEN_LENGTH});
}

int record_take_up(struct calls *calls, struct slice value)
{
	struct call_record *record;
	struct record_head head;
	struct slice body;
	struct call *call;
	char transfer[40]; /* the record is the arena's, which what revives the call may use again
			    */

	arena_reset(calls->scratch);
	int err = record_head_split(value, &head, &body);
	if (!err)
		err = record_decode(calls->scratch, body, &record);
	if (!err) {
		slice_copy(record->transfer, transfer, sizeof(transfer));
		err = call_revive(calls, record, &call);
	}
	if (err)
		return err;
	call->epoch = head.epoch;
	log_debug(calls->worker->log, "call.taken_up", "call=%.*s epoch=%llu", TOKEN_LENGTH,
		  call->id, (unsigned long long)head.epoch);
	/* Only the record had no time to go. Whether both sides were told of the end, nobody
	 * knows. */
	if (call->is_branch) {
		fork_over(call);
		return 0;
	}
	call->is_told = has_cdr(call);
	if (call->is_told)
		call_end(call, CALL_HUNG_UP, 487, -1, SLICE_NONE);
	else if (call->state == CALL_UP && transfer[0])
		transfer_resume(call, slice_from(transfer));
	return 0;
}

void record_refused(struct calls *calls, uint64_t name, int err)
{
	struct token token = token_unpack(name);
	char id[TOKEN_LENGTH];

	token_make(calls->worker->token_key, TOKEN_CALL_ID, &token, id);
	counter_add(&calls->counters.bad_records, 1);
	log_warn(calls->worker->log, "call.not_taken_up", "call=%.*s reason=\"%s\"", TOKEN_LENGTH,
		 id, err_text(err));
}
