/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/cache.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(slice_from(text), 0, &addr), 0);
	return addr;
}

static void a_reply_lives_one_to_two_generations(void **state)
{
	struct addr source = address("192.0.2.1:1000");
	struct ng_cache *cache;
	struct slice reply;

	(void)state;
	assert_int_equal(ng_cache_create(30000, 1 << 20, 0, &cache), 0);
	ng_cache_put(cache, 1000, &source, SLICE("a"), SLICE("early"));
	ng_cache_put(cache, 29999, &source, SLICE("b"), SLICE("late"));
	assert_true(ng_cache_get(cache, 59999, &source, SLICE("a"), &reply));
	assert_true(slice_equal(reply, SLICE("early")));
	assert_true(ng_cache_get(cache, 59999, &source, SLICE("b"), &reply));
	assert_false(ng_cache_get(cache, 60000, &source, SLICE("b"), &reply));
	assert_false(ng_cache_get(cache, 60000, &source, SLICE("a"), &reply));
	ng_cache_put(cache, 60000, &source, SLICE("c"), SLICE("x"));
	assert_false(ng_cache_get(cache, 200000, &source, SLICE("c"), &reply));
	ng_cache_destroy(cache);
}

static void the_key_is_address_and_cookie_without_port(void **state)
{
	struct addr source = address("192.0.2.1:1000");
	struct addr port = address("192.0.2.1:2000");
	struct addr other = address("192.0.2.2:1000");
	struct addr v6 = address("[2001:db8::1]:1000");
	struct ng_cache *cache;
	struct slice reply;

	(void)state;
	assert_int_equal(ng_cache_create(30000, 1 << 20, 0, &cache), 0);
	ng_cache_put(cache, 0, &source, SLICE("a"), SLICE("x"));
	assert_true(ng_cache_get(cache, 0, &port, SLICE("a"), &reply));
	assert_false(ng_cache_get(cache, 0, &other, SLICE("a"), &reply));
	assert_false(ng_cache_get(cache, 0, &v6, SLICE("a"), &reply));
	assert_false(ng_cache_get(cache, 0, &source, SLICE("ab"), &reply));
	ng_cache_destroy(cache);
}

static void bytes_are_bounded(void **state)
{
	struct addr source = address("192.0.2.1:1000");
	static char text[1000];
	struct ng_cache *cache;
	struct slice reply;
	char cookie[16];

	(void)state;
	assert_int_equal(ng_cache_create(30000, 64 << 10, 0, &cache), 0);
	for (unsigned i = 0; i < 1000; i++) {
		int len = snprintf(cookie, sizeof(cookie), "c%u", i);

		ng_cache_put(cache, 0, &source, (struct slice){cookie, (size_t)len},
			     (struct slice){text, sizeof(text)});
		assert_true(ng_cache_get(cache, 0, &source, (struct slice){cookie, (size_t)len},
					 &reply));
	}
	/* The newest stay, the oldest went. */
	assert_false(ng_cache_get(cache, 0, &source, SLICE("c900"), &reply));
	assert_true(ng_cache_get(cache, 0, &source, SLICE("c990"), &reply));
	ng_cache_put(cache, 0, &source, SLICE("big"), (struct slice){text, 40 << 10});
	assert_false(ng_cache_get(cache, 0, &source, SLICE("big"), &reply));
	ng_cache_destroy(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_lives_one_to_two_generations),
		cmocka_unit_test(the_key_is_address_and_cookie_without_port),
		cmocka_unit_test(bytes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
