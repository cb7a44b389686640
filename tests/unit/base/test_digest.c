/* Digests against the examples of RFC 7616 3.9 and RFC 2069's older form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct slice nonce = {"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", 44};
static const struct slice cnonce = {"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 44};

static void response(enum digest_algorithm algorithm, const char *expected)
{
	struct digest_hex ha1, ha2, out;
	assert_int_equal(digest_ha1(algorithm, SLICE("Mufasa"), SLICE("http-auth@example.org"),
				    SLICE("Circle of Life"), &ha1),
			 0);
	const struct slice second[] = {SLICE("GET"), SLICE("/dir/index.html")};
	assert_int_equal(digest_of(algorithm, second, 2, &ha2), 0);
	const struct slice parts[] = {slice_from(ha1.text), nonce,
				      SLICE("00000001"),    cnonce,
				      SLICE("auth"),        slice_from(ha2.text)};
	assert_int_equal(digest_of(algorithm, parts, 6, &out), 0);
	assert_string_equal(out.text, expected);
	assert_int_equal(strlen(out.text), digest_hex_length(algorithm));
}

static void the_examples_of_the_rfc_hold(void **state)
{
	(void)state;
	response(DIGEST_MD5, "8ca523f5e9506fed4657c9700eebdbec");
	response(DIGEST_SHA_256,
		 "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

static void the_third_algorithm_is_sha_512_cut_its_own_way(void **state)
{
	struct digest_hex out;
	const struct slice part = SLICE("abc"); /* FIPS 180-4's example */
	(void)state;
	assert_int_equal(digest_of(DIGEST_SHA_512_256, &part, 1, &out), 0);
	assert_string_equal(out.text,
			    "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

static void a_mac_is_cut_and_needs_its_key(void **state)
{
	uint8_t a[12], b[12];
	(void)state;
	assert_int_equal(digest_mac("key", 3, SLICE("text"), a, 12), 0);
	assert_int_equal(digest_mac("kez", 3, SLICE("text"), b, 12), 0);
	assert_memory_not_equal(a, b, 12);
	assert_int_equal(digest_mac("key", 3, SLICE("text"), a, 33), -ERR_TOO_LARGE);
	assert_true(digest_is_same(SLICE("ab"), SLICE("ab")));
	assert_false(digest_is_same(SLICE("ab"), SLICE("ac")));
	assert_false(digest_is_same(SLICE("ab"), SLICE("abc")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc_hold),
		cmocka_unit_test(the_third_algorithm_is_sha_512_cut_its_own_way),
		cmocka_unit_test(a_mac_is_cut_and_needs_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
