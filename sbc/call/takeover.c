/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/takeover.h"
#include <stdlib.h>
#include "sbc/call/verbs.h"
#include "sbc/route/rate.h"

enum {
	ASKED_MAX = 4096,      /* calls that something waits for */
	HELD_MAX = 16,         /* messages of one call */
	HELD_BYTES = 16 << 20, /* of all */
	BEHIND_MAX = 128,      /* takes under way that nobody waits for */
	QUEUE_MAX = 1 << 20,
	TRIES_MAX = 8,
	MISSES_MAX = 4,
	RETRY_MS = 250,
	HOLD_MS = 500, /* so long for the registrations */
	EARLY_MAX_COUNT = 1024,
	CANCELS_MAX = 256,
	CANCEL_MS = 2000, /* so long a CANCEL waits */
	UNKNOWN_SLOTS = 1024,
	UNKNOWN_MS = 5000
};

/* A message that waits. */
struct held {
	struct held *next;
	struct transaction_handle handle;
	struct transport_path path;
	bool is_response;
	size_t len;
	char bytes[];
};

enum pursuit_state { PURSUIT_READING, PURSUIT_TAKING, PURSUIT_PAUSING, PURSUIT_OVER };

/* One call's record on its way here. Owned by the table. */
struct pursuit {
	struct table_link link;
	struct takeover *takeover;
	uint64_t name; /* packed */
	uint64_t epoch;
	enum pursuit_state state;
	int err; /* OVER: 0 = it is here; -ERR_NOT_FOUND; -ERR_UNREACHABLE */
	uint8_t tries;
	bool is_behind; /* nobody asked when it was begun */
	struct timer timer;
	struct held *held; /* in the order they came */
	uint8_t held_count;
};

struct found {
	uint64_t name;
	uint64_t epoch;
};

struct unknown {
	uint64_t name;
	uint64_t until_ms;
};

struct takeover {
	struct calls *calls;
	struct table pursuits;
	size_t held_bytes;
	struct found *queue; /* owned */
	uint32_t queue_first, queue_count, queue_room;
	uint32_t behind; /* pursuits of the queue under way */
	uint32_t failed;
	uint64_t began_ms;
	uint64_t began_revived;
	struct unknown unknown[UNKNOWN_SLOTS];
	struct rate reads;
	uint64_t settling; /* whose messages are looked at again */
	int settling_err;
	bool has_lost;
	bool is_told_all, is_complete; /* of the calls of before the start: all are known, here */
	struct held *cancels;          /* in the order they came */
	uint32_t cancel_count;
	struct timer cancels_due;
	bool has_bindings;  /* the registrations of before the start are here */
	struct held *early; /* what waits for them, in the order it came */
	uint32_t early_count;
	struct timer early_due;
};

int takeover_create(struct calls *calls, struct takeover **out)
{
	struct takeover *takeover = calloc(1, sizeof(*takeover));
	if (!takeover)
		return -ERR_NO_MEMORY;
	takeover->calls = calls;
	int err = table_init(&takeover->pursuits, 64);
	if (err) {
		takeover_destroy(takeover);
		return err;
	}
	*out = takeover;
	return 0;
}

static uint64_t spread(uint64_t name)
{
	return name * 0x9e3779b97f4a7c15u;
}

static struct pursuit *find(const struct takeover *takeover, uint64_t name)
{
	struct table_link *link = NULL;

	while ((link = table_find(&takeover->pursuits, spread(name), link))) {
		struct pursuit *pursuit = container_of(link, struct pursuit, link);
		if (pursuit->name == name)
			return pursuit;
	}
	return NULL;
}

static void pursuit_free(struct pursuit *pursuit)
{
	struct takeover *takeover = pursuit->takeover;

	table_remove(&takeover->pursuits, &pursuit->link);
	wheel_cancel(takeover->calls->worker->wheel, &pursuit->timer);
	while (pursuit->held) {
		struct held *held = pursuit->held;
		pursuit->held = held->next;
		takeover->held_bytes -= held->len;
		free(held);
	}
	free(pursuit);
}

void takeover_destroy(struct takeover *takeover)
{
	struct table_link *link;

	if (!takeover)
		return;
	while (takeover->pursuits.buckets && (link = table_next(&takeover->pursuits, NULL)))
		pursuit_free(container_of(link, struct pursuit, link));
	table_free(&takeover->pursuits);
	while (takeover->cancels) {
		struct held *held = takeover->cancels;
		takeover->cancels = held->next;
		free(held);
	}
	wheel_cancel(takeover->calls->worker->wheel, &takeover->cancels_due);
	while (takeover->early) {
		struct held *held = takeover->early;
		takeover->early = held->next;
		free(held);
	}
	wheel_cancel(takeover->calls->worker->wheel, &takeover->early_due);
	free(takeover->queue);
	free(takeover);
}

