/* Properties of numbers and their rules (numbers.h) over random ones: one form for every spelling,
 * a rule and its inverse give back what was, the first that matches wins, nothing but the user
 * changes. The seed is printed; POSTERN_SEED repeats it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { ROUNDS = 20000, DIGITS_MAX = 8, RULES_MAX = 4 };

static uint64_t chance_state;

/* splitmix64 */
static uint64_t chance(uint64_t below)
{
	uint64_t z = (chance_state += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static int seed(void **state)
{
	const char *given = getenv("POSTERN_SEED");
	(void)state;
	chance_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("# POSTERN_SEED=%llu\n", (unsigned long long)chance_state);
	return 0;
}

/* Few digits, so that rules match often. */
static void make_number(char out[DIGITS_MAX + 2], size_t least)
{
	size_t count = least + chance(DIGITS_MAX + 1 - least), at = 0;

	if (chance(3) == 0)
		out[at++] = '+';
	for (size_t i = 0; i < count; i++)
		out[at++] = "012#*"[chance(5)];
	out[at] = '\0';
}

/* tel: or sip:, with separators and escapes as people write them. */
static void spell(const char *number, const char *before, const char *after, struct buf *out)
{
	buf_clear(out);
	buf_add_text(out, before);
	for (size_t i = 0; number[i]; i++) {
		bool is_tel = before[0] == 't'; /* knows no escapes, and '#' (RFC 3966 3) */
		if (!is_tel && (number[i] == '#' || (number[i] == '+' && chance(2))))
			buf_printf(out, "%%%02x", (unsigned)number[i]);
		else
			buf_add_char(out, number[i]);
		if (chance(4) == 0)
			buf_add_char(out, "-.()"[chance(4)]);
	}
	buf_add_text(out, after);
}

static void spell_any(const char *number, struct buf *out)
{
	static const char *const around[][2] = {{"sip:", "@h"},
						{"sips:", "@h:5070;user=phone?a=b"},
						{"tel:", ""},
						{"sip:", ";phone-context=x@h"},
						{"tel:", ";ext=1;isub=2"}};
	size_t which = chance(5);

	spell(number, around[which][0], around[which][1], out);
}

static const char *read_number(const struct buf *uri, struct buf *out)
{
	buf_clear(out);
	if (number_of(buf_slice(uri), out) != 0)
		fail_msg("refused: %s", uri->data);
	buf_add_char(out, '\0');
	return out->data;
}

static void every_spelling_is_one_number(void **state)
{
	char number[DIGITS_MAX + 2];
	struct buf uri, read;
	(void)state;
	buf_init(&uri);
	buf_init(&read);
	for (int i = 0; i < ROUNDS; i++) {
		make_number(number, 1);
		spell_any(number, &uri);
		if (strcmp(read_number(&uri, &read), number) != 0)
			fail_msg("%s is %s, not %s", uri.data, read.data, number);
	}
	buf_free(&uri);
	buf_free(&read);
}

/* What a reader of docs/configuration.md expects, in the simplest words. */
static void expected(const struct config_number_rules *rules, const char *number, char out[64])
{
	snprintf(out, 64, "%s", number);
	for (size_t i = 0; i < rules->count; i++) {
		const struct config_number_rule *rule = &rules->list[i];
		size_t len = strlen(rule->from.text);
		bool matches = rule->from.is_prefix ? strncmp(number, rule->from.text, len) == 0
						    : strcmp(number, rule->from.text) == 0;
		if (matches) {
			snprintf(out, 64, "%s%s", rule->to.text,
				 rule->from.is_prefix ? number + len : "");
			return;
		}
	}
}

static void the_first_rule_that_matches_wins_and_the_rest_stays(void **state)
{
	char texts[2 * RULES_MAX][DIGITS_MAX + 2], number[DIGITS_MAX + 2], wanted[64];
	struct config_number_rule list[RULES_MAX];
	struct buf uri, changed, read;
	(void)state;
	buf_init(&uri);
	buf_init(&changed);
	buf_init(&read);
	for (int i = 0; i < ROUNDS; i++) {
		struct config_number_rules rules = {list, chance(RULES_MAX + 1)};
		for (size_t k = 0; k < rules.count; k++) {
			bool is_prefix = chance(2);
			make_number(texts[2 * k], is_prefix ? 0 : 1);
			make_number(texts[2 * k + 1], 1);
			list[k] = (struct config_number_rule){{texts[2 * k], is_prefix},
							      {texts[2 * k + 1], is_prefix}};
		}
		make_number(number, 1);
		spell(number, "sip:", "@h:5070;user=phone?a=b", &uri);
		buf_clear(&changed);
		assert_int_equal(numbers_apply(&rules, buf_slice(&uri), &changed), 0);
		expected(&rules, number, wanted);
		if (strrchr(wanted, '+') > wanted) /* that is no number any more */
			continue;
		if (strcmp(read_number(&changed, &read), wanted) != 0)
			fail_msg("%s became %s, not %s", uri.data, read.data, wanted);
		struct slice end = SLICE("@h:5070;user=phone?a=b"), all = buf_slice(&changed);
		assert_true(all.len > end.len &&
			    slice_equal(slice_sub(all, all.len - end.len, all.len), end));
	}
	buf_free(&uri);
	buf_free(&changed);
	buf_free(&read);
}

static void a_rule_and_its_inverse_give_back_what_was(void **state)
{
	char from[DIGITS_MAX + 2], to[DIGITS_MAX + 2], rest[DIGITS_MAX + 2], number[32];
	struct buf uri, there, back, read;
	(void)state;
	buf_init(&uri);
	buf_init(&there);
	buf_init(&back);
	buf_init(&read);
	for (int i = 0; i < ROUNDS; i++) {
		make_number(from, 1);
		make_number(to, 1);
		make_number(rest, 1);
		snprintf(number, sizeof(number), "%s%s", from, rest + (rest[0] == '+'));
		struct config_number_rule out_rule = {{from, true}, {to, true}},
					  in_rule = {{to, true}, {from, true}};
		struct config_number_rules out = {&out_rule, 1}, in = {&in_rule, 1};
		spell_any(number, &uri);
		buf_clear(&there);
		buf_clear(&back);
		assert_int_equal(numbers_apply(&out, buf_slice(&uri), &there), 0);
		assert_int_equal(numbers_apply(&in, buf_slice(&there), &back), 0);
		if (strcmp(read_number(&back, &read), number) != 0)
			fail_msg("%s by %s to %s came back as %s", uri.data, from, to, read.data);
	}
	buf_free(&uri);
	buf_free(&there);
	buf_free(&back);
	buf_free(&read);
}

static void what_no_rule_matches_stays_byte_for_byte(void **state)
{
	char number[DIGITS_MAX + 2];
	struct config_number_rule rule = {{"9", true}, {"0", true}};
	struct config_number_rules rules = {&rule, 1};
	struct buf uri, out;
	(void)state;
	buf_init(&uri);
	buf_init(&out);
	for (int i = 0; i < ROUNDS; i++) {
		make_number(number, 1);
		spell_any(number, &uri);
		buf_clear(&out);
		assert_int_equal(numbers_apply(&rules, buf_slice(&uri), &out), 0);
		assert_true(slice_equal(buf_slice(&out), buf_slice(&uri)));
	}
	buf_free(&uri);
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_is_one_number),
		cmocka_unit_test(the_first_rule_that_matches_wins_and_the_rest_stays),
		cmocka_unit_test(a_rule_and_its_inverse_give_back_what_was),
		cmocka_unit_test(what_no_rule_matches_stays_byte_for_byte),
	};
	return cmocka_run_group_tests(tests, seed, NULL);
}
