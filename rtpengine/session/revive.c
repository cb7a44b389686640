/* revive.c - sessions of the process before: read from the store, their ports taken again, their
 * rules published with the sources and indexes they had. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/keep_private.h"

#include <stdlib.h>
#include "control/state/record.h"
#include "control/state/record_head.h"

#define RETRY_MS  5 /* while the store connects */
#define NOT_BEGUN UINT64_MAX

static int begin(struct slice body, struct keep_io *io, struct keep_head *head)
{
	const struct slice magic = SLICE(KEEP_MAGIC);

	*io = (struct keep_io){.in = slice_sub(body, magic.len + 1, SIZE_MAX)};
	*head = (struct keep_head){0};
	if (!slice_starts(body, magic) || body.len <= magic.len)
		return -ERR_MALFORMED;
	if (body.data[magic.len] != KEEP_VERSION)
		return -ERR_VERSION;
	keep_head_fields(io, head);
	if (io->err)
		free(head->call_id);
	return io->err;
}

/* What the rest of the folder relies on, and a record need not keep to. */
static bool is_sane(const struct dialog *dialog)
{
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		for (int side = 0; side < 2; side++) {
			const struct side *at = &dialog->streams[i]->sides[side];
			if (at->carrier >= dialog->stream_count || !at->resume ||
			    (at->is_bundled && !at->peering))
				return false;
			const struct side *carrier = &dialog->streams[at->carrier]->sides[side];
			if (carrier->carrier != at->carrier ||
			    (at->carrier != i && (!at->is_bundled || !carrier->resume ||
						  !carrier->resume->local.family)))
				return false;
		}
	}
	return true;
}

static int open_side(struct stream *stream, int side, uint64_t now_ms)
{
	struct side *at = &stream->sides[side];
	const struct side_resume *resume = at->resume;
	int err = 0;

	if (resume->local.family)
		err = side_reopen(stream, side, now_ms, &resume->local);
	if (!err && resume->alternate.family)
		alternate_open(stream, side, now_ms, &resume->alternate);
	if (!err && resume->has_ice && at->peering && at->range)
		err = peering_ice_restore(at->peering, &resume->ice, now_ms);
	if (!err && at->peering && at->peering->uses_ice &&
	    !at->peering->ice[at->peering->current].ice)
		err = -ERR_MALFORMED;
	/* The certificate that its fingerprint promised went with the process. */
	if (!err && resume->local.family && peering_has_dtls(at->peering) &&
	    !at->peering->dtls[0].has_keys)
		err = -ERR_CLOSED;
	return err;
}

static const char *refusal(int err)
{
	return err == -ERR_UNSUPPORTED ? "its keys were not kept: state.key is not set"
	       : err == -ERR_CLOSED    ? "its DTLS handshake was not over"
				       : err_text(err);
}

static void lock(struct sessions *sessions, struct flow_id id, const struct addr *source)
{
	/* refused only when it is of another family, and then it is learned anew */
	if (flow_id_is_set(id) && source->family &&
	    datapath_flow_lock(sessions->datapath, id, source) != 0)
		log_warn(sessions->log, "revive.lock", "reason=\"%s\"", err_text(-ERR_INVALID));
}

void resume_lock(const struct dialog *dialog)
{
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		for (int side = 0; side < 2; side++) {
			const struct side *at = &dialog->streams[i]->sides[side];
			if (!dialog->streams[i]->is_live || !at->resume)
				continue;
			lock(dialog->session->all, at->rtp.id, &at->resume->flows[0].source);
			lock(dialog->session->all, at->rtcp.id, &at->resume->flows[1].source);
		}
	}
}

static int open_dialog(struct dialog *dialog, uint64_t now_ms)
{
	int err = is_sane(dialog) ? 0 : -ERR_MALFORMED;

	for (unsigned i = 0; i < dialog->stream_count && !err; i++)
		for (int side = 0; side < 2 && !err; side++)
			err = open_side(dialog->streams[i], side, now_ms);
	for (unsigned i = 0; i < dialog->stream_count && !err; i++) {
		struct stream *stream = dialog->streams[i];
		stream_publish(stream);
		if (!stream->is_live)
			stream_publish_early(stream);
	}
	if (!err)
		resume_lock(dialog);
	return err;
}

void resume_end(struct session *session)
{
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2; side++) {
				struct side *at = &dialog->streams[i]->sides[side];
				if (at->resume)
					explicit_bzero(at->resume, sizeof(*at->resume));
				free(at->resume);
				at->resume = NULL;
			}
}