uint32_t takeover_waiting(const struct takeover *takeover)
{
	return takeover->queue_count + takeover->behind;
}

/* --- which calls there cannot be --- */

static struct unknown *unknown_slot(struct takeover *takeover, uint64_t name)
{
	return &takeover->unknown[(spread(name) >> 32) % UNKNOWN_SLOTS];
}

/* Given by this process: then nobody else ever had it, unless it was taken away. */
static bool is_of_this_process(const struct takeover *takeover, const struct token *name)
{
	const struct worker *worker = takeover->calls->worker;
	uint64_t age = (name->id - worker->first_id) & WORKER_NUMBER_MAX;

	return name->node == worker->node && name->worker == worker->index && age > 0 &&
	       age <= WORKER_NUMBER_MAX / 2 && !takeover->has_lost;
}

/* Is it worth a question to the store? */
static bool may_exist(struct takeover *takeover, const struct token *name)
{
	uint64_t packed = token_pack(name), now = wheel_now_ms(takeover->calls->worker->wheel);
	const struct unknown *unknown = unknown_slot(takeover, packed);

	if (!takeover->calls->is_lasting || is_of_this_process(takeover, name))
		return false;
	return unknown->name != packed || now >= unknown->until_ms;
}

static void note_unknown(struct takeover *takeover, uint64_t name)
{
	*unknown_slot(takeover, name) = (struct unknown){
		.name = name,
		.until_ms = wheel_now_ms(takeover->calls->worker->wheel) + UNKNOWN_MS};
}

/* --- what waited comes again --- */

static void refuse_later(struct calls *calls, const struct held *held)
{
	struct reply reply = {.status = 500, .headers = SLICE("Retry-After: 5\r\n")};

	if (held->handle.id && transaction_reply(calls->worker->transactions, held->handle, &reply))
		log_debug(calls->worker->log, "call.reply_not_sent", "status=500");
}

static void look_again(struct calls *calls, struct held *held, struct scan *scan)
{
	struct worker *worker = calls->worker;
	struct scan_limits limits = {.message_max = held->len, .stream = true};
	struct message *message;

	arena_reset(worker->arena);
	if (scan_message(held->bytes, held->len, &limits, scan) != SCAN_ACCEPT)
		refuse_later(calls, held);
	else if (held->is_response)
		transactions_receive(worker->transactions, scan, &held->path);
	else if (message_parse(scan, worker->arena, &message) == 0)
		calls_receive(calls, held->handle, message, &held->path);
	else
		refuse_later(calls, held);
}

static void pump(struct takeover *takeover);

static void settle(struct pursuit *pursuit)
{
	struct takeover *takeover = pursuit->takeover;
	struct calls *calls = takeover->calls;
	struct held *held = pursuit->held;
	struct scan *scan = held ? calloc(1, sizeof(*scan)) : NULL;
	uint64_t name = pursuit->name;
	int err = pursuit->err;

	if (err == -ERR_NOT_FOUND)
		note_unknown(takeover, name);
	else if (err)
		takeover->failed++;
	takeover->behind -= pursuit->is_behind;
	pursuit->held = NULL;
	pursuit_free(pursuit);
	takeover->settling = name;
	takeover->settling_err = err;
	while (held) {
		struct held *next = held->next;
		takeover->held_bytes -= held->len;
		if (scan && (!err || err == -ERR_NOT_FOUND))
			look_again(calls, held, scan);
		else
			refuse_later(calls, held);
		free(held);
		held = next;
	}
	takeover->settling = 0;
	free(scan);
	pump(takeover);
}

/* --- the record --- */

static void on_read(void *owner, uint64_t handle, const struct store_reply *reply);
static void on_taken(void *owner, uint64_t handle, const struct store_reply *reply);

static int write_key(const struct takeover *takeover, uint64_t name, struct buf *key)
{
	struct token token = token_unpack(name);
	char id[TOKEN_LENGTH];

	token_make(takeover->calls->worker->token_key, TOKEN_CALL_ID, &token, id);
	return record_key((struct slice){id, TOKEN_LENGTH}, key);
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	struct pursuit *pursuit = container_of(timer, struct pursuit, timer);
	struct takeover *takeover = pursuit->takeover;
	struct calls *calls = takeover->calls;
	struct buf key;
	(void)now_ms;

	if (pursuit->state == PURSUIT_OVER) {
		settle(pursuit);
		return;
	}
	pursuit->state = pursuit->epoch ? PURSUIT_TAKING : PURSUIT_READING;
	buf_init(&key);
	if (write_key(takeover, pursuit->name, &key) != 0)
		on_read(calls, pursuit->name, &(struct store_reply){.err = -ERR_NO_MEMORY});
	else if (pursuit->epoch)
		store_take(calls->store, buf_slice(&key), calls->worker->node, pursuit->epoch,
			   on_taken, calls, pursuit->name);
	else
		store_get(calls->store, buf_slice(&key), on_read, calls, pursuit->name);
	buf_free(&key);
}

