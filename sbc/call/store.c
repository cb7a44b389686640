/* store.c - the record of an answered call in the store. Written once before the answer goes out,
 * again when what it says has changed, deleted at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/media.h"
#include "control/state/record.h"
#include "sbc/cdr/cdr_file.h"
#include "sbc/route/place.h"
#include "sbc/route/shared.h"
#include "sbc/call/takeover.h"
#include "sbc/call/transfer.h"
#include "sbc/call/verbs.h"
#include "sbc/dialog/kept.h"

/* A record lives for so long without being written again; refreshed at half of it. */
enum { TTL_S = 7200, REFRESH_MS = 3600000 };
/* Relays that do not tell when a call ended are asked so often. */
enum { CHECK_MS = 20000, UPKEEP_MS = 600000 };
/* CSeq numbers a successor leaves out: so many requests need no new record. The next block is
 * written so many before the end, as the store takes its time. */
enum { CSEQ_BLOCK = 100, CSEQ_MARGIN = 10 };
/* As the relay does: a call on hold has no media, and is not ended for that so soon. */
enum { HELD_MS = 3600000 };
/* A call whose record is there and whose line is in the file of CDRs has ended; one with neither is
 * nowhere. So the record goes second: looked at so often, and no longer than a disk may take. */
enum { TOLD_MS = 1, TOLD_LIMIT_MS = 2000 };

static void fill_offer(const struct call *call, uint8_t index, struct record_leg *out)
{
	const struct session *session = &call->session;
	bool offers = index == session->offerer;

	/* The first 2xx is about to go out: what is open is what both will have. */
	if (session->is_open && call->state == CALL_SETUP) {
		out->sdp_received = offers ? session->offer : session->answer;
		out->sdp_sent = offers ? session->answer_shown : session->offer_shown;
		if (slice_is_empty(session->answer))
			out->offer = offers ? RECORD_OFFER_RECEIVED : RECORD_OFFER_SENT;
	} else {
		out->sdp_received = session->agreed[index].received;
		out->sdp_sent = session->agreed[index].sent;
	}
}

static bool is_hold(struct arena *arena, struct slice text)
{
	struct sdp *sdp;

	return sdp_text_may_hold(text) && sdp_parse(arena, text, &sdp, NULL) == 0 &&
	       sdp_is_hold(sdp);
}

/* What the last SDP of the peer says about holding, and its o= version. */
static void fill_hold(struct arena *arena, struct record_leg *out)
{
	uint64_t version = sdp_text_version(out->sdp_received);
	bool by_peer = is_hold(arena, out->sdp_received), by_us = is_hold(arena, out->sdp_sent);

	out->remote_sdp_version = version == UINT64_MAX ? 0 : version;
	if (by_peer && by_us)
		out->hold = RECORD_HOLD_BOTH;
	else if (by_peer)
		out->hold = RECORD_HOLD_BY_PEER;
	else if (by_us)
		out->hold = RECORD_HOLD_BY_US;
}

static void fill_timer(const struct call *call, uint8_t index, struct record_leg *out)
{
	const struct session_timer *timer = &call->legs[index].timer;

	out->minimum_se_s = timer->minimum_s;
	if (!timer->interval_s)
		return;
	out->session_interval_s = timer->interval_s;
	out->refresher = timer->is_ours ? RECORD_REFRESHER_US : RECORD_REFRESHER_PEER;
	out->next_refresh_ms = timer->expires_ms + call->calls->unix_offset_ms;
}

