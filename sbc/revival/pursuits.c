/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/revival/pursuits.h"
#include <stdlib.h>
#include "control/base/table.h"
#include "control/state/record_head.h"
#include "sbc/route/rate.h"

enum {
	ASKED_MAX = 4096,      /* records that something waits for */
	HELD_MAX = 16,         /* messages of one */
	HELD_BYTES = 16 << 20, /* of all */
	BEHIND_MAX = 128,      /* takes under way that nobody waits for */
	QUEUE_MAX = 1 << 20,
	TRIES_MAX = 8,
	MISSES_MAX = 4,
	RETRY_MS = 250,
	WHOLE_MS = 25,
	UNKNOWN_SLOTS = 1024,
	UNKNOWN_MS = 5000
};

enum pursuit_state { PURSUIT_READING, PURSUIT_TAKING, PURSUIT_PAUSING, PURSUIT_OVER };

/* One record on its way here. Owned by the table. */
struct pursuit {
	struct table_link link;
	struct pursuits *pursuits;
	uint64_t name;
	uint64_t epoch;
	uint16_t node; /* whose it was, when it was read */
	bool is_read;  /* `epoch` is known */
	enum pursuit_state state;
	int err; /* OVER: 0 = it is here; -ERR_NOT_FOUND; -ERR_DENIED; -ERR_UNREACHABLE */
	uint8_t tries;
	bool is_behind; /* nobody asked when it was begun */
	struct timer timer;
	struct held_list held;
};

struct found {
	uint64_t name;
	uint64_t epoch;
};

struct unknown {
	uint64_t name;
	uint64_t until_ms;
	bool is_over; /* it has ended here; else nobody knows it */
};

struct pursuits {
	struct pursuits_config config;
	struct worker *worker;
	struct table table;
	size_t held_bytes;
	struct found *queue; /* owned */
	uint32_t queue_first, queue_count, queue_room;
	uint32_t behind; /* pursuits of the queue under way */
	uint32_t taken, failed;
	uint64_t began_ms;
	struct unknown unknown[UNKNOWN_SLOTS];
	struct rate reads;
	uint64_t settling; /* whose messages are looked at again */
	bool is_given;     /* the walk gives, so that there is more to come */
	bool has_lost;
	bool is_complete;
};

int pursuits_create(const struct pursuits_config *config, struct pursuits **out)
{
	struct pursuits *pursuits = calloc(1, sizeof(*pursuits));
	if (!pursuits)
		return -ERR_NO_MEMORY;
	pursuits->config = *config;
	pursuits->worker = config->worker;
	int err = table_init(&pursuits->table, 64);
	if (err) {
		free(pursuits);
		return err;
	}
	*out = pursuits;
	return 0;
}

static uint64_t now_of(const struct pursuits *pursuits)
{
	return wheel_now_ms(pursuits->worker->wheel);
}

static uint64_t spread(uint64_t name)
{
	return name * 0x9e3779b97f4a7c15u;
}

static struct pursuit *find(const struct pursuits *pursuits, uint64_t name)
{
	struct table_link *link = NULL;

	while ((link = table_find(&pursuits->table, spread(name), link))) {
		struct pursuit *pursuit = container_of(link, struct pursuit, link);
		if (pursuit->name == name)
			return pursuit;
	}
	return NULL;
}

static void pursuit_free(struct pursuit *pursuit)
{
	struct pursuits *pursuits = pursuit->pursuits;

	table_remove(&pursuits->table, &pursuit->link);
	wheel_cancel(pursuits->worker->wheel, &pursuit->timer);
	pursuits->held_bytes -= pursuit->held.bytes;
	held_free(&pursuit->held);
	free(pursuit);
}

void pursuits_destroy(struct pursuits *pursuits)
{
	struct table_link *link;

	if (!pursuits)
		return;
	while ((link = table_next(&pursuits->table, NULL)))
		pursuit_free(container_of(link, struct pursuit, link));
	table_free(&pursuits->table);
	free(pursuits->queue);
	free(pursuits);
}

uint32_t pursuits_waiting(const struct pursuits *pursuits)
{
	return pursuits->queue_count + pursuits->behind;
}

void pursuits_lost_one(struct pursuits *pursuits)
{
	pursuits->has_lost = true;
}

void pursuits_complete(struct pursuits *pursuits)
{
	pursuits->is_complete = true;
}

/* --- which there cannot be --- */

static struct unknown *unknown_slot(struct pursuits *pursuits, uint64_t name)
{
	return &pursuits->unknown[(spread(name) >> 32) % UNKNOWN_SLOTS];
}