/* On the wheel's next turn: what the store says may come from inside the question. */
static void go_on(struct pursuit *pursuit, uint32_t delay_ms)
{
	struct wheel *wheel = pursuit->takeover->calls->worker->wheel;
	wheel_arm(wheel, &pursuit->timer, wheel_now_ms(wheel) + delay_ms, on_due);
}

static void end(struct pursuit *pursuit, int err)
{
	pursuit->state = PURSUIT_OVER;
	pursuit->err = err;
	go_on(pursuit, 0);
}

/* The store did not say, or somebody was faster: it is read once more. */
static void try_again(struct pursuit *pursuit, uint32_t delay_ms)
{
	if (++pursuit->tries >= TRIES_MAX) {
		end(pursuit, -ERR_UNREACHABLE);
		return;
	}
	pursuit->state = PURSUIT_PAUSING;
	pursuit->epoch = 0;
	go_on(pursuit, delay_ms);
}

static void on_read(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct calls *calls = owner;
	struct pursuit *pursuit = find(calls->takeover, handle);
	struct record_head head;

	if (!pursuit || pursuit->state != PURSUIT_READING)
		return;
	/* A leg that was moved has the name of the call that it was taken from: until all are here
	 * it may still turn up. */
	if (reply->err == -ERR_NOT_FOUND &&
	    (calls->takeover->is_complete || pursuit->tries >= MISSES_MAX)) {
		end(pursuit, -ERR_NOT_FOUND);
	} else if (reply->err && reply->err != -ERR_MALFORMED) {
		try_again(pursuit, RETRY_MS);
	} else if (reply->err || record_head_read(reply->value, &head) != 0) {
		record_refused(calls, handle, -ERR_MALFORMED);
		end(pursuit, -ERR_NOT_FOUND);
	} else {
		pursuit->epoch = head.epoch;
		go_on(pursuit, 0);
	}
}

static void on_taken(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct calls *calls = owner;
	struct pursuit *pursuit = find(calls->takeover, handle);
	struct token name = token_unpack(handle);

	if (!pursuit || pursuit->state != PURSUIT_TAKING)
		return;
	if (calls_by_token(calls, &name, 0)) {
		end(pursuit, 0);
	} else if (reply->err == -ERR_NOT_FOUND) {
		end(pursuit, -ERR_NOT_FOUND);
	} else if (reply->err == -ERR_DENIED) {
		/* Nobody waits: whoever took it has it. */
		if (pursuit->held)
			try_again(pursuit, 10);
		else
			end(pursuit, -ERR_NOT_FOUND);
	} else if (reply->err && reply->err != -ERR_MALFORMED) {
		try_again(pursuit, RETRY_MS);
	} else {
		int err = reply->err ? reply->err : record_take_up(calls, reply->value);
		if (err)
			record_refused(calls, handle, err);
		end(pursuit, err ? -ERR_NOT_FOUND : 0);
	}
}

static struct pursuit *begin(struct takeover *takeover, uint64_t name, uint64_t epoch)
{
	struct pursuit *pursuit = calloc(1, sizeof(*pursuit));

	if (!pursuit)
		return NULL;
	pursuit->takeover = takeover;
	pursuit->name = name;
	pursuit->epoch = epoch;
	pursuit->state = PURSUIT_PAUSING;
	table_insert(&takeover->pursuits, &pursuit->link, spread(name));
	go_on(pursuit, 0);
	return pursuit;
}

/* --- asked for --- */

static bool hold(struct pursuit *pursuit, struct transaction_handle handle,
		 const struct message *message, const struct transport_path *path)
{
	struct takeover *takeover = pursuit->takeover;
	struct slice bytes = message_scan(message)->message;
	struct held **last = &pursuit->held;

	if (pursuit->held_count == HELD_MAX || takeover->held_bytes + bytes.len > HELD_BYTES)
		return false;
	struct held *held = malloc(sizeof(*held) + bytes.len);
	if (!held)
		return false;
	*held = (struct held){.handle = handle,
			      .path = *path,
			      .is_response = !message_is_request(message),
			      .len = bytes.len};
	memcpy(held->bytes, bytes.data, bytes.len);
	while (*last)
		last = &(*last)->next;
	*last = held;
	pursuit->held_count++;
	takeover->held_bytes += bytes.len;
	return true;
}

