/* renew.c - calls whose relay came back empty or elsewhere, or stays away, or that were another
 * node's with a relay of its own: a relay is told what both sides agreed on, and each side gets its
 * new addresses (and keys) by re-INVITE. At a bounded rate, emergency calls first.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"

enum {
	RENEWALS_A_SECOND = 500, /* of the node: each is two requests to a relay, two re-INVITEs */
	WAIT_MS = 100,           /* no relay serves */
	RETRY_MS = 500,          /* one did not answer, or is full */
	PATIENCE_MS = 120000     /* with a call in which something else goes on all the time */
};

static struct call_queue *queue_of(struct call *call)
{
	return call->is_emergency && !call->renewal.is_late ? &call->calls->emergencies
							    : &call->calls->others;
}

static void on_due(struct timer *timer, uint64_t now_ms);

static void arm(struct calls *calls, uint64_t delay_ms)
{
	const struct worker *worker = calls->worker;

	if (!timer_is_armed(&calls->renewing))
		wheel_arm(worker->wheel, &calls->renewing, wheel_now_ms(worker->wheel) + delay_ms,
			  on_due);
}

static void enqueue(struct call *call)
{
	call->renewal.state = RENEWAL_QUEUED;
	TAILQ_INSERT_TAIL(queue_of(call), call, renewal.link);
}

void renew_drop(struct call *call)
{
	if (call->renewal.state == RENEWAL_QUEUED)
		TAILQ_REMOVE(queue_of(call), call, renewal.link);
	call->renewal.state = RENEWAL_NONE;
}

void renew_call(struct call *call)
{
	if (call->state != CALL_UP || call->renewal.state == RENEWAL_QUEUED)
		return;
	/* With the relay already: once more, if that one is not it any longer. */
	record_media_lost(call);
	call->renewal.until_ms = call_now(call) + PATIENCE_MS;
	enqueue(call);
	arm(call->calls, 0);
}

void renewals_stop(struct calls *calls)
{
	wheel_cancel(calls->worker->wheel, &calls->renewing);
}

static void begin(struct call *call)
{
	const struct ng_client *client = media_client(call->calls->media);

	call->renewal.state = RENEWAL_ASKED;
	if (!ng_client_relay_serves(client, call->media.relay))
		call->media.relay = -1; /* any that does */
	call->media.is_open = true;
	call->restore.renews = true;
	restore_begin(call, 0, CALLER);
}

static struct call *first(struct calls *calls)
{
	struct call *call = TAILQ_FIRST(&calls->emergencies);
	return call ? call : TAILQ_FIRST(&calls->others);
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	struct calls *calls = container_of(timer, struct calls, renewing);
	struct call *call = first(calls);

	if (!call)
		return;
	if (!ng_client_relay_serves(media_client(calls->media), -1)) {
		arm(calls, WAIT_MS);
		return;
	}
	renew_drop(call);
	bool is_free = call_is_at_rest(call) && !call->transfer && !call->away &&
		       session_is_agreed(&call->session);
	call->renewal.is_late = !is_free;
	if (is_free)
		begin(call);
	else if (now_ms < call->renewal.until_ms)
		enqueue(call);
	bool is_alone = !is_free && first(calls) == call && !TAILQ_NEXT(call, renewal.link);
	if (first(calls))
		arm(calls, is_alone ? WAIT_MS : calls->worker->count * 1000u / RENEWALS_A_SECOND);
}

static void try_again(struct call *call, const struct media_result *result)
{
	if (call->renewal.state != RENEWAL_NONE)
		return;
	if (result->status == 503 && call_now(call) < call->renewal.until_ms) {
		enqueue(call);
		arm(call->calls, RETRY_MS);
		return;
	}
	log_warn(call->calls->worker->log, "call.not_renewed", "call=%.*s reason=\"%s\"",
		 TOKEN_LENGTH, call->id, result->reason ? result->reason : err_text(result->err));
}

void renew_done(struct call *call, const struct media_result *result)
{
	uint8_t told = call->restore.told;

	if (call->renewal.state == RENEWAL_ASKED)
		call->renewal.state = RENEWAL_NONE;
	if (call->state != CALL_UP)
		return;
	if (result->err) {
		try_again(call, result);
		return;
	}
	call->media_due_ms = 0;
	if (!told)
		return;
	counter_add(&call->calls->counters.renewed, 1);
	log_debug(call->calls->worker->log, "call.renewed", "call=%.*s", TOKEN_LENGTH, call->id);
	record_keep_soon(call, 0);
	for (uint8_t leg = 0; leg < LEGS && call->state == CALL_UP; leg++)
		if (told >> leg & 1)
			session_timer_tell(call, leg);
}

static bool is_other(const struct call *call, const struct ng_relay_state *relay)
{
	return siphash(slice_from(relay->instance), call->calls->hash_key) !=
	       call->renewal.instance;
}

void renew_taken_up(struct call *call, const struct call_record *record)
{
	struct calls *calls = call->calls;
	bool is_ours = slice_equal(record->node, slice_from(calls->worker->config->node));
	struct ng_relay_state relay;

	call->renewal.instance = siphash(record->relay_instance, calls->hash_key);
	if (call->media.relay < 0) {
		renew_call(call);
		return;
	}
	ng_client_relays(media_client(calls->media), (unsigned)call->media.relay, &relay);
	bool is_named = record->relay_instance.len > 0;
	if (is_named && !relay.instance[0])
		call->renewal.state = RENEWAL_UNSURE;
	else if (is_named ? is_other(call, &relay) : !is_ours)
		renew_call(call);
}

void renew_relay(struct calls *calls, int relay, enum ng_news news)
{
	const struct ng_client *client = media_client(calls->media);
	struct ng_relay_state state;

	/* There is nowhere to go. */
	if (news == NG_NEWS_LOST && ng_client_relay_count(client) < 2)
		return;
	ng_client_relays(client, (unsigned)relay, &state);
	for (struct call *call = calls_next(calls, NULL); call; call = calls_next(calls, call)) {
		if (call->state != CALL_UP || call->media.relay != relay)
			continue;
		bool is_unsure = call->renewal.state == RENEWAL_UNSURE;
		if (is_unsure)
			call->renewal.state = RENEWAL_NONE;
		if (news != NG_NEWS_KNOWN || (is_unsure && is_other(call, &state)))
			renew_call(call);
	}
}
