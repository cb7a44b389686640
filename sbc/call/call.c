/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/call.h"
#include <stdlib.h>
#include <time.h>
#include "sbc/call/fork.h"
#include "sbc/call/takeover.h"
#include "sbc/call/verbs.h"
#include "sbc/route/shared.h"
#include "sbc/topology/owned.h"

/* All records at once would hold up the worker, and its answers behind them in the queue. */
enum { RECORDS_A_MS = 4 };
enum { SCRATCH_CHUNK = 65536, SCRATCH_LIMIT = 4 * 1024 * 1024 };

const char *call_cause_text(enum call_cause cause)
{
	switch (cause) {
#define X(name, text)                                                                              \
	case CALL_##name:                                                                          \
		return text;
		FOREACH_CALL_CAUSE(X)
#undef X
	case CALL_CAUSE_NONE:
		break;
	}
	return "";
}

static void on_media_result(void *owner, uint64_t handle, const struct media_result *result)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, handle >> 8);

	if (call && call->media_pending && call->media_sequence == (handle & 0xff)) {
		call->media_pending = false;
		if (result->relay >= 0)
			call->media.relay = result->relay;
		if (!result->err && owned_set(&call->media_state, result->state) != 0)
			owned_free(&call->media_state);
		if (call->media_owner == MEDIA_FOR_EXCHANGE)
			exchange_media(call, result);
		else if (call->media_owner == MEDIA_FOR_RESTORE)
			restore_media(call, result);
		else
			inside_media(call, (uint8_t)(call->media_owner - MEDIA_FOR_RELAYED),
				     result);
		call_go_on(call);
		return;
	}
	if (result->err || (call && call->state != CALL_ENDING))
		return;
	/* The call ended while the relay was at it: what was made there goes. */
	struct media_session session;
	char id[TOKEN_LENGTH];
	worker_token(calls->worker, TOKEN_CALL_ID, handle >> 8, id);
	media_session_init(&session, id);
	session.relay = result->relay;
	session.is_open = true;
	media_delete(calls->media, &session);
}

static void without_media(struct call *call)
{
	if (!call || call->state == CALL_ENDING)
		return;
	counter_add(&call->calls->counters.media_timeouts, 1);
	call->media.is_open = false;
	call_end(call, CALL_NO_MEDIA, 0, -1, SLICE_NONE);
}

static void on_media_ended(void *owner, int relay, struct slice id)
{
	struct call *call = calls_by_id(owner, id);

	/* A relay that was given up may come back with what it had. */
	if (call && call->media.relay == relay)
		without_media(call);
}

static void on_media_unknown(void *owner, uint64_t handle)
{
	without_media(calls_find(owner, handle));
}

void call_count_unprotected(struct call *call)
{
	bool is_unprotected = call->state == CALL_UP && !call->is_protected;

	call->calls->unprotected += is_unprotected - call->is_unprotected;
	call->is_unprotected = is_unprotected;
}

/* The store takes records again: give it those it does not have, or may have lost. */
void calls_store_returned(void *owner, bool all)
{
	struct calls *calls = owner;
	uint64_t count = 0;

	for (struct call *call = calls_next(calls, NULL); call; call = calls_next(calls, call)) {
		if (call->state == CALL_ENDING || !call->is_stored || (!all && call->is_protected))
			continue;
		call->is_protected = false;
		call_count_unprotected(call);
		record_keep_soon(call, count++ / RECORDS_A_MS);
	}
}

static void on_relay(void *owner, int relay, enum ng_news news)
{
	renew_relay(owner, relay, news);
}

