/* The store in a file. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/state/record_head.h"
#include "control/state/sqlite.h"

struct bench {
	char folder[64];
	char path[96];
	struct loop *loop;
	struct log log;
	FILE *log_file;
	struct store_file_config config;
	struct store *store;
	struct buf why;
	struct timer poll;
	uint64_t until_ms;
	bool (*until)(struct bench *b);
	unsigned done, ok, each, returns;
	int err;
	char value[256];
	uint8_t seen[2000];
	uint64_t worst_ms; /* between two turns of the loop */
	uint64_t turn_ms;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	snprintf(b->folder, sizeof(b->folder), "/tmp/postern-file-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof(b->path), "%s/state.db", b->folder);
	b->log_file = tmpfile();
	b->log = (struct log){.level = LOG_INFO, .fd = fileno(b->log_file), .program = "test"};
	buf_init(&b->why);
	assert_int_equal(loop_create(&b->loop), 0);
	b->config = (struct store_file_config){
		.loop = b->loop, .log = &b->log, .path = b->path, .timeout_ms = 2000};
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char name[128];
	store_destroy(b->store);
	assert_int_equal(wheel_armed(loop_wheel(b->loop)), 0);
	loop_destroy(b->loop);
	buf_free(&b->why);
	fclose(b->log_file);
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", b->path, suffixes[i]);
		unlink(name);
	}
	assert_int_equal(rmdir(b->folder), 0);
	free(b);
	return 0;
}

static void on_poll(struct timer *timer, uint64_t now_ms)
{
	struct bench *b = container_of(timer, struct bench, poll);
	if (b->turn_ms && now_ms - b->turn_ms > b->worst_ms)
		b->worst_ms = now_ms - b->turn_ms;
	b->turn_ms = now_ms;
	if ((b->until && b->until(b)) || now_ms >= b->until_ms)
		loop_stop(b->loop);
	else
		wheel_arm(loop_wheel(b->loop), timer, now_ms + 1, on_poll);
}

static void run(struct bench *b, bool (*until)(struct bench *b), uint64_t most_ms)
{
	b->until = until;
	b->until_ms = loop_now_ms(b->loop) + most_ms;
	b->turn_ms = 0;
	wheel_arm(loop_wheel(b->loop), &b->poll, loop_now_ms(b->loop), on_poll);
	loop_run(b->loop);
	if (until && !until(b))
		fail_msg("waited %u ms in vain", (unsigned)most_ms);
}

static struct store_status status(struct bench *b)
{
	struct store_status now;
	store_status(b->store, &now);
	return now;
}

static bool is_idle(struct bench *b)
{
	return status(b).pending == 0;
}
static bool is_up(struct bench *b)
{
	return status(b).state == STORE_UP;
}

static void on_done(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct bench *b = owner;
	assert_int_equal(handle, 42);
	b->done++;
	b->ok += reply->err == 0;
	b->err = reply->err;
	slice_copy(reply->value, b->value, sizeof(b->value));
}

static void on_return(void *owner, bool all)
{
	(void)all;
	((struct bench *)owner)->returns++;
}

static void open_store(struct bench *b)
{
	assert_int_equal(store_file_create(&b->config, &b->why, &b->store), 0);
	store_on_return(b->store, on_return, b);
}

static int put(struct bench *b, const char *key, const char *value, uint32_t ttl_s)
{
	store_put(b->store, slice_from(key), slice_from(value), ttl_s, on_done, b, 42);
	run(b, is_idle, 5000);
	return b->err;
}

static int get(struct bench *b, const char *key)
{
	store_get(b->store, slice_from(key), on_done, b, 42);
	run(b, is_idle, 5000);
	return b->err;
}

static int put_as(struct bench *b, uint16_t node, uint64_t epoch)
{
	struct buf value;
	buf_init(&value);
	record_head_write(&(struct record_head){.node = node, .epoch = epoch}, &value);
	store_put_owned(b->store, SLICE("call:{a}"), buf_slice(&value), 60, on_done, b, 42);
	buf_free(&value);
	run(b, is_idle, 5000);
	return b->err;
}

static int take_as(struct bench *b, uint16_t node, uint64_t seen)
{
	store_take(b->store, SLICE("call:{a}"), node, seen, on_done, b, 42);
	run(b, is_idle, 5000);
	return b->err;
}

