/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sbc/worker/token.h"

static const struct token_key key = {{1, 2}, {3, 4}};

static struct slice make(enum token_kind kind, uint16_t node, uint8_t worker, uint64_t id,
			 char out[TOKEN_LENGTH])
{
	struct token token = {node, worker, id};
	token_make(&key, kind, &token, out);
	return (struct slice){out, TOKEN_LENGTH};
}

static void token_carries_its_way_home(void **state)
{
	char text[TOKEN_LENGTH];
	struct token token;
	(void)state;
	for (uint64_t id = 1; id < TOKEN_ID_MAX; id = id * 3 + 1) {
		make(TOKEN_TAG, (uint16_t)(id * 7), (uint8_t)id, id, text);
		struct slice s = {text, sizeof(text)};
		assert_int_equal(token_read(&key, TOKEN_TAG, s, &token), 0);
		assert_int_equal(token.node, (uint16_t)(id * 7));
		assert_int_equal(token.worker, (uint8_t)id);
		assert_int_equal(token.id, id);
	}
}

static void token_is_made_of_letters_and_digits(void **state)
{
	char text[TOKEN_LENGTH];
	(void)state;
	for (uint64_t id = 0; id < 1000; id++) {
		make(TOKEN_BRANCH, 1, 1, id, text);
		for (size_t i = 0; i < sizeof(text); i++)
			assert_true((text[i] >= 'a' && text[i] <= 'z') ||
				    (text[i] >= '2' && text[i] <= '7'));
	}
}

static void no_other_text_is_read(void **state)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	char text[TOKEN_LENGTH];
	struct token token;
	(void)state;
	struct slice s = make(TOKEN_TAG, 5, 1, 77, text);
	for (size_t i = 0; i < TOKEN_LENGTH; i++) {
		char right = text[i];
		for (size_t j = 0; j < 32; j++) {
			text[i] = digits[j];
			if (digits[j] != right)
				assert_int_equal(token_read(&key, TOKEN_TAG, s, &token),
						 -ERR_MALFORMED);
		}
		text[i] = '1';
		assert_int_equal(token_read(&key, TOKEN_TAG, s, &token), -ERR_MALFORMED);
		text[i] = right;
	}
	s.len--;
	assert_int_equal(token_read(&key, TOKEN_TAG, s, &token), -ERR_MALFORMED);
	assert_int_equal(token_read(&key, TOKEN_TAG, SLICE_NONE, &token), -ERR_MALFORMED);
}

static void kinds_and_keys_do_not_mix(void **state)
{
	static const struct token_key other = {{1, 2}, {3, 5}};
	char text[TOKEN_LENGTH];
	struct token token;
	(void)state;
	struct slice s = make(TOKEN_TAG, 5, 1, 77, text);
	assert_int_equal(token_read(&key, TOKEN_CONTACT, s, &token), -ERR_MALFORMED);
	assert_int_equal(token_read(&other, TOKEN_TAG, s, &token), -ERR_MALFORMED);
}

static void either_case_is_read(void **state)
{
	char text[TOKEN_LENGTH];
	struct token token;
	(void)state;
	struct slice s = make(TOKEN_CONTACT, 5, 1, 77, text);
	for (size_t i = 0; i < TOKEN_LENGTH; i++)
		text[i] = (char)(text[i] >= 'a' ? text[i] - 32 : text[i]);
	assert_int_equal(token_read(&key, TOKEN_CONTACT, s, &token), 0);
	assert_int_equal(token.id, 77);
}

static void neighbours_have_nothing_in_common(void **state)
{
	char a[TOKEN_LENGTH], b[TOKEN_LENGTH];
	size_t same = 0;
	(void)state;
	for (uint64_t id = 0; id < 1000; id++) {
		make(TOKEN_TAG, 1, 1, id, a);
		make(TOKEN_TAG, 1, 1, id + 1, b);
		for (size_t i = 0; i < TOKEN_LENGTH; i++)
			same += a[i] == b[i];
	}
	/* One in 32 by chance (the last character has 8 values): 812 and some expected. */
	assert_in_range(same, 600, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_carries_its_way_home),
		cmocka_unit_test(token_is_made_of_letters_and_digits),
		cmocka_unit_test(no_other_text_is_read),
		cmocka_unit_test(kinds_and_keys_do_not_mix),
		cmocka_unit_test(either_case_is_read),
		cmocka_unit_test(neighbours_have_nothing_in_common),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