int calls_create(const struct calls_config *config, struct calls **out)
{
	static const struct media_handlers handlers = {on_media_result, on_media_ended,
						       on_media_unknown, on_relay};
	struct calls *calls = calloc(1, sizeof(*calls));
	struct timespec now;
	if (!calls)
		return -ERR_NO_MEMORY;

	calls->worker = config->worker;
	TAILQ_INIT(&calls->emergencies);
	TAILQ_INIT(&calls->others);
	calls->peers = config->peers;
	calls->registrar = config->registrar;
	calls->store = config->store;
	calls->limits = config->limits;
	target_init(calls);
	calls->conceal = config->conceal;
	calls->is_lasting = config->is_lasting;
	calls->again = config->again;
	calls->on_taken = config->on_taken;
	calls->on_empty = config->on_empty;
	calls->owner = config->owner;
	clock_gettime(CLOCK_REALTIME, &now);
	calls->unix_offset_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 -
				wheel_now_ms(calls->worker->wheel);
	calls->next_number = calls->worker->first_id;
	random_fill(calls->worker->random, calls->hash_key, sizeof(calls->hash_key));
	calls->recent = calloc(RECENT_MAX, sizeof(*calls->recent));
	int err = calls->recent ? 0 : -ERR_NO_MEMORY;
	if (!err)
		err = refer_questions_create(&calls->questions);
	if (!err)
		err = takeover_create(calls, &calls->takeover);
	if (!err)
		err = arena_create(SCRATCH_CHUNK, SCRATCH_LIMIT, &calls->scratch);
	if (!err)
		err = table_init(&calls->by_number, 256);
	if (!err)
		err = table_init(&calls->by_name, 64);
	if (!err)
		err = table_init(&calls->by_origin, 16);
	if (!err)
		err = table_init(&calls->by_server, 256);
	if (!err)
		err = table_init(&calls->by_merge, 256);
	if (!err)
		err = media_create(calls->worker, &handlers, calls, &calls->media);
	if (err) {
		calls_destroy(calls);
		return err;
	}
	store_on_return(calls->store, calls_store_returned, calls);
	*out = calls;
	return 0;
}

static uint64_t spread(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15u;
}

static uint64_t spread_name(const struct token *name)
{
	return spread(name->id ^ (uint64_t)name->node << 48 ^ (uint64_t)name->worker << 40);
}

static bool is_named_here(const struct calls *calls, const struct token *name)
{
	return name->node == calls->worker->node && name->worker == calls->worker->index;
}

static void call_free(struct call *call)
{
	struct calls *calls = call->calls;

	renew_drop(call);
	fork_forget(call);
	transfer_free(call);
	exchange_clear(call);
	inside_free(call);
	early_end_all(call);
	session_free(&call->session);
	wheel_cancel(calls->worker->wheel, &call->provisional.repeat);
	wheel_cancel(calls->worker->wheel, &call->upkeep);
	wheel_cancel(calls->worker->wheel, &call->reaper);
	table_remove(&calls->by_number, &call->by_number);
	if (!is_named_here(calls, &call->name))
		table_remove(&calls->by_origin, &call->by_origin);
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		session_timer_stop(call, leg);
		leg_forget_name(call, leg);
		leg_free(&call->legs[leg]);
	}
	owned_free(&call->caller);
	owned_free(&call->callee);
	target_end(call);
	owned_free(&call->target);
	owned_free(&call->media_state);
	config_release(call->config);
	free(call);
	counter_sub(&calls->counters.live, 1);
}

void calls_destroy(struct calls *calls)
{
	struct call *call;

	if (!calls)
		return;
	if (calls->by_number.buckets)
		while ((call = calls_next(calls, NULL)))
			call_free(call);
	renewals_stop(calls);
	media_destroy(calls->media);
	table_free(&calls->by_number);
	table_free(&calls->by_name);
	table_free(&calls->by_origin);
	table_free(&calls->by_server);
	table_free(&calls->by_merge);
	arena_destroy(calls->scratch);
	refer_questions_destroy(calls->questions);
	refer_lookups_free(calls);
	takeover_destroy(calls->takeover);
	free(calls->recent);
	free(calls);
}

void calls_stop(struct calls *calls)
{
	calls->is_stopping = true;
	for (struct call *call = calls_next(calls, NULL); call; call = calls_next(calls, call))
		if (call->state != CALL_ENDING)
			call_end(call, CALL_STOPPED, 503, -1, SLICE_NONE);
	if (calls->by_number.count == 0)
		calls->on_empty(calls->owner);
}

