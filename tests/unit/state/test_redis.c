/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "redis_server.h"

struct bench {
	struct redis_server server;
	struct loop *loop;
	struct log log;
	FILE *log_file;
	struct store_redis_config config;
	struct store *store;
	struct buf text;
	int fds; /* open before the test */

	unsigned done; /* calls, and how they ended */
	unsigned ok;
	int err; /* of the last */
	unsigned returns;
	bool puts_on_return;
	char value[4096];

	struct timer poll;
	bool (*until)(struct bench *b);
	uint64_t until_ms;
};

static int count_fds(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += lseek(fd, 0, SEEK_CUR) >= 0 || dup2(fd, fd) == fd;
	return count;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	b->fds = count_fds();
	b->log_file = tmpfile();
	b->log = (struct log){.level = LOG_INFO, .fd = fileno(b->log_file), .program = "test"};
	buf_init(&b->text);
	b->config.log = &b->log;
	if (loop_create(&b->loop) || redis_server_create(&b->server))
		return -1;
	b->config.loop = b->loop;
	b->config.unix_path = b->server.socket;
	return 0;
}

static int setup_running(void **state)
{
	int err = setup(state);
	return err ? err : redis_server_start(&((struct bench *)*state)->server, NULL, NULL);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	store_destroy(b->store);
	assert_int_equal(wheel_armed(loop_wheel(b->loop)), 0);
	loop_destroy(b->loop);
	redis_server_destroy(&b->server);
	buf_free(&b->text);
	fclose(b->log_file);
	assert_int_equal(count_fds(), b->fds);
	free(b);
	return 0;
}

/* --- the loop, until something is so --- */

static void on_poll(struct timer *timer, uint64_t now_ms)
{
	struct bench *b = container_of(timer, struct bench, poll);
	if ((b->until && b->until(b)) || now_ms >= b->until_ms)
		loop_stop(b->loop);
	else
		wheel_arm(loop_wheel(b->loop), timer, now_ms + 1, on_poll);
}

/* Milliseconds it took. */
static uint64_t run(struct bench *b, bool (*until)(struct bench *b), uint64_t most_ms)
{
	uint64_t start = loop_now_ms(b->loop);
	b->until = until;
	b->until_ms = start + most_ms;
	wheel_arm(loop_wheel(b->loop), &b->poll, start, on_poll);
	loop_run(b->loop);
	if (until && !until(b))
		fail_msg("waited %u ms in vain", (unsigned)most_ms);
	return loop_now_ms(b->loop) - start;
}

static struct store_status status(const struct bench *b)
{
	struct store_status now;
	store_status(b->store, &now);
	return now;
}

static bool is_up(struct bench *b)
{
	return status(b).state == STORE_UP;
}
static bool is_down(struct bench *b)
{
	return status(b).state == STORE_DOWN;
}
static bool is_refusing(struct bench *b)
{
	return status(b).state == STORE_REFUSING;
}
static bool is_idle(struct bench *b)
{
	return status(b).pending == 0;
}
static bool is_done(struct bench *b)
{
	return b->done > 0;
}
static bool has_returned(struct bench *b)
{
	return b->returns > 0;
}

/* --- verbs --- */

static void on_done(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct bench *b = owner;
	assert_int_equal(handle, 99);
	b->done++;
	b->ok += reply->err == 0;
	b->err = reply->err;
	slice_copy(reply->value, b->value, sizeof(b->value));
}

static void put(struct bench *b, const char *key, const char *value)
{
	b->done = b->ok = 0;
	store_put(b->store, slice_from(key), slice_from(value), 60, on_done, b, 99);
}

static int put_and_wait(struct bench *b, const char *key, const char *value)
{
	put(b, key, value);
	run(b, is_done, 2000);
	return b->err;
}

static int get_and_wait(struct bench *b, const char *key)
{
	b->done = 0;
	store_get(b->store, slice_from(key), on_done, b, 99);
	run(b, is_done, 2000);
	return b->err;
}

static void on_return(void *owner)
{
	struct bench *b = owner;
	b->returns++;
	if (b->puts_on_return)
		store_put(b->store, SLICE("call:{again}"), SLICE("v"), 60, on_done, b, 99);
}

static void open_store(struct bench *b)
{
	assert_int_equal(store_redis_create(&b->config, &b->store), 0);
	store_on_return(b->store, on_return, b);
}

static void open_and_connect(struct bench *b)
{
	open_store(b);
	run(b, is_up, 2000);
}

static const char *ask(struct bench *b, const char *command)
{
	assert_int_equal(redis_server_ask(&b->server, command, &b->text), 0);
	return b->text.data;
}

