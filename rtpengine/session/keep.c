/* keep.c - when a session is written, and when its record goes. SPDX-License-Identifier: Apache-2.0
 */
#include "rtpengine/session/keep_private.h"

#include <stdlib.h>
#include "control/state/record.h"
#include "control/state/record_head.h"

#define ARENA_CHUNK (16u << 10) /* of a call's record */
#define ARENA_LIMIT (4u << 20)
#define ID_LIMIT    128 /* of a Call-ID that stands in the key as it is */

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '.' || c == '_' || c == '-' || c == '@';
}

/* Whatever else a Call-ID is made of becomes a number; the record has it whole. */
static void add_id(struct slice call_id, struct buf *out)
{
	static const uint64_t first[2] = {1, 2}, second[2] = {3, 4};
	size_t i = 0;

	while (i < call_id.len && is_plain(call_id.data[i]))
		i++;
	if (i == call_id.len && call_id.len <= ID_LIMIT)
		buf_add(out, call_id);
	else
		buf_printf(out, "=%016llx%016llx", (unsigned long long)siphash(call_id, first),
			   (unsigned long long)siphash(call_id, second));
}

void keep_key(const struct keeper *keeper, struct slice call_id, struct buf *out)
{
	buf_add_text(out, KEEP_PREFIX "{");
	add_id(call_id, out);
	buf_printf(out, "}:%s", keeper->node);
}

static bool is_answered(const struct session *session)
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		if (dialog->is_answered)
			return true;
	return false;
}

int keep_encode(struct keeper *keeper, struct session *session, struct buf *out)
{
	struct sessions *sessions = keeper->sessions;
	struct record_head record = {.node = keeper->node_number,
				     .state = is_answered(session) ? RECORD_ANSWERED
								   : RECORD_RINGING};
	struct keep_io io = {.out = out};
	struct keep_head head = {
		.written_us = session_wall_us(sessions, wheel_now_ms(sessions->wheel)),
		.call_id = session->call_id,
		.is_partial = !keeper->is_sealed && keep_has_secrets(session),
	};

	memcpy(head.instance, sessions->instance, sizeof(head.instance));
	record_head_write(&record, out);
	buf_add_text(out, KEEP_MAGIC);
	buf_add_char(out, KEEP_VERSION);
	keep_head_fields(&io, &head);
	if (!head.is_partial)
		keep_session_fields(&io, session, keeper->is_sealed);
	if (io.err)
		return io.err;
	if (buf_failed(out))
		return -ERR_NO_MEMORY;
	return out->len > KEEP_SIZE_LIMIT ? -ERR_TOO_LARGE : 0;
}

/* Of all but the time of writing: what stands there already is not written again. */
static uint64_t value_hash(const struct sessions *sessions, struct slice value)
{
	size_t skip = RECORD_HEAD_SIZE + sizeof(KEEP_MAGIC) + SESSIONS_INSTANCE_LEN + 2 + 2 + 8;
	return siphash(slice_sub(value, skip, SIZE_MAX), sessions->hash_key) | 1;
}

static void on_written(void *owner, uint64_t handle, const struct store_reply *reply)
{
	(void)owner, (void)handle,
		(void)reply; /* the store counts it, and says when to come again */
}

static void wipe(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->len);
	buf_clear(buf);
}

static void put(struct keeper *keeper, struct session *session, uint64_t now_ms)
{
	int err = keep_encode(keeper, session, &keeper->value);
	uint64_t hash = err ? 0 : value_hash(keeper->sessions, buf_slice(&keeper->value));

	if (err) {
		log_warn(keeper->sessions->log, "keep.failed", "call=%s reason=\"%s\"",
			 session->call_id, err_text(err));
	} else if (!session->kept_hash && hash == session->given_hash) {
		/* its client has it */
	} else if (hash != session->kept_hash || now_ms - session->kept_ms >= KEEP_REFRESH_MS) {
		keep_key(keeper, slice_from(session->call_id), &keeper->key);
		session->kept_hash = hash;
		session->kept_ms = now_ms;
		keeper->written++;
		store_put(keeper->store, buf_slice(&keeper->key), buf_slice(&keeper->value),
			  KEEP_TTL_S, on_written, keeper, 0);
	}
	buf_clear(&keeper->key);
	wipe(&keeper->value);
}

static bool is_kept(const struct session *session)
{
	const struct keeper *keeper = session->all->keeper;
	return keeper && !session->is_deleting && (keeper->keeps_ringing || is_answered(session));
}

/* Many secured sessions are written less often each, so that the store has no more to do. */
static uint64_t interval_ms(const struct session *session)
{
	uint64_t count = session->all->by_call_id.count;
	uint64_t spread_ms = count * 1000 / KEEP_RATE;

	if (!keep_has_srtp(session) || !session->all->keeper->is_sealed)
		return KEEP_REFRESH_MS;
	return spread_ms > KEEP_CHECKPOINT_MS ? spread_ms : KEEP_CHECKPOINT_MS;
}

static void on_keep(struct timer *timer, uint64_t now_ms)
{
	struct session *session = container_of(timer, struct session, keep);
	struct sessions *sessions = session->all;

	if (!is_kept(session))
		return;
	put(sessions->keeper, session, now_ms);
	wheel_arm(sessions->wheel, timer, now_ms + interval_ms(session), on_keep);
}

/* In `ms` at the latest, together with what else is due in the same tick: waking the store costs
 * more than the write. */
static void keep_in(struct session *session, uint64_t ms)
{
	struct wheel *wheel = session->all->wheel;
	uint64_t due_ms = (wheel_now_ms(wheel) + ms) / KEEP_TICK_MS * KEEP_TICK_MS;

	if (!is_kept(session) || (timer_is_armed(&session->keep) && session->keep.due_ms <= due_ms))
		return;
	wheel_arm(wheel, &session->keep, due_ms, on_keep);
}