static int fill_leg(struct arena *arena, struct call *call, uint8_t index, struct record_leg *out)
{
	const struct calls *calls = call->calls;
	const struct config *config = calls->worker->config;
	const struct leg *leg = &call->legs[index];
	const struct dialog *dialog = &leg->dialog;

	dialog_keep(dialog, out);
	call->reserved_cseq[index] = dialog->local_cseq + CSEQ_BLOCK;
	out->local_cseq = call->reserved_cseq[index];
	out->is_caller = index == CALLER;
	out->is_confirmed = true;
	out->allows_update = leg->allows_update;
	place_write(calls->worker, &leg->path, out);
	if (leg->peer >= 0)
		out->peer = slice_from(config->peers[leg->peer].name);
	if (index == CALLEE && call->hunt.attempt.is_held)
		out->server = call->hunt.attempt.server + 1;
	fill_offer(call, index, out);
	fill_hold(arena, out);
	out->sdp_session_id =
		slice_from(arena_printf(arena, "%llu", (unsigned long long)leg->origin.session_id));
	out->sdp_session_version = leg->origin.version;
	out->sdp_session_hash = leg->origin.hash;
	out->ng_tag = leg_media(call, index).tag;
	fill_timer(call, index, out);
	return out->sdp_session_id.data ? 0 : -ERR_NO_MEMORY;
}

/* What its headers are told apart and numbered by. */
static int fill_mappings(struct arena *arena, const struct call *call, struct call_record *record)
{
	const struct session_ids *ids = &call->session_ids;
	char *bytes = arena_alloc(arena, SESSION_IDS_SIZE);

	if (!bytes)
		return -ERR_NO_MEMORY;
	session_ids_write(ids, bytes);
	record->session_ids = (struct slice){bytes, SESSION_IDS_SIZE};
	unsigned int count = call->refer_count < REFERS_MAX ? call->refer_count : REFERS_MAX;
	for (unsigned int i = 0; i < count; i++) {
		/* Oldest first. */
		const struct refer_id *refer =
			&call->refers[(call->refer_count - count + i) % REFERS_MAX];
		record->refers[i] = slice_from(
			arena_printf(arena, "%u %u %u", refer->from, refer->in, refer->out));
		if (!record->refers[i].data)
			return -ERR_NO_MEMORY;
		record->refer_count = i + 1;
	}
	return 0;
}

int record_fill(struct arena *arena, struct call *call, struct call_record *record)
{
	const struct calls *calls = call->calls;
	const struct config *config = calls->worker->config;
	uint64_t offset = calls->unix_offset_ms;
	struct ng_relay_state relay = {0};

	record->id = (struct slice){call->id, TOKEN_LENGTH};
	record->state = RECORD_ANSWERED;
	record->created_ms = call->created_ms + offset;
	record->answered_ms = (call->answered_ms ? call->answered_ms : call_now(call)) + offset;
	record->written_ms = call_now(call) + offset;
	record->node = slice_from(config->node);
	record->epoch = call->epoch;
	record->worker = calls->worker->index;
	record->ng_call_id = (struct slice){call->media.id, TOKEN_LENGTH};
	if (call->media.relay >= 0) {
		ng_client_relays(media_client(calls->media), (unsigned)call->media.relay, &relay);
		record->relay = slice_from(relay.name);
		record->relay_instance = slice_from(relay.instance);
	}
	record->relay_state = call->media_state;
	record->media_idle_ms = leg_media(call, CALLER).policy->idle_timeout_ms;
	record->caller = call->caller;
	record->callee = call->callee;
	record->source = call->legs[CALLER].path.remote;
	if (call->route)
		record->route = slice_from(call->route->name);
	record->is_emergency = call->is_emergency;
	record->wants_privacy = call->wants_privacy;
	record->ringing_ms = call->ringing_ms ? call->ringing_ms + offset : 0;
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		int err = fill_leg(arena, call, leg, &record->legs[leg]);
		if (err)
			return err;
	}
	int err = fill_mappings(arena, call, record);
	if (!err)
		err = transfer_fill(arena, call, record);
	return !err && record_is_ringing(call) ? ringing_fill(arena, call, record) : err;
}

static void on_stored(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct call *call = calls_find(owner, handle);

	if (call && reply->err == -ERR_DENIED && call->was_stored)
		call_lose(call);
	else if (call)
		reply_stored(call, reply->err == 0);
}

static void on_wait_over(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	reply_stored(container_of(timer, struct call, exchange.wait), false);
}