enum verdict { GOES_ON, WAITS, IS_TOO_MUCH };

static enum verdict wait_for(struct calls *calls, struct slice tag,
			     struct transaction_handle handle, const struct message *message,
			     const struct transport_path *path)
{
	static const struct config_rate reads = {.count = 4000, .period_ms = 1000};
	struct takeover *takeover = calls->takeover;
	struct token name;
	struct call *call;
	uint8_t leg;

	if (token_read(calls->worker->token_key, TOKEN_TAG, slice_sub(tag, 0, TOKEN_LENGTH),
		       &name) != 0 ||
	    (name.id & 3) >= LEGS)
		return GOES_ON;
	name.id >>= 2;
	uint64_t packed = token_pack(&name);
	if (packed == takeover->settling || calls_by_tag(calls, tag, &call, &leg) ||
	    !may_exist(takeover, &name))
		return GOES_ON;
	struct pursuit *pursuit = find(takeover, packed);
	if (!pursuit && (takeover->pursuits.count >= ASKED_MAX ||
			 !rate_take(&takeover->reads, reads, wheel_now_ms(calls->worker->wheel)) ||
			 !(pursuit = begin(takeover, packed, 0))))
		return IS_TOO_MUCH;
	return hold(pursuit, handle, message, path) ? WAITS : IS_TOO_MUCH;
}

bool takeover_request(struct calls *calls, struct transaction_handle handle,
		      const struct message *request, const struct transport_path *path)
{
	enum verdict verdict = wait_for(calls, message_to_tag(request), handle, request, path);

	if (verdict == IS_TOO_MUCH)
		refuse_later(calls, &(struct held){.handle = handle});
	return verdict != GOES_ON;
}

bool takeover_response(struct calls *calls, const struct message *response,
		       const struct transport_path *path)
{
	return wait_for(calls, message_from_tag(response), TRANSACTION_NONE, response, path) !=
	       GOES_ON;
}

void takeover_lost_one(struct calls *calls)
{
	calls->takeover->has_lost = true;
}

/* --- behind --- */

static void say_done(struct takeover *takeover)
{
	struct calls *calls = takeover->calls;
	uint64_t revived = counter_get(&calls->counters.revived) - takeover->began_revived;

	log_info(calls->worker->log, "calls.taken_up",
		 "worker=%u count=%llu failed=%u took_ms=%llu", calls->worker->index,
		 (unsigned long long)revived, takeover->failed,
		 (unsigned long long)(wheel_now_ms(calls->worker->wheel) - takeover->began_ms));
	takeover->began_ms = 0;
	takeover->failed = 0;
}

static void release_early(struct takeover *takeover)
{
	struct calls *calls = takeover->calls;
	struct worker *worker = calls->worker;
	struct held *held = takeover->early;
	struct scan *scan = held ? calloc(1, sizeof(*scan)) : NULL;

	wheel_cancel(worker->wheel, &takeover->early_due);
	takeover->has_bindings = true;
	takeover->early = NULL;
	while (held) {
		struct held *next = held->next;
		struct scan_limits limits = {.message_max = held->len, .stream = true};
		struct message *message;
		arena_reset(worker->arena);
		if (scan && scan_message(held->bytes, held->len, &limits, scan) == SCAN_ACCEPT &&
		    message_parse(scan, worker->arena, &message) == 0)
			calls->again(calls->owner, held->handle, message, &held->path);
		else
			refuse_later(calls, held);
		free(held);
		held = next;
	}
	free(scan);
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
	struct held **last = &takeover->early;
	struct wheel *wheel = calls->worker->wheel;
	struct slice bytes = message_scan(request)->message;

	if (!calls->is_lasting || takeover->has_bindings || !handle.id ||
	    message_to_tag(request).len > 0 || takeover->early_count == EARLY_MAX_COUNT)
		return false;
	struct held *held = malloc(sizeof(*held) + bytes.len);
	if (!held)
		return false;
	*held = (struct held){.handle = handle, .path = *path, .len = bytes.len};
	memcpy(held->bytes, bytes.data, bytes.len);
	while (*last)
		last = &(*last)->next;
	*last = held;
	if (takeover->early_count++ == 0)
		wheel_arm(wheel, &takeover->early_due, wheel_now_ms(wheel) + HOLD_MS, on_early_due);
	return true;
}

