/* The Redis store on bad days: absent, restarted, frozen, full, read-only, locked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "redis_bench.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void calls_go_on_without_a_server_and_are_written_when_it_comes(void **state)
{
	struct bench *b = *state;
	open_store(b);
	put(b, "call:{a}", "v");
	assert_int_equal(b->done, 1); /* at once */
	assert_int_equal(b->err, -ERR_CLOSED);
	run(b, NULL, 800);
	assert_true(is_down(b));
	assert_non_null(strstr(status(b).reason, "No such file"));
	assert_int_equal(logged(b, "store.down"), 1); /* not at each attempt */
	assert_int_equal(status(b).unprotected, 1);

	b->puts_on_return = true;
	assert_int_equal(redis_server_start(&b->server, NULL, NULL), 0);
	run(b, has_returned, 3000);
	run(b, is_idle, 1000);
	assert_server(b, "GET call:{again}", "v");
	assert_int_equal(b->returns, 1);
	assert_int_equal(logged(b, "store.up"), 1);
}

static void a_restart_is_survived_and_deletes_are_made_up(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	redis_server_kill(&b->server);
	run(b, is_down, 1000);
	assert_string_equal(status(b).reason, "closed by the server");
	store_delete(b->store, SLICE("call:{a}"));
	store_delete(b->store, SLICE("call:{b}"));
	put(b, "call:{b}", "kept"); /* put again after its delete: must stay */
	assert_int_equal(b->err, -ERR_CLOSED);

	assert_int_equal(redis_server_start(&b->server, NULL, NULL), 0);
	ask(b, "SET call:{a} orphan");
	ask(b, "SET call:{b} kept");
	run(b, has_returned, 3000);
	run(b, is_idle, 1000);
	assert_server(b, "EXISTS call:{a}", "0");
	assert_server(b, "GET call:{b}", "kept");
	assert_int_equal(status(b).connects, 2);
}

static void a_server_started_empty_is_given_all_again(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(b->returns, 0); /* nothing was there before */
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	redis_server_kill(&b->server);
	run(b, is_down, 1000);
	assert_int_equal(redis_server_start(&b->server, NULL, NULL), 0);
	run(b, has_returned, 3000); /* although no put had failed */
	assert_true(b->returned_all);
	assert_int_equal(b->returns, 1);
}

static void a_frozen_server_delays_one_burst_only(void **state)
{
	struct bench *b = *state;
	b->config.timeout_ms = 100;
	open_and_connect(b);
	kill(b->server.pid, SIGSTOP);
	put(b, "call:{a}", "v");
	uint64_t took = run(b, is_done, 1000);
	assert_int_equal(b->err, -ERR_TIMEOUT);
	assert_in_range(took, 98, 400);
	assert_int_equal(status(b).state, STORE_STALLED);
	put(b, "call:{b}", "v");
	assert_int_equal(b->done, 1); /* at once */
	assert_int_equal(b->err, -ERR_TIMEOUT);
	assert_int_equal(status(b).unprotected, 2);
	run(b, NULL, 300);
	assert_int_equal(logged(b, "store.stalled"), 1);

	kill(b->server.pid, SIGCONT);
	run(b, has_returned, 2000);
	assert_true(is_up(b));
	assert_false(b->returned_all); /* the same connection */
	run(b, is_idle, 1000);
	assert_int_equal(status(b).late, 2);
	assert_int_equal(status(b).connects, 1);
	assert_server(b, "EXISTS call:{a} call:{b}", "2");
	assert_int_equal(put_and_wait(b, "call:{c}", "v"), 0);
}

static void a_server_frozen_for_long_is_left_and_no_orphan_remains(void **state)
{
	struct bench *b = *state;
	static char value[1500];
	char key[32];
	memset(value, 'v', sizeof(value));
	b->config.dead_ms = 400;
	open_and_connect(b);
	kill(b->server.pid, SIGSTOP);
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_put(b->store, slice_from(key), (struct slice){value, sizeof(value)}, 60,
			  on_done, b, 99);
	}
	run(b, is_down, 2000);
	assert_string_equal(status(b).reason, "no answer for 400 ms");
	assert_int_equal(b->done, 500);
	for (int i = 0; i < 500; i++) { /* the calls end meanwhile */
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_delete(b->store, slice_from(key));
	}
	run(b, NULL, 1500); /* some attempts that find it frozen still */
	kill(b->server.pid, SIGCONT);
	run(b, is_up, 4000);
	run(b, is_idle, 2000);
	run(b, NULL, 200);
	assert_records(b, "0");
	assert_int_equal(calls_of(b, "client|kill"), 1); /* what made that certain */
}

static void a_full_server_is_named_and_comes_back(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "CONFIG SET maxmemory 1");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_REFUSED);
	assert_int_equal(put_and_wait(b, "call:{b}", "v"), -ERR_REFUSED);
	assert_true(is_refusing(b));
	assert_non_null(strstr(status(b).reason, "OOM"));
	assert_int_equal(logged(b, "store.refusing"), 1);
	ask(b, "CONFIG SET maxmemory 0");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	assert_true(is_up(b));
	assert_int_equal(b->returns, 1);
	assert_int_equal(status(b).unprotected, 2);
	assert_int_equal(status(b).connects, 1);
}

static void the_probe_finds_out_by_itself(void **state)
{
	struct bench *b = *state;
	b->config.probe_ms = 100;
	open_and_connect(b);
	ask(b, "CONFIG SET maxmemory 1");
	run(b, is_refusing, 2000);
	ask(b, "CONFIG SET maxmemory 0");
	run(b, is_up, 2000);
}

