/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/conceal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct conceal_key key_of(uint64_t seed)
{
	struct conceal_key key;
	conceal_key_derive((uint64_t[2]){seed, 2}, (uint64_t[2]){3, seed}, &key);
	return key;
}

static void what_is_concealed_comes_back(void **state)
{
	struct conceal_key key = key_of(1);
	char text[CONCEAL_MAX];
	struct buf hidden, plain;
	(void)state;

	buf_init(&hidden);
	buf_init(&plain);
	for (size_t len = 1; len <= CONCEAL_MAX; len++) {
		for (size_t i = 0; i < len; i++)
			text[i] = (char)(i * 37 + len);
		buf_clear(&hidden);
		buf_clear(&plain);
		conceal(&key, (struct slice){text, len}, &hidden);
		assert_false(buf_failed(&hidden));
		assert_int_equal(conceal_reveal(&key, buf_slice(&hidden), &plain), 0);
		assert_int_equal(plain.len, len);
		assert_memory_equal(plain.data, text, len);
	}
	buf_clear(&hidden);
	conceal(&key, (struct slice){text, CONCEAL_MAX + 1}, &hidden);
	assert_true(buf_failed(&hidden));
	buf_free(&hidden);
	buf_free(&plain);
}

static void nothing_else_is_taken(void **state)
{
	struct conceal_key key = key_of(1), other = key_of(2);
	struct buf hidden, plain;
	(void)state;

	buf_init(&hidden);
	buf_init(&plain);
	conceal(&key, SLICE("call@10.0.0.20"), &hidden);
	assert_int_equal(slice_find_slice(buf_slice(&hidden), SLICE("10.0")), hidden.len);
	assert_int_equal(conceal_reveal(&other, buf_slice(&hidden), &plain), -ERR_MALFORMED);
	for (size_t i = 0; i < hidden.len; i++) {
		char kept = hidden.data[i];
		hidden.data[i] = kept == 'a' ? 'b' : 'a';
		assert_int_equal(conceal_reveal(&key, buf_slice(&hidden), &plain), -ERR_MALFORMED);
		hidden.data[i] = kept;
	}
	for (size_t len = 0; len + 1 < hidden.len; len++)
		assert_int_equal(
			conceal_reveal(&key, slice_sub(buf_slice(&hidden), 0, len), &plain),
			-ERR_MALFORMED);
	assert_int_equal(plain.len, 0);
	buf_free(&hidden);
	buf_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_concealed_comes_back),
		cmocka_unit_test(nothing_else_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
