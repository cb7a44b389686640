/* A limit over nodes that know of each other what was said a beat ago.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/shares.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/state/keys.h"
#include "sbc/route/shared.h"

enum { NODES = 3, LIMIT = 100 };

struct node {
	struct worker worker;
	struct shared *shared;
	struct shares *shares;
	struct buf said; /* with its last heartbeat */
	bool is_dead;
};

struct bench {
	struct config_peer peers[2];
	struct config config;
	struct random_system random;
	struct cluster cluster;
	struct node nodes[NODES];
	uint64_t seed;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	random_system_init(&b->random);
	b->seed = 7;
	b->peers[0] = (struct config_peer){.name = "free"};
	b->peers[1] = (struct config_peer){.name = "carrier", .limits = {.calls = LIMIT}};
	b->config.peers = b->peers;
	b->config.peer_count = 2;
	for (uint16_t i = 0; i < NODES; i++)
		b->cluster.is_member[i + 1] = true;
	for (uint16_t i = 0; i < NODES; i++) {
		struct node *node = &b->nodes[i];
		node->worker = (struct worker){.config = &b->config, .node = (uint16_t)(i + 1)};
		assert_int_equal(shared_create(&b->config, &b->random.base, &node->shared), 0);
		assert_int_equal(
			shares_create(&node->worker, node->shared, &b->cluster, &node->shares), 0);
		buf_init(&node->said);
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < NODES; i++) {
		shares_destroy(b->nodes[i].shares);
		shared_destroy(b->nodes[i].shared);
		buf_free(&b->nodes[i].said);
	}
	free(b);
	return 0;
}

static void hear(struct bench *b, int from, int to)
{
	struct slice lines = buf_slice(&b->nodes[from].said), line, kind;

	shares_heard(b->nodes[to].shares, (uint16_t)(from + 1));
	while (slice_next_line(&lines, &line)) {
		assert_true(slice_next_word(&line, &kind) && slice_equal(kind, SLICE("p")));
		shares_told(b->nodes[to].shares, (uint16_t)(from + 1), line);
	}
}

/* As nodes.c does it: what is said goes out first, then the others are read. */
static void beat(struct bench *b, int which)
{
	struct node *node = &b->nodes[which];

	if (node->is_dead)
		return;
	buf_clear(&node->said);
	shares_beat(node->shares, &node->said);
	for (int i = 0; i < NODES; i++)
		if (i != which && !b->nodes[i].is_dead)
			hear(b, i, which);
}

static void beat_all(struct bench *b, int times)
{
	while (times-- > 0)
		for (int i = 0; i < NODES; i++)
			beat(b, i);
}

static bool enter(struct bench *b, int which)
{
	return shared_enter_peer(&b->nodes[which].shared->peers[1], LIMIT);
}

static uint32_t calls(const struct bench *b)
{
	uint32_t all = 0;

	for (int i = 0; i < NODES; i++)
		all += atomic_load(&b->nodes[i].shared->peers[1].calls);
	return all;
}

static void who_is_idle_says_nothing(void **state)
{
	struct bench *b = *state;

	beat_all(b, 3);
	assert_int_equal(b->nodes[1].said.len, 0);
	assert_true(enter(b, 1));
	beat(b, 1);
	assert_true(slice_starts(buf_slice(&b->nodes[1].said), SLICE("p 1 ")));
	assert_true(slice_find_slice(buf_slice(&b->nodes[1].said), SLICE("free")) ==
		    b->nodes[1].said.len);
}

/* One that has all the traffic gets all of it, in some seconds. */
static void the_busy_one_gets_what_the_others_leave(void **state)
{
	struct bench *b = *state;
	uint32_t seconds = 0;

	beat_all(b, 2);
	while (calls(b) < LIMIT && seconds++ < 60) {
		while (enter(b, 2))
			;
		assert_true(calls(b) <= LIMIT);
		beat_all(b, 1);
	}
	assert_int_equal(calls(b), LIMIT);
	assert_true(seconds < 30);
	assert_false(enter(b, 0));
	assert_false(enter(b, 1));
	shared_leave(&b->nodes[2].shared->peers[1].calls);
	beat_all(b, 2);
	assert_true(enter(b, 2));
}

static void what_a_dead_node_had_is_free(void **state)
{
	struct bench *b = *state;

	beat_all(b, 2);
	while (enter(b, 0))
		;
	beat_all(b, 3);
	atomic_store(&b->nodes[0].shared->peers[1].calls, 0); /* they ended with it */
	b->nodes[0].is_dead = true;
	shares_node_lost(b->nodes[1].shares, 1);
	shares_node_lost(b->nodes[2].shares, 1);
	for (int i = 0; i < 40; i++) {
		beat_all(b, 1);
		while (enter(b, 1))
			;
	}
	assert_int_equal(calls(b), LIMIT);
}

static void alone_it_is_all_ours(void **state)
{
	struct bench *b = *state;

	b->nodes[1].is_dead = b->nodes[2].is_dead = true;
	shares_node_lost(b->nodes[0].shares, 2);
	shares_node_lost(b->nodes[0].shares, 3);
	beat(b, 0);
	for (int i = 0; i < LIMIT; i++)
		assert_true(enter(b, 0));
	assert_false(enter(b, 0));
}

static uint32_t below(struct bench *b, uint32_t n)
{
	b->seed = b->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(b->seed >> 33) % n;
}

/* Each has its beat once a second, sooner or later; calls come and go in between. */
static void the_limit_holds(void **state)
{
	struct bench *b = *state;
	uint32_t most = 0;

	for (uint32_t second = 0; second < 4000; second++) {
		uint32_t due[NODES] = {below(b, 100), below(b, 100), below(b, 100)};
		uint32_t stay = second / 200 % 2 ? 99 : 50, busy = second / 500 % NODES;
		for (uint32_t i = 0; i < 100; i++) {
			int which = (int)(below(b, 3) ? busy : below(b, NODES));
			_Atomic uint32_t *own = &b->nodes[which].shared->peers[1].calls;
			for (int node = 0; node < NODES; node++)
				if (due[node] == i)
					beat(b, node);
			(void)enter(b, which);
			if (atomic_load(own) > 0 && below(b, 100) >= stay)
				shared_leave(own);
			most = calls(b) > most ? calls(b) : most;
		}
	}
	/* The last few, which cannot be divided, two may take at once. */
	assert_in_range(most, LIMIT * 9 / 10, LIMIT + NODES - 1);
}

/* Of another version, or forged. */
static void what_is_not_understood_is_left_out(void **state)
{
	static const char *const lines[] = {
		"", "1", "1 2", "x 2 carrier", "1 99999999999 carrier", "1 2 nobody"};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		shares_told(b->nodes[0].shares, 2, slice_from(lines[i]));
	shares_told(b->nodes[0].shares, 0, SLICE("1 2 carrier"));
	shares_told(b->nodes[0].shares, 700, SLICE("1 2 carrier"));
	shares_heard(b->nodes[0].shares, 700);
	beat(b, 0);
	assert_true(enter(b, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(who_is_idle_says_nothing),
		TEST(the_busy_one_gets_what_the_others_leave),
		TEST(what_a_dead_node_had_is_free),
		TEST(alone_it_is_all_ours),
		TEST(the_limit_holds),
		TEST(what_is_not_understood_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
