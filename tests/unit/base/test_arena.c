/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena *make(size_t first_chunk, size_t limit)
{
	struct arena *arena = NULL;
	assert_int_equal(arena_create(first_chunk, limit, &arena), 0);
	return arena;
}

static void blocks_are_aligned_and_apart(void **state)
{
	(void)state;
	struct arena *arena = make(256, 1 << 20);
	char *blocks[100];
	for (size_t i = 0; i < 100; i++) {
		blocks[i] = arena_alloc(arena, i);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], (int)i, i);
	}
	for (size_t i = 0; i < 100; i++) {
		for (size_t j = 0; j < i; j++)
			assert_int_equal(blocks[i][j], (char)i);
	}
	arena_destroy(arena);
	arena_destroy(NULL);
}

static void the_limit_holds_and_reset_gives_all_back(void **state)
{
	(void)state;
	struct arena *arena = make(1024, 16384);
	size_t counts[3] = {0};
	for (size_t round = 0; round < 3; round++) {
		while (arena_alloc(arena, 100))
			counts[round]++;
		assert_true(arena_used(arena) <= 16384);
		assert_null(arena_alloc(arena, 100000));
		assert_null(arena_alloc(arena, SIZE_MAX));
		arena_reset(arena);
		assert_int_equal(arena_used(arena), 0);
	}
	assert_true(counts[0] > 16384 / 160);
	assert_true(counts[0] <= 16384 / 100);
	assert_int_equal(counts[1], counts[0]);
	assert_int_equal(counts[2], counts[0]);
	arena_destroy(arena);
}

static void the_first_chunk_stays(void **state)
{
	(void)state;
	struct arena *arena = make(1024, 1 << 20);
	void *first = arena_alloc(arena, 16);
	assert_non_null(arena_alloc(arena, 5000));
	arena_reset(arena);
	assert_ptr_equal(arena_alloc(arena, 16), first);
	arena_destroy(arena);
}

static void the_newest_block_grows_in_place(void **state)
{
	(void)state;
	struct arena *arena = make(4096, 1 << 20);
	char *block = arena_alloc(arena, 10);
	memcpy(block, "0123456789", 10);
	assert_ptr_equal(arena_realloc(arena, block, 10, 1000), block);
	block[999] = 'x';
	/* Not the newest any more: moves when it grows, stays when it shrinks. */
	char *other = arena_alloc(arena, 16);
	memset(other, 'o', 16);
	assert_ptr_equal(arena_realloc(arena, block, 1000, 20), block);
	char *moved = arena_realloc(arena, block, 1000, 1200);
	assert_ptr_not_equal(moved, block);
	assert_memory_equal(moved, "0123456789", 10);
	assert_int_equal(moved[999], 'x');
	assert_int_equal(other[15], 'o');
	/* Past the chunk: to the next one, contents along. */
	char *far = arena_realloc(arena, moved, 1200, 10000);
	assert_memory_equal(far, "0123456789", 10);
	assert_int_equal(far[999], 'x');
	assert_non_null(arena_realloc(arena, NULL, 0, 8));
	assert_null(arena_realloc(arena, far, 10000, 1 << 21));
	assert_int_equal(far[999], 'x');
	arena_destroy(arena);
}

static void zeroed_blocks_are_zero_after_reset(void **state)
{
	(void)state;
	struct arena *arena = make(256, 4096);
	static const char zero[64];
	memset(arena_alloc(arena, 64), 0xff, 64);
	arena_reset(arena);
	assert_memory_equal(arena_zalloc(arena, 64), zero, 64);
	assert_null(arena_zalloc(arena, 10000));
	arena_destroy(arena);
}

static void copies_and_texts(void **state)
{
	(void)state;
	struct arena *arena = make(256, 4096);
	struct slice copy = arena_copy(arena, SLICE("abc"));
	assert_true(slice_equal(copy, SLICE("abc")));
	assert_non_null(arena_copy(arena, SLICE_NONE).data);
	assert_string_equal(arena_text(arena, SLICE("text")), "text");
	assert_string_equal(arena_text(arena, SLICE_NONE), "");
	assert_string_equal(arena_printf(arena, "%s-%d", "leg", 7), "leg-7");
	assert_null(arena_printf(arena, "%05000d", 1));
	assert_null(arena_text(arena, (struct slice){"", SIZE_MAX}));
	assert_null(arena_copy(arena, (struct slice){"", SIZE_MAX}).data);
	arena_destroy(arena);
}

static void senseless_sizes_are_refused(void **state)
{
	(void)state;
	struct arena *arena = NULL;
	assert_int_equal(arena_create(0, 100, &arena), -ERR_INVALID);
	assert_int_equal(arena_create(200, 100, &arena), -ERR_INVALID);
	assert_int_equal(arena_create(200, SIZE_MAX, &arena), -ERR_INVALID);
	assert_null(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_aligned_and_apart),
		cmocka_unit_test(the_limit_holds_and_reset_gives_all_back),
		cmocka_unit_test(the_first_chunk_stays),
		cmocka_unit_test(the_newest_block_grows_in_place),
		cmocka_unit_test(zeroed_blocks_are_zero_after_reset),
		cmocka_unit_test(copies_and_texts),
		cmocka_unit_test(senseless_sizes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
