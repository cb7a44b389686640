/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/state/record_head.h"
#include "sample.h"

struct bench {
	struct wheel *wheel;
	struct sample_random random;
	struct store *store;
	int calls;
	int err;
	uint64_t handle;
	char value[64];
};

static void open_store(struct bench *b, uint32_t entries, uint64_t bytes)
{
	store_destroy(b->store);
	b->store = NULL;
	const struct store_memory_config config = {.wheel = b->wheel,
						   .random = &b->random.base,
						   .entries_limit = entries,
						   .bytes_limit = bytes};
	assert_int_equal(store_memory_create(&config, &b->store), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	sample_random_init(&b->random, 7);
	assert_int_equal(wheel_create(1000, &b->wheel), 0);
	open_store(b, 0, 0);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	store_destroy(b->store);
	assert_int_equal(wheel_armed(b->wheel), 0);
	wheel_destroy(b->wheel);
	free(b);
	return 0;
}

static void on_done(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct bench *b = owner;
	b->calls++;
	b->err = reply->err;
	b->handle = handle;
	slice_copy(reply->value, b->value, sizeof(b->value));
}

static int put(struct bench *b, const char *key, const char *value, uint32_t ttl_s)
{
	int calls = b->calls;
	store_put(b->store, slice_from(key), slice_from(value), ttl_s, on_done, b, 42);
	assert_int_equal(b->calls, calls + 1);
	assert_int_equal(b->handle, 42);
	return b->err;
}

static int get(struct bench *b, const char *key)
{
	int calls = b->calls;
	store_get(b->store, slice_from(key), on_done, b, 43);
	assert_int_equal(b->calls, calls + 1);
	return b->err;
}

static struct store_status status(struct bench *b)
{
	struct store_status status;
	store_status(b->store, &status);
	return status;
}

static void what_is_put_is_got_until_deleted(void **state)
{
	struct bench *b = *state;
	assert_int_equal(put(b, "call:{1}", "one", 60), 0);
	assert_int_equal(put(b, "call:{2}", "two", 60), 0);
	assert_int_equal(get(b, "call:{1}"), 0);
	assert_string_equal(b->value, "one");
	store_delete(b->store, SLICE("call:{1}"));
	store_delete(b->store, SLICE("call:{1}"));
	assert_int_equal(get(b, "call:{1}"), -ERR_NOT_FOUND);
	assert_int_equal(get(b, "call:{2}"), 0);
	assert_int_equal(status(b).entries, 1);
	assert_int_equal(status(b).bytes, strlen("call:{2}two"));
}

static void a_new_value_replaces_the_old_and_its_time(void **state)
{
	struct bench *b = *state;
	assert_int_equal(put(b, "k", "old", 10), 0);
	wheel_advance(b->wheel, 1000 + 9000);
	assert_int_equal(put(b, "k", "newer", 10), 0);
	wheel_advance(b->wheel, 1000 + 18000);
	assert_int_equal(get(b, "k"), 0);
	assert_string_equal(b->value, "newer");
	assert_int_equal(status(b).entries, 1);
	assert_int_equal(status(b).bytes, 6);
}

static void entries_end_with_their_time(void **state)
{
	struct bench *b = *state;
	assert_int_equal(put(b, "short", "x", 5), 0);
	assert_int_equal(put(b, "long", "x", 50), 0);
	wheel_advance(b->wheel, 1000 + 4999);
	assert_int_equal(get(b, "short"), 0);
	wheel_advance(b->wheel, 1000 + 5001);
	assert_int_equal(get(b, "short"), -ERR_NOT_FOUND);
	assert_int_equal(get(b, "long"), 0);
	assert_int_equal(status(b).entries, 1);
}

static void a_full_store_refuses_and_counts(void **state)
{
	struct bench *b = *state;
	open_store(b, 2, 0);
	assert_int_equal(put(b, "a", "x", 60), 0);
	assert_int_equal(put(b, "b", "x", 60), 0);
	assert_int_equal(put(b, "c", "x", 60), -ERR_TOO_MANY);
	assert_int_equal(put(b, "a", "y", 60), 0); /* replacing needs no room */
	assert_int_equal(status(b).unprotected, 1);
	store_delete(b->store, SLICE("b"));
	assert_int_equal(put(b, "c", "x", 60), 0);

	open_store(b, 0, 10);
	assert_int_equal(put(b, "a", "12345678", 60), 0);
	assert_int_equal(put(b, "b", "12", 60), -ERR_TOO_MANY);
	assert_int_equal(put(b, "a", "123456789", 60), 0);
	assert_int_equal(put(b, "a", "1234567890", 60), -ERR_TOO_MANY);
	assert_int_equal(get(b, "a"), 0);
	assert_string_equal(b->value, "123456789");
}

static void senseless_arguments_are_refused(void **state)
{
	struct bench *b = *state;
	char key[STORE_KEY_LIMIT + 2];
	memset(key, 'k', sizeof(key));
	key[STORE_KEY_LIMIT + 1] = '\0';
	assert_int_equal(put(b, "", "x", 60), -ERR_INVALID);
	assert_int_equal(put(b, "k", "x", 0), -ERR_INVALID);
	assert_int_equal(put(b, key, "x", 60), -ERR_INVALID);
	assert_int_equal(get(b, key), -ERR_INVALID);
	char *big = calloc(1, STORE_VALUE_LIMIT + 1);
	store_put(b->store, SLICE("k"), (struct slice){big, STORE_VALUE_LIMIT + 1}, 60, on_done, b,
		  42);
	assert_int_equal(b->err, -ERR_TOO_LARGE);
	free(big);
	assert_int_equal(status(b).entries, 0);
	store_put(b->store, SLICE("k"), SLICE("v"), 60, NULL, NULL, 0); /* nobody to tell is fine */
	assert_int_equal(get(b, "k"), 0);
}

static int put_as(struct bench *b, uint16_t node, uint64_t epoch)
{
	const struct record_head head = {.node = node, .epoch = epoch};
	struct buf value;
	buf_init(&value);
	record_head_write(&head, &value);
	store_put_owned(b->store, SLICE("call:{a}"), buf_slice(&value), 60, on_done, b, 42);
	buf_free(&value);
	return b->err;
}

static int take_as(struct bench *b, uint16_t node, uint64_t seen)
{
	store_take(b->store, SLICE("call:{a}"), node, seen, on_done, b, 42);
	return b->err;
}

static void only_the_latest_owner_writes(void **state)
{
	struct bench *b = *state;
	assert_int_equal(take_as(b, 2, 5), -ERR_NOT_FOUND);
	assert_int_equal(put_as(b, 1, 5), 0);
	assert_int_equal(put_as(b, 2, 5), -ERR_DENIED);
	assert_int_equal(take_as(b, 2, 4), -ERR_DENIED);
	assert_int_equal(take_as(b, 2, 5), 0);
	assert_int_equal(b->value[RECORD_HEAD_NODE_AT + 1], 2);
	assert_int_equal(take_as(b, 3, 5), -ERR_DENIED);
	assert_int_equal(put_as(b, 1, 5), -ERR_DENIED);
	assert_int_equal(put_as(b, 2, 6), 0);
	store_put_owned(b->store, SLICE("k"), SLICE("no head"), 60, on_done, b, 42);
	assert_int_equal(b->err, -ERR_INVALID);
	assert_int_equal(status(b).denied, 4);
}

static bool on_each(void *owner, struct slice key, struct slice value)
{
	struct bench *b = owner;
	assert_true(slice_starts(key, SLICE("call:")));
	assert_true(slice_equal(value, SLICE("v")));
	store_delete(b->store, SLICE("call:{1}"));
	store_delete(b->store, SLICE("call:{2}"));
	return ++b->handle < 100;
}

static void a_walk_stands_what_is_done_on_it(void **state)
{
	struct bench *b = *state;
	assert_int_equal(put(b, "call:{1}", "v", 60), 0);
	assert_int_equal(put(b, "call:{2}", "v", 60), 0);
	assert_int_equal(put(b, "node:{2}", "w", 60), 0);
	b->handle = 0;
	store_scan(b->store, SLICE("call:"), on_each, NULL, b, 42);
	assert_int_equal(b->handle, 1);
	assert_int_equal(status(b).entries, 1);
}

static void ten_thousand_come_and_go(void **state)
{
	struct bench *b = *state;
	char key[32];
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "call:{%d}", i);
		assert_int_equal(put(b, key, "value", 1 + (uint32_t)i % 100), 0);
	}
	assert_int_equal(status(b).entries, 10000);
	wheel_advance(b->wheel, 1000 + 50 * 1000 + 1);
	assert_int_equal(status(b).entries, 5000);
	wheel_advance(b->wheel, 1000 + 100 * 1000 + 1);
	assert_int_equal(status(b).entries, 0);
	assert_int_equal(status(b).bytes, 0);
	assert_string_equal(status(b).kind, "memory");
	assert_string_equal(store_state_text(status(b).state), "up");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_put_is_got_until_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_value_replaces_the_old_and_its_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(entries_end_with_their_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_store_refuses_and_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(senseless_arguments_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_latest_owner_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_walk_stands_what_is_done_on_it, setup, teardown),
		cmocka_unit_test_setup_teardown(ten_thousand_come_and_go, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
