/* keep.c - a subscription's record in the store (`sub:{id}`), and the subscription out of it again.
 * It lives for weeks and says little: written a moment after its dialogs, or its time, have changed
 * (a refresh, not each NOTIFY), read when another process gets a message in it, and it ends with
 * the time that its notifier gave. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_head.h"
#include "sbc/dialog/kept.h"
#include "sbc/route/place.h"
#include "sbc/subscription/internal.h"
#include "sbc/topology/owned.h"

enum {
	SOON_MS = 200, /* what follows at once goes along */
	AGAIN_MS = 5000,
	RECORDS_A_MS = 4, /* when all are written */
	TTL_MAX_S = 400 * 86400,
	/* CSeq numbers that a successor leaves out, and how many before the end of them it is
	 * written again. */
	CSEQ_BLOCK = 100,
	CSEQ_MARGIN = 10
};

static const struct slice prefix = {SUBSCRIPTION_KEPT, sizeof(SUBSCRIPTION_KEPT) - 1};

static uint64_t now_of(const struct subscriptions *all)
{
	return wheel_now_ms(all->worker->wheel);
}

void subscription_write_id(const struct subscriptions *all, uint64_t name, char out[TOKEN_LENGTH])
{
	struct token token = token_unpack(name);

	token.id = token.id << 2 | SUBSCRIPTION_ID;
	token_make(all->worker->token_key, TOKEN_SUBSCRIPTION, &token, out);
}

static int write_key(void *owner, uint64_t name, struct buf *key)
{
	char id[TOKEN_LENGTH];

	subscription_write_id(owner, name, id);
	buf_add(key, prefix);
	buf_printf(key, "{%.*s}", TOKEN_LENGTH, id);
	return buf_failed(key) ? -ERR_NO_MEMORY : 0;
}

bool subscription_key_read(const struct token_key *key, struct slice text, struct token *out)
{
	struct slice id = slice_sub(text, prefix.len + 1, TOKEN_LENGTH);

	if (!slice_starts(text, prefix) || token_read(key, TOKEN_SUBSCRIPTION, id, out) != 0)
		return false;
	out->id >>= 2;
	return true;
}

/* --- out --- */

static void fill_side(const struct subscription *subscription, uint8_t index,
		      struct record_leg *out)
{
	const struct worker *worker = subscription->all->worker;
	const struct side *side = &subscription->sides[index];

	dialog_keep(&side->dialog, out);
	out->local_cseq += CSEQ_BLOCK;
	out->is_confirmed = true;
	out->is_caller = index == SUBSCRIBER;
	place_write(worker, &side->path, out);
	/* The side it belongs to, which its last path need not tell. */
	out->interface = slice_from(worker->config->interfaces[side->interface].name);
	if (side->peer >= 0)
		out->peer = slice_from(worker->config->peers[side->peer].name);
}

static int fill_forks(struct arena *arena, const struct subscription *subscription,
		      struct call_record *record)
{
	char id[TOKEN_LENGTH];

	for (uint32_t i = 0; i < subscription->fork_count; i++) {
		subscription_write_id(subscription->all, subscription->forks[i], id);
		record->forks[i] = arena_copy(arena, (struct slice){id, sizeof(id)});
		if (!record->forks[i].data)
			return -ERR_NO_MEMORY;
		record->fork_count = i + 1;
	}
	if (!subscription->root)
		return 0;
	subscription_write_id(subscription->all, subscription->root, id);
	record->root = arena_copy(arena, (struct slice){id, sizeof(id)});
	return record->root.data ? 0 : -ERR_NO_MEMORY;
}

static int fill(struct arena *arena, const struct subscription *subscription,
		struct call_record *record)
{
	const struct subscriptions *all = subscription->all;
	char id[TOKEN_LENGTH], *ids = arena_alloc(arena, SESSION_IDS_SIZE);

