/* session_timer.c - session timers (RFC 4028), on each leg by itself: what a side asks for, who of
 * it and us refreshes, our refreshes (by UPDATE where it knows that, else by re-INVITE), and the
 * end of a call that was not refreshed. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/credentials.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

enum {
	MINIMUM_S = 90,     /* RFC 4028 5 */
	BUSY_MS = 2000,     /* an INVITE is under way: once more, */
	TELL_BUSY_MS = 100, /* and sooner when the leg hears nothing meanwhile */
	TELL_AGAIN_MS = 2000,
	UNSENT_MS = 300,  /* it could not even be sent: our address may not be here yet, */
	UNSENT_MAX = 200, /* for a minute */
	TELLINGS_MAX = 8,
	GLARE_MS = 2100,     /* RFC 3261 14.1, of who owns the Call-ID; up to 4 s */
	MARGIN_S = 32,       /* RFC 4028 10: BYE so long before the end, at most a third */
	RAISED_MAX_S = 86400 /* what a 422 may ask for */
};

static uint32_t at_least(uint32_t value, uint32_t minimum)
{
	return value < minimum ? minimum : value;
}

static uint32_t minimum_s(const struct config_dialog *policy)
{
	return at_least(policy->session_minimum_ms / 1000, MINIMUM_S);
}

/* "1800;refresher=uac" */
static uint32_t read_expires(const struct message *message, enum refresher *refresher)
{
	struct slice value = message_value(message, HEADER_SESSION_EXPIRES);
	size_t cut = slice_find(value, ';');
	struct slice who;
	uint32_t seconds = 0;

	*refresher = REFRESHER_ANY;
	if (slice_to_u32(slice_trim(slice_sub(value, 0, cut)), UINT32_MAX, &seconds) != 0)
		return 0;
	if (parameter_find(slice_sub(value, cut, value.len), SLICE("refresher"), &who))
		*refresher = slice_equal_nocase(who, SLICE("uac"))   ? REFRESHER_UAC
			     : slice_equal_nocase(who, SLICE("uas")) ? REFRESHER_UAS
								     : REFRESHER_ANY;
	return seconds;
}

static uint32_t read_minimum(const struct message *message)
{
	struct slice value = message_value(message, HEADER_MIN_SE);
	uint32_t seconds = 0;

	if (slice_to_u32(slice_trim(slice_sub(value, 0, slice_find(value, ';'))), UINT32_MAX,
			 &seconds) != 0)
		return 0;
	return seconds;
}

static void write_expires(uint32_t seconds, const char *refresher, struct buf *out)
{
	buf_printf(out, "Session-Expires: %u%s%s\r\n", seconds, refresher ? ";refresher=" : "",
		   refresher ? refresher : "");
}

/* --- the clock --- */

static void on_due(struct timer *due, uint64_t now_ms);

static void arm(struct call *call, uint8_t index, uint64_t at_ms)
{
	struct session_timer *timer = &call->legs[index].timer;

	if (timer->interval_s && timer->expires_ms < at_ms)
		at_ms = timer->expires_ms;
	wheel_arm(call->calls->worker->wheel, &timer->due, at_ms, on_due);
}

/* Before the end of the interval the call ends, if nothing came (RFC 4028 10). */
static uint64_t lasts_ms(uint32_t interval_s)
{
	uint32_t margin_s = interval_s / 3 < MARGIN_S ? interval_s / 3 : MARGIN_S;
	return (uint64_t)(interval_s - margin_s) * 1000;
}

void session_timer_restore(struct call *call, uint8_t index, uint32_t interval_s, bool is_ours,
			   uint64_t expires_ms)
{
	struct session_timer *timer = &call->legs[index].timer;
	uint64_t refreshed_ms = expires_ms - lasts_ms(interval_s);

	timer->interval_s = interval_s;
	timer->is_ours = is_ours;
	timer->expires_ms = expires_ms;
	arm(call, index, is_ours ? refreshed_ms + interval_s * 500ull : expires_ms);
}

/* Refreshed now. */
static void start(struct call *call, uint8_t index, uint32_t interval_s, bool is_ours)
{
	struct session_timer *timer = &call->legs[index].timer;

	if (interval_s == 0) {
		timer->interval_s = 0;
		wheel_cancel(call->calls->worker->wheel, &timer->due);
		return;
	}
	timer->is_repeated = false;
	session_timer_restore(call, index, interval_s, is_ours,
			      call_now(call) + lasts_ms(interval_s));
}

