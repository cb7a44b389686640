/* The Redis store on good days. SPDX-License-Identifier: Apache-2.0 */
#include "redis_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void what_is_put_is_there_until_deleted(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_and_wait(b, "call:{a}", "value"), 0);
	assert_server(b, "GET call:{a}", "value");
	assert_server(b, "TTL call:{a}", "60");
	assert_int_equal(get_and_wait(b, "call:{a}"), 0);
	assert_string_equal(b->value, "value");
	store_delete(b->store, SLICE("call:{a}"));
	run(b, is_idle, 1000);
	assert_server(b, "EXISTS call:{a}", "0");
	assert_int_equal(get_and_wait(b, "call:{a}"), -ERR_NOT_FOUND);
	assert_int_equal(status(b).acknowledged, 1);
	assert_int_equal(status(b).unprotected, 0);
	assert_int_equal(logged(b, "store."), 1); /* "up", and nothing else */
}

static void values_of_any_bytes_and_size_pass(void **state)
{
	struct bench *b = *state;
	static char big[STORE_VALUE_LIMIT];
	open_and_connect(b);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	b->done = 0;
	store_put(b->store, SLICE("big"), (struct slice){big, sizeof(big)}, 60, on_done, b, 99);
	run(b, is_done, 2000);
	run(b, is_idle, 2000);
	assert_server(b, "STRLEN big", "524288");
	b->done = 0;
	store_get(b->store, SLICE("big"), on_done, b, 99);
	run(b, is_done, 2000);
	assert_memory_equal(b->value, big, sizeof(b->value) - 1);
}

static void a_call_costs_two_commands(void **state)
{
	struct bench *b = *state;
	char key[32];
	open_and_connect(b);
	run(b, is_idle, 2000);
	unsigned long sets = calls_of(b, "set"), dels = calls_of(b, "del");
	uint64_t before = status(b).commands;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_put(b->store, slice_from(key), SLICE("v"), 60, on_done, b, 99);
	}
	run(b, is_idle, 2000);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_delete(b->store, slice_from(key));
	}
	run(b, is_idle, 2000);
	assert_int_equal(b->ok, 100);
	assert_int_equal(status(b).commands - before, 200);
	assert_int_equal(calls_of(b, "set") - sets, 100);
	assert_int_equal(calls_of(b, "del") - dels, 100);
	assert_int_equal(calls_of(b, "get"), 0);
	assert_records(b, "0");
}

static void a_large_burst_is_acknowledged(void **state)
{
	struct bench *b = *state;
	static char value[1500];
	char key[32];
	b->config.timeout_ms = 10000;
	memset(value, 'v', sizeof(value));
	open_and_connect(b);
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_put(b->store, slice_from(key), (struct slice){value, sizeof(value)}, 60,
			  on_done, b, 99);
	}
	run(b, is_idle, 20000);
	assert_int_equal(b->ok, 20000);
	assert_records(b, "20000");
	assert_true(is_up(b));
}

static void a_database_is_chosen(void **state)
{
	struct bench *b = *state;
	b->config.database = 3;
	open_and_connect(b);
	run(b, is_idle, 2000);
	assert_int_equal(put_and_wait(b, "k", "v"), 0);
	assert_server(b, "DBSIZE", "0");                                /* of database 0 */
	assert_non_null(strstr(ask(b, "INFO keyspace"), "db3:keys=2")); /* and the mark */
}

static void what_is_queued_at_the_end_is_sent(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	store_delete(b->store, SLICE("call:{a}"));
	store_destroy(b->store);
	b->store = NULL;
	for (int i = 0; i < 100 && strcmp(ask(b, "EXISTS call:{a}"), "0"); i++)
		usleep(10 * 1000);
	assert_server(b, "EXISTS call:{a}", "0");
}

#define RUNNING(test) cmocka_unit_test_setup_teardown(test, setup_running, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNNING(what_is_put_is_there_until_deleted),
		RUNNING(values_of_any_bytes_and_size_pass),
		RUNNING(a_call_costs_two_commands),
		RUNNING(a_large_burst_is_acknowledged),
		RUNNING(a_database_is_chosen),
		RUNNING(what_is_queued_at_the_end_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