/* Given by this process: then nobody else ever had it, unless it was taken away. */
static bool is_of_this_process(const struct pursuits *pursuits, uint64_t packed)
{
	const struct worker *worker = pursuits->worker;
	struct token name = token_unpack(packed);
	uint64_t age = (name.id - worker->first_id) & WORKER_NUMBER_MAX;

	return name.node == worker->node && name.worker == worker->index && age > 0 &&
	       age <= WORKER_NUMBER_MAX / 2 && !pursuits->has_lost;
}

/* Is it worth a question to the store? */
static bool may_exist(struct pursuits *pursuits, uint64_t name)
{
	const struct unknown *unknown = unknown_slot(pursuits, name);

	if (!pursuits->config.is_lasting || is_of_this_process(pursuits, name))
		return false;
	return unknown->name != name || now_of(pursuits) >= unknown->until_ms;
}

/* The store has it for some ms more, and whoever walks through it finds it there. */
void pursuits_over(struct pursuits *pursuits, uint64_t name)
{
	if (is_of_this_process(pursuits, name))
		return;
	*unknown_slot(pursuits, name) = (struct unknown){
		.name = name, .until_ms = now_of(pursuits) + UNKNOWN_MS, .is_over = true};
}

static bool is_over(struct pursuits *pursuits, uint64_t name)
{
	const struct unknown *unknown = unknown_slot(pursuits, name);

	return unknown->is_over && unknown->name == name && now_of(pursuits) < unknown->until_ms;
}

static void note_unknown(struct pursuits *pursuits, uint64_t name)
{
	*unknown_slot(pursuits, name) =
		(struct unknown){.name = name, .until_ms = now_of(pursuits) + UNKNOWN_MS};
}

/* --- what waited comes again --- */

static void pump(struct pursuits *pursuits);

static void settle(struct pursuit *pursuit)
{
	struct pursuits *pursuits = pursuit->pursuits;
	const struct pursuits_config *config = &pursuits->config;
	struct held_list held = pursuit->held;
	uint64_t name = pursuit->name;
	int err = pursuit->err;

	if (err == -ERR_NOT_FOUND)
		note_unknown(pursuits, name);
	else if (err && err != -ERR_DENIED)
		pursuits->failed++;
	pursuits->taken += err == 0;
	pursuits->behind -= pursuit->is_behind;
	pursuits->held_bytes -= held.bytes;
	pursuit->held = (struct held_list){0};
	pursuit_free(pursuit);
	pursuits->settling = name;
	if (!err || err == -ERR_NOT_FOUND)
		held_release(pursuits->worker, &held, config->again, config->owner);
	else
		held_refuse(pursuits->worker, &held);
	pursuits->settling = 0;
	pump(pursuits);
}

/* --- the record --- */

static void on_read(void *owner, uint64_t handle, const struct store_reply *reply);
static void on_taken(void *owner, uint64_t handle, const struct store_reply *reply);

static void on_due(struct timer *timer, uint64_t now_ms);

/* Others need not wait for it meanwhile: it is here. */
static bool waits_for_others(struct pursuit *pursuit)
{
	struct pursuits *pursuits = pursuit->pursuits;
	const struct pursuits_config *config = &pursuits->config;
	struct wheel *wheel = pursuits->worker->wheel;

	if (pursuit->err || !config->is_whole || pursuit->held.count == 0 ||
	    ++pursuit->tries >= TRIES_MAX || config->is_whole(config->owner, pursuit->name))
		return false;
	pursuits->behind -= pursuit->is_behind;
	pursuit->is_behind = false;
	wheel_arm(wheel, &pursuit->timer, wheel_now_ms(wheel) + WHOLE_MS, on_due);
	pump(pursuits);
	return true;
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	struct pursuit *pursuit = container_of(timer, struct pursuit, timer);
	struct pursuits *pursuits = pursuit->pursuits;
	const struct pursuits_config *config = &pursuits->config;
	struct buf key;
	(void)now_ms;

	if (pursuit->state == PURSUIT_OVER) {
		if (!waits_for_others(pursuit))
			settle(pursuit);
		return;
	}
	pursuit->state = pursuit->is_read ? PURSUIT_TAKING : PURSUIT_READING;
	buf_init(&key);
	if (config->write_key(config->owner, pursuit->name, &key) != 0 || buf_failed(&key)) {
		pursuit->state = PURSUIT_READING;
		on_read(pursuits, pursuit->name, &(struct store_reply){.err = -ERR_NO_MEMORY});
	} else if (pursuit->is_read) {
		store_take(config->store, buf_slice(&key), pursuits->worker->node, pursuit->epoch,
			   on_taken, pursuits, pursuit->name);
	} else {
		store_get(config->store, buf_slice(&key), on_read, pursuits, pursuit->name);
	}
	buf_free(&key);
}

