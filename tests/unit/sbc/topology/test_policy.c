/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool crosses(const char *name, bool from_trusted, bool to_trusted)
{
	struct crossing crossing = {.from_trusted = from_trusted, .to_trusted = to_trusted};
	return policy_header_crosses(slice_from(name), &crossing, false);
}

static void what_names_a_side_never_crosses(void **state)
{
	static const char *const names[] = {"User-Agent",    "Server",    "Organization",
					    "Target-Dialog", "Join",      "Via",
					    "Record-Route",  "Contact",   "Path",
					    "Call-ID",       "Replaces",  "Refer-To",
					    "from",          "SUPPORTED", "P-Asserted-Identity"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int sides = 0; sides < 4; sides++)
			if (crosses(names[i], sides & 1, sides & 2))
				fail_msg("%s crosses", names[i]);
}

static void an_untrusted_side_gets_the_allow_list_only(void **state)
{
	(void)state;
	assert_true(crosses("Subject", true, false));
	assert_true(crosses("WWW-Authenticate", true, false));
	assert_true(crosses("proxy-authorization", true, false));
	assert_false(crosses("X-Internal", true, false));
	assert_false(crosses("P-Something", true, false));
	assert_false(crosses("Alert-Info", true, false));
	assert_true(crosses("X-Internal", false, true));
	assert_true(crosses("Alert-Info", false, true));
}

/* Who calls, for whom, who pays: what a PBX would act upon. */
static void identity_crosses_between_believers_only(void **state)
{
	static const char *const names[] = {"P-Asserted-Identity", "P-Preferred-Identity",
					    "Remote-Party-ID",     "Diversion",
					    "HISTORY-INFO",        "P-Charge-Info",
					    "P-Served-User",       "P-Private-Network-Indication",
					    "P-Profile-Key",       "P-User-Database"};
	struct crossing crossing = {.from_trusted = true, .to_trusted = true, .identity = true};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		crossing.identity = true;
		assert_true(policy_header_crosses(slice_from(names[i]), &crossing, false));
		crossing.identity = false;
		assert_false(policy_header_crosses(slice_from(names[i]), &crossing, false));
	}
}

static void the_bodys_headers_go_with_the_body(void **state)
{
	struct crossing crossing = {.to_trusted = true};
	(void)state;
	assert_false(policy_header_crosses(SLICE("Content-Disposition"), &crossing, false));
	crossing.with_body = true;
	assert_true(policy_header_crosses(SLICE("Content-Disposition"), &crossing, false));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_names_a_side_never_crosses),
		cmocka_unit_test(an_untrusted_side_gets_the_allow_list_only),
		cmocka_unit_test(identity_crosses_between_believers_only),
		cmocka_unit_test(the_bodys_headers_go_with_the_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