	subscription_write_id(all, subscription->number, id);
	record->id = arena_copy(arena, (struct slice){id, sizeof(id)});
	if (!record->id.data || !ids)
		return -ERR_NO_MEMORY;
	record->state = RECORD_SUBSCRIPTION;
	record->created_ms = subscription->created_ms + all->unix_offset_ms;
	record->written_ms = now_of(all) + all->unix_offset_ms;
	record->ends_ms = subscription->ends_ms + all->unix_offset_ms;
	record->lifetime_s = subscription->granted_s;
	record->node = slice_from(all->worker->config->node);
	record->epoch = subscription->epoch;
	record->worker = all->worker->index;
	record->callee = subscription->target;
	record->event = subscription->event;
	session_ids_write(&subscription->session, ids);
	record->session_ids = (struct slice){ids, SESSION_IDS_SIZE};
	for (uint8_t side = 0; side < 2; side++)
		fill_side(subscription, side, &record->legs[side]);
	return fill_forks(arena, subscription, record);
}

static void on_stored(void *owner, uint64_t name, const struct store_reply *reply)
{
	struct subscription *subscription = subscription_find(owner, name);

	if (!subscription)
		return;
	if (reply->err == -ERR_DENIED && subscription->was_kept)
		subscription_lose(subscription);
	else
		subscription->is_protected = reply->err == 0;
}

static int write_value(const struct subscription *subscription, struct buf *out)
{
	const struct subscriptions *all = subscription->all;
	struct record_head head = {.node = all->worker->node,
				   .epoch = subscription->epoch,
				   .worker = all->worker->index,
				   .state = RECORD_SUBSCRIPTION};
	struct call_record *record = record_create(all->scratch, 2);

	int err = record ? fill(all->scratch, subscription, record) : -ERR_NO_MEMORY;
	if (err)
		return err;
	record_head_write(&head, out);
	err = record_encode(record, out);
	return !err && buf_failed(out) ? -ERR_NO_MEMORY : err;
}

static void put(struct subscription *subscription)
{
	struct subscriptions *all = subscription->all;
	uint64_t left_ms = subscription->expiry.due_ms - now_of(all);
	uint32_t ttl_s = left_ms / 1000 < TTL_MAX_S ? (uint32_t)(left_ms / 1000) + 1 : TTL_MAX_S;
	struct buf key, value;

	buf_init(&key);
	buf_init(&value);
	arena_reset(all->scratch);
	int err = write_key(all, subscription->number, &key);
	if (!err)
		err = write_value(subscription, &value);
	if (err) {
		log_warn(all->worker->log, "subscription.not_stored", "reason=\"%s\"",
			 err_text(err));
	} else {
		subscription->was_kept = subscription->is_kept;
		subscription->is_kept = true;
		subscription->is_protected = false;
		subscription->kept_cseq = subscription->sides[SUBSCRIBER].dialog.local_cseq;
		subscription->kept_ends_ms = subscription->ends_ms;
		/* The first time nobody else can have it. */
		(subscription->was_kept ? store_put_owned : store_put)(
			all->config.store, buf_slice(&key), buf_slice(&value), ttl_s, on_stored,
			all, subscription->number);
	}
	buf_free(&key);
	buf_free(&value);
}

/* It is worth a record while it is to go on: not when it was a look (Expires: 0), or is about to
 * end. */
static bool is_worth(const struct subscription *subscription)
{
	return subscription->is_up && subscription->granted_s > 0 &&
	       timer_is_armed(&subscription->expiry) &&
	       subscription->expiry.due_ms > now_of(subscription->all);
}

static void on_keep_due(struct timer *timer, uint64_t now_ms)
{
	struct subscription *subscription = container_of(timer, struct subscription, keep);
	(void)now_ms;

	if (is_worth(subscription))
		put(subscription);
}

static void keep_in(struct subscription *subscription, uint64_t delay_ms)
{
	struct wheel *wheel = subscription->all->worker->wheel;

	if (!timer_is_armed(&subscription->keep))
		wheel_arm(wheel, &subscription->keep, wheel_now_ms(wheel) + delay_ms, on_keep_due);
}

void subscription_keep(struct subscription *subscription)
{
	if (subscription->all->config.store)
		keep_in(subscription, SOON_MS);
}

