/* store.c - the verbs every store has; the checks that are the same for all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/store.h"
#include "control/state/record_head.h"
#include "control/state/store_answer.h"

void store_destroy(struct store *store)
{
	if (store)
		store->verbs->destroy(store);
}

void store_answer(store_done_fn *done, void *owner, uint64_t handle, int err)
{
	if (done)
		done(owner, handle, &(struct store_reply){.err = err});
}

static bool key_is_sane(struct slice key)
{
	return key.len > 0 && key.len <= STORE_KEY_LIMIT;
}

/* 0 when key, value and time can be put. */
static int put_check(struct slice key, struct slice value, uint32_t ttl_s)
{
	if (!key_is_sane(key) || ttl_s == 0)
		return -ERR_INVALID;
	return value.len > STORE_VALUE_LIMIT ? -ERR_TOO_LARGE : 0;
}

void store_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
	       store_done_fn *done, void *owner, uint64_t handle)
{
	int err = put_check(key, value, ttl_s);

	if (err)
		store_answer(done, owner, handle, err);
	else
		store->verbs->put(store, key, value, ttl_s, done, owner, handle);
}

void store_put_owned(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		     store_done_fn *done, void *owner, uint64_t handle)
{
	struct record_head head;
	int err = put_check(key, value, ttl_s);

	if (!err && record_head_read(value, &head) != 0)
		err = -ERR_INVALID;
	if (err)
		store_answer(done, owner, handle, err);
	else
		store->verbs->put_owned(store, key, value, ttl_s, done, owner, handle);
}

void store_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		store_done_fn *done, void *owner, uint64_t handle)
{
	if (!key_is_sane(key) || node == 0 || seen == UINT64_MAX)
		store_answer(done, owner, handle, -ERR_INVALID);
	else
		store->verbs->take(store, key, node, seen, done, owner, handle);
}

void store_scan(struct store *store, struct slice prefix, store_each_fn *each, store_done_fn *done,
		void *owner, uint64_t handle)
{
	if (!key_is_sane(prefix))
		store_answer(done, owner, handle, -ERR_INVALID);
	else
		store->verbs->scan(store, prefix, each, done, owner, handle);
}

void store_delete(struct store *store, struct slice key)
{
	if (key_is_sane(key))
		store->verbs->remove(store, key);
}

void store_get(struct store *store, struct slice key, store_done_fn *done, void *owner,
	       uint64_t handle)
{
	if (!key_is_sane(key))
		store_answer(done, owner, handle, -ERR_INVALID);
	else
		store->verbs->get(store, key, done, owner, handle);
}

void store_on_return(struct store *store, store_return_fn *fn, void *owner)
{
	store->on_return = fn;
	store->on_return_owner = owner;
}

void store_status(const struct store *store, struct store_status *out)
{
	*out = (struct store_status){0};
	store->verbs->status(store, out);
}

const char *store_state_text(enum store_state state)
{
	switch (state) {
	case STORE_DOWN:
		return "down";
	case STORE_STALLED:
		return "stalled";
	case STORE_REFUSING:
		return "refusing";
	case STORE_UP:
		return "up";
	}
	return "unknown";
}
