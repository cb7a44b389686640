/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/neighbours.h"
#include <stdlib.h>
#include "control/state/nodes.h"
#include "sbc/call/floating.h"
#include "sbc/call/takeover.h"
#include "sbc/call/verbs.h"
#include "sbc/registration/trunk.h"
#include "sbc/route/shared.h"
#include "sbc/route/shares.h"

enum {
	NEWS_MAX = 1024, /* older ones are learnt at the next write */
	ARRIVAL_MS = 30, /* between two addresses that are moved together */
	NEWS_MS = 12000  /* so long until every node has found a new one (nodes.c) */
};

/* Who it is about stands in the first letter of its line. */
enum news_kind { NEWS_CALL = 'c', NEWS_SUBSCRIPTION = 's' };

struct news {
	enum news_kind kind;
	uint64_t name; /* packed */
	uint64_t epoch;
	uint64_t until_ms;
};

struct neighbours {
	struct core *core;
	struct nodes *nodes;
	struct floating *floating;
	uint32_t had[NODE_NUMBER_MAX + 1]; /* of these, the ones that calls of a node may be at */
	uint32_t arrived;                  /* not looked at yet */
	struct timer arrival;
	struct shares *shares;
	bool leaves[NODE_NUMBER_MAX + 1]; /* it is draining: nobody's heir */
	struct news news[NEWS_MAX];       /* a ring */
	uint32_t next;
};

/* --- what we tell --- */

static void note(struct core *core, enum news_kind kind, uint64_t name, int epoch)
{
	struct neighbours *neighbours = core->neighbours;

	if (!neighbours)
		return;
	neighbours->news[neighbours->next++ % NEWS_MAX] =
		(struct news){.kind = kind,
			      .name = name,
			      .epoch = (uint64_t)epoch,
			      .until_ms = wheel_now_ms(core->worker->wheel) + NEWS_MS};
}

/* In worker 0. */
static void on_took_call(void *owner, uint64_t name, int epoch)
{
	struct worker *worker = owner;
	note(worker->core, NEWS_CALL, name, epoch);
}

static void on_took_subscription(void *owner, uint64_t name, int epoch)
{
	struct worker *worker = owner;
	note(worker->core, NEWS_SUBSCRIPTION, name, epoch);
}

/* What cannot be said now its former owner learns at its next write. */
static void tell(const struct core *core, worker_fn *fn, uint64_t name, uint64_t epoch)
{
	struct worker *first = workers_at(core->worker->all, 0);

	if (first == core->worker)
		fn(first, name, (int)epoch);
	else if (worker_run(first, fn, first, name, (int)epoch) != 0)
		log_debug(core->worker->log, "node.not_told", NULL);
}

void neighbours_took_call(void *owner, uint64_t name, uint64_t epoch)
{
	tell(owner, on_took_call, name, epoch);
}

void neighbours_took_subscription(void *owner, uint64_t name, uint64_t epoch)
{
	tell(owner, on_took_subscription, name, epoch);
}

/* "a 203.0.113.10" for each address that calls of ours may be at. */
static void tell_addresses(const struct neighbours *neighbours, struct buf *lines)
{
	uint32_t had = floating_had(neighbours->floating);
	char text[ADDR_TEXT_SIZE];

	for (uint8_t i = 0; i < FLOATING_MAX; i++)
		if (had >> i & 1)
			buf_printf(lines, "a %s\n",
				   addr_ip_text(floating_at(neighbours->floating, i), text));
}

static void count_heirs(const struct neighbours *neighbours)
{
	struct shared *shared = neighbours->core->worker->shared;
	uint32_t heirs = 0;

	for (uint16_t number = 1; number <= NODE_NUMBER_MAX; number++)
		heirs += number != neighbours->core->worker->node && !neighbours->leaves[number] &&
			 nodes_is_alive(neighbours->nodes, number);
	atomic_store(&shared->heirs, heirs);
}

static void on_beat(void *owner, struct buf *lines)
{
	struct neighbours *neighbours = owner;
	const struct shared *shared = neighbours->core->worker->shared;
	uint64_t now = wheel_now_ms(neighbours->core->worker->wheel);

	for (uint32_t i = 0; i < NEWS_MAX; i++) {
		const struct news *news = &neighbours->news[i];
		if (news->until_ms > now)
			buf_printf(lines, "%c %llu %llu\n", (char)news->kind,
				   (unsigned long long)news->name, (unsigned long long)news->epoch);
	}
	if (atomic_load(&shared->is_draining))
		buf_add_text(lines, "d\n");
	tell_addresses(neighbours, lines);
	count_heirs(neighbours);
	shares_beat(neighbours->shares, lines);
}

/* --- what we are told --- */

static void on_call_gone(void *owner, uint64_t name, int epoch)
{
	struct worker *worker = owner;
	const struct core *core = worker->core;
	struct token token = token_unpack(name);
	struct call *call = calls_by_token(core->calls, &token, 0);

	if (call && call->epoch < (uint64_t)epoch)
		call_lose(call);
}

static void on_subscription_gone(void *owner, uint64_t name, int epoch)
{
	struct worker *worker = owner;
	const struct core *core = worker->core;

	subscriptions_taken(core->subscriptions, name, (uint64_t)epoch);
}

