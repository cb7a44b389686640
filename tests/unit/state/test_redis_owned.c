/* Records with an owner, and walks over all of them, in a real Redis.
 * SPDX-License-Identifier: Apache-2.0 */
#include "redis_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/state/record_head.h"

static int put_as(struct bench *b, const char *key, uint16_t node, uint64_t epoch, const char *body)
{
	const struct record_head head = {.node = node, .epoch = epoch, .worker = 1, .state = 2};
	struct buf value;

	buf_init(&value);
	record_head_write(&head, &value);
	buf_add_text(&value, body);
	b->done = b->ok = 0;
	store_put_owned(b->store, slice_from(key), buf_slice(&value), 60, on_done, b, 99);
	buf_free(&value);
	run(b, is_done, 2000);
	return b->err;
}

static int take_as(struct bench *b, const char *key, uint16_t node, uint64_t seen)
{
	b->done = 0;
	store_take(b->store, slice_from(key), node, seen, on_done, b, 99);
	run(b, is_done, 2000);
	return b->err;
}

static void assert_stored(struct bench *b, const char *key, uint16_t node, uint64_t epoch,
			  const char *body)
{
	struct record_head head;
	struct slice rest;

	assert_int_equal(get_and_wait(b, key), 0);
	assert_int_equal(
		record_head_split((struct slice){b->value, RECORD_HEAD_SIZE + strlen(body)}, &head,
				  &rest),
		0);
	assert_int_equal(head.node, node);
	assert_int_equal(head.epoch, epoch);
	assert_memory_equal(rest.data, body, strlen(body) + 1);
}

static void a_late_write_of_a_former_owner_fails(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_as(b, "call:{a}", 1, 5, "one"), 0); /* was gone: there again */
	assert_server(b, "TTL call:{a}", "60");
	assert_int_equal(put_as(b, "call:{a}", 1, 5, "again"), 0);
	assert_int_equal(put_as(b, "call:{a}", 2, 5, "other"), -ERR_DENIED);
	assert_int_equal(put_as(b, "call:{a}", 1, 4, "older"), -ERR_DENIED);
	assert_stored(b, "call:{a}", 1, 5, "again");
	assert_int_equal(put_as(b, "call:{a}", 2, 6, "taken"), 0);
	assert_int_equal(put_as(b, "call:{a}", 1, 5, "late"), -ERR_DENIED);
	assert_stored(b, "call:{a}", 2, 6, "taken");
	assert_int_equal(status(b).denied, 3);
	assert_int_equal(status(b).unprotected, 0);
	assert_true(is_up(b));
}

/* Doubles, as scripts have them, know 53 bits. */
static void epochs_have_64_bits(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_as(b, "call:{a}", 1, (1ull << 60) + 1, "v"), 0);
	assert_int_equal(put_as(b, "call:{a}", 1, 1ull << 60, "w"), -ERR_DENIED);
	assert_int_equal(put_as(b, "call:{a}", 1, 1ull << 63 | 1, "x"), 0);
	assert_int_equal(put_as(b, "call:{a}", 1, 1ull << 63, "y"), -ERR_DENIED);
	assert_int_equal(take_as(b, "call:{a}", 2, 1ull << 63), -ERR_DENIED);
	assert_int_equal(take_as(b, "call:{a}", 2, 1ull << 63 | 1), 0);
	assert_stored(b, "call:{a}", 2, 1ull << 63 | 2, "x");
}

static void of_two_who_take_one_gets_it(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_as(b, "call:{a}", 1, 5, "body"), 0);
	assert_int_equal(take_as(b, "call:{a}", 2, 5), 0);
	assert_memory_equal(b->value + RECORD_HEAD_SIZE, "body", 5);
	assert_int_equal(take_as(b, "call:{a}", 3, 5), -ERR_DENIED);
	assert_stored(b, "call:{a}", 2, 6, "body");
	assert_server(b, "TTL call:{a}", "60");
	assert_int_equal(take_as(b, "call:{b}", 3, 5), -ERR_NOT_FOUND);
	assert_int_equal(status(b).takes, 3);
}

static void what_has_no_head_is_taken_from_nobody(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_and_wait(b, "call:{a}", "PCR before"), 0);
	assert_int_equal(take_as(b, "call:{a}", 3, 1), -ERR_DENIED);
	assert_int_equal(take_as(b, "call:{a}", 3, 0), 0);
	assert_stored(b, "call:{a}", 3, 1, "PCR before");
	assert_server(b, "TTL call:{a}", "60");
}

static void scripts_are_said_again_when_forgotten(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(put_as(b, "call:{a}", 1, 5, "one"), 0);
	assert_int_equal(take_as(b, "call:{a}", 1, 5), 0);
	assert_int_equal(calls_of(b, "eval"), 2); /* once each: the server was new */
	assert_int_equal(put_as(b, "call:{a}", 1, 6, "two"), 0);
	assert_int_equal(take_as(b, "call:{a}", 1, 6), 0);
	assert_int_equal(calls_of(b, "eval"), 2);
	ask(b, "SCRIPT FLUSH");
	assert_int_equal(put_as(b, "call:{a}", 1, 7, "three"), 0);
	assert_int_equal(take_as(b, "call:{a}", 1, 7), 0);
	assert_int_equal(calls_of(b, "eval"), 4);
	assert_stored(b, "call:{a}", 1, 8, "three");
	assert_int_equal(status(b).errors, 0);
}