static int restore(struct sessions *sessions, struct keep_io *io, const struct keep_head *head,
		   uint64_t now_ms)
{
	struct session *session;

	if (head->is_partial)
		return -ERR_UNSUPPORTED;
	if (session_find(sessions, slice_from(head->call_id)))
		return -ERR_EXISTS;
	int err = session_create(sessions, slice_from(head->call_id), now_ms, &session);
	if (err)
		return err;
	keep_session_fields(io, session, true);
	if (session->affinity_of) /* before its ports are open */
		session->affinity = session_affinity(sessions, slice_from(session->affinity_of));
	err = io->err;
	if (!err && !session->dialogs)
		err = -ERR_MALFORMED;
	for (struct dialog *dialog = session->dialogs; dialog && !err; dialog = dialog->next)
		err = open_dialog(dialog, now_ms);
	resume_end(session);
	if (err) {
		session_destroy(session, now_ms);
		return err;
	}
	session_touch(session, now_ms);
	session->kept_hash = 1; /* it has a record */
	keep_soon(session);
	return 0;
}

int revive_session(struct sessions *sessions, struct slice body, uint64_t now_ms)
{
	struct keep_head head;
	struct keep_io io;
	int err = begin(body, &io, &head);

	if (err)
		return err;
	err = restore(sessions, &io, &head, now_ms);
	free(head.call_id);
	return err;
}

int revive_asked(struct sessions *sessions, struct slice call_id, struct slice value,
		 uint64_t now_ms)
{
	struct record_head record;
	struct keep_head head;
	struct slice body;
	struct keep_io io;
	int err = record_head_split(value, &record, &body);

	if (!err)
		err = begin(body, &io, &head);
	if (err)
		return err;
	err = slice_equal(slice_from(head.call_id), call_id) ? restore(sessions, &io, &head, now_ms)
							     : -ERR_MALFORMED;
	free(head.call_id);
	return err;
}

/* ---- all of them, at start: the scan's values are gathered first, since which of them are of the
 * last process shows at the end ---- */

/* It gives what it has: it is waited for. */
static void be_patient(struct keeper *keeper)
{
	uint64_t until_ms = wheel_now_ms(keeper->sessions->wheel) + KEEP_PATIENCE_MS;

	keeper->until_ms = until_ms < keeper->latest_ms ? until_ms : keeper->latest_ms;
}

static bool note_found(struct keeper *keeper, struct slice key, struct slice value)
{
	if (value.len > KEEP_SIZE_LIMIT)
		return true;
	uint32_t lens[2] = {(uint32_t)key.len, (uint32_t)value.len};
	buf_add(&keeper->found, (struct slice){(const char *)lens, sizeof(lens)});
	buf_add(&keeper->found, key);
	buf_add(&keeper->found, value);
	return !buf_failed(&keeper->found);
}

/* In the record of a call, which is another one's. */
static bool on_call(void *owner, struct slice key, struct slice value)
{
	struct keeper *keeper = owner;
	struct call_record *record;
	struct record_head head;
	struct slice body;

	be_patient(keeper);
	arena_reset(keeper->arena);
	if (record_head_split(value, &head, &body) != 0 ||
	    record_decode(keeper->arena, body, &record) != 0)
		return true;
	struct slice given = record->relay_state, node = slice_cut(&given, '\0');
	return slice_equal(node, slice_from(keeper->node)) ? note_found(keeper, key, given) : true;
}

static bool on_record(void *owner, struct slice key, struct slice value)
{
	struct keeper *keeper = owner;
	struct buf suffix;

	be_patient(keeper);
	buf_init(&suffix);
	buf_printf(&suffix, "}:%s", keeper->node);
	bool is_ours = !buf_failed(&suffix) && slice_ends(key, buf_slice(&suffix));
	buf_free(&suffix);
	return is_ours ? note_found(keeper, key, value) : true;
}

static bool next_found(struct slice *rest, struct slice *key, struct slice *value)
{
	uint32_t lens[2];

	if (rest->len < sizeof(lens))
		return false;
	memcpy(lens, rest->data, sizeof(lens));
	*key = slice_sub(*rest, sizeof(lens), lens[0]);
	*value = slice_sub(*rest, sizeof(lens) + lens[0], lens[1]);
	*rest = slice_sub(*rest, sizeof(lens) + lens[0] + lens[1], SIZE_MAX);
	return true;
}

/* The last process is the one that wrote last. */
static uint64_t find_instance(struct slice rest, char instance[SESSIONS_INSTANCE_LEN + 1])
{
	struct record_head record;
	struct slice key, value, body;
	struct keep_head head;
	struct keep_io io;
	uint64_t last_us = 0;

	while (next_found(&rest, &key, &value)) {
		if (record_head_split(value, &record, &body) != 0 || begin(body, &io, &head) != 0)
			continue;
		if (head.written_us >= last_us) {
			last_us = head.written_us;
			memcpy(instance, head.instance, SESSIONS_INSTANCE_LEN + 1);
		}
		free(head.call_id);
	}
	return last_us;
}

