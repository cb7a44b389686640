/* What nodes of one store have in common. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "redis_server.h"
#include "sample.h"

struct bench {
	struct redis_server server;
	struct redis_plain_config redis;
	struct sample_random random;
	struct cluster_config config;
	struct cluster one;
	struct cluster two;
	struct buf why;
	struct buf text;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	sample_random_init(&b->random, 3);
	buf_init(&b->why);
	buf_init(&b->text);
	if (redis_server_create(&b->server) || redis_server_start(&b->server, NULL, NULL))
		return -1;
	b->redis.unix_path = b->server.socket;
	b->config = (struct cluster_config){.redis = &b->redis, .name = "a"};
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	redis_server_destroy(&b->server);
	buf_free(&b->why);
	buf_free(&b->text);
	free(b);
	return 0;
}

static int join_as(struct bench *b, const char *name, uint16_t number, struct cluster *out)
{
	buf_clear(&b->why);
	b->config.name = name;
	b->config.number = number;
	return cluster_join(&b->config, &b->random.base, &b->why, out);
}

static void assert_same_keys(const struct bench *b, bool are_same)
{
	assert_int_equal(memcmp(&b->one.keys, &b->two.keys, sizeof(b->one.keys)) == 0, are_same);
}

static void the_first_node_makes_the_keys_of_all(void **state)
{
	struct bench *b = *state;
	assert_int_equal(join_as(b, "a", 0, &b->one), 0);
	assert_int_equal(join_as(b, "b", 0, &b->two), 0);
	assert_same_keys(b, true);
	assert_true(b->one.is_lasting && b->two.is_lasting);
	assert_int_equal(b->one.number, 1);
	assert_int_equal(b->two.number, 2);
	assert_true(b->two.is_member[1] && b->two.is_member[2] && !b->two.is_member[3]);
	assert_int_equal(join_as(b, "a", 0, &b->two), 0); /* again: the number it had */
	assert_int_equal(b->two.number, 1);
	assert_same_keys(b, true);
}

static void a_secret_is_not_stored(void **state)
{
	struct bench *b = *state;
	b->config.secret = "correct horse";
	assert_int_equal(join_as(b, "a", 0, &b->one), 0);
	assert_int_equal(redis_server_ask(&b->server, "HEXISTS postern:cluster keys", &b->text), 0);
	assert_string_equal(b->text.data, "0");
	assert_int_equal(join_as(b, "b", 0, &b->two), 0);
	assert_same_keys(b, true);
	b->config.secret = "battery staple";
	assert_int_equal(join_as(b, "b", 0, &b->two), 0);
	assert_same_keys(b, false);
	/* as HKDF says it, on any machine and in any version */
	b->config.secret = "correct horse";
	const uint8_t *bytes = (const void *)b->one.keys.token_mac;
	char hex[33];
	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(hex, "d10ff71b0c6a6334a0a86bf9030131ad");
}

static void two_nodes_with_one_number_are_refused(void **state)
{
	struct bench *b = *state;
	assert_int_equal(join_as(b, "a", 7, &b->one), 0);
	assert_int_equal(b->one.number, 7);
	assert_int_equal(join_as(b, "b", 7, &b->two), -ERR_EXISTS);
	assert_string_equal(b->why.data, "node.number 7 is that of the node a, which is running");
	assert_int_equal(join_as(b, "a", 7, &b->two), 0); /* itself, again */
	/* It has ended: the number may be another's. */
	assert_int_equal(redis_server_ask(&b->server, "DEL node:{7}", &b->text), 0);
	assert_int_equal(join_as(b, "b", 7, &b->two), 0);
	assert_int_equal(b->two.number, 7);
}

static void without_its_store_a_node_starts_alone(void **state)
{
	struct bench *b = *state;
	redis_server_kill(&b->server);
	assert_int_not_equal(join_as(b, "a", 0, &b->one), 0);
	assert_true(b->why.len > 0);
	assert_false(b->one.is_lasting);
	assert_true(b->one.number > 0 && b->one.number <= NODE_NUMBER_MAX);
	assert_int_not_equal(join_as(b, "a", 9, &b->two), 0);
	assert_int_equal(b->two.number, 9);
	assert_same_keys(b, false);
	b->config.secret = "correct horse";
	assert_int_not_equal(join_as(b, "a", 0, &b->one), 0);
	assert_true(b->one.is_lasting); /* needs no store */
	b->config = (struct cluster_config){.name = "a"};
	assert_int_equal(join_as(b, "a", 0, &b->one), 0);
	assert_int_equal(b->one.number, 1);
}

static void what_stands_there_is_checked(void **state)
{
	struct bench *b = *state;
	assert_int_equal(redis_server_ask(&b->server, "HSET postern:cluster keys abc", &b->text),
			 0);
	assert_int_equal(join_as(b, "a", 0, &b->one), -ERR_MALFORMED);
	assert_false(b->one.is_lasting);
	assert_int_equal(redis_server_ask(&b->server, "SET postern:cluster x", &b->text), 0);
	assert_int_not_equal(join_as(b, "a", 0, &b->one), 0);
	assert_non_null(strstr(b->why.data, "WRONGTYPE"));
}

static void a_file_keeps_them_too(void **state)
{
	struct bench *b = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/state.db", b->server.folder);
	b->config = (struct cluster_config){.path = path};
	assert_int_equal(join_as(b, "a", 0, &b->one), 0);
	assert_int_equal(join_as(b, "a", 0, &b->two), 0);
	assert_same_keys(b, true);
	assert_true(b->two.is_lasting);
	assert_int_equal(b->two.number, 1);
	assert_int_equal(join_as(b, "renamed", 1, &b->two), 0);
	assert_int_equal(unlink(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_node_makes_the_keys_of_all),
		TEST(a_secret_is_not_stored),
		TEST(two_nodes_with_one_number_are_refused),
		TEST(without_its_store_a_node_starts_alone),
		TEST(what_stands_there_is_checked),
		TEST(a_file_keeps_them_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