/* On the wheel's next turn: what the store says may come from inside the question. */
static void go_on(struct pursuit *pursuit, uint32_t delay_ms)
{
	struct wheel *wheel = pursuit->pursuits->worker->wheel;
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
	pursuit->is_read = false;
	go_on(pursuit, delay_ms);
}

/* One of the version before has no head, and is nobody's; where records are sealed it could be
 * anybody's. */
static int read_head(const struct pursuits *pursuits, struct slice value, struct record_head *out)
{
	struct slice body;

	if (pursuits->worker->config->state.key)
		return record_head_read(value, out);
	return record_head_split(value, out, &body);
}

static void on_read(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct pursuits *pursuits = owner;
	const struct pursuits_config *config = &pursuits->config;
	struct pursuit *pursuit = find(pursuits, handle);
	struct record_head head;

	if (!pursuit || pursuit->state != PURSUIT_READING)
		return;
	/* A leg that was moved has the name of the call that it was taken from: until all are here
	 * it may still turn up. */
	if (reply->err == -ERR_NOT_FOUND &&
	    (pursuits->is_complete || pursuit->tries >= MISSES_MAX)) {
		end(pursuit, -ERR_NOT_FOUND);
	} else if (reply->err && reply->err != -ERR_MALFORMED) {
		try_again(pursuit, RETRY_MS);
	} else if (reply->err || read_head(pursuits, reply->value, &head) != 0) {
		config->on_refused(config->owner, handle, -ERR_MALFORMED);
		end(pursuit, -ERR_NOT_FOUND);
	} else {
		pursuit->is_read = true;
		pursuit->epoch = head.epoch;
		pursuit->node = head.node;
		go_on(pursuit, 0);
	}
}

/* Another node was faster. If it was this message, that node answers; if it was another one, the
 * sender of this one repeats it, and by then it is the other node's call to lose. So what UDP
 * brought is left; over a connection nobody else can have got the same. */
static void yield(struct pursuit *pursuit)
{
	struct pursuits *pursuits = pursuit->pursuits;

	pursuits->held_bytes -= pursuit->held.bytes;
	held_leave(pursuits->worker, &pursuit->held);
	pursuits->held_bytes += pursuit->held.bytes;
	if (pursuit->held.count > 0)
		try_again(pursuit, RETRY_MS);
	else
		end(pursuit, -ERR_DENIED);
}

static int take_up(struct pursuit *pursuit, struct slice value)
{
	const struct pursuits_config *config = &pursuit->pursuits->config;
	uint16_t own = pursuit->pursuits->worker->node;

	int err = config->take_up(config->owner, value);
	if (!err && pursuit->node && pursuit->node != own)
		config->on_taken(config->owner, pursuit->name, pursuit->epoch + 1);
	return err;
}

static void on_taken(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct pursuits *pursuits = owner;
	const struct pursuits_config *config = &pursuits->config;
	struct pursuit *pursuit = find(pursuits, handle);

	if (!pursuit || pursuit->state != PURSUIT_TAKING)
		return;
	if (config->is_here(config->owner, handle)) {
		end(pursuit, 0);
	} else if (reply->err == -ERR_NOT_FOUND) {
		end(pursuit, -ERR_NOT_FOUND);
	} else if (reply->err == -ERR_DENIED) {
		yield(pursuit);
	} else if (reply->err && reply->err != -ERR_MALFORMED) {
		try_again(pursuit, RETRY_MS);
	} else {
		int err = reply->err ? reply->err : take_up(pursuit, reply->value);
		if (err)
			config->on_refused(config->owner, handle, err);
		end(pursuit, err ? -ERR_NOT_FOUND : 0);
	}
}

static struct pursuit *begin(struct pursuits *pursuits, uint64_t name, uint64_t epoch)
{
	struct pursuit *pursuit = calloc(1, sizeof(*pursuit));

	if (!pursuit)
		return NULL;
	pursuit->pursuits = pursuits;
	pursuit->name = name;
	pursuit->epoch = epoch;
	pursuit->is_read = epoch > 0;
	pursuit->state = PURSUIT_PAUSING;
	table_insert(&pursuits->table, &pursuit->link, spread(name));
	go_on(pursuit, 0);
	return pursuit;
}

/* --- asked for --- */

static bool hold(struct pursuit *pursuit, struct transaction_handle handle,
		 const struct message *message, const struct transport_path *path)
{
	struct pursuits *pursuits = pursuit->pursuits;
	struct slice bytes = message_scan(message)->message;

	if (pursuit->held.count == HELD_MAX || pursuits->held_bytes + bytes.len > HELD_BYTES ||
	    held_add(&pursuit->held, handle, !message_is_request(message), bytes, path) != 0)
		return false;
	pursuits->held_bytes += bytes.len;
	return true;
}