static void what_was_put_is_there_after_a_restart(void **state)
{
	struct bench *b = *state;
	open_store(b);
	assert_int_equal(put(b, "call:{a}", "one", 60), 0);
	assert_int_equal(put(b, "call:{a}", "two", 60), 0);
	assert_int_equal(put(b, "call:{b}", "gone", 60), 0);
	store_delete(b->store, SLICE("call:{b}"));
	store_put(b->store, SLICE("call:{c}"), SLICE("last"), 60, NULL, NULL, 0);
	store_destroy(b->store); /* what is on its way is done */
	open_store(b);
	assert_int_equal(get(b, "call:{a}"), 0);
	assert_string_equal(b->value, "two");
	assert_int_equal(get(b, "call:{b}"), -ERR_NOT_FOUND);
	assert_int_equal(get(b, "call:{c}"), 0);
	assert_string_equal(status(b).kind, "file");
}

static void records_end_with_their_time(void **state)
{
	struct bench *b = *state;
	open_store(b);
	assert_int_equal(put(b, "call:{a}", "v", 1), 0);
	assert_int_equal(get(b, "call:{a}"), 0);
	run(b, NULL, 1300);
	assert_int_equal(get(b, "call:{a}"), -ERR_NOT_FOUND);
}

static void any_bytes_pass(void **state)
{
	struct bench *b = *state;
	static const char bytes[] = "a\0b'\xff\x00";
	open_store(b);
	store_put(b->store, SLICE("k"), (struct slice){bytes, sizeof(bytes)}, 60, NULL, NULL, 0);
	assert_int_equal(get(b, "k"), 0);
	assert_memory_equal(b->value, bytes, sizeof(bytes));
}

static void only_the_latest_owner_writes(void **state)
{
	struct bench *b = *state;
	open_store(b);
	assert_int_equal(take_as(b, 2, 5), -ERR_NOT_FOUND);
	assert_int_equal(put_as(b, 1, 5), 0);
	assert_int_equal(put_as(b, 2, 5), -ERR_DENIED);
	assert_int_equal(take_as(b, 2, 4), -ERR_DENIED);
	assert_int_equal(take_as(b, 2, 5), 0);
	assert_int_equal(b->value[RECORD_HEAD_NODE_AT + 1], 2);
	assert_int_equal(take_as(b, 3, 5), -ERR_DENIED);
	assert_int_equal(put_as(b, 1, 5), -ERR_DENIED);
	assert_int_equal(put_as(b, 2, 6), 0);
	assert_int_equal(status(b).denied, 4);
	assert_int_equal(status(b).unprotected, 0);
	assert_true(is_up(b));
}

static bool on_each(void *owner, struct slice key, struct slice value)
{
	struct bench *b = owner;
	uint32_t number;
	assert_int_equal(slice_to_u32(slice_sub(key, 6, key.len - 7), 1999, &number), 0);
	assert_true(slice_equal(value, SLICE("v")));
	b->seen[number]++;
	return ++b->each != 300;
}

static bool is_done(struct bench *b)
{
	return b->done > 0;
}

static void a_walk_sees_every_key_of_its_prefix(void **state)
{
	struct bench *b = *state;
	char key[32];
	open_store(b);
	for (int i = 0; i < 1200; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_put(b->store, slice_from(key), SLICE("v"), 60, NULL, NULL, 0);
	}
	store_put(b->store, SLICE("calm"), SLICE("w"), 60, NULL, NULL, 0);
	store_put(b->store, SLICE("media:{1}"), SLICE("w"), 60, NULL, NULL, 0);
	b->each = 1000; /* past the number at which it has seen enough */
	store_scan(b->store, SLICE("call:"), on_each, on_done, b, 42);
	run(b, is_done, 5000);
	for (int i = 0; i < 1200; i++)
		assert_int_equal(b->seen[i], 1);
	b->each = b->done = 0;
	store_scan(b->store, SLICE("call:"), on_each, on_done, b, 42);
	run(b, is_done, 5000);
	assert_int_equal(b->each, 300);
	assert_int_equal(b->err, 0);
}

static void two_processes_share_it(void **state)
{
	struct bench *b = *state;
	struct store *first;
	open_store(b);
	first = b->store;
	open_store(b);
	assert_int_equal(put(b, "k", "v", 60), 0);
	struct store *second = b->store;
	b->store = first;
	assert_int_equal(get(b, "k"), 0);
	store_destroy(second);
}