void keep_now(struct session *session)
{
	if (session->is_deleting)
		keep_forget(session);
	else
		keep_in(session, KEEP_TICK_MS);
}

/* node, NUL, value; empty: that cannot be given away. */
static struct slice give(struct keeper *keeper, struct session *session, struct arena *arena)
{
	size_t start = strlen(keeper->node) + 1;
	struct slice given = SLICE_NONE;

	buf_add(&keeper->value, (struct slice){keeper->node, start});
	if (keep_encode(keeper, session, &keeper->value) == 0 &&
	    keeper->value.len <= KEEP_GIVEN_LIMIT) {
		given = arena_copy(arena, buf_slice(&keeper->value));
		session->given_hash =
			value_hash(keeper->sessions, slice_sub(given, start, SIZE_MAX));
	}
	wipe(&keeper->value);
	return given;
}

/* Asked for by a client that writes its own record next. What is not as the answer made it any more
 * has a record of ours, and keeps it. */
static bool may_give(const struct session *session, const struct command *command)
{
	const struct keeper *keeper = session->all->keeper;
	struct slice asked = command->options.state;

	return is_kept(session) && !session->kept_hash && keeper->mark && asked.len > 0 &&
	       slice_equal(asked, slice_from(keeper->mark)) && !keep_has_secrets(session) &&
	       slice_equal(ng_get_string(command->reply, "result"), SLICE("ok"));
}

void keep_answered(struct session *session, struct command *command)
{
	struct slice given = SLICE_NONE;

	if (may_give(session, command))
		given = give(session->all->keeper, session, command->request->arena);
	if (slice_is_empty(given)) {
		keep_now(session);
		return;
	}
	wheel_cancel(session->all->wheel, &session->keep);
	ng_dict_add_string(command->request->arena, command->reply, "state", given);
}

void keep_soon(struct session *session)
{
	keep_in(session, KEEP_SOON_MS);
}

void keep_forget(struct session *session)
{
	struct keeper *keeper = session->all->keeper;

	wheel_cancel(session->all->wheel, &session->keep);
	if (!keeper || !session->kept_hash)
		return;
	session->kept_hash = 0;
	keep_key(keeper, slice_from(session->call_id), &keeper->key);
	store_delete(keeper->store, buf_slice(&keeper->key));
	buf_clear(&keeper->key);
}

/* Nobody knows what the store still has: all is written again, at a bounded rate. */
static void on_return(void *owner, bool all)
{
	struct keeper *keeper = owner;
	struct wheel *wheel = keeper->sessions->wheel;
	uint64_t at_ms = wheel_now_ms(wheel), n = 0;
	(void)all;

	for (struct session *session = keeper->sessions->first; session; session = session->next) {
		session->kept_hash = session->kept_hash ? 1 : 0;
		if (is_kept(session))
			wheel_arm(wheel, &session->keep, at_ms + n++ * 1000 / KEEP_RATE, on_keep);
	}
}

static void keeper_free(struct keeper *keeper)
{
	arena_destroy(keeper->arena);
	free(keeper->node);
	free(keeper->mark);
	free(keeper);
}

int sessions_keep(struct sessions *sessions, const struct keep_config *config)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return -ERR_NO_MEMORY;
	keeper->node = slice_dup(slice_from(config->node));
	keeper->mark = config->mark ? slice_dup(slice_from(config->mark)) : NULL;
	if (!keeper->node || (config->mark && !keeper->mark)) {
		keeper_free(keeper);
		return -ERR_NO_MEMORY;
	}
	int err = arena_create(ARENA_CHUNK, ARENA_LIMIT, &keeper->arena);
	if (err) {
		keeper_free(keeper);
		return err;
	}
	keeper->sessions = sessions;
	keeper->store = config->store;
	keeper->node_number = config->node_number;
	keeper->is_sealed = config->is_sealed;
	keeper->keeps_ringing = config->keeps_ringing;
	keeper->on_fetched = config->on_fetched;
	keeper->owner = config->owner;
	buf_init(&keeper->key);
	buf_init(&keeper->value);
	buf_init(&keeper->found);
	store_on_return(keeper->store, on_return, keeper);
	sessions->keeper = keeper;
	return 0;
}

/* What is there stays in the store, as it is at this moment: the next process goes on with it. */
void keeper_destroy(struct sessions *sessions)
{
	struct keeper *keeper = sessions->keeper;
	uint64_t now_ms = wheel_now_ms(sessions->wheel);

	if (!keeper)
		return;
	for (struct session *session = sessions->first; session; session = session->next) {
		if (is_kept(session))
			put(keeper, session, now_ms);
		wheel_cancel(sessions->wheel, &session->keep);
	}
	sessions->keeper = NULL;
	wheel_cancel(sessions->wheel, &keeper->timer);
	store_destroy(keeper->store);
	fetches_free(keeper);
	wipe(&keeper->found);
	buf_free(&keeper->found);
	buf_free(&keeper->key);
	buf_free(&keeper->value);
	keeper_free(keeper);
}

bool sessions_keep_status(const struct sessions *sessions, struct keep_status *out)
{
	const struct keeper *keeper = sessions->keeper;

	if (!keeper)
		return false;
	*out = (struct keep_status){.revived = keeper->revived,
				    .lost = keeper->lost,
				    .fetched = keeper->fetched,
				    .written = keeper->written,
				    .is_sealed = keeper->is_sealed};
	store_status(keeper->store, &out->store);
	return true;
}