/* To the worker that has it, if any has. */
static void pass_on(const struct neighbours *neighbours, worker_fn *fn, uint64_t name, int epoch)
{
	const struct worker *own = neighbours->core->worker;
	struct worker *to = workers_at(own->all, token_unpack(name).worker % own->count);

	if (to == own)
		fn(to, name, epoch);
	else if (worker_run(to, fn, to, name, epoch) != 0)
		log_debug(own->log, "calls.not_told", "worker=%u", to->index);
}

/* "c NAME EPOCH" or "s NAME EPOCH" */
static void on_news(const struct neighbours *neighbours, worker_fn *fn, struct slice line)
{
	struct slice name, text;
	uint64_t packed, epoch;

	if (slice_next_word(&line, &name) && slice_next_word(&line, &text) &&
	    slice_to_u64(name, UINT64_MAX, &packed) == 0 &&
	    slice_to_u64(text, INT32_MAX, &epoch) == 0)
		pass_on(neighbours, fn, packed, (int)epoch);
}

static void on_told(void *owner, uint16_t number, struct slice lines)
{
	struct neighbours *neighbours = owner;
	struct slice line, kind, name;
	bool leaves = false;
	uint32_t had = 0;

	shares_heard(neighbours->shares, number);
	while (slice_next_line(&lines, &line)) {
		if (!slice_next_word(&line, &kind) || kind.len != 1)
			continue; /* of a later version */
		if (kind.data[0] == NEWS_CALL)
			on_news(neighbours, on_call_gone, line);
		else if (kind.data[0] == NEWS_SUBSCRIPTION)
			on_news(neighbours, on_subscription_gone, line);
		else if (kind.data[0] == 'p')
			shares_told(neighbours->shares, number, line);
		else if (kind.data[0] == 'd')
			leaves = true;
		else if (kind.data[0] == 'a' && slice_next_word(&line, &name))
			had |= floating_find(neighbours->floating, name);
	}
	neighbours->had[number] = had;
	neighbours->leaves[number] = leaves;
	count_heirs(neighbours);
}

/* Addresses have come here: whose calls may be at them need not be waited for. Should that node
 * live, it is told by news. */
static void on_all_arrived(struct timer *timer, uint64_t now_ms)
{
	struct neighbours *neighbours = container_of(timer, struct neighbours, arrival);
	(void)now_ms;

	for (uint16_t number = 1; number <= NODE_NUMBER_MAX; number++)
		if (neighbours->had[number] & neighbours->arrived)
			loading_begin(neighbours->core->loading, number);
	neighbours->arrived = 0;
	peers_ping_now(neighbours->core->peers);
}

/* A call needs those of both its sides, and they come one after the other. */
static void on_arrival(void *owner, uint8_t index)
{
	struct neighbours *neighbours = owner;
	struct wheel *wheel = neighbours->core->worker->wheel;

	neighbours->arrived |= 1u << index;
	wheel_arm(wheel, &neighbours->arrival, wheel_now_ms(wheel) + ARRIVAL_MS, on_all_arrived);
}

static void on_node_lost(void *owner, uint16_t number)
{
	const struct neighbours *neighbours = owner;
	count_heirs(neighbours);
	loading_begin(neighbours->core->loading, number);
	trunks_node_lost(neighbours->core->trunks, number);
	shares_node_lost(neighbours->shares, number);
}

static void on_node_back(void *owner, uint16_t number)
{
	const struct neighbours *neighbours = owner;

	/* It takes nothing back, and nothing is given. */
	trunks_node_back(neighbours->core->trunks, number);
}

/* --- */

int neighbours_create(struct core *core, struct neighbours **out)
{
	const struct worker *worker = core->worker;
	const struct shared *shared = worker->shared;
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));
	if (!neighbours)
		return -ERR_NO_MEMORY;
	struct nodes_config config = {.store = core->store,
				      .wheel = worker->wheel,
				      .log = worker->log,
				      .cluster = shared->cluster,
				      .name = worker->config->node,
				      .on_node_lost = on_node_lost,
				      .on_node_back = on_node_back,
				      .on_beat = on_beat,
				      .on_told = on_told,
				      .owner = neighbours};
	neighbours->core = core;
	struct floating_config floating = {.loop = worker->loop,
					   .log = worker->log,
					   .on_arrival = on_arrival,
					   .owner = neighbours};
	int err = shares_create(worker, worker->shared, shared->cluster, &neighbours->shares);
	if (!err)
		err = nodes_create(&config, &neighbours->nodes);
	if (!err)
		err = floating_create(&floating, &neighbours->floating);
	if (err) {
		neighbours_destroy(neighbours);
		return err;
	}
	floating_follow(neighbours->floating, worker->config);
	*out = neighbours;
	return 0;
}

void neighbours_reload(struct neighbours *neighbours)
{
	if (neighbours)
		floating_follow(neighbours->floating, neighbours->core->worker->config);
}

void neighbours_leave(struct neighbours *neighbours)
{
	if (neighbours)
		nodes_leave(neighbours->nodes);
}

void neighbours_destroy(struct neighbours *neighbours)
{
	if (!neighbours)
		return;
	floating_destroy(neighbours->floating);
	wheel_cancel(neighbours->core->worker->wheel, &neighbours->arrival);
	nodes_destroy(neighbours->nodes);
	shares_destroy(neighbours->shares);
	free(neighbours);
}