bool pursuits_wait(struct pursuits *pursuits, uint64_t name, struct transaction_handle handle,
		   const struct message *message, const struct transport_path *path)
{
	static const struct config_rate reads = {.count = 4000, .period_ms = 1000};

	if (name == pursuits->settling || !may_exist(pursuits, name))
		return false;
	struct pursuit *pursuit = find(pursuits, name);
	if (!pursuit && pursuits->table.count < ASKED_MAX &&
	    rate_take(&pursuits->reads, reads, now_of(pursuits)))
		pursuit = begin(pursuits, name, 0);
	if (!pursuit || !hold(pursuit, handle, message, path))
		held_refuse_one(pursuits->worker, handle);
	return true;
}

/* --- behind --- */

static void say_done(struct pursuits *pursuits)
{
	log_info(pursuits->worker->log, pursuits->config.said,
		 "worker=%u count=%u failed=%u took_ms=%llu", pursuits->worker->index,
		 pursuits->taken, pursuits->failed,
		 (unsigned long long)(now_of(pursuits) - pursuits->began_ms));
	pursuits->began_ms = 0;
	pursuits->failed = 0;
}

static void pump(struct pursuits *pursuits)
{
	const struct pursuits_config *config = &pursuits->config;

	while (pursuits->queue_count > 0 && pursuits->behind < BEHIND_MAX) {
		struct found found = pursuits->queue[pursuits->queue_first++];
		pursuits->queue_count--;
		if (config->is_here(config->owner, found.name) || is_over(pursuits, found.name) ||
		    find(pursuits, found.name))
			continue;
		struct pursuit *pursuit = begin(pursuits, found.name, found.epoch);
		if (!pursuit)
			continue;
		pursuit->is_behind = true;
		pursuits->behind++;
	}
	if (pursuits->queue_count == 0)
		pursuits->queue_first = 0;
	if (pursuits_waiting(pursuits) > 0)
		return;
	if (pursuits->began_ms && !pursuits->is_given)
		say_done(pursuits);
	if (config->on_idle)
		config->on_idle(config->owner);
}

static bool make_room(struct pursuits *pursuits)
{
	uint32_t end = pursuits->queue_first + pursuits->queue_count;

	if (end < pursuits->queue_room)
		return true;
	if (pursuits->queue_first > 0) {
		memmove(pursuits->queue, pursuits->queue + pursuits->queue_first,
			pursuits->queue_count * sizeof(*pursuits->queue));
		pursuits->queue_first = 0;
		return true;
	}
	uint32_t room = pursuits->queue_room ? pursuits->queue_room * 2 : 256;
	struct found *more =
		room > QUEUE_MAX ? NULL : realloc(pursuits->queue, room * sizeof(*pursuits->queue));
	if (!more)
		return false;
	pursuits->queue = more;
	pursuits->queue_room = room;
	return true;
}

static void begin_count(struct pursuits *pursuits)
{
	if (pursuits->began_ms)
		return;
	pursuits->began_ms = now_of(pursuits);
	pursuits->taken = 0;
}

void pursuits_add(struct pursuits *pursuits, uint64_t name, uint64_t epoch)
{
	if (pursuits->config.is_here(pursuits->config.owner, name) || !make_room(pursuits))
		return;
	begin_count(pursuits);
	pursuits->queue[pursuits->queue_first + pursuits->queue_count++] =
		(struct found){name, epoch};
	pump(pursuits);
}

/* --- read by the walk at the start --- */

void pursuits_give(struct pursuits *pursuits, uint64_t name, struct slice value)
{
	const struct pursuits_config *config = &pursuits->config;

	struct pursuit *pursuit = find(pursuits, name);
	struct record_head head;

	/* Somebody waits for it: then it is taken, for he may have asked another node too. */
	if (pursuit && pursuit->state == PURSUIT_PAUSING && record_head_read(value, &head) == 0) {
		pursuit->is_read = true;
		pursuit->epoch = head.epoch;
		pursuit->node = head.node;
		go_on(pursuit, 0);
	}
	if (pursuit || config->is_here(config->owner, name) || is_over(pursuits, name))
		return;
	begin_count(pursuits);
	pursuits->is_given = true;
	int err = config->take_up(config->owner, value);
	pursuits->taken += err == 0;
	pursuits->failed += err != 0;
	if (err)
		config->on_refused(config->owner, name, err);
}

void pursuits_told_all(struct pursuits *pursuits)
{
	pursuits->is_given = false;
	pump(pursuits);
}
