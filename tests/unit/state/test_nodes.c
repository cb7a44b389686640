/* Who lives, by heartbeats in a store of this test. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/nodes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "control/state/memory.h"
#include "sample.h"

struct bench {
	struct store store; /* passes on to `memory`, or is away */
	struct store *memory;
	bool is_away;
	struct wheel *wheel;
	uint64_t now_ms;
	struct sample_random random;
	struct log log;
	struct cluster cluster;
	struct nodes *nodes;
	unsigned lost[256], back[256];
	const char *says;
	char heard[256][32], own[32];
};

static void bench_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		      store_done_fn *done, void *owner, uint64_t handle)
{
	struct bench *b = container_of(store, struct bench, store);
	if (b->is_away)
		done(owner, handle, &(struct store_reply){.err = -ERR_TIMEOUT});
	else
		store_put(b->memory, key, value, ttl_s, done, owner, handle);
}

static void bench_get(struct store *store, struct slice key, store_done_fn *done, void *owner,
		      uint64_t handle)
{
	struct bench *b = container_of(store, struct bench, store);
	if (b->is_away)
		done(owner, handle, &(struct store_reply){.err = -ERR_TIMEOUT});
	else
		store_get(b->memory, key, done, owner, handle);
}

static const struct store_verbs verbs = {.put = bench_put, .get = bench_get};

static void on_lost(void *owner, uint16_t number)
{
	((struct bench *)owner)->lost[number]++;
}
static void on_back(void *owner, uint16_t number)
{
	((struct bench *)owner)->back[number]++;
}

static void on_beat(void *owner, struct buf *lines)
{
	const char *says = ((struct bench *)owner)->says;
	if (says)
		buf_add_text(lines, says);
}
static void on_told(void *owner, uint16_t number, struct slice lines)
{
	slice_copy(lines, ((struct bench *)owner)->heard[number], 32);
}
static void on_own(void *owner, uint64_t handle, const struct store_reply *reply)
{
	(void)handle;
	slice_copy(reply->value, ((struct bench *)owner)->own, 32);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	b->now_ms = 1000;
	sample_random_init(&b->random, 7);
	b->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "test"};
	b->store.verbs = &verbs;
	b->cluster.number = 1;
	b->cluster.is_member[1] = b->cluster.is_member[2] = true;
	assert_int_equal(wheel_create(b->now_ms, &b->wheel), 0);
	const struct store_memory_config memory = {.wheel = b->wheel, .random = &b->random.base};
	assert_int_equal(store_memory_create(&memory, &b->memory), 0);
	const struct nodes_config config = {.store = &b->store,
					    .wheel = b->wheel,
					    .log = &b->log,
					    .cluster = &b->cluster,
					    .name = "a",
					    .on_node_lost = on_lost,
					    .on_node_back = on_back,
					    .on_beat = on_beat,
					    .on_told = on_told,
					    .owner = b};
	assert_int_equal(nodes_create(&config, &b->nodes), 0);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	nodes_destroy(b->nodes);
	store_destroy(b->memory);
	assert_int_equal(wheel_armed(b->wheel), 0);
	wheel_destroy(b->wheel);
	free(b);
	return 0;
}

/* So many seconds; the other node (0 = none) beats in each. */
static void pass(struct bench *b, unsigned seconds, uint16_t other)
{
	char key[16];
	for (unsigned i = 0; i < seconds; i++) {
		snprintf(key, sizeof(key), "node:{%u}", other);
		if (other)
			store_put(b->memory, slice_from(key), SLICE("b"), NODES_TTL_S, NULL, NULL,
				  0);
		b->now_ms += 1000;
		wheel_advance(b->wheel, b->now_ms);
	}
}

static void a_node_that_falls_silent_is_lost_once(void **state)
{
	struct bench *b = *state;
	pass(b, 6, 2);
	assert_int_equal(b->back[2], 1);
	assert_true(nodes_is_alive(b->nodes, 2));
	pass(b, 1, 0); /* two heartbeats are missing: it may be late */
	assert_int_equal(b->lost[2], 0);
	pass(b, 3, 0);
	assert_int_equal(b->lost[2], 1);
	assert_false(nodes_is_alive(b->nodes, 2));
	pass(b, 30, 0);
	assert_int_equal(b->lost[2], 1);
	pass(b, 2, 2);
	assert_int_equal(b->back[2], 2);
	pass(b, 6, 0);
	assert_int_equal(b->lost[2], 2);
	assert_int_equal(b->lost[1] + b->back[1], 0); /* we are none of the others */
}

static void one_that_died_before_us_is_lost_too(void **state)
{
	struct bench *b = *state;
	pass(b, 10, 0);
	assert_int_equal(b->back[2], 0);
	assert_int_equal(b->lost[2], 1);
	assert_int_equal(b->lost[3], 0); /* nobody has ever been that */
}

static void a_new_node_is_found_in_ten_seconds(void **state)
{
	struct bench *b = *state;
	pass(b, 10, 200);
	assert_int_equal(b->back[200], 1);
	pass(b, 5, 0);
	assert_int_equal(b->lost[200], 1);
}

static void a_store_that_was_away_kills_nobody(void **state)
{
	struct bench *b = *state;
	pass(b, 6, 2);
	b->is_away = true;
	pass(b, 10, 0); /* meanwhile all heartbeats ended */
	b->is_away = false;
	pass(b, 1, 0);
	pass(b, 10, 2); /* the other one takes a second longer to come back */
	assert_int_equal(b->lost[2], 0);
	assert_int_equal(b->back[2], 1);
	pass(b, 5, 0);
	assert_int_equal(b->lost[2], 1);
}

/* What one has to say the others read with its heartbeat. */
static void lines_go_with_the_heartbeat(void **state)
{
	struct bench *b = *state;
	b->says = "one 1\ntwo\n";
	store_put(b->memory, SLICE("node:{2}"), SLICE("b\nx y\n"), NODES_TTL_S, NULL, NULL, 0);
	pass(b, 2, 0);
	assert_string_equal(b->heard[2], "x y\n");
	store_get(b->memory, SLICE("node:{1}"), on_own, b, 0);
	assert_string_equal(b->own, "a\none 1\ntwo\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_node_that_falls_silent_is_lost_once),
		TEST(one_that_died_before_us_is_lost_too),
		TEST(a_new_node_is_found_in_ten_seconds),
		TEST(a_store_that_was_away_kills_nobody),
		TEST(lines_go_with_the_heartbeat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
