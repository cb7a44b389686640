/* store.c - the verbs every store has; the checks that are the same for all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/store.h"
#include "control/state/record_head.h"
#include "control/state/seal.h"
#include "control/state/store_answer.h"

void store_destroy(struct store *store)
{
	if (!store)
		return;
	seal_destroy(store->seal);
	store->verbs->destroy(store);
}

void store_seal(struct store *store, struct seal *seal)
{
	seal_destroy(store->seal);
	store->seal = seal;
}

void store_answer(store_done_fn *done, void *owner, uint64_t handle, int err)
{
	if (done)
		done(owner, handle, &(struct store_reply){.err = err});
}

void store_answer_value(struct store *store, store_done_fn *done, void *owner, uint64_t handle,
			struct slice raw)
{
	struct store_reply reply = {.value = raw};
	struct buf opened;

	if (!done)
		return;
	buf_init(&opened);
	if (store->seal) {
		reply.err = seal_open(store->seal, raw, &opened);
		reply.value = buf_slice(&opened);
	}
	done(owner, handle, &reply);
	buf_free(&opened);
}

bool store_each(struct store *store, store_each_fn *each, void *owner, struct slice key,
		struct slice raw)
{
	struct buf opened;
	bool goes_on = true;

	if (!store->seal)
		return each(owner, key, raw);
	buf_init(&opened);
	if (seal_open(store->seal, raw, &opened) == 0)
		goes_on = each(owner, key, buf_slice(&opened));
	buf_free(&opened);
	return goes_on;
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

typedef void put_fn(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		    store_done_fn *done, void *owner, uint64_t handle);

static void put_sealed(struct store *store, put_fn *put, struct slice key, struct slice value,
		       uint32_t ttl_s, store_done_fn *done, void *owner, uint64_t handle)
{
	struct buf sealed;

	if (!store->seal) {
		put(store, key, value, ttl_s, done, owner, handle);
		return;
	}
	buf_init(&sealed);
	int err = seal_close(store->seal, value, &sealed);
	if (err)
		store_answer(done, owner, handle, err);
	else
		put(store, key, buf_slice(&sealed), ttl_s, done, owner, handle);
	buf_free(&sealed);
}

void store_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
	       store_done_fn *done, void *owner, uint64_t handle)
{
	int err = put_check(key, value, ttl_s);

	if (err)
		store_answer(done, owner, handle, err);
	else
		put_sealed(store, store->verbs->put, key, value, ttl_s, done, owner, handle);
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
		put_sealed(store, store->verbs->put_owned, key, value, ttl_s, done, owner, handle);
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
	out->refused = store->seal ? seal_refused(store->seal) : 0;
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
