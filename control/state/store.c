/* store.c - the verbs every store has; the checks that are the same for all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/store.h"
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

void store_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
	       store_done_fn *done, void *owner, uint64_t handle)
{
	if (!key_is_sane(key) || ttl_s == 0)
		store_answer(done, owner, handle, -ERR_INVALID);
	else if (value.len > STORE_VALUE_LIMIT)
		store_answer(done, owner, handle, -ERR_TOO_LARGE);
	else
		store->verbs->put(store, key, value, ttl_s, done, owner, handle);
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