static void a_locked_file_blocks_no_worker(void **state)
{
	struct bench *b = *state;
	struct sqlite *other;
	b->config.timeout_ms = 300; /* the machine may be busy */
	open_store(b);
	assert_int_equal(put(b, "call:{a}", "v", 60), 0);
	assert_int_equal(sqlite_create(b->path, true, NULL, &other), 0);
	assert_int_equal(sqlite_run(other, "BEGIN EXCLUSIVE", NULL, 0, NULL, NULL), 0);
	b->done = 0;
	store_put(b->store, SLICE("call:{b}"), SLICE("v"), 60, on_done, b, 42);
	run(b, is_done, 1000);
	assert_int_equal(b->err, -ERR_TIMEOUT);
	assert_int_equal(status(b).state, STORE_STALLED);
	assert_int_equal(status(b).unprotected, 1);
	b->done = 0;
	store_put(b->store, SLICE("call:{c}"), SLICE("v"), 60, on_done, b, 42);
	assert_int_equal(b->done, 1); /* at once */
	assert_true(b->worst_ms < 500);
	assert_int_equal(sqlite_run(other, "COMMIT", NULL, 0, NULL, NULL), 0);
	sqlite_destroy(other);
	run(b, is_up, 5000);
	assert_int_equal(b->returns, 1);
	/* It was made all the same. The machine may be busy: 20 ms are not always enough. */
	for (int i = 0; i < 100 && get(b, "call:{c}") == -ERR_TIMEOUT; i++)
		run(b, NULL, 10);
	assert_int_equal(b->err, 0);
}

static void what_cannot_be_written_is_unprotected(void **state)
{
	struct bench *b = *state;
	struct sqlite *other;
	open_store(b);
	assert_int_equal(put(b, "call:{a}", "v", 60), 0);
	assert_int_equal(sqlite_create(b->path, true, NULL, &other), 0);
	assert_int_equal(
		sqlite_run(other, "ALTER TABLE records RENAME TO away", NULL, 0, NULL, NULL), 0);
	assert_int_equal(put(b, "call:{b}", "v", 60), -ERR_REFUSED);
	assert_int_equal(put_as(b, 1, 5), -ERR_REFUSED); /* not "another one's" */
	assert_int_equal(status(b).state, STORE_REFUSING);
	assert_string_equal(status(b).reason, "no such table: records");
	assert_int_equal(status(b).unprotected, 2);
	store_delete(b->store, SLICE("call:{a}"));
	run(b, is_idle, 2000);
	assert_int_equal(
		sqlite_run(other, "ALTER TABLE away RENAME TO records", NULL, 0, NULL, NULL), 0);
	sqlite_destroy(other);
	run(b, is_up, 5000);
	assert_int_equal(b->returns, 1);
	run(b, is_idle, 2000);
	assert_int_equal(get(b, "call:{a}"), -ERR_NOT_FOUND); /* deleted after all */
}

static void what_is_no_database_is_put_aside(void **state)
{
	struct bench *b = *state;
	char aside[128];
	FILE *file = fopen(b->path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	open_store(b);
	assert_int_equal(put(b, "k", "v", 60), 0);
	snprintf(aside, sizeof(aside), "%s.broken", b->path);
	assert_int_equal(unlink(aside), 0);
	rewind(b->log_file);
	assert_non_null(fgets(b->value, sizeof(b->value), b->log_file));
	assert_non_null(strstr(b->value, "store.broken"));
	assert_non_null(strstr(b->value, "file is not a database"));
}

static void a_file_that_cannot_be_made_is_named(void **state)
{
	struct bench *b = *state;
	b->config.path = "/proc/postern.db";
	assert_int_not_equal(store_file_create(&b->config, &b->why, &b->store), 0);
	assert_non_null(strstr(b->why.data, "/proc/postern.db: "));
}

static void a_burst_is_one_transaction(void **state)
{
	struct bench *b = *state;
	char key[32];
	open_store(b);
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		store_put(b->store, slice_from(key), SLICE("value"), 60, on_done, b, 42);
	}
	run(b, is_idle, 20000);
	assert_int_equal(b->done, 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_put_is_there_after_a_restart),
		TEST(records_end_with_their_time),
		TEST(any_bytes_pass),
		TEST(only_the_latest_owner_writes),
		TEST(a_walk_sees_every_key_of_its_prefix),
		TEST(two_processes_share_it),
		TEST(a_locked_file_blocks_no_worker),
		TEST(what_cannot_be_written_is_unprotected),
		TEST(what_is_no_database_is_put_aside),
		TEST(a_file_that_cannot_be_made_is_named),
		TEST(a_burst_is_one_transaction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