bool calls_are_draining(const struct calls *calls)
{
	const struct shared *shared = calls->worker->shared;
	return shared && atomic_load(&shared->is_draining);
}

const struct config *call_policies(const struct call *call, int peer)
{
	return peer < (int)call->config->peer_count ? call->config : call->calls->worker->config;
}

void call_token(const struct call *call, enum token_kind kind, unsigned int bits,
		char out[TOKEN_LENGTH])
{
	struct token token = call->name;

	if (kind != TOKEN_CALL_ID)
		token.id = token.id << 2 | bits;
	token_make(call->calls->worker->token_key, kind, &token, out);
}

/* The next that no call has. */
static uint64_t next_number(struct calls *calls)
{
	do
		calls->next_number = (calls->next_number + 1) & WORKER_NUMBER_MAX;
	while (calls->next_number == 0 || calls_find(calls, calls->next_number));
	return calls->next_number;
}

static void enter_tables(struct call *call, const struct token *name)
{
	struct calls *calls = call->calls;

	if (name && is_named_here(calls, name))
		call->number = name->id;
	else
		call->number = next_number(calls);
	call->name = name ? *name
			  : (struct token){.node = calls->worker->node,
					   .worker = calls->worker->index,
					   .id = call->number};
	table_insert(&calls->by_number, &call->by_number, spread(call->number));
	if (!is_named_here(calls, &call->name))
		table_insert(&calls->by_origin, &call->by_origin, spread_name(&call->name));
}

int call_create_named(struct calls *calls, const struct token *name, struct call **out)
{
	struct call *call = calloc(1, sizeof(*call));
	if (!call)
		return -ERR_NO_MEMORY;

	call->calls = calls;
	call->config = config_hold(calls->worker->config);
	call->created_ms = wheel_now_ms(calls->worker->wheel);
	call->ended_by = -1;
	call->epoch = 1;
	call->hunt.peer = -1;
	random_fill(calls->worker->random, call->session_ids.seed, sizeof(call->session_ids.seed));
	enter_tables(call, name);
	call_token(call, TOKEN_CALL_ID, 0, call->id);
	media_session_init(&call->media, call->id);
	counter_add(&calls->counters.live, 1);
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		call->legs[leg].index = leg;
		call->legs[leg].peer = -1;
		call->legs[leg].origin.session_id = random_u64(calls->worker->random) >> 1;
	}
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		if (leg_name(call, leg) != 0) {
			call_free(call);
			return -ERR_NO_MEMORY;
		}
	}
	*out = call;
	return 0;
}

int call_create(struct calls *calls, struct call **out)
{
	return call_create_named(calls, NULL, out);
}

struct call *calls_by_token(const struct calls *calls, const struct token *token,
			    unsigned int shift)
{
	struct token name = {
		.node = token->node, .worker = token->worker, .id = token->id >> shift};
	struct table_link *link = NULL;

	if (is_named_here(calls, &name))
		return calls_find(calls, name.id);
	while ((link = table_find(&calls->by_origin, spread_name(&name), link))) {
		struct call *call = container_of(link, struct call, by_origin);
		if (call->name.node == name.node && call->name.worker == name.worker &&
		    call->name.id == name.id)
			return call;
	}
	return NULL;
}

struct call *calls_find(const struct calls *calls, uint64_t number)
{
	struct table_link *link = NULL;

	while ((link = table_find(&calls->by_number, spread(number), link))) {
		struct call *call = container_of(link, struct call, by_number);
		if (call->number == number)
			return call;
	}
	return NULL;
}

struct call *calls_by_id(const struct calls *calls, struct slice id)
{
	struct token token;

	if (token_read(calls->worker->token_key, TOKEN_CALL_ID, id, &token) != 0)
		return NULL;
	return calls_by_token(calls, &token, 0);
}

struct call *calls_by_server(const struct calls *calls, struct transaction_handle handle)
{
	struct table_link *link = NULL;