static void a_script_said_again_brings_nothing_back(void **state)
{
	struct bench *b = *state;
	const struct record_head head = {.node = 1, .epoch = 5};
	struct buf value;
	open_and_connect(b);
	buf_init(&value);
	record_head_write(&head, &value);
	store_put_owned(b->store, SLICE("call:{a}"), buf_slice(&value), 60, on_done, b, 99);
	store_delete(b->store, SLICE("call:{a}")); /* in the same burst */
	buf_free(&value);
	run(b, is_idle, 2000);
	assert_server(b, "EXISTS call:{a}", "0");
	assert_int_equal(b->done, 1);
}

static void a_key_of_a_wrong_type_is_written_over_not_taken(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	ask(b, "LPUSH call:{a} x");
	assert_int_equal(take_as(b, "call:{a}", 1, 5), -ERR_REFUSED);
	assert_int_equal(put_as(b, "call:{a}", 1, 5, "v"), 0);
	assert_stored(b, "call:{a}", 1, 5, "v");
}

/* --- walks --- */

static bool on_each(void *owner, struct slice key, struct slice value)
{
	struct bench *b = owner;
	uint32_t number;

	assert_true(slice_starts(key, SLICE("call:{")));
	assert_int_equal(slice_to_u32(slice_sub(key, 6, key.len - 7), 9999, &number), 0);
	assert_true(slice_starts(value, SLICE("value ")));
	b->seen[number]++;
	b->each++;
	return b->each != b->each_limit;
}

static int scan_and_wait(struct bench *b, const char *prefix)
{
	memset(b->seen, 0, sizeof(b->seen));
	b->done = b->each = 0;
	store_scan(b->store, slice_from(prefix), on_each, on_done, b, 99);
	run(b, is_done, 10000);
	return b->err;
}

static void put_many(struct bench *b, unsigned count)
{
	char key[32], value[32];
	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "call:{%u}", i);
		snprintf(value, sizeof(value), "value %u", i);
		store_put(b->store, slice_from(key), slice_from(value), 60, NULL, NULL, 0);
	}
	store_put(b->store, SLICE("node:{x}"), SLICE("1"), 60, NULL, NULL, 0);
	store_put(b->store, SLICE("cal*:{1}"), SLICE("1"), 60, NULL, NULL, 0);
	run(b, is_idle, 10000);
}

static void a_walk_sees_every_key_of_its_prefix(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	assert_int_equal(scan_and_wait(b, "call:"), 0);
	assert_int_equal(b->each, 0);
	put_many(b, 3000);
	assert_int_equal(scan_and_wait(b, "call:"), 0);
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(b->seen[i], 1);
	assert_int_equal(scan_and_wait(b, "cal?:"), 0);
	assert_int_equal(b->each, 0);
	b->each_limit = 10;
	assert_int_equal(scan_and_wait(b, "call:"), 0);
	assert_int_equal(b->each, 10);
	assert_int_equal(calls_of(b, "keys"), 0);
}

static bool is_walking(struct bench *b)
{
	return b->each > 0;
}

static void other_verbs_pass_a_walk(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	put_many(b, 9000);
	memset(b->seen, 0, sizeof(b->seen));
	b->each = b->done = 0;
	store_scan(b->store, SLICE("call:"), on_each, on_done, b, 99);
	run(b, is_walking, 2000);
	assert_int_equal(b->done, 0);
	store_scan(b->store, SLICE("call:"), on_each, on_done, b, 99);
	assert_int_equal(b->err, -ERR_BUSY); /* one at a time */
	assert_int_equal(get_and_wait(b, "node:{x}"), 0);
	assert_true(b->each < 2000); /* of 9000 */
	b->done = 0;
	run(b, is_done, 10000);
	assert_int_equal(b->each, 9000);
}

static void a_walk_ends_with_the_connection(void **state)
{
	struct bench *b = *state;
	open_and_connect(b);
	put_many(b, 5000);
	b->each = b->done = 0;
	store_scan(b->store, SLICE("call:"), on_each, on_done, b, 99);
	run(b, is_walking, 2000);
	redis_server_kill(&b->server);
	run(b, is_done, 2000);
	assert_int_equal(b->err, -ERR_CLOSED);
	assert_int_equal(scan_and_wait(b, "call:"), -ERR_CLOSED);
}

#define RUNNING(test) cmocka_unit_test_setup_teardown(test, setup_running, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNNING(a_late_write_of_a_former_owner_fails),
		RUNNING(epochs_have_64_bits),
		RUNNING(of_two_who_take_one_gets_it),
		RUNNING(what_has_no_head_is_taken_from_nobody),
		RUNNING(scripts_are_said_again_when_forgotten),
		RUNNING(a_script_said_again_brings_nothing_back),
		RUNNING(a_key_of_a_wrong_type_is_written_over_not_taken),
		RUNNING(a_walk_sees_every_key_of_its_prefix),
		RUNNING(other_verbs_pass_a_walk),
		RUNNING(a_walk_ends_with_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
