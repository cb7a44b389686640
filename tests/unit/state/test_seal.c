/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "control/base/wheel.h"
#include "control/state/memory.h"
#include "control/state/record_head.h"
#include "sample.h"

struct bench {
	struct sample_random random;
	struct log log;
	FILE *log_file;
	struct seal *seal;
	struct seal *other;
	struct buf value, sealed, opened;
	int err;
	char got[256];
	size_t got_len;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	sample_random_init(&b->random, 5);
	b->log_file = tmpfile();
	b->log = (struct log){.level = LOG_INFO, .fd = fileno(b->log_file), .program = "test"};
	buf_init(&b->value);
	buf_init(&b->sealed);
	buf_init(&b->opened);
	assert_int_equal(seal_create("correct horse", &b->random.base, &b->log, &b->seal), 0);
	assert_int_equal(seal_create("battery staple", &b->random.base, &b->log, &b->other), 0);
	record_head_write(&(struct record_head){.node = 3, .epoch = 9, .worker = 1, .state = 2},
			  &b->value);
	buf_add_text(&b->value, "the keys of media");
	assert_int_equal(seal_close(b->seal, buf_slice(&b->value), &b->sealed), 0);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	seal_destroy(b->seal);
	seal_destroy(b->other);
	buf_free(&b->value);
	buf_free(&b->sealed);
	buf_free(&b->opened);
	fclose(b->log_file);
	free(b);
	return 0;
}

static int open_it(struct bench *b, struct seal *seal)
{
	buf_clear(&b->opened);
	return seal_open(seal, buf_slice(&b->sealed), &b->opened);
}

static unsigned lines_logged(struct bench *b)
{
	unsigned count = 0;
	int c;
	rewind(b->log_file);
	while ((c = fgetc(b->log_file)) != EOF)
		count += c == '\n';
	return count;
}

static void what_was_sealed_opens_again(void **state)
{
	struct bench *b = *state;
	struct record_head head;
	assert_int_equal(slice_find_slice(buf_slice(&b->sealed), SLICE("keys")), b->sealed.len);
	assert_int_equal(record_head_read(buf_slice(&b->sealed), &head), 0); /* stays clear */
	assert_int_equal(head.epoch, 9);
	assert_int_equal(open_it(b, b->seal), 0);
	assert_true(slice_equal(buf_slice(&b->opened), buf_slice(&b->value)));
	assert_int_equal(seal_close(b->seal, buf_slice(&b->value), &b->sealed), 0);
	size_t half = b->sealed.len / 2; /* never the same twice */
	assert_memory_not_equal(b->sealed.data, b->sealed.data + half, half);
}

static void an_owner_may_be_changed_in_the_store(void **state)
{
	struct bench *b = *state;
	struct record_head head;
	record_head_take(b->sealed.data, 4, 10);
	assert_int_equal(open_it(b, b->seal), 0);
	assert_int_equal(record_head_read(buf_slice(&b->opened), &head), 0);
	assert_int_equal(head.node, 4);
	assert_int_equal(head.epoch, 10);
}

static void another_key_and_any_change_are_refused(void **state)
{
	struct bench *b = *state;
	uint64_t refused = 0;
	assert_int_equal(open_it(b, b->other), -ERR_MALFORMED);
	assert_int_equal(b->opened.len, 0);
	assert_int_equal(seal_refused(b->other), 1);
	for (size_t i = 1; i < b->sealed.len; i++) {
		if (i >= RECORD_HEAD_NODE_AT && i < RECORD_HEAD_WORKER_AT)
			continue;
		b->sealed.data[i] ^= 4;
		assert_int_equal(open_it(b, b->seal), -ERR_MALFORMED);
		b->sealed.data[i] ^= 4;
		assert_int_equal(seal_refused(b->seal), ++refused);
	}
	size_t whole = b->sealed.len;
	for (b->sealed.len = 1; b->sealed.len < whole; b->sealed.len++)
		assert_int_equal(open_it(b, b->seal), -ERR_MALFORMED);
	assert_int_equal(open_it(b, b->seal), 0);
	assert_int_equal(lines_logged(b), 2); /* one each, not hundreds */
}

static void what_is_not_sealed_is_refused(void **state)
{
	struct bench *b = *state;
	assert_int_equal(seal_open(b->seal, buf_slice(&b->value), &b->opened), -ERR_MALFORMED);
	assert_int_equal(seal_open(b->seal, SLICE("a heartbeat"), &b->opened), 0);
	assert_true(slice_equal(buf_slice(&b->opened), SLICE("a heartbeat")));
}

static void on_got(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct bench *b = owner;
	(void)handle;
	b->err = reply->err;
	b->got_len = slice_copy(reply->value, b->got, sizeof(b->got));
}

static bool on_each(void *owner, struct slice key, struct slice value)
{
	(void)key;
	on_got(owner, 0, &(struct store_reply){.value = value});
	return true;
}

static void a_store_seals_and_opens_by_itself(void **state)
{
	struct bench *b = *state;
	struct wheel *wheel;
	struct store *store;
	struct store_status status;
	assert_int_equal(wheel_create(1000, &wheel), 0);
	const struct store_memory_config memory = {.wheel = wheel, .random = &b->random.base};
	assert_int_equal(store_memory_create(&memory, &store), 0);
	store_seal(store, b->seal);
	b->seal = NULL;
	store_put(store, SLICE("call:{a}"), buf_slice(&b->value), 60, on_got, b, 1);
	assert_int_equal(b->err, 0);
	store_get(store, SLICE("call:{a}"), on_got, b, 1);
	assert_memory_equal(b->got, b->value.data, b->value.len);
	store_take(store, SLICE("call:{a}"), 4, 9, on_got, b, 1);
	assert_int_equal(b->err, 0);
	assert_memory_equal(b->got + RECORD_HEAD_SIZE, "the keys of media", 17);
	b->got[RECORD_HEAD_SIZE] = 0;
	store_scan(store, SLICE("call:"), on_each, on_got, b, 1);
	store_get(store, SLICE("call:{a}"), on_got, b, 1);
	assert_memory_equal(b->got + RECORD_HEAD_SIZE, "the keys of media", 17);
	store_seal(store, b->other); /* the wrong one */
	b->other = NULL;
	store_get(store, SLICE("call:{a}"), on_got, b, 1);
	assert_int_equal(b->err, -ERR_MALFORMED);
	assert_int_equal(b->got_len, 0);
	store_status(store, &status);
	assert_int_equal(status.refused, 1);
	store_destroy(store);
	wheel_destroy(wheel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_sealed_opens_again),
		TEST(an_owner_may_be_changed_in_the_store),
		TEST(another_key_and_any_change_are_refused),
		TEST(what_is_not_sealed_is_refused),
		TEST(a_store_seals_and_opens_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