static int write_value(struct call *call, const struct call_record *record, struct buf *out)
{
	struct record_head head = {.node = call->calls->worker->node,
				   .epoch = call->epoch,
				   .worker = call->calls->worker->index,
				   .state = (uint8_t)record->state};

	record_head_write(&head, out);
	int err = record_encode(record, out);
	return !err && buf_failed(out) ? -ERR_NO_MEMORY : err;
}

static int put(struct call *call, struct arena *arena)
{
	struct calls *calls = call->calls;
	struct buf key, value;

	struct call_record *record =
		record_create(arena, record_is_ringing(call) ? ringing_legs(call) : LEGS);
	if (!record)
		return -ERR_NO_MEMORY;
	int err = record_fill(arena, call, record);
	if (err)
		return err;
	buf_init(&key);
	buf_init(&value);
	err = record_key((struct slice){call->id, TOKEN_LENGTH}, &key);
	if (!err)
		err = write_value(call, record, &value);
	if (!err) {
		/* The first time nobody else can have it. */
		bool was_stored = call->is_stored;
		call->was_stored = was_stored;
		call->is_stored = true;
		call->is_record_due = false;
		call->is_protected = false;
		call_count_unprotected(call);
		call->stored_ms = call_now(call);
		(was_stored ? store_put_owned : store_put)(calls->store, buf_slice(&key),
							   buf_slice(&value), TTL_S, on_stored,
							   calls, call->number);
	}
	buf_free(&key);
	buf_free(&value);
	return err;
}

void record_keep(struct call *call, bool wait)
{
	struct calls *calls = call->calls;
	uint32_t wait_ms = calls->worker->config->state.wait_ms;

	/* Half of it is elsewhere: what the store has is what it will have back. */
	if (transfer_has_leg_of(call))
		return;
	if (wait)
		wheel_arm(calls->worker->wheel, &call->exchange.wait, call_now(call) + wait_ms,
			  on_wait_over);
	arena_reset(calls->scratch);
	int err = put(call, calls->scratch);
	if (!err)
		return;
	log_warn(calls->worker->log, "call.not_stored", "call=%.*s reason=\"%s\"", TOKEN_LENGTH,
		 call->id, err_text(err));
	if (wait)
		reply_stored(call, false);
}

bool record_follows(const struct call *call, enum media_verb verb)
{
	const struct exchange *exchange = &call->exchange;
	bool rings =
		call->calls->worker->config->state.protect == CONFIG_PROTECT_RINGING && !call->fork;

	if (!call->calls->is_lasting || !exchange->is_initial || exchange->is_late ||
	    call->transfer)
		return false;
	return rings || (verb == MEDIA_ANSWER && exchange->draft.status >= 200);
}

void record_ring(struct call *call, bool has_news)
{
	const struct exchange *exchange = &call->exchange;

	if (call->calls->worker->config->state.protect != CONFIG_PROTECT_RINGING ||
	    call->transfer || !exchange->is_initial || !exchange->client.id)
		return;
	/* Once for each target, and for what early dialogs came to agree on. */
	if (call->rung_client == exchange->client.id && call->rung_early == call->early_count &&
	    !has_news)
		return;
	call->rung_client = exchange->client.id;
	call->rung_early = call->early_count;
	record_keep(call, false);
}

void record_drop(struct call *call)
{
	struct buf key;

	if (!call->is_stored)
		return;
	call->is_stored = false;
	takeover_over(call);
	buf_init(&key);
	if (record_key((struct slice){call->id, TOKEN_LENGTH}, &key) == 0 && !buf_failed(&key))
		store_delete(call->calls->store, buf_slice(&key));
	buf_free(&key);
}

static bool is_written(const struct call *call)
{
	const struct shared *shared = call->calls->worker->shared;

	return !call->cdr_ticket || cdr_file_is_done(shared->cdr, call->cdr_ticket);
}

static void on_told_due(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, reaper);

	if (!is_written(call) && now_ms - call->ended_ms < TOLD_LIMIT_MS) {
		wheel_arm(call->calls->worker->wheel, timer, now_ms + TOLD_MS, on_told_due);
		return;
	}
	record_drop(call);
	call->pending--;
	call_release_if_done(call);
}

