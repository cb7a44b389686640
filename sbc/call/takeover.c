/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/takeover.h"
#include <stdlib.h>
#include "sbc/call/verbs.h"
#include "sbc/revival/pursuits.h"

enum {
	HOLD_MS = 500, /* so long for the registrations */
	EARLY_MAX_COUNT = 1024,
	CANCELS_MAX = 256,
	CANCEL_MS = 2000 /* so long a CANCEL waits */
};

struct takeover {
	struct calls *calls;
	struct pursuits *pursuits;
	bool is_told_all, is_complete; /* of the calls of before the start: all are known, here */
	bool has_bindings;             /* the registrations of before the start are here */
	struct held_list cancels;
	struct timer cancels_due;
	struct held_list early; /* what waits for the registrations */
	struct timer early_due;
};

/* --- what a record is --- */

static int write_key(void *owner, uint64_t name, struct buf *key)
{
	const struct calls *calls = owner;
	struct token token = token_unpack(name);
	char id[TOKEN_LENGTH];

	token_make(calls->worker->token_key, TOKEN_CALL_ID, &token, id);
	return record_key((struct slice){id, TOKEN_LENGTH}, key);
}

static bool is_here(void *owner, uint64_t name)
{
	struct token token = token_unpack(name);

	return calls_by_token(owner, &token, 0) != NULL;
}

/* The other branches of a call to several phones: what one of them says is weighed with what the
 * others say. */
static bool is_whole(void *owner, uint64_t name)
{
	const struct calls *calls = owner;
	struct token token = token_unpack(name);
	const struct call *call = calls_by_token(calls, &token, 0);

	return !call || !call->fork || calls->takeover->is_complete;
}

static int take_up(void *owner, struct slice value)
{
	return record_take_up(owner, value);
}

static void on_refused(void *owner, uint64_t name, int err)
{
	record_refused(owner, name, err);
}

static void again(void *owner, struct transaction_handle handle, const struct message *request,
		  const struct transport_path *path)
{
	calls_receive(owner, handle, request, path);
}

static void on_cancels_due(struct timer *timer, uint64_t now_ms);

static void on_taken(void *owner, uint64_t name, uint64_t epoch)
{
	struct calls *calls = owner;

	if (calls->on_taken)
		calls->on_taken(calls->owner, name, epoch);
}

/* Not from inside a message. */
static void on_idle(void *owner)
{
	struct calls *calls = owner;
	struct takeover *takeover = calls->takeover;
	struct wheel *wheel = calls->worker->wheel;

	if (takeover->is_told_all && !takeover->is_complete)
		wheel_arm(wheel, &takeover->cancels_due, wheel_now_ms(wheel), on_cancels_due);
}

int takeover_create(struct calls *calls, struct takeover **out)
{
	struct takeover *takeover = calloc(1, sizeof(*takeover));
	struct pursuits_config config = {.worker = calls->worker,
					 .store = calls->store,
					 .is_lasting = calls->is_lasting,
					 .said = "calls.taken_up",
					 .write_key = write_key,
					 .is_here = is_here,
					 .is_whole = is_whole,
					 .take_up = take_up,
					 .on_refused = on_refused,
					 .again = again,
					 .on_taken = on_taken,
					 .on_idle = on_idle,
					 .owner = calls};
	if (!takeover)
		return -ERR_NO_MEMORY;
	takeover->calls = calls;
	int err = pursuits_create(&config, &takeover->pursuits);
	if (err) {
		free(takeover);
		return err;
	}
	*out = takeover;
	return 0;
}

void takeover_destroy(struct takeover *takeover)
{
	if (!takeover)
		return;
	pursuits_destroy(takeover->pursuits);
	held_free(&takeover->cancels);
	held_free(&takeover->early);
	wheel_cancel(takeover->calls->worker->wheel, &takeover->cancels_due);
	wheel_cancel(takeover->calls->worker->wheel, &takeover->early_due);
	free(takeover);
}

uint32_t takeover_waiting(const struct takeover *takeover)
{
	return pursuits_waiting(takeover->pursuits);
}

/* --- in a dialog --- */