void subscription_follow(struct subscription *subscription)
{
	uint64_t ends = subscription->ends_ms, kept = subscription->kept_ends_ms;
	uint64_t apart = ends > kept ? ends - kept : kept - ends;

	if (!subscription->is_kept || apart > AGAIN_MS ||
	    subscription->sides[SUBSCRIBER].dialog.local_cseq + CSEQ_MARGIN >
		    subscription->kept_cseq + CSEQ_BLOCK)
		subscription_keep(subscription);
}

void subscription_unkeep(struct subscription *subscription)
{
	struct subscriptions *all = subscription->all;
	struct buf key;

	wheel_cancel(all->worker->wheel, &subscription->keep);
	if (!subscription->is_kept || all->is_closing)
		return;
	subscription->is_kept = false;
	buf_init(&key);
	if (write_key(all, subscription->number, &key) == 0)
		store_delete(all->config.store, buf_slice(&key));
	buf_free(&key);
}

void subscriptions_store_returned(struct subscriptions *all, bool everything)
{
	struct table_link *link = NULL;
	uint64_t count = 0;

	while (all->config.store && (link = table_next(&all->by_number, link))) {
		struct subscription *subscription =
			container_of(link, struct subscription, by_number);
		if (!subscription->is_kept || (!everything && subscription->is_protected))
			continue;
		keep_in(subscription, count++ / RECORDS_A_MS);
	}
}

/* --- back --- */

static int read_id(const struct subscriptions *all, struct slice id, uint64_t *out)
{
	struct token token;

	int err = token_read(all->worker->token_key, TOKEN_SUBSCRIPTION, id, &token);
	if (err)
		return err;
	token.id >>= 2;
	*out = token_pack(&token);
	return 0;
}

/* Another node has other addresses, unless it took ours over: its Contact is told with the next
 * message that has one. */
static int check_contact(struct subscription *subscription, uint8_t index)
{
	const struct worker *worker = subscription->all->worker;
	const struct side *side = &subscription->sides[index];
	const struct transport_listener *listener =
		transport_listener(worker->transport, side->path.listener);

	if (slice_find_slice(side->dialog.local_contact, slice_from(listener->sent_by)) <
	    side->dialog.local_contact.len)
		return 0;
	return side_set_contact(subscription, index, &side->path);
}

static int take_side(struct subscription *subscription, uint8_t index,
		     const struct record_leg *from)
{
	const struct worker *worker = subscription->all->worker;
	struct side *side = &subscription->sides[index];

	int err = place_read(worker, from, &side->path);
	if (!err)
		err = dialog_resume(&side->dialog, from);
	if (err)
		return err;
	side->interface = side->path.interface;
	side->is_trusted = worker->config->interfaces[side->interface].trusted;
	side->peer = place_peer(worker->config, from->peer);
	return check_contact(subscription, index);
}

/* The notifier's time, when its clock is ours; else all of it once more. */
static uint64_t left_s(const struct subscriptions *all, const struct call_record *record)
{
	uint64_t now = now_of(all) + all->unix_offset_ms;

	if (!slice_equal(record->node, slice_from(all->worker->config->node)))
		return record->lifetime_s;
	uint64_t left = record->ends_ms > now ? (record->ends_ms - now) / 1000 : 0;
	return left < record->lifetime_s ? left : record->lifetime_s;
}

static int take_forks(struct subscription *subscription, const struct call_record *record)
{
	const struct subscriptions *all = subscription->all;
	int err = 0;

	for (uint32_t i = 0; i < record->fork_count && i < FORKS_MAX && !err; i++) {
		err = read_id(all, record->forks[i], &subscription->forks[i]);
		subscription->fork_count = i + 1;
	}
	if (!err && record->root.len > 0)
		err = read_id(all, record->root, &subscription->root);
	return err;
}

