/* trunk_keep.c - trunks in the store (`trunk:{PEER}`): of the nodes that share it one registers
 * each, and after a restart goes on with what lasts. Claimed before the first REGISTER, written
 * when it is granted, given up when it fails; of a dead node's another takes it. Behind the head
 * (state/record_head.h) one field a line:
 *   version, end (Unix), user, host, contact, Call-ID, tag, CSeq
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_head.h"
#include "control/state/store.h"
#include "sbc/registration/trunk_private.h"
#include "sbc/route/path.h"
#include "sbc/topology/owned.h"

#define VERSION SLICE("1")
enum {
	CLAIM_S = 60, /* so long it may take to be registered */
	SPARE_S = 30,
	WATCH_MS = 5000, /* another node's is looked at so often */
	AGAIN_MS = 1000, /* the store did not say */
	UNANSWERED_MAX = 3,
	EXPIRES_MAX_S = 86400,
	CSEQ_SPARE = 100 /* numbers that may have been used since */
};

/* What the store has of one; slices of the value. */
struct kept_trunk {
	struct record_head head;
	uint64_t until_s;
	struct slice user, host, contact, call_id, tag;
	uint64_t cseq;
};

static struct trunk *trunk_at(struct trunks *trunks, uint64_t index)
{
	return &trunks->list[index];
}

static uint64_t index_of(const struct trunk *trunk)
{
	return (uint64_t)(trunk - trunk->trunks->list);
}

static uint64_t now_s(const struct trunks *trunks)
{
	return (wheel_now_ms(trunks->worker->wheel) + trunks->unix_offset_ms) / 1000;
}

static void write_key(const struct trunk *trunk, struct buf *out)
{
	buf_printf(out, "trunk:{%s}", trunk_peer(trunk)->name);
}

static void write_value(const struct trunk *trunk, uint64_t until_s, struct buf *out)
{
	const struct worker *worker = trunk->trunks->worker;
	struct record_head head = {
		.node = worker->node, .epoch = trunk->epoch, .worker = worker->index};

	record_head_write(&head, out);
	buf_add(out, VERSION);
	buf_printf(out, "\n%llu\n%s\n", (unsigned long long)until_s,
		   trunk_peer(trunk)->registration.user);
	trunk_write_host(trunk, out);
	buf_printf(out, "\n%.*s\n%.*s\n%.*s\n%u\n", SLICE_ARG(trunk->contact), TOKEN_LENGTH,
		   trunk->call_id, (int)sizeof(trunk->tag), trunk->tag, trunk->cseq);
}

static int read_value(struct slice value, struct kept_trunk *out)
{
	struct slice version, until, cseq;

	int err = record_head_read(value, &out->head);
	if (err)
		return err;
	value = slice_sub(value, RECORD_HEAD_SIZE, SIZE_MAX);
	if (!slice_next_line(&value, &version) || !slice_equal(version, VERSION) ||
	    !slice_next_line(&value, &until) || slice_to_u64(until, UINT32_MAX, &out->until_s) ||
	    !slice_next_line(&value, &out->user) || !slice_next_line(&value, &out->host) ||
	    !slice_next_line(&value, &out->contact) || !slice_next_line(&value, &out->call_id) ||
	    !slice_next_line(&value, &out->tag) || !slice_next_line(&value, &cseq) ||
	    slice_to_u64(cseq, INT32_MAX, &out->cseq) || out->call_id.len != TOKEN_LENGTH)
		return -ERR_MALFORMED;
	return 0;
}

static void put(struct trunk *trunk, uint64_t until_s, uint32_t ttl_s, store_done_fn *done)
{
	struct trunks *trunks = trunk->trunks;
	struct buf key, value;

	buf_init(&key);
	buf_init(&value);
	write_key(trunk, &key);
	write_value(trunk, until_s, &value);
	if (buf_failed(&key) || buf_failed(&value))
		done(trunks, index_of(trunk), &(struct store_reply){.err = -ERR_NO_MEMORY});
	else
		store_put_owned(trunks->config.store, buf_slice(&key), buf_slice(&value), ttl_s,
				done, trunks, index_of(trunk));
	buf_free(&key);
	buf_free(&value);
}

/* --- whose it is --- */

static void watch(struct trunk *trunk, uint16_t holder)
{
	const struct log *log = trunk->trunks->worker->log;

	if (trunk->hold != TRUNK_OTHERS || trunk->holder != holder)
		log_info(log, "trunk.elsewhere", "peer=%s node=%u", trunk_peer(trunk)->name,
			 holder);
	trunk->hold = TRUNK_OTHERS;
	trunk->holder = holder;
	trunk->until_ms = 0;
	trunk->state.text = "elsewhere";
	trunk_arm(trunk, WATCH_MS);
}