void record_drop_told(struct call *call)
{
	if (!call->is_stored || is_written(call)) {
		record_drop(call);
		return;
	}
	call->pending++;
	wheel_arm(call->calls->worker->wheel, &call->reaper, call_now(call) + TOLD_MS, on_told_due);
}

void record_reserve(struct call *call)
{
	if (call->state != CALL_UP || !call->is_stored)
		return;
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		if (call->legs[leg].dialog.local_cseq + CSEQ_MARGIN < call->reserved_cseq[leg])
			continue;
		record_keep(call, false);
		return;
	}
}

static bool is_on_hold(struct call *call)
{
	struct arena *scratch = call->calls->scratch;
	struct sdp *sdp;

	for (uint8_t leg = 0; leg < LEGS; leg++) {
		arena_reset(scratch);
		if (sdp_parse(scratch, call->session.agreed[leg].received, &sdp, NULL) == 0 &&
		    sdp_is_hold(sdp))
			return true;
	}
	return false;
}

/* How long a silent call may be: the shorter of both sides', which is the relay's rule too. */
static uint32_t idle_timeout(const struct call *call)
{
	uint32_t idle_ms = 0;

	for (uint8_t leg = 0; leg < LEGS; leg++) {
		uint32_t one = leg_media(call, leg).policy->idle_timeout_ms;
		if (one && (!idle_ms || one < idle_ms))
			idle_ms = one;
	}
	return idle_ms;
}

/* A call that lost its media goes on, as both phones may be about to make it anew; but nobody else
 * tells any more that it is silent. So its relay is asked, once the time of a silent call is over.
 */
void record_media_lost(struct call *call)
{
	uint32_t idle_ms = idle_timeout(call);

	call->is_in_doubt = false;
	call->media_due_ms = call_now(call) + (idle_ms && !is_on_hold(call) ? idle_ms : HELD_MS);
	record_upkeep(call);
}

/* A record whose deletion did not reach the store before its process died is of a call that is
 * over: nobody would ever say so, and its relay knows no such call. */
void record_doubt(struct call *call)
{
	uint32_t idle_ms = idle_timeout(call);

	if (!idle_ms)
		idle_ms = CHECK_MS;
	call->is_in_doubt = true;
	call->media_due_ms =
		call_now(call) + idle_ms + random_u64(call->calls->worker->random) % idle_ms;
	record_upkeep(call);
}

/* The relay of one on hold may have lost it and be told of it again. */
static void media_ask(struct call *call)
{
	if (call->is_in_doubt && is_on_hold(call)) {
		record_media_lost(call);
		return;
	}
	if (call->is_in_doubt)
		call->media_due_ms = 0;
	call->is_in_doubt = false;
	media_check(call->calls->media, &call->media, call->number);
}

static bool media_is_due(const struct call *call)
{
	if (!call->media.is_open)
		return false;
	if (!media_tells_end(call->calls->media, &call->media))
		return true;
	return call->media_due_ms && call_now(call) >= call->media_due_ms;
}

static void on_upkeep_due(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, upkeep);

	if (call->is_record_due || now_ms - call->stored_ms >= REFRESH_MS)
		record_keep(call, false);
	if (media_is_due(call))
		media_ask(call);
	record_upkeep(call);
}

void record_upkeep(struct call *call)
{
	struct calls *calls = call->calls;
	bool is_told = media_tells_end(calls->media, &call->media) && !call->media_due_ms;
	uint64_t now = call_now(call);
	uint64_t due = now + (is_told ? UPKEEP_MS : CHECK_MS);

	if (call->media_due_ms > now)
		due = call->media_due_ms;
	wheel_arm(calls->worker->wheel, &call->upkeep,
		  due + random_u64(calls->worker->random) % 4000, on_upkeep_due);
}

void record_keep_soon(struct call *call, uint64_t delay_ms)
{
	call->is_record_due = true;
	wheel_arm(call->calls->worker->wheel, &call->upkeep, call_now(call) + delay_ms,
		  on_upkeep_due);
}