void session_timer_stop(struct call *call, uint8_t leg)
{
	wheel_cancel(call->calls->worker->wheel, &call->legs[leg].timer.due);
}

/* --- what a side asks of us --- */

static bool knows_timers(const struct message *request)
{
	return message_has_option(request, HEADER_SUPPORTED, SLICE("timer")) ||
	       message_has_option(request, HEADER_REQUIRE, SLICE("timer"));
}

unsigned int session_timer_check(const struct config_dialog *policy, const struct message *request,
				 struct buf *headers)
{
	enum refresher refresher;
	uint32_t asked_s = read_expires(request, &refresher);

	/* Without Supported it was a proxy's wish, and nobody would understand the refusal. */
	if (!asked_s || asked_s >= minimum_s(policy) || !knows_timers(request))
		return 0;
	builder_header_number(headers, HEADER_MIN_SE, minimum_s(policy));
	return 422;
}

void session_timer_take(struct call *call, uint8_t leg, const struct message *request)
{
	struct session_timer *timer = &call->legs[leg].timer;
	uint32_t asked_s = read_expires(request, &timer->asked_refresher);

	timer->is_known = knows_timers(request);
	timer->asked_s = asked_s ? at_least(asked_s, minimum_s(leg_policy(call, leg))) : 0;
	timer->asked_minimum_s = read_minimum(request);
}

void session_timer_answer(struct call *call, uint8_t leg, struct buf *out)
{
	const struct session_timer *timer = &call->legs[leg].timer;
	uint32_t interval_s = timer->asked_s;

	if (!interval_s && timer->is_known && leg_policy(call, leg)->session_timer_ms)
		interval_s = at_least(leg_policy(call, leg)->session_timer_ms / 1000,
				      at_least(timer->asked_minimum_s, MINIMUM_S));
	/* RFC 4028 9: who does not know session timers cannot be made to refresh. */
	bool is_ours = !timer->is_known || timer->asked_refresher == REFRESHER_UAS;
	start(call, leg, interval_s, is_ours);
	if (!interval_s)
		return;
	if (!is_ours)
		builder_header(out, HEADER_REQUIRE, SLICE("timer"));
	write_expires(interval_s, is_ours ? "uas" : "uac", out);
}

/* --- what we ask of a side --- */

void session_timer_ask(const struct call *call, uint8_t leg, struct buf *out)
{
	const struct session_timer *timer = &call->legs[leg].timer;
	uint32_t interval_s = timer->interval_s;

	if (!interval_s)
		interval_s = leg_policy(call, leg)->session_timer_ms / 1000;
	if (!interval_s)
		return;
	interval_s = at_least(interval_s, at_least(timer->minimum_s, MINIMUM_S));
	write_expires(interval_s, !timer->interval_s ? NULL : timer->is_ours ? "uac" : "uas", out);
	if (timer->minimum_s > MINIMUM_S)
		builder_header_number(out, HEADER_MIN_SE, timer->minimum_s);
}

void session_timer_answered(struct call *call, uint8_t leg, const struct message *response)
{
	enum refresher refresher;
	uint32_t interval_s = read_expires(response, &refresher);

	if (interval_s)
		interval_s = at_least(interval_s, MINIMUM_S);
	start(call, leg, interval_s, refresher != REFRESHER_UAS);
}

bool session_timer_raise(struct call *call, uint8_t leg, const struct message *response)
{
	struct session_timer *timer = &call->legs[leg].timer;
	uint32_t minimum_s = read_minimum(response);

	if (minimum_s <= timer->minimum_s || minimum_s > RAISED_MAX_S)
		return false;
	timer->minimum_s = minimum_s;
	return true;
}

/* --- our refresh --- */

bool session_timer_is_inviting(const struct call *call)
{
	for (uint8_t leg = 0; leg < LEGS; leg++)
		if (call->legs[leg].timer.client.id && call->legs[leg].timer.is_invite)
			return true;
	return false;
}

/* Its answer to what we had said before: usually what it had said before. If not, the relay is told
 * the new one, and the other side need not know. */
static void take_answer(struct call *call, uint8_t index, const struct message *response)
{
	struct description *agreed = &call->session.agreed[index];

	if (!message_has_sdp(response) || slice_equal(message_body(response), agreed->received) ||
	    body_check_agreed(call, index, message_body(response)) != 0 ||
	    owned_set(&agreed->received, message_body(response)) != 0)
		return;
	restore_begin(call, 0, other_leg(index));
}