/* The store is asked once more, and after some times not waited for: it is away for others too. */
static void not_said(struct trunk *trunk)
{
	trunk->hold = TRUNK_UNKNOWN;
	if (++trunk->unanswered < UNANSWERED_MAX) {
		trunk_arm(trunk, AGAIN_MS);
		return;
	}
	trunk->unanswered = 0;
	trunk->hold = TRUNK_OURS;
	trunk_register(trunk);
}

static void on_claimed(void *owner, uint64_t index, const struct store_reply *reply)
{
	struct trunk *trunk = trunk_at(owner, index);

	if (reply->err == -ERR_DENIED) {
		trunk->hold = TRUNK_UNKNOWN; /* whose, the next look tells */
		trunk_arm(trunk, AGAIN_MS);
	} else if (reply->err) {
		not_said(trunk);
	} else {
		trunk->hold = TRUNK_OURS;
		trunk_register(trunk);
	}
}

static void claim(struct trunk *trunk, uint64_t epoch)
{
	trunk->epoch = epoch;
	put(trunk, 0, CLAIM_S, on_claimed);
}

static bool is_same(const struct trunk *trunk, const struct kept_trunk *kept)
{
	struct buf host;

	buf_init(&host);
	trunk_write_host(trunk, &host);
	bool same = !buf_failed(&host) && slice_equal(kept->host, buf_slice(&host)) &&
		    slice_equal(kept->user, slice_from(trunk_peer(trunk)->registration.user));
	buf_free(&host);
	return same;
}

/* Is it an address that we have? */
static bool is_own_contact(const struct trunk *trunk, struct slice contact)
{
	const struct worker *worker = trunk->trunks->worker;
	const struct config_peer *peer = trunk_peer(trunk);
	const struct transport_listener *at;
	struct buf uri;
	bool found = false;

	buf_init(&uri);
	for (uint16_t i = 0; !found && (at = transport_listener(worker->transport, i)); i++) {
		if (at->interface != peer->interface || at->purpose != TRANSPORT_SIP)
			continue;
		buf_clear(&uri);
		path_write_contact(worker, i, false, slice_from(peer->registration.user), &uri);
		found = !buf_failed(&uri) && slice_equal(buf_slice(&uri), contact);
	}
	buf_free(&uri);
	return found;
}

/* The same registration goes on: it keeps its Call-ID and numbers (RFC 3261 10.2.4). */
static int adopt(struct trunk *trunk, const struct kept_trunk *kept)
{
	memcpy(trunk->call_id, kept->call_id.data, TOKEN_LENGTH);
	trunk->cseq = (uint32_t)kept->cseq + CSEQ_SPARE;
	if (is_own_contact(trunk, kept->contact))
		return owned_set(&trunk->contact, kept->contact);
	return owned_set(&trunk->former, kept->contact);
}

/* It was ours before this process was started. */
static void go_on(struct trunk *trunk, const struct kept_trunk *kept)
{
	uint64_t now = now_s(trunk->trunks);
	bool lasts =
		is_same(trunk, kept) && kept->until_s > now && kept->until_s - now <= EXPIRES_MAX_S;

	trunk->epoch = kept->head.epoch;
	trunk->hold = TRUNK_OURS;
	if (!is_same(trunk, kept) || adopt(trunk, kept) != 0 || !lasts ||
	    slice_is_empty(trunk->contact)) {
		trunk_register(trunk);
		return;
	}
	trunk->until_ms = wheel_now_ms(trunk->trunks->worker->wheel) + (kept->until_s - now) * 1000;
	trunk_say(trunk, "registered", NULL);
	trunk_arm_refresh(trunk, kept->until_s - now);
}

static void on_taken(void *owner, uint64_t index, const struct store_reply *reply)
{
	struct trunk *trunk = trunk_at(owner, index);
	struct kept_trunk kept;

	if (reply->err == -ERR_DENIED || reply->err == -ERR_NOT_FOUND) {
		trunk->hold = TRUNK_UNKNOWN;
		trunk_arm(trunk, AGAIN_MS);
		return;
	}
	int err = reply->err ? reply->err : read_value(reply->value, &kept);
	if (err && err != -ERR_MALFORMED) {
		not_said(trunk);
		return;
	}
	trunk->hold = TRUNK_OURS;
	trunk->epoch++;
	if (!err && is_same(trunk, &kept) && adopt(trunk, &kept) != 0)
		log_debug(trunk->trunks->worker->log, "trunk.not_adopted", "peer=%s",
			  trunk_peer(trunk)->name);
	trunk_register(trunk);
}