static int take_all(struct subscription *subscription, const struct call_record *record)
{
	struct subscriptions *all = subscription->all;
	int err = 0;

	for (uint8_t side = 0; side < 2 && !err; side++)
		err = take_side(subscription, side, &record->legs[side]);
	if (!err)
		err = take_forks(subscription, record);
	if (!err)
		err = owned_set(&subscription->event, record->event);
	if (!err)
		err = owned_set(&subscription->target, record->callee);
	if (!err && subscription->sides[SUBSCRIBER].peer < 0 && !subscription->root)
		err = subscription_share(subscription,
					 subscription->sides[SUBSCRIBER].dialog.remote_uri);
	(void)session_ids_read(record->session_ids, &subscription->session);
	subscription->created_ms = record->created_ms - all->unix_offset_ms;
	subscription->asked_s = record->lifetime_s;
	subscription->is_up = true;
	return err;
}

static int decode(struct subscriptions *all, struct slice value, struct record_head *head,
		  struct call_record **out)
{
	struct slice body;

	arena_reset(all->scratch);
	int err = record_head_split(value, head, &body);
	if (!err)
		err = record_decode(all->scratch, body, out);
	if (!err && ((*out)->state != RECORD_SUBSCRIPTION || (*out)->leg_count != 2))
		err = -ERR_MALFORMED;
	return err;
}

static int take_up(void *owner, struct slice value)
{
	struct subscriptions *all = owner;
	struct subscription *subscription;
	struct call_record *record;
	struct record_head head;
	uint64_t name;

	int err = decode(all, value, &head, &record);
	if (!err)
		err = read_id(all, record->id, &name);
	if (!err && subscription_find(all, name))
		err = -ERR_EXISTS;
	if (!err)
		err = subscription_create(all, name, &subscription);
	if (err)
		return err;
	err = take_all(subscription, record);
	if (err) {
		subscription_end(subscription);
		return err;
	}
	subscription->epoch = head.epoch;
	subscription_arm(subscription, left_s(all, record));
	subscription->granted_s = record->lifetime_s;
	subscription->is_kept = subscription->is_protected = true;
	subscription->kept_cseq = record->legs[SUBSCRIBER].local_cseq - CSEQ_BLOCK;
	subscription->kept_ends_ms = subscription->ends_ms;
	/* Its time begins again, the store's does not. */
	if (!slice_equal(record->node, slice_from(all->worker->config->node)))
		subscription_keep(subscription);
	counter_add(&all->counters.revived, 1);
	return 0;
}

static bool is_here(void *owner, uint64_t name)
{
	return subscription_find(owner, name) != NULL;
}

static void on_refused(void *owner, uint64_t name, int err)
{
	const struct subscriptions *all = owner;
	(void)name;

	log_warn(all->worker->log, "subscription.not_taken_up", "reason=\"%s\"", err_text(err));
}

static void again(void *owner, struct transaction_handle handle, const struct message *request,
		  const struct transport_path *path)
{
	/* In one of our dialogs: it is for here. */
	(void)subscriptions_receive(owner, handle, request, path);
}

static void on_taken(void *owner, uint64_t name, uint64_t epoch)
{
	const struct subscriptions *all = owner;

	if (all->config.on_taken)
		all->config.on_taken(all->config.owner, name, epoch);
}

void subscriptions_taken(struct subscriptions *all, uint64_t name, uint64_t epoch)
{
	struct subscription *subscription = subscription_find(all, name);

	if (subscription && subscription->epoch < epoch)
		subscription_lose(subscription);
}

int subscriptions_open_store(struct subscriptions *all)
{
	struct pursuits_config config = {.worker = all->worker,
					 .store = all->config.store,
					 .is_lasting = all->config.store != NULL,
					 .said = "subscriptions.taken_up",
					 .write_key = write_key,
					 .is_here = is_here,
					 .take_up = take_up,
					 .on_refused = on_refused,
					 .again = again,
					 .on_taken = on_taken,
					 .owner = all};

	return pursuits_create(&config, &all->pursuits);
}

void subscriptions_add(struct subscriptions *all, const struct token *name, uint64_t epoch)
{
	pursuits_add(all->pursuits, token_pack(name), epoch);
}

void subscriptions_told_all(struct subscriptions *all)
{
	pursuits_complete(all->pursuits);
}
