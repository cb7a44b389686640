/* takeover_load.c - all that the store has of a node: registrations first, as they tell who calls,
 * then calls, then subscriptions. One worker of the process scans, paced
 * by the store, and tells each worker which are its; that one takes them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/call/core.h"
#include "sbc/call/takeover.h"
#include "sbc/call/verbs.h"

enum { RETRY_MS = 20, NODES_MAX = 64 };

enum loading_stage { LOADING_BINDINGS, LOADING_CALLS, LOADING_SUBSCRIPTIONS, LOADING_DONE };

struct loading {
	struct core *core;
	struct timer timer;
	uint16_t nodes[NODES_MAX]; /* whose records are wanted */
	uint8_t node_count;
	uint8_t scanned; /* so many of them are in the round under way; 0 = none is */
	enum loading_stage stage;
	bool is_scanning;
	bool is_incomplete;
	uint32_t found;
};

/* A registration, or a call of our own, on its way to its worker. */
struct moved {
	struct core *core;
	size_t len;
	char bytes[];
};

/* In the worker that is to have it. */
static void on_found(void *owner, uint64_t packed, int epoch)
{
	struct core *core = owner;
	struct token name = token_unpack(packed);

	takeover_add(core->calls, &name, (uint64_t)epoch);
}

static void on_found_subscription(void *owner, uint64_t packed, int epoch)
{
	struct core *core = owner;
	struct token name = token_unpack(packed);

	subscriptions_add(core->subscriptions, &name, (uint64_t)epoch);
}

static void tell(struct loading *loading, worker_fn *fn, const struct token *name, uint64_t epoch)
{
	struct worker *worker = loading->core->worker;
	struct worker *to = workers_at(worker->all, name->worker % worker->count);

	loading->found++;
	/* A full ring: what it did not get the next scan finds again. */
	if (to == worker)
		fn(loading->core, token_pack(name), (int)epoch);
	else if (worker_run(to, fn, to->core, token_pack(name), (int)epoch) != 0)
		loading->is_incomplete = true;
}

static void on_told_all(void *owner, uint64_t number, int err)
{
	struct core *core = owner;
	(void)number, (void)err;

	takeover_told_all(core->calls);
}

static void on_told_subscriptions(void *owner, uint64_t number, int err)
{
	struct core *core = owner;
	(void)number, (void)err;

	subscriptions_told_all(core->subscriptions);
}

static void on_told_bindings(void *owner, uint64_t number, int err)
{
	struct core *core = owner;
	(void)number, (void)err;

	takeover_told_bindings(core->calls);
}

/* Behind all that it was told before. */
static void tell_end(struct loading *loading, worker_fn *fn)
{
	struct worker *worker = loading->core->worker;

	fn(loading->core, 0, 0);
	for (uint8_t i = 0; i < worker->count; i++) {
		struct worker *to = workers_at(worker->all, i);
		/* When it cannot be told, what waits there is looked at after its time. */
		if (to != worker && worker_run(to, fn, to->core, 0, 0) != 0)
			log_debug(worker->log, "calls.not_told", "worker=%u", i);
	}
}

static bool is_wanted(const struct loading *loading, uint16_t node)
{
	for (uint8_t i = 0; i < loading->scanned; i++)
		if (loading->nodes[i] == node)
			return true;
	return false;
}

static void on_moved_binding(void *owner, uint64_t id, int err)
{
	struct moved *moved = owner;
	(void)err;

	registrar_restore(moved->core->registrar, id, (struct slice){moved->bytes, moved->len});
	free(moved);
}

static void on_moved_call(void *owner, uint64_t packed, int err)
{
	struct moved *moved = owner;
	struct token name = token_unpack(packed);
	(void)err;

	takeover_give(moved->core->calls, &name, (struct slice){moved->bytes, moved->len});
	free(moved);
}

/* A full ring, or no memory: what it did not get the next scan finds again. */
static bool move(struct loading *loading, worker_fn *fn, uint8_t worker, uint64_t token,
		 struct slice value)
{
	struct worker *own = loading->core->worker;
	struct worker *to = workers_at(own->all, worker % own->count);
	struct moved *moved = malloc(sizeof(*moved) + value.len);

	if (!moved) {
		loading->is_incomplete = true;
		return false;
	}
	*moved = (struct moved){.core = to->core, .len = value.len};
	memcpy(moved->bytes, value.data, value.len);
	if (to == own) {
		fn(moved, token, 0);
	} else if (worker_run(to, fn, moved, token, 0) != 0) {
		loading->is_incomplete = true;
		free(moved);
	}
	return true;
}

/* "call:{id}". One of our own node, whoever had it before, nobody takes now who does not say so;
 * for those of a dead one others try, too. */