static void take(struct trunk *trunk, uint64_t seen)
{
	struct trunks *trunks = trunk->trunks;
	struct buf key;

	trunk->epoch = seen;
	buf_init(&key);
	write_key(trunk, &key);
	if (buf_failed(&key))
		on_taken(trunks, index_of(trunk), &(struct store_reply){.err = -ERR_NO_MEMORY});
	else
		store_take(trunks->config.store, buf_slice(&key), trunks->worker->node, seen,
			   on_taken, trunks, index_of(trunk));
	buf_free(&key);
}

static void on_read(void *owner, uint64_t index, const struct store_reply *reply)
{
	struct trunks *trunks = owner;
	struct trunk *trunk = trunk_at(trunks, index);
	struct kept_trunk kept;

	if (trunk->hold == TRUNK_OURS)
		return; /* asked twice */
	int err = reply->err ? reply->err : read_value(reply->value, &kept);
	if (err != -ERR_NOT_FOUND && err != -ERR_MALFORMED && err != -ERR_VERSION && err) {
		not_said(trunk);
		return;
	}
	trunk->unanswered = 0;
	if (err)
		claim(trunk, err == -ERR_NOT_FOUND ? 1 : now_s(trunks));
	else if (kept.head.node == trunks->worker->node)
		go_on(trunk, &kept);
	else if (kept.head.node < 256 && trunks->is_lost[kept.head.node])
		take(trunk, kept.head.epoch);
	else
		watch(trunk, kept.head.node);
}

bool trunk_may_register(struct trunk *trunk)
{
	struct trunks *trunks = trunk->trunks;
	struct buf key;

	if (!trunks->config.store || trunk->hold == TRUNK_OURS)
		return true;
	buf_init(&key);
	write_key(trunk, &key);
	if (buf_failed(&key))
		not_said(trunk);
	else
		store_get(trunks->config.store, buf_slice(&key), on_read, trunks, index_of(trunk));
	buf_free(&key);
	return false;
}

/* --- what became of it --- */

static void on_kept(void *owner, uint64_t index, const struct store_reply *reply)
{
	struct trunk *trunk = trunk_at(owner, index);

	/* Taken while we could not be seen. What we registered expires. */
	if (reply->err == -ERR_DENIED && trunk->hold == TRUNK_OURS) {
		trunk->hold = TRUNK_UNKNOWN;
		trunk_arm(trunk, AGAIN_MS);
	}
}

void trunk_keep(struct trunk *trunk, uint32_t expires_s)
{
	owned_free(&trunk->former);
	if (!trunk->trunks->config.store)
		return;
	if (trunk->epoch == 0)
		trunk->epoch = 1;
	put(trunk, now_s(trunk->trunks) + expires_s, expires_s + SPARE_S, on_kept);
}

/* Before another node finds nothing, and claims what is registered. */
void trunks_store_returned(struct trunks *trunks)
{
	uint64_t now = wheel_now_ms(trunks->worker->wheel);

	for (uint32_t i = 0; trunks->config.store && i < trunks->count; i++) {
		struct trunk *trunk = &trunks->list[i];
		if (trunk->hold == TRUNK_OURS && trunk->until_ms > now)
			trunk_keep(trunk, (uint32_t)((trunk->until_ms - now) / 1000) + 1);
	}
}

void trunk_release(struct trunk *trunk)
{
	struct trunks *trunks = trunk->trunks;
	struct buf key;

	if (!trunks->config.store || trunk->hold != TRUNK_OURS)
		return;
	trunk->hold = TRUNK_UNKNOWN;
	buf_init(&key);
	write_key(trunk, &key);
	if (!buf_failed(&key))
		store_delete(trunks->config.store, buf_slice(&key));
	buf_free(&key);
}

void trunks_node_lost(struct trunks *trunks, uint16_t node)
{
	if (node >= 256)
		return;
	trunks->is_lost[node] = true;
	for (uint32_t i = 0; i < trunks->count; i++)
		if (trunks->list[i].hold == TRUNK_OTHERS && trunks->list[i].holder == node)
			trunk_arm(&trunks->list[i], 1);
}

void trunks_node_back(struct trunks *trunks, uint16_t node)
{
	if (node < 256)
		trunks->is_lost[node] = false;
}