	while ((link = table_find(&calls->by_server, spread(handle.id), link))) {
		struct call *call = container_of(link, struct call, exchange.by_server);
		if (call->exchange.server.id == handle.id && !call->is_branch)
			return call;
	}
	return NULL;
}

struct call *calls_next(const struct calls *calls, const struct call *at)
{
	struct table_link *link = table_next(&calls->by_number, at ? &at->by_number : NULL);
	return link ? container_of(link, struct call, by_number) : NULL;
}

/* Which dialog of the leg: an early one, or the call's. */
static bool match_dialog(const struct call *call, uint8_t leg, const struct message *request,
			 uint8_t *out)
{
	for (const struct early *early = call->early; early; early = early->next) {
		if (!dialog_matches(&early->dialogs[leg], request))
			continue;
		*out = early->id;
		return true;
	}
	*out = 0;
	return dialog_matches(&call->legs[leg].dialog, request);
}

struct call *calls_match(const struct calls *calls, const struct message *request, uint8_t *leg,
			 uint8_t *early)
{
	struct call *call;

	/* Behind the token may be the number of an early dialog. */
	if (!calls_by_tag(calls, message_to_tag(request), &call, leg) ||
	    !match_dialog(call, *leg, request, early))
		return NULL;
	return call;
}

int call_ask(struct call *call, uint8_t owner, enum media_verb verb, uint8_t from, struct slice sdp)
{
	struct media_end here = leg_media(call, from);
	struct media_end there = leg_media(call, other_leg(from));
	uint64_t handle = call->number << 8 | ++call->media_sequence;

	call->media_owner = owner;
	call->media.keeps_state = owner == MEDIA_FOR_EXCHANGE && record_follows(call, verb);
	int err =
		media_exchange(call->calls->media, verb, &call->media, &here, &there, sdp, handle);
	call->media_pending = err == 0;
	return err;
}

bool call_is_asking(const struct call *call)
{
	return call->media_pending || call->restore.state != RESTORE_NONE;
}

bool call_is_at_rest(const struct call *call)
{
	for (uint8_t slot = 0; slot < RELAYED_MAX; slot++)
		if (call->relayed[slot])
			return false;
	return call->exchange.state == EXCHANGE_NONE && !call->session.is_open &&
	       !call_is_asking(call);
}

void call_go_on(struct call *call)
{
	restore_go_on(call);
	exchange_go_on(call);
	inside_go_on(call);
	reply_go_on(call);
	fork_go_on(call);
}

uint64_t call_now(const struct call *call)
{
	return wheel_now_ms(call->calls->worker->wheel);
}

static void on_reap(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, reaper);
	struct calls *calls = call->calls;
	(void)now_ms;

	call_free(call);
	if (calls->is_stopping && calls->by_number.count == 0)
		calls->on_empty(calls->owner);
}

/* Freed on the next turn of the wheel, so that whoever ended it may still look at it. */
void call_release_if_done(struct call *call)
{
	if (call->state != CALL_ENDING || call->pending > 0 ||
	    call->exchange.state == EXCHANGE_ACCEPTED || timer_is_armed(&call->reaper))
		return;
	wheel_arm(call->calls->worker->wheel, &call->reaper, call_now(call), on_reap);
}

void call_note(struct call *call, uint8_t leg, bool sent, const struct message *message)
{
	bool is_request = message_is_request(message);
	struct ladder_message note = {
		.leg = leg,
		.sent = sent,
		.has_sdp = message_has_sdp(message),
		.code = is_request ? 0 : (uint16_t)message_status(message),
		.cseq = message_cseq(message),
		.method = is_request ? message_method_text(message) : SLICE_NONE,
	};
	ladder_add(&call->ladder, call_now(call), &note);
}

void call_note_sent(struct call *call, uint8_t leg, struct slice method, unsigned int status,
		    uint32_t cseq, bool has_sdp)
{
	struct ladder_message note = {
		.leg = leg,
		.sent = true,
		.has_sdp = has_sdp,
		.code = (uint16_t)status,
		.cseq = cseq,
		.method = method,
	};
	ladder_add(&call->ladder, call_now(call), &note);
}