/* The other workers of a node beat no heart: their probe writes nothing. */
static void a_probe_without_heartbeat_finds_out_too(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "CONFIG SET maxmemory 1");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_REFUSED);
	run(b, NULL, 1300); /* two probes */
	assert_true(is_refusing(b));
	assert_int_equal(logged(b, "store."), 2); /* up, refusing */
	ask(b, "CONFIG SET maxmemory 0");
	run(b, has_returned, 2000);
	ask(b, "REPLICAOF 127.0.0.1 1");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_REFUSED);
	run(b, NULL, 700);
	assert_true(is_refusing(b));
	ask(b, "REPLICAOF NO ONE");
	run(b, is_up, 2000);
	assert_records(b, "0");
}

static void a_read_only_replica_is_named(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "REPLICAOF 127.0.0.1 1");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_REFUSED);
	assert_non_null(strstr(status(b).reason, "READONLY"));
	store_delete(b->store, SLICE("call:{x}"));
	run(b, is_idle, 1000);
	ask(b, "REPLICAOF NO ONE");
	ask(b, "SET call:{x} orphan");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	assert_true(is_up(b));
	run(b, is_idle, 1000);
	assert_server(b, "EXISTS call:{x}", "0"); /* the refused delete was made up */
}

static void a_password_is_given_and_a_wrong_one_named(void **state)
{
	struct bench *b = *state;
	assert_int_equal(redis_server_start(&b->server, "--requirepass", "secret"), 0);
	b->config.password = "wrong";
	open_store(b);
	run(b, is_refusing, 2000);
	assert_non_null(strstr(status(b).reason, "login: WRONGPASS"));
	put(b, "call:{a}", "v");
	assert_int_equal(b->err, -ERR_REFUSED);
	run(b, NULL, 700);
	assert_int_equal(logged(b, "store."), 1);
	assert_int_equal(logged(b, "wrong"), 0); /* no password in a log */
}

static void the_right_password_opens(void **state)
{
	struct bench *b = *state;
	assert_int_equal(redis_server_start(&b->server, "--requirepass", "secret"), 0);
	b->config.user = "default";
	b->config.password = "secret";
	open_and_connect(b);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
}

static void a_missing_password_is_named(void **state)
{
	struct bench *b = *state;
	assert_int_equal(redis_server_start(&b->server, "--requirepass", "secret"), 0);
	open_store(b);
	run(b, is_refusing, 2000);
	assert_non_null(strstr(status(b).reason, "NOAUTH"));
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_REFUSED);
}

static void a_key_of_a_wrong_type_is_that_keys_affair(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "LPUSH call:{a} x");
	assert_int_equal(get_and_wait(b, "call:{a}"), -ERR_REFUSED);
	assert_true(is_up(b));
	assert_int_equal(logged(b, "WRONGTYPE"), 1);
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), 0);
	assert_server(b, "GET call:{a}", "v");
}

static void the_queue_is_bounded(void **state)
{
	struct bench *b = *state;
	b->config.pending_limit = 16;
	open_and_connect(b);
	run(b, is_idle, 1000);
	kill(b->server.pid, SIGSTOP);
	b->done = 0;
	for (int i = 0; i < 100; i++)
		store_put(b->store, SLICE("k"), SLICE("v"), 60, on_done, b, 99);
	assert_int_equal(b->err, -ERR_BUSY);
	assert_int_equal(b->done, 84);
	assert_int_equal(status(b).pending, 16);
	for (int i = 0; i < 100; i++)
		store_delete(b->store, SLICE("k2"));
	assert_true(status(b).forgotten > 0);
	kill(b->server.pid, SIGCONT);
	run(b, is_idle, 1000);
	run(b, has_returned, 5000);
}

static void the_output_is_bounded(void **state)
{
	struct bench *b = *state;
	static char value[100000];
	b->config.output_limit = 300000;
	open_and_connect(b);
	b->done = 0;
	for (int i = 0; i < 5; i++)
		store_put(b->store, SLICE("k"), (struct slice){value, sizeof(value)}, 60, on_done,
			  b, 99);
	assert_int_equal(b->done, 3);
	assert_int_equal(b->err, -ERR_BUSY);
	run(b, is_idle, 1000);
	assert_int_equal(b->ok, 2);
}

static void senseless_configuration_is_refused(void **state)
{
	struct bench *b = *state;
	char path[200];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	b->config.unix_path = path;
	assert_int_equal(store_redis_create(&b->config, &b->store), -ERR_TOO_LARGE);
	b->config.unix_path = NULL;
	assert_int_equal(store_redis_create(&b->config, &b->store), -ERR_INVALID);
	assert_null(b->store);
}

#define RUNNING(test) cmocka_unit_test_setup_teardown(test, setup_running, teardown)
#define ABSENT(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ABSENT(calls_go_on_without_a_server_and_are_written_when_it_comes),
		RUNNING(a_restart_is_survived_and_deletes_are_made_up),
		RUNNING(a_server_started_empty_is_given_all_again),
		RUNNING(a_frozen_server_delays_one_burst_only),
		RUNNING(a_server_frozen_for_long_is_left_and_no_orphan_remains),
		RUNNING(a_full_server_is_named_and_comes_back),
		RUNNING(the_probe_finds_out_by_itself),
		RUNNING(a_probe_without_heartbeat_finds_out_too),
		RUNNING(a_read_only_replica_is_named),
		ABSENT(a_password_is_given_and_a_wrong_one_named),
		ABSENT(the_right_password_opens),
		ABSENT(a_missing_password_is_named),
		RUNNING(a_key_of_a_wrong_type_is_that_keys_affair),
		RUNNING(the_queue_is_bounded),
		RUNNING(the_output_is_bounded),
		ABSENT(senseless_configuration_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