static bool wait_for(struct calls *calls, struct slice tag, struct transaction_handle handle,
		     const struct message *message, const struct transport_path *path)
{
	struct token name;
	struct call *call;
	uint8_t leg;

	if (token_read(calls->worker->token_key, TOKEN_TAG, slice_sub(tag, 0, TOKEN_LENGTH),
		       &name) != 0 ||
	    (name.id & 3) >= LEGS)
		return false;
	name.id >>= 2;
	return !calls_by_tag(calls, tag, &call, &leg) &&
	       pursuits_wait(calls->takeover->pursuits, token_pack(&name), handle, message, path);
}

bool takeover_request(struct calls *calls, struct transaction_handle handle,
		      const struct message *request, const struct transport_path *path)
{
	return wait_for(calls, message_to_tag(request), handle, request, path);
}

bool takeover_response(struct calls *calls, const struct message *response,
		       const struct transport_path *path)
{
	return wait_for(calls, message_from_tag(response), TRANSACTION_NONE, response, path);
}

void takeover_lost_one(struct calls *calls)
{
	pursuits_lost_one(calls->takeover->pursuits);
}

void takeover_over(const struct call *call)
{
	const struct calls *calls = call->calls;
	struct token name;

	if (calls->takeover && token_read(calls->worker->token_key, TOKEN_CALL_ID,
					  (struct slice){call->id, TOKEN_LENGTH}, &name) == 0)
		pursuits_over(calls->takeover->pursuits, token_pack(&name));
}

/* --- before the registrations are here --- */

static void release_early(struct takeover *takeover)
{
	struct calls *calls = takeover->calls;

	wheel_cancel(calls->worker->wheel, &takeover->early_due);
	takeover->has_bindings = true;
	held_release(calls->worker, &takeover->early, calls->again, calls->owner);
}

static void on_early_due(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	release_early(container_of(timer, struct takeover, early_due));
}

void takeover_told_bindings(struct calls *calls)
{
	release_early(calls->takeover);
}

bool takeover_holds(struct calls *calls, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path)
{
	struct takeover *takeover = calls->takeover;
	struct wheel *wheel = calls->worker->wheel;

	if (!calls->is_lasting || takeover->has_bindings || !handle.id ||
	    message_to_tag(request).len > 0 || takeover->early.count == EARLY_MAX_COUNT ||
	    held_add(&takeover->early, handle, false, message_scan(request)->message, path) != 0)
		return false;
	if (takeover->early.count == 1)
		wheel_arm(wheel, &takeover->early_due, wheel_now_ms(wheel) + HOLD_MS, on_early_due);
	return true;
}

bool takeover_cancelled(struct calls *calls, struct transaction_handle handle)
{
	struct reply reply = {.status = 487};

	if (!held_remove(&calls->takeover->early, handle))
		return false;
	if (transaction_reply(calls->worker->transactions, handle, &reply) != 0)
		log_debug(calls->worker->log, "call.reply_not_sent", "status=487");
	return true;
}

/* --- CANCEL --- */

static void release_cancels(struct takeover *takeover)
{
	struct calls *calls = takeover->calls;

	wheel_cancel(calls->worker->wheel, &takeover->cancels_due);
	takeover->is_complete = true;
	pursuits_complete(takeover->pursuits);
	held_release(calls->worker, &takeover->cancels, again, calls);
}

static void on_cancels_due(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	release_cancels(container_of(timer, struct takeover, cancels_due));
}

bool takeover_cancel(struct calls *calls, const struct scan *cancel,
		     const struct transport_path *path)
{
	struct takeover *takeover = calls->takeover;
	struct wheel *wheel = calls->worker->wheel;

	if (!calls->is_lasting || takeover->is_complete || takeover->cancels.count == CANCELS_MAX ||
	    calls->worker->config->state.protect != CONFIG_PROTECT_RINGING ||
	    held_add(&takeover->cancels, TRANSACTION_NONE, true, cancel->message, path) != 0)
		return false;
	if (takeover->cancels.count == 1)
		wheel_arm(wheel, &takeover->cancels_due, wheel_now_ms(wheel) + CANCEL_MS,
			  on_cancels_due);
	return true;
}

/* --- behind --- */

void takeover_told_all(struct calls *calls)
{
	calls->takeover->is_told_all = true;
	pursuits_told_all(calls->takeover->pursuits);
}

void takeover_add(struct calls *calls, const struct token *name, uint64_t epoch)
{
	pursuits_add(calls->takeover->pursuits, token_pack(name), epoch);
}

void takeover_give(struct calls *calls, const struct token *name, struct slice value)
{
	pursuits_give(calls->takeover->pursuits, token_pack(name), value);
}