static bool on_call(void *owner, struct slice key, struct slice value)
{
	struct loading *loading = owner;
	const struct worker *worker = loading->core->worker;
	struct slice id = slice_sub(key, sizeof("call:"), TOKEN_LENGTH);
	struct record_head head;
	struct token name;

	if (record_head_read(value, &head) != 0 || !is_wanted(loading, head.node) ||
	    token_read(worker->token_key, TOKEN_CALL_ID, id, &name) != 0)
		return true;
	if (head.node != worker->node) {
		tell(loading, on_found, &name, head.epoch);
		return true;
	}
	loading->found++;
	return move(loading, on_moved_call, name.worker, token_pack(&name), value);
}

/* "sub:{id}" */
static bool on_subscription(void *owner, struct slice key, struct slice value)
{
	struct loading *loading = owner;
	struct record_head head;
	struct token name;

	if (record_head_read(value, &head) == 0 && is_wanted(loading, head.node) &&
	    subscription_key_read(loading->core->worker->token_key, key, &name))
		tell(loading, on_found_subscription, &name, head.epoch);
	return true;
}

/* "aor:{token}": phones of a dead node are reached by us now. */
static bool on_binding(void *owner, struct slice key, struct slice value)
{
	struct loading *loading = owner;
	const struct worker *worker = loading->core->worker;
	struct slice text = slice_sub(key, sizeof(REGISTRAR_KEPT), TOKEN_LENGTH);
	struct token token;

	if (token_read(worker->token_key, TOKEN_CONTACT, text, &token) != 0 ||
	    (token.id & 3) != CONTACT_BINDING || !is_wanted(loading, token.node))
		return true;
	return move(loading, on_moved_binding, token.worker, token.id >> 2, value);
}

static void scan(struct loading *loading);

static void on_due(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	scan(container_of(timer, struct loading, timer));
}

static void soon(struct loading *loading, uint32_t delay_ms)
{
	struct wheel *wheel = loading->core->worker->wheel;
	wheel_arm(wheel, &loading->timer, wheel_now_ms(wheel) + delay_ms, on_due);
}

/* All stages of these nodes are over. */
static void end_round(struct loading *loading)
{
	const struct log *log = loading->core->worker->log;

	for (uint8_t i = 0; i < loading->scanned; i++)
		log_info(log, "calls.found", "node=%u in_all=%u", loading->nodes[i],
			 loading->found);
	loading->node_count = (uint8_t)(loading->node_count - loading->scanned);
	memmove(loading->nodes, loading->nodes + loading->scanned,
		loading->node_count * sizeof(loading->nodes[0]));
	loading->scanned = 0;
	loading->stage = LOADING_BINDINGS;
}

static void on_scanned(void *owner, uint64_t handle, const struct store_reply *reply)
{
	static worker_fn *const told[] = {[LOADING_BINDINGS] = on_told_bindings,
					  [LOADING_CALLS] = on_told_all,
					  [LOADING_SUBSCRIPTIONS] = on_told_subscriptions};
	struct loading *loading = owner;
	(void)handle;

	loading->is_scanning = false;
	if (reply->err || loading->is_incomplete) {
		soon(loading, RETRY_MS);
		return;
	}
	tell_end(loading, told[loading->stage]);
	if (++loading->stage == LOADING_DONE)
		end_round(loading);
	if (loading->node_count > 0)
		soon(loading, 0);
}

static void scan(struct loading *loading)
{
	static const struct {
		const char *prefix;
		store_each_fn *each;
	} stages[] = {[LOADING_BINDINGS] = {REGISTRAR_KEPT, on_binding},
		      [LOADING_CALLS] = {"call:", on_call},
		      [LOADING_SUBSCRIPTIONS] = {SUBSCRIPTION_KEPT, on_subscription}};

	if (loading->is_scanning || loading->node_count == 0)
		return;
	if (loading->stage == LOADING_BINDINGS)
		loading->scanned = loading->node_count;
	if (loading->stage == LOADING_CALLS)
		loading->found = 0;
	loading->is_scanning = true;
	loading->is_incomplete = false;
	store_scan(loading->core->store, slice_from(stages[loading->stage].prefix),
		   stages[loading->stage].each, on_scanned, loading, 0);
}

void loading_begin(struct loading *loading, uint16_t node)
{
	for (uint8_t i = loading->scanned; i < loading->node_count; i++)
		if (loading->nodes[i] == node)
			return;
	if (loading->node_count == NODES_MAX)
		return;
	loading->nodes[loading->node_count++] = node;
	soon(loading, 0);
}

int loading_create(struct core *core, struct loading **out)
{
	struct loading *loading = calloc(1, sizeof(*loading));
	if (!loading)
		return -ERR_NO_MEMORY;
	loading->core = core;
	loading_begin(loading, core->worker->node);
	*out = loading;
	return 0;
}

void loading_destroy(struct loading *loading)
{
	if (!loading)
		return;
	wheel_cancel(loading->core->worker->wheel, &loading->timer);
	free(loading);
}