static void on_refreshed(struct call *call, uint8_t index, const struct message *response)
{
	struct leg *leg = &call->legs[index];

	if (dialog_set_target(&leg->dialog, response) != 0)
		log_debug(call->calls->worker->log, "call.no_memory", NULL);
	session_timer_answered(call, index, response);
	if (leg->timer.is_telling)
		leg->timer.must_tell = false;
	if (leg->timer.is_invite)
		take_answer(call, index, response);
	if (leg->timer.must_tell)
		arm(call, index, call_now(call));
	record_keep_soon(call, 0);
}

/* Of who does not own the Call-ID (the caller's is its own) soon, of who does later. */
static uint64_t glare_ms(const struct call *call, uint8_t index)
{
	uint64_t spread = random_u64(call->calls->worker->random);

	return index == CALLER ? spread % 200 * 10 : GLARE_MS + spread % 1900;
}

/* Refused in a way that may pass: RFC 3261 21.4, 21.5. */
static bool may_pass(unsigned int status)
{
	return status == 0 || status == 480 || status == 486 || status == 491 || status == 500 ||
	       status == 503 || status == 504;
}

/* It keeps what it had (RFC 3261 14.1), which leads nowhere. */
static void leave_untold(struct call *call, uint8_t index, unsigned int status)
{
	call->legs[index].timer.must_tell = false;
	counter_add(&call->calls->counters.untold, 1);
	log_warn(call->calls->worker->log, "call.media_refused", "call=%.*s leg=%u status=%u",
		 TOKEN_LENGTH, call->id, index, status);
	record_media_lost(call);
}

/* When the next try is due; 0 = there is none. */
static uint64_t again_ms(struct call *call, uint8_t index, unsigned int status)
{
	struct session_timer *timer = &call->legs[index].timer;
	uint64_t now = call_now(call);

	if (timer->must_tell &&
	    (!may_pass(status) || timer->tellings++ >= (status ? TELLINGS_MAX : UNSENT_MAX)))
		leave_untold(call, index, status);
	if (status == 491 && (timer->must_tell || timer->interval_s))
		return now + glare_ms(call, index);
	if (timer->must_tell)
		return now + (status ? TELL_AGAIN_MS : UNSENT_MS);
	return timer->interval_s ? now + MARGIN_S * 1000ull : 0;
}

static void go_on_again(struct call *call, uint8_t index, unsigned int status)
{
	uint64_t at_ms = again_ms(call, index, status);

	if (at_ms)
		arm(call, index, at_ms);
}

static void on_refused(struct call *call, uint8_t index, const struct message *response)
{
	struct leg *leg = &call->legs[index];
	unsigned int status = message_status(response);
	uint64_t now = call_now(call);

	if (status == 481 || status == 408) {
		leg->dialog.is_confirmed = status == 408;
		call_end(call, CALL_DIALOG_LOST, 0, -1, SLICE_NONE);
	} else if (!leg->timer.is_repeated && credentials_asked(call, index, response)) {
		leg->timer.is_repeated = true;
		arm(call, index, now);
	} else if (status == 422 && session_timer_raise(call, index, response)) {
		leg->timer.interval_s = at_least(leg->timer.interval_s, leg->timer.minimum_s);
		arm(call, index, now);
	} else if ((status == 405 || status == 501) && !leg->timer.is_invite) {
		leg->allows_update = false; /* whatever its Allow said */
		arm(call, index, now);
	} else {
		go_on_again(call, index, status);
	}
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct call *call = calls_find(owner, context >> 1);
	uint8_t index = context & 1;
	unsigned int status = message_status(response);

	if (!call || status < 200)
		return;
	struct session_timer *timer = &call->legs[index].timer;
	bool is_success = status < 300;
	if (is_success && message_method(response) == METHOD_INVITE)
		ack_again(call, index, message_cseq(response));
	if (timer->client.id != handle.id)
		return;
	timer->client = TRANSACTION_NONE;
	call->pending--;
	call_note(call, index, false, response);
	if (call->state != CALL_UP) {
		call_release_if_done(call);
		return;
	}
	leg_seen(call, index, path);
	leg_learn(call, index, response);
	if (is_success)
		on_refreshed(call, index, response);
	else
		on_refused(call, index, response);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct call *call = calls_find(owner, context >> 1);
	uint8_t index = context & 1;

	if (!call || call->legs[index].timer.client.id != handle.id)
		return;
	call->legs[index].timer.client = TRANSACTION_NONE;
	call->pending--;
	if (call->state != CALL_UP)
		call_release_if_done(call);
	else if (err == -ERR_TIMEOUT)
		call_end(call, CALL_DIALOG_LOST, 0, -1, SLICE_NONE);
	else
		go_on_again(call, index, 0);
}

