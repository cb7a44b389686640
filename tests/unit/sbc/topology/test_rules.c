/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sbc/topology/policy.h"

static const char *const take_x[] = {"X-*", "subject"};
static const char *const keep_some[] = {"x-customer", "User-Agent"};
static const char *const take_all[] = {"*"};
static const struct config_header set_some[] = {{"X-Trunk", "7"}, {"Contact", "<sip:x@y>"}};

static bool crosses(const struct config_header_rules *in, const struct config_header_rules *out,
		    const char *name)
{
	struct crossing crossing = {.in = in, .out = out, .to_trusted = true};
	struct slice text = slice_from(name);
	return rules_let_cross(&crossing, text, policy_header_crosses(text, &crossing, false));
}

static void patterns_take_and_keep(void **state)
{
	static const struct config_header_rules rules = {
		.remove = take_x, .remove_count = 2, .keep = keep_some, .keep_count = 2};
	(void)state;

	assert_false(crosses(&rules, NULL, "X-Other"));
	assert_false(crosses(NULL, &rules, "x-other"));
	assert_false(crosses(&rules, NULL, "Subject"));
	assert_true(crosses(&rules, NULL, "X-Customer"));
	assert_true(crosses(NULL, &rules, "User-Agent")); /* hidden by default */
	assert_true(crosses(&rules, NULL, "Priority"));
	assert_false(crosses(NULL, NULL, "User-Agent"));
}

static void what_makes_the_dialog_is_out_of_reach(void **state)
{
	static const char *const ours[] = {"Via",          "From",    "To",
					   "Call-ID",      "CSeq",    "Route",
					   "Record-Route", "Contact", "Max-Forwards"};
	static const struct config_header_rules keep = {.keep = take_all, .keep_count = 1};
	static const struct config_header_rules set = {.set = set_some, .set_count = 2};
	struct crossing crossing = {.out = &set};
	struct buf out;
	(void)state;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		assert_false(crosses(&keep, &keep, ours[i]));
		assert_false(crosses(NULL, &keep, ours[i]));
	}
	buf_init(&out);
	rules_write(&crossing, false, &out);
	assert_string_equal(out.data, "X-Trunk: 7\r\n");
	buf_free(&out);
}

static void what_is_set_coming_in_crosses_like_the_rest(void **state)
{
	static const struct config_header_rules set = {.set = set_some, .set_count = 2};
	static const struct config_header_rules take = {.remove = take_x, .remove_count = 2};
	struct crossing crossing = {.in = &set};
	struct buf out;
	(void)state;

	buf_init(&out);
	rules_write(&crossing, false, &out); /* an untrusted side gets nothing that is not listed */
	assert_int_equal(out.len, 0);
	crossing.to_trusted = true;
	crossing.out = &take;
	rules_write(&crossing, false, &out);
	assert_int_equal(out.len, 0);
	crossing.out = NULL;
	rules_write(&crossing, false, &out);
	assert_string_equal(out.data, "X-Trunk: 7\r\n");
	assert_false(crosses(&set, NULL, "x-trunk")); /* the forged one goes */
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_take_and_keep),
		cmocka_unit_test(what_makes_the_dialog_is_out_of_reach),
		cmocka_unit_test(what_is_set_coming_in_crosses_like_the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
