/* nodes.c - one write and some reads a second: of those we know each time, of the numbers nobody
 * was seen under in turn, so that a new node is found within ten seconds.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/nodes.h"
#include <stdlib.h>

enum {
	SEARCHED = 26,   /* numbers a beat that nobody was seen under */
	STEADY_BEATS = 4 /* heartbeats in time, in a row, before silence means death */
};

enum life { LIFE_UNKNOWN, LIFE_EXPECTED, LIFE_ALIVE, LIFE_LOST };

struct nodes {
	struct nodes_config config;
	uint16_t number;
	char *name;
	struct timer timer;
	uint32_t steady;   /* in a row; after a gap, others have to be back first, too */
	uint16_t searched; /* the last number */
	enum life lives[NODE_NUMBER_MAX + 1];
};

static uint64_t now_of(const struct nodes *nodes)
{
	return wheel_now_ms(nodes->config.wheel);
}

static void found(struct nodes *nodes, uint16_t number)
{
	bool is_news = nodes->lives[number] != LIFE_ALIVE;

	nodes->lives[number] = LIFE_ALIVE;
	if (!is_news)
		return;
	log_info(nodes->config.log, "node.there", "number=%u", number);
	nodes->config.on_node_back(nodes->config.owner, number);
}

static void missed(struct nodes *nodes, uint16_t number)
{
	enum life *life = &nodes->lives[number];

	/* A store that was away, or frozen, has lost everybody's heartbeat. */
	if (nodes->steady < STEADY_BEATS || (*life != LIFE_ALIVE && *life != LIFE_EXPECTED))
		return;
	*life = LIFE_LOST;
	log_warn(nodes->config.log, "node.lost", "number=%u", number);
	nodes->config.on_node_lost(nodes->config.owner, number);
}

/* Its name, and what it has to say. */
static void heard(struct nodes *nodes, uint16_t number, struct slice value)
{
	struct slice name;

	found(nodes, number);
	if (nodes->config.on_told && slice_next_line(&value, &name))
		nodes->config.on_told(nodes->config.owner, number, value);
}

static void on_read(void *owner, uint64_t number, const struct store_reply *reply)
{
	struct nodes *nodes = owner;

	if (reply->err == 0)
		heard(nodes, (uint16_t)number, reply->value);
	else if (reply->err == -ERR_NOT_FOUND)
		missed(nodes, (uint16_t)number);
}

static void read_one(struct nodes *nodes, uint16_t number)
{
	struct buf key;

	buf_init(&key);
	node_key(number, &key);
	if (!buf_failed(&key))
		store_get(nodes->config.store, buf_slice(&key), on_read, nodes, number);
	buf_free(&key);
}

static void read_others(struct nodes *nodes)
{
	for (uint16_t number = 1; number <= NODE_NUMBER_MAX; number++)
		if (number != nodes->number && nodes->lives[number] != LIFE_UNKNOWN)
			read_one(nodes, number);
	for (int i = 0; i < SEARCHED; i++) {
		nodes->searched = (uint16_t)(nodes->searched % NODE_NUMBER_MAX + 1);
		if (nodes->searched != nodes->number &&
		    nodes->lives[nodes->searched] == LIFE_UNKNOWN)
			read_one(nodes, nodes->searched);
	}
}

static void on_written(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct nodes *nodes = owner;
	(void)handle;

	nodes->steady = reply->err ? 0 : nodes->steady + 1;
}

static void beat(struct nodes *nodes)
{
	struct buf key, value;

	buf_init(&key);
	buf_init(&value);
	node_key(nodes->number, &key);
	buf_add_text(&value, nodes->name);
	buf_add_char(&value, '\n');
	if (nodes->config.on_beat)
		nodes->config.on_beat(nodes->config.owner, &value);
	if (!buf_failed(&key) && !buf_failed(&value))
		store_put(nodes->config.store, buf_slice(&key), buf_slice(&value), NODES_TTL_S,
			  on_written, nodes, 0);
	buf_free(&key);
	buf_free(&value);
}

static void on_beat(struct timer *timer, uint64_t now_ms)
{
	struct nodes *nodes = container_of(timer, struct nodes, timer);

	wheel_arm(nodes->config.wheel, timer, now_ms + NODES_BEAT_MS, on_beat);
	beat(nodes);
	read_others(nodes);
}

bool nodes_is_alive(const struct nodes *nodes, uint16_t number)
{
	return number == nodes->number ||
	       (number <= NODE_NUMBER_MAX && nodes->lives[number] == LIFE_ALIVE);
}

int nodes_create(const struct nodes_config *config, struct nodes **out)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return -ERR_NO_MEMORY;
	nodes->config = *config;
	nodes->config.cluster = NULL;
	nodes->number = config->cluster->number;
	nodes->name = slice_dup(slice_from(config->name));
	if (!nodes->name) {
		free(nodes);
		return -ERR_NO_MEMORY;
	}
	for (uint16_t number = 1; number <= NODE_NUMBER_MAX; number++)
		if (config->cluster->is_member[number])
			nodes->lives[number] = LIFE_EXPECTED;
	wheel_arm(config->wheel, &nodes->timer, now_of(nodes), on_beat);
	*out = nodes;
	return 0;
}

void nodes_leave(struct nodes *nodes)
{
	struct buf key;

	wheel_cancel(nodes->config.wheel, &nodes->timer);
	buf_init(&key);
	node_key(nodes->number, &key);
	if (!buf_failed(&key))
		store_delete(nodes->config.store, buf_slice(&key));
	buf_free(&key);
}

void nodes_destroy(struct nodes *nodes)
{
	if (!nodes)
		return;
	wheel_cancel(nodes->config.wheel, &nodes->timer);
	free(nodes->name);
	free(nodes);
}
