/* fetch.c - a command for a session that is not here, and may be in the store: its record is read
 * once, and the command waits for that. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/keep_private.h"

#include <stdlib.h>
#include "control/state/record.h"
#include "control/state/record_head.h"

#define FETCHES_MAX 1024

/* Owned by the keeper until both answers have come. */
struct fetch {
	struct fetch *next;
	struct keeper *keeper;
	char *call_id;
	uint64_t number; /* what its commands wait for */
	unsigned pending;
	bool is_asking;   /* the store may answer before it returns */
	struct buf own;   /* of media:{ID}:NODE */
	struct buf given; /* of call:{ID} */
};

static void wipe_free(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->len);
	buf_free(buf);
}

static void fetch_free(struct fetch *fetch)
{
	struct fetch **link = &fetch->keeper->fetches;

	while (*link != fetch)
		link = &(*link)->next;
	*link = fetch->next;
	fetch->keeper->fetch_count--;
	wipe_free(&fetch->own);
	wipe_free(&fetch->given);
	free(fetch->call_id);
	free(fetch);
}

void fetches_free(struct keeper *keeper)
{
	while (keeper->fetches)
		fetch_free(keeper->fetches);
}

/* The relay's value in a call's record: any node's, since an address may have moved here; one whose
 * addresses are not ours does not come back. */
static struct slice given_value(struct fetch *fetch, bool *is_ours)
{
	struct call_record *record;
	struct record_head head;
	struct slice body, given;

	arena_reset(fetch->keeper->arena);
	if (!fetch->given.len || record_head_split(buf_slice(&fetch->given), &head, &body) != 0 ||
	    record_decode(fetch->keeper->arena, body, &record) != 0)
		return SLICE_NONE;
	given = record->relay_state;
	*is_ours = slice_equal(slice_cut(&given, '\0'), slice_from(fetch->keeper->node));
	return given;
}

static void restore(struct fetch *fetch, uint64_t now_ms)
{
	struct keeper *keeper = fetch->keeper;
	struct slice call_id = slice_from(fetch->call_id);
	/* Ours is the newer one. */
	bool is_ours = true;
	struct slice value = fetch->own.len ? buf_slice(&fetch->own) : given_value(fetch, &is_ours);

	if (slice_is_empty(value) || session_find(keeper->sessions, call_id))
		return;
	int err = revive_asked(keeper->sessions, call_id, value, now_ms);
	if (err) {
		if (is_ours)
			log_warn(keeper->sessions->log, "fetch.refused", "call=%s reason=\"%s\"",
				 fetch->call_id, err_text(err));
		return;
	}
	keeper->fetched++;
	log_info(keeper->sessions->log, "fetch.done", "call=%s", fetch->call_id);
}

enum { OWN, GIVEN };

/* Whoever waits goes on, with the session or without. The store sees to it that this is soon. */
static void on_value(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct fetch *fetch = owner;
	struct keeper *keeper = fetch->keeper;
	uint64_t number = fetch->number;

	if (reply->err == 0)
		buf_add(handle == OWN ? &fetch->own : &fetch->given, reply->value);
	else if (reply->err != -ERR_NOT_FOUND)
		log_warn(keeper->sessions->log, "fetch.failed", "call=%s reason=\"%s\"",
			 fetch->call_id, err_text(reply->err));
	if (--fetch->pending || fetch->is_asking)
		return;
	restore(fetch, wheel_now_ms(keeper->sessions->wheel));
	fetch_free(fetch);
	keeper->on_fetched(keeper->owner, number);
}

static void ask(struct fetch *fetch)
{
	struct keeper *keeper = fetch->keeper;
	struct slice call_id = slice_from(fetch->call_id);
	struct buf key;

	fetch->is_asking = true;
	fetch->pending = 2;
	keep_key(keeper, call_id, &keeper->key);
	store_get(keeper->store, buf_slice(&keeper->key), on_value, fetch, OWN);
	buf_clear(&keeper->key);
	buf_init(&key);
	if (record_key(call_id, &key) == 0 && !buf_failed(&key))
		store_get(keeper->store, buf_slice(&key), on_value, fetch, GIVEN);
	else
		fetch->pending--;
	buf_free(&key);
	fetch->is_asking = false;
}

static struct fetch *begin(struct keeper *keeper, struct slice call_id)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return NULL;
	fetch->call_id = slice_dup(call_id);
	if (!fetch->call_id) {
		free(fetch);
		return NULL;
	}
	fetch->keeper = keeper;
	fetch->next = keeper->fetches;
	keeper->fetches = fetch;
	keeper->fetch_count++;
	fetch->number = ++keeper->last_fetch;
	buf_init(&fetch->own);
	buf_init(&fetch->given);
	ask(fetch);
	if (fetch->pending)
		return fetch;
	restore(fetch, wheel_now_ms(keeper->sessions->wheel));
	fetch_free(fetch);
	return NULL;
}

static bool is_useful(const struct keeper *keeper, struct slice call_id)
{
	struct store_status status;

	if (!keeper || !keeper->on_fetched || slice_is_empty(call_id) ||
	    call_id.len > SESSION_MAX_TEXT || memchr(call_id.data, 0, call_id.len) ||
	    session_find(keeper->sessions, call_id))
		return false;
	store_status(keeper->store, &status);
	return status.state == STORE_UP;
}

uint64_t keep_fetch(struct sessions *sessions, struct slice call_id)
{
	struct keeper *keeper = sessions->keeper;

	if (!is_useful(keeper, call_id))
		return 0;
	struct fetch *fetch = keeper->fetches;
	while (fetch && !slice_equal(slice_from(fetch->call_id), call_id))
		fetch = fetch->next;
	if (!fetch && keeper->fetch_count < FETCHES_MAX)
		fetch = begin(keeper, call_id);
	return fetch ? fetch->number : 0;
}