static const struct client_handlers handlers = {on_response, on_failure};

/* An INVITE offers what its side has: as it is, or with other media behind it. */
static int write_refresh(struct call *call, uint8_t index, struct buf *bytes)
{
	struct leg *leg = &call->legs[index];
	const struct session_timer *timer = &leg->timer;
	struct leg_request request = {.method = SLICE("UPDATE"),
				      .cseq = ++leg->dialog.local_cseq,
				      .max_forwards = 70,
				      .content_type = SLICE("application/sdp")};
	struct buf own, offer;
	int err = 0;

	buf_init(&own);
	buf_init(&offer);
	buf_add_text(&own, "Supported: timer\r\n");
	session_timer_ask(call, index, &own);
	request.own = buf_slice(&own);
	if (timer->is_invite) {
		request.method = SLICE("INVITE");
		request.body = call->session.agreed[index].sent;
	}
	if (timer->is_telling) {
		err = body_offer_again(call, index, &offer);
		request.body = buf_slice(&offer);
	}
	if (!err)
		err = buf_failed(&own) ? -ERR_NO_MEMORY
				       : leg_write(call, index, &leg->dialog, &request, bytes);
	buf_free(&own);
	buf_free(&offer);
	return err;
}

static int send_refresh(struct call *call, uint8_t index, bool is_invite)
{
	struct leg *leg = &call->legs[index];
	struct session_timer *timer = &leg->timer;
	struct client_request out = {
		.handlers = &handlers, .owner = call->calls, .context = call->number << 1 | index};
	struct buf bytes;

	timer->is_invite = is_invite;
	timer->is_telling = is_invite && timer->must_tell;
	buf_init(&bytes);
	leg_way(call, index, &leg->dialog, &out.path, &out.hop);
	int err = write_refresh(call, index, &bytes);
	out.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &out, &timer->client);
	buf_free(&bytes);
	if (err)
		return err;
	call->pending++;
	counter_add(&call->calls->counters.refreshes, 1);
	call_note_sent(call, index, is_invite ? SLICE("INVITE") : SLICE("UPDATE"), 0,
		       leg->dialog.local_cseq, is_invite);
	record_reserve(call);
	return 0;
}

static void on_due(struct timer *due, uint64_t now_ms)
{
	struct session_timer *timer = container_of(due, struct session_timer, due);
	struct leg *leg = container_of(timer, struct leg, timer);
	uint8_t index = leg->index;
	struct call *call = container_of(leg - index, struct call, legs[0]);

	if (timer->interval_s && now_ms >= timer->expires_ms) {
		counter_add(&call->calls->counters.expired, 1);
		call_end(call, CALL_EXPIRED, 0, -1, SLICE_NONE);
		return;
	}
	if (timer->client.id)
		return; /* its answer sets the clock again */
	/* Both sides may be told at once: each is a dialog of its own. */
	bool is_busy = call->exchange.state != EXCHANGE_NONE || call->session.is_open ||
		       (!timer->must_tell && session_timer_is_inviting(call));
	if (is_busy)
		arm(call, index, now_ms + (timer->must_tell ? TELL_BUSY_MS : BUSY_MS));
	else if (send_refresh(call, index, timer->must_tell || !leg->allows_update) != 0)
		arm(call, index, now_ms + BUSY_MS);
	else if (timer->interval_s)
		/* Without an answer the call ends in time. */
		arm(call, index, timer->expires_ms);
}

void session_timer_resume(struct call *call, uint8_t index, uint64_t due_ms)
{
	arm(call, index, due_ms);
}

void session_timer_tell(struct call *call, uint8_t index)
{
	struct session_timer *timer = &call->legs[index].timer;

	timer->must_tell = true;
	timer->tellings = 0;
	timer->is_repeated = false;
	/* One that is under way told what was before: its answer is followed by this one. */
	if (timer->client.id)
		timer->is_telling = false;
	else
		on_due(&timer->due, call_now(call));
}
