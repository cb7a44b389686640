/* More than one server. SPDX-License-Identifier: Apache-2.0 */
#include "redis_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct redis_server second;
static struct redis_place other;

static int setup_two(void **state)
{
	int err = setup(state);
	if (err || redis_server_create(&second) || redis_server_start(&second, NULL, NULL))
		return -1;
	struct bench *b = *state;
	other.unix_path = second.socket;
	b->config.others = &other;
	b->config.other_count = 1;
	return 0;
}

static int teardown_two(void **state)
{
	redis_server_destroy(&second);
	return teardown(state);
}

static void assert_at(struct bench *b, const struct redis_server *server)
{
	assert_string_equal(status(b).server + strlen("unix:"), server->socket);
}

static void one_that_is_away_is_passed_over(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_at(b, &second);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	/* and back, when that one goes */
	assert_int_equal(redis_server_start(&b->server, NULL, NULL), 0);
	redis_server_kill(&second);
	run(b, is_down, 2000);
	run(b, is_up, 5000);
	assert_at(b, &b->server);
	assert_int_equal(b->returns, 1);
	assert_true(b->returned_all);
}

static void a_replica_is_passed_over(void **state)
{
	struct bench *b = *state;
	assert_int_equal(redis_server_start(&b->server, "--replicaof", "127.0.0.1 1"), 0);
	open_and_connect(b);
	assert_at(b, &second);
	assert_int_equal(logged(b, "READONLY"), 1);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
}

static void one_that_becomes_a_replica_is_left(void **state)
{
	struct bench *b = *state;
	b->config.unix_path = second.socket;
	other.unix_path = b->server.socket;
	assert_int_equal(redis_server_start(&b->server, NULL, NULL), 0);
	open_and_connect(b);
	assert_at(b, &second);
	assert_int_equal(redis_server_ask(&second, "REPLICAOF 127.0.0.1 1", &b->text), 0);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_REFUSED);
	run(b, is_up, 5000);
	assert_at(b, &b->server);
	assert_int_equal(b->returns, 1);
	assert_true(b->returned_all);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
}

#define TWO(test) cmocka_unit_test_setup_teardown(test, setup_two, teardown_two)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO(one_that_is_away_is_passed_over),
		TWO(a_replica_is_passed_over),
		TWO(one_that_becomes_a_replica_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
