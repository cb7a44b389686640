/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void no_bytes_come_twice(void **state)
{
	(void)state;
	struct random_system random;
	uint64_t seen[1000];
	random_system_init(&random);
	for (size_t i = 0; i < 1000; i++) {
		seen[i] = random_u64(&random.base);
		for (size_t j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
}

static void every_length_is_filled_and_no_more(void **state)
{
	(void)state;
	struct random_system random;
	random_system_init(&random);
	for (size_t len = 0; len < 600; len += 7) {
		uint8_t bytes[700], seen[700] = {0};
		for (int round = 0; round < 20; round++) {
			memset(bytes, 0, sizeof(bytes));
			random_fill(&random.base, bytes, len);
			for (size_t i = 0; i < sizeof(bytes); i++)
				seen[i] |= bytes[i];
		}
		for (size_t i = 0; i < sizeof(bytes); i++)
			assert_int_equal(seen[i] != 0, i < len);
	}
}

static void used_bytes_leave_no_trace(void **state)
{
	(void)state;
	struct random_system random;
	static const uint8_t zero[sizeof(random.pool)];
	uint8_t bytes[sizeof(random.pool)];
	random_system_init(&random);
	random_fill(&random.base, bytes, sizeof(bytes));
	assert_memory_equal(random.pool, zero, sizeof(zero));
}

static void text_is_of_its_alphabet_and_even(void **state)
{
	(void)state;
	struct random_system random;
	unsigned counts[256] = {0};
	char text[37];
	random_system_init(&random);
	for (int i = 0; i < 10000; i++) {
		text[36] = '#';
		random_text(&random.base, text, 36);
		assert_int_equal(text[36], '#');
		for (int j = 0; j < 36; j++)
			counts[(unsigned char)text[j]]++;
	}
	unsigned total = 0;
	for (int c = 0; c < 256; c++) {
		if (!counts[c])
			continue;
		assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'));
		assert_in_range(counts[c], 9000, 11000); /* ten standard deviations */
		total += counts[c];
	}
	assert_int_equal(total, 360000);
}

static void fill_constant(struct random *random, void *out, size_t len)
{
	(void)random;
	memset(out, 0xff, len);
}

static void a_test_source_makes_text_repeatable(void **state)
{
	(void)state;
	struct random constant = {fill_constant};
	char a[20], b[20];
	random_text(&constant, a, sizeof(a));
	random_text(&constant, b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(random_u64(&constant) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_bytes_come_twice),
		cmocka_unit_test(every_length_is_filled_and_no_more),
		cmocka_unit_test(used_bytes_leave_no_trace),
		cmocka_unit_test(text_is_of_its_alphabet_and_even),
		cmocka_unit_test(a_test_source_makes_text_repeatable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