static void assert_server(struct bench *b, const char *command, const char *want)
{
	assert_string_equal(ask(b, command), want);
}

static unsigned long calls_of(struct bench *b, const char *command)
{
	char name[64];
	snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
	const char *at = strstr(ask(b, "INFO commandstats"), name);
	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static unsigned logged(struct bench *b, const char *event)
{
	char line[1024];
	unsigned count = 0;
	rewind(b->log_file);
	while (fgets(line, sizeof(line), b->log_file))
		count += strstr(line, event) != NULL;
	return count;
}

/* --- the good days --- */

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
	b->config.timeout_ms = 2000;
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
	assert_server(b, "DBSIZE", "0");
}

static void a_large_burst_is_acknowledged(void **state)
{
	struct bench *b = *state;
	static char value[1500];
	char key[32];
	memset(value, 'v', sizeof(value));
	b->config.timeout_ms = 2000;
	open_and_connect(b);
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_put(b->store, slice_from(key), (struct slice){value, sizeof(value)}, 60,
			  on_done, b, 99);
	}
	run(b, is_idle, 10000);
	assert_int_equal(b->ok, 20000);
	assert_server(b, "DBSIZE", "20000");
	assert_true(is_up(b));
}

static void the_heartbeat_says_who_lives(void **state)
{
	struct bench *b = *state;
	b->config.node = "edge-1";
	b->config.epoch = 1732280000000;
	b->config.heartbeat_ms = 1000;
	open_and_connect(b);
	assert_server(b, "GET node:{edge-1}", "1732280000000");
	assert_server(b, "TTL node:{edge-1}", "4");
	unsigned long sets = calls_of(b, "set");
	run(b, NULL, 1200);
	assert_int_equal(calls_of(b, "set") - sets, 1);
}

static void a_database_is_chosen(void **state)
{
	struct bench *b = *state;
	b->config.database = 3;
	open_and_connect(b);
	assert_int_equal(put_and_wait(b, "k", "v"), 0);
	assert_server(b, "DBSIZE", "0"); /* of database 0 */
	assert_non_null(strstr(ask(b, "INFO keyspace"), "db3:keys=1"));
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

/* --- the bad days --- */

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

static void a_frozen_server_delays_one_burst_only(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	kill(b->server.pid, SIGSTOP);
	put(b, "call:{a}", "v");
	uint64_t took = run(b, is_done, 1000);
	assert_int_equal(b->err, -ERR_TIMEOUT);
	assert_in_range(took, 18, 150);
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
	assert_server(b, "DBSIZE", "0");
	assert_int_equal(calls_of(b, "client|kill"), 1); /* what made that certain */
}

static void a_full_server_is_named_and_comes_back(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "CONFIG SET maxmemory 1");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_DENIED);
	assert_int_equal(put_and_wait(b, "call:{b}", "v"), -ERR_DENIED);
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

static void the_heartbeat_finds_out_by_itself(void **state)
{
	struct bench *b = *state;
	b->config.node = "n";
	b->config.heartbeat_ms = 100;
	open_and_connect(b);
	ask(b, "CONFIG SET maxmemory 1");
	run(b, is_refusing, 2000);
	ask(b, "CONFIG SET maxmemory 0");
	run(b, is_up, 2000);
}

static void a_read_only_replica_is_named(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "REPLICAOF 127.0.0.1 1");
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_DENIED);
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
	assert_int_equal(b->err, -ERR_DENIED);
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
	assert_int_equal(put_and_wait(b, "call:{a}", "v"), -ERR_DENIED);
}

static void a_key_of_a_wrong_type_is_that_keys_affair(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "LPUSH call:{a} x");
	assert_int_equal(get_and_wait(b, "call:{a}"), -ERR_DENIED);
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
		RUNNING(what_is_put_is_there_until_deleted),
		RUNNING(values_of_any_bytes_and_size_pass),
		RUNNING(a_call_costs_two_commands),
		RUNNING(a_large_burst_is_acknowledged),
		RUNNING(the_heartbeat_says_who_lives),
		RUNNING(a_database_is_chosen),
		RUNNING(what_is_queued_at_the_end_is_sent),
		ABSENT(calls_go_on_without_a_server_and_are_written_when_it_comes),
		RUNNING(a_restart_is_survived_and_deletes_are_made_up),
		RUNNING(a_frozen_server_delays_one_burst_only),
		RUNNING(a_server_frozen_for_long_is_left_and_no_orphan_remains),
		RUNNING(a_full_server_is_named_and_comes_back),
		RUNNING(the_heartbeat_finds_out_by_itself),
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