bool takeover_cancelled(struct calls *calls, struct transaction_handle handle)
{
	struct reply reply = {.status = 487};

	for (struct held **at = &calls->takeover->early; *at; at = &(*at)->next) {
		struct held *held = *at;
		if (held->handle.id != handle.id)
			continue;
		*at = held->next;
		free(held);
		if (transaction_reply(calls->worker->transactions, handle, &reply) != 0)
			log_debug(calls->worker->log, "call.reply_not_sent", "status=487");
		return true;
	}
	return false;
}

static void release_cancels(struct takeover *takeover)
{
	struct worker *worker = takeover->calls->worker;
	struct held *held = takeover->cancels;
	struct scan *scan = held ? calloc(1, sizeof(*scan)) : NULL;

	wheel_cancel(worker->wheel, &takeover->cancels_due);
	takeover->is_complete = true;
	takeover->cancels = NULL;
	takeover->cancel_count = 0;
	while (held) {
		struct held *next = held->next;
		struct scan_limits limits = {.message_max = held->len, .stream = true};
		arena_reset(worker->arena);
		if (scan && scan_message(held->bytes, held->len, &limits, scan) == SCAN_ACCEPT)
			transactions_receive(worker->transactions, scan, &held->path);
		free(held);
		held = next;
	}
	free(scan);
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
	struct held **last = &takeover->cancels;
	struct wheel *wheel = calls->worker->wheel;
	struct slice bytes = cancel->message;

	if (!calls->is_lasting || takeover->is_complete || takeover->cancel_count == CANCELS_MAX ||
	    calls->worker->config->state.protect != CONFIG_PROTECT_RINGING)
		return false;
	struct held *held = malloc(sizeof(*held) + bytes.len);
	if (!held)
		return false;
	*held = (struct held){.path = *path, .len = bytes.len};
	memcpy(held->bytes, bytes.data, bytes.len);
	while (*last)
		last = &(*last)->next;
	*last = held;
	if (takeover->cancel_count++ == 0)
		wheel_arm(wheel, &takeover->cancels_due, wheel_now_ms(wheel) + CANCEL_MS,
			  on_cancels_due);
	return true;
}

void takeover_told_all(struct calls *calls)
{
	calls->takeover->is_told_all = true;
	pump(calls->takeover);
}

static void pump(struct takeover *takeover)
{
	while (takeover->queue_count > 0 && takeover->behind < BEHIND_MAX) {
		struct found found = takeover->queue[takeover->queue_first++];
		struct token name = token_unpack(found.name);
		takeover->queue_count--;
		if (calls_by_token(takeover->calls, &name, 0) || find(takeover, found.name))
			continue;
		struct pursuit *pursuit = begin(takeover, found.name, found.epoch);
		if (!pursuit)
			continue;
		pursuit->is_behind = true;
		takeover->behind++;
	}
	if (takeover->queue_count == 0)
		takeover->queue_first = 0;
	if (takeover_waiting(takeover) > 0)
		return;
	if (takeover->began_ms)
		say_done(takeover);
	/* Not from inside a message. */
	if (takeover->is_told_all && !takeover->is_complete) {
		struct wheel *wheel = takeover->calls->worker->wheel;
		wheel_arm(wheel, &takeover->cancels_due, wheel_now_ms(wheel), on_cancels_due);
	}
}

static bool make_room(struct takeover *takeover)
{
	uint32_t end = takeover->queue_first + takeover->queue_count;

	if (end < takeover->queue_room)
		return true;
	if (takeover->queue_first > 0) {
		memmove(takeover->queue, takeover->queue + takeover->queue_first,
			takeover->queue_count * sizeof(*takeover->queue));
		takeover->queue_first = 0;
		return true;
	}
	uint32_t room = takeover->queue_room ? takeover->queue_room * 2 : 256;
	struct found *more =
		room > QUEUE_MAX ? NULL : realloc(takeover->queue, room * sizeof(*takeover->queue));
	if (!more)
		return false;
	takeover->queue = more;
	takeover->queue_room = room;
	return true;
}

void takeover_add(struct calls *calls, const struct token *name, uint64_t epoch)
{
	struct takeover *takeover = calls->takeover;

	if (calls_by_token(calls, name, 0) || !make_room(takeover))
		return;
	if (!takeover->began_ms) {
		takeover->began_ms = wheel_now_ms(calls->worker->wheel);
		takeover->began_revived = counter_get(&calls->counters.revived);
	}
	takeover->queue[takeover->queue_first + takeover->queue_count++] =
		(struct found){token_pack(name), epoch};
	pump(takeover);
}
