/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *number(const char *uri)
{
	static struct buf out;
	buf_clear(&out);
	return number_of(slice_from(uri), &out) ? "-" : out.data ? out.data : "";
}

static void numbers_have_one_form(void **state)
{
	(void)state;
	assert_string_equal(number("tel:+33-1.23(45)"), "+3312345");
	assert_string_equal(number("tel:123;phone-context=example.com"), "123");
	assert_string_equal(number("sip:+33-1-23@example.com;user=phone"), "+33123");
	assert_string_equal(number("sip:+33123;phone-context=x@example.com"), "+33123");
	assert_string_equal(number("sip:%2B33123@example.com"), "+33123");
	assert_string_equal(number("sip:%61lice@example.com"), "alice");
	assert_string_equal(number("sip:a.b-c@example.com"), "a.b-c");
	assert_string_equal(number("sip:*21%23@example.com"), "*21#");
	assert_string_equal(number("sip:example.com"), "");
	assert_string_equal(number("mailto:a@b"), "-");
}

static const char *apply(const struct config_number_rules *rules, const char *uri)
{
	static struct buf out;
	buf_clear(&out);
	assert_int_equal(numbers_apply(rules, slice_from(uri), &out), 0);
	return out.data;
}

static const struct config_number_rule list[] = {
	{{"00", true}, {"+", true}},
	{{"0", true}, {"+33", true}},
	{{"100", false}, {"reception", false}},
};
static const struct config_number_rules rules = {list, 3};

static void the_first_rule_that_matches_is_applied(void **state)
{
	(void)state;
	assert_string_equal(apply(&rules, "sip:0044123@h"), "sip:+44123@h");
	assert_string_equal(apply(&rules, "sip:0123@h:5070;user=phone?x=y"),
			    "sip:+33123@h:5070;user=phone?x=y");
	assert_string_equal(apply(&rules, "sip:100@h"), "sip:reception@h");
	assert_string_equal(apply(&rules, "sip:1001@h"), "sip:1001@h");
	assert_string_equal(apply(&rules, "tel:01-23"), "tel:+33123");
	assert_string_equal(apply(&rules, "sip:h"), "sip:h");
	assert_string_equal(apply(&rules, "sip:alice%20@h"), "sip:alice%20@h");
	assert_string_equal(apply(&rules, "not a URI"), "not a URI");
}

/* Whatever the user is: the result is a URI of the same host and parameters, nothing but the user
 * has changed, and without a rule nothing at all. */
static void only_the_user_changes(void **state)
{
	static const char letters[] = "0123456789+*#-.()%41abZ_!~;=&$,";
	unsigned int seed = 1;
	unsigned int parsed = 0;
	(void)state;

	for (int i = 0; i < 200000; i++) {
		char text[64];
		struct uri before, after;
		int len = 0;
		seed = seed * 1103515245u + 12345u;
		int users = (int)(seed >> 16 & 15);
		len = snprintf(text, sizeof(text), "sip:");
		for (int k = 0; k < users; k++) {
			seed = seed * 1103515245u + 12345u;
			text[len++] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		snprintf(text + len, sizeof(text) - (size_t)len, "%sexample.com:5070;lr",
			 users ? "@" : "");
		if (uri_parse(slice_from(text), &before) != 0)
			continue;
		parsed++;
		const char *out = apply(&rules, text);
		assert_int_equal(uri_parse(slice_from(out), &after), 0);
		assert_true(slice_equal(before.host, after.host));
		assert_int_equal(before.port, after.port);
		assert_true(slice_equal(before.parameters, after.parameters));
		if (slice_equal(before.user, after.user))
			assert_string_equal(text, out);
		static const struct config_number_rules none = {0};
		assert_string_equal(apply(&none, text), text);
	}
	assert_true(parsed > 50000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_one_form),
		cmocka_unit_test(the_first_rule_that_matches_is_applied),
		cmocka_unit_test(only_the_user_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