static int revive_record(struct keeper *keeper, const char *instance, struct slice value,
			 uint64_t now_ms)
{
	struct record_head record;
	struct keep_head head;
	struct slice body;
	struct keep_io io;
	int err = record_head_split(value, &record, &body);

	if (!err)
		err = begin(body, &io, &head);
	if (err)
		return err;
	bool is_stale = strcmp(head.instance, instance) != 0;
	free(head.call_id);
	return is_stale ? -ERR_NOT_FOUND : revive_session(keeper->sessions, body, now_ms);
}

static void revive_found(struct keeper *keeper)
{
	struct sessions *sessions = keeper->sessions;
	char instance[SESSIONS_INSTANCE_LEN + 1] = "";
	struct slice key, value, rest = buf_slice(&keeper->found);
	uint64_t now_ms = wheel_now_ms(sessions->wheel);

	find_instance(rest, instance);
	while (next_found(&rest, &key, &value)) {
		int err = revive_record(keeper, instance, value, now_ms);
		if (!err) {
			keeper->revived++;
			continue;
		}
		if (err == -ERR_EXISTS)
			continue; /* a scan may name a key twice; ours is newer than a call's */
		if (slice_starts(key, SLICE(KEEP_PREFIX)))
			store_delete(keeper->store, key);
		if (err == -ERR_NOT_FOUND)
			continue;
		keeper->lost++;
		log_warn(sessions->log, "revive.refused", "key=%.*s reason=\"%s\"", SLICE_ARG(key),
			 refusal(err));
	}
	if (keeper->revived && !keeper->lost)
		memcpy(sessions->instance, instance, sizeof(sessions->instance));
	if (keeper->revived || keeper->lost)
		log_info(sessions->log, "revive.done", "sessions=%u lost=%u instance=%s",
			 keeper->revived, keeper->lost, sessions->instance);
}

static void finish(struct keeper *keeper)
{
	keep_done_fn *done = keeper->done;

	wheel_cancel(keeper->sessions->wheel, &keeper->timer);
	if (keeper->found.data)
		explicit_bzero(keeper->found.data, keeper->found.len);
	buf_free(&keeper->found);
	keeper->done = NULL;
	if (done)
		done(keeper->done_owner);
}

static void on_timer(struct timer *timer, uint64_t now_ms);

static void on_scanned(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct keeper *keeper = owner;
	struct sessions *sessions = keeper->sessions;
	uint64_t next_ms = wheel_now_ms(sessions->wheel);
	(void)handle;

	keeper->is_scanning = false;
	if (!keeper->done)
		return; /* too late: what is there is not what was */
	if (reply->err != 0 || buf_failed(&keeper->found)) {
		buf_clear(&keeper->found);
		keeper->has_own = false;
		next_ms += RETRY_MS;
	} else if (!keeper->has_own) {
		keeper->has_own = true;
	} else {
		revive_found(keeper);
		keeper->until_ms = 0;
	}
	wheel_arm(sessions->wheel, &keeper->timer, next_ms, on_timer);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct keeper *keeper = container_of(timer, struct keeper, timer);

	if (keeper->until_ms == NOT_BEGUN) {
		keeper->until_ms = now_ms + KEEP_PATIENCE_MS;
		keeper->latest_ms = now_ms + KEEP_PATIENCE_ALL_MS;
	}
	if (!keeper->until_ms) {
		finish(keeper);
	} else if (now_ms >= keeper->until_ms) {
		log_warn(keeper->sessions->log, "revive.failed",
			 "reason=\"the store does not answer\" effect=\"no session comes back\"");
		finish(keeper);
	} else if (!keeper->is_scanning) {
		keeper->is_scanning = true;
		if (keeper->has_own)
			store_scan(keeper->store, SLICE("call:"), on_call, on_scanned, keeper, 0);
		else
			store_scan(keeper->store, SLICE(KEEP_PREFIX), on_record, on_scanned, keeper,
				   0);
		if (keeper->is_scanning)
			wheel_arm(keeper->sessions->wheel, timer, keeper->until_ms, on_timer);
	} else {
		wheel_arm(keeper->sessions->wheel, timer, keeper->until_ms, on_timer);
	}
}

void sessions_revive(struct sessions *sessions, keep_done_fn *done, void *owner)
{
	struct keeper *keeper = sessions->keeper;

	keeper->done = done;
	keeper->done_owner = owner;
	/* The wheel's time is that of before the drivers were opened, which takes its time. */
	keeper->until_ms = NOT_BEGUN;
	wheel_arm(sessions->wheel, &keeper->timer, wheel_now_ms(sessions->wheel), on_timer);
}
