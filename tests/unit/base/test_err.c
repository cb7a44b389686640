/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/err.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void every_code_has_a_text(void **state)
{
	(void)state;
	for (int err = ERR_NO_MEMORY; err <= ERR_SYSTEM; err++) {
		assert_string_not_equal(err_text(err), "unknown error");
		assert_ptr_equal(err_text(-err), err_text(err));
	}
	assert_string_equal(err_text(-ERR_TIMEOUT), "timed out");
	assert_string_equal(err_text(ERR_SYSTEM + 1), "unknown error");
	assert_string_equal(err_text(INT_MIN), "unknown error");
	assert_string_equal(err_text(0), "no error");
}

static void errno_values_have_their_code(void **state)
{
	(void)state;
	assert_int_equal(err_from_errno(0), 0);
	assert_int_equal(err_from_errno(ENOMEM), -ERR_NO_MEMORY);
	assert_int_equal(err_from_errno(EADDRINUSE), -ERR_BUSY);
	assert_int_equal(err_from_errno(ECONNREFUSED), -ERR_REFUSED);
	assert_int_equal(err_from_errno(EAGAIN), -ERR_AGAIN);
	assert_int_equal(err_from_errno(EXDEV), -ERR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_text),
		cmocka_unit_test(errno_values_have_their_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
