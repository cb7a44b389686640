/* test_ranges.c - other addresses and ports while there are sessions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	bench_start(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

/* Our port towards wan. */
static unsigned call(struct bench *b, const char *id)
{
	const char *sdp = bench_sdp(b, "10.0.0.20", 4000, "");
	const struct ng_value *reply = bench_ask(b, "offer", "call-id", id, "from-tag", "a", "sdp",
						 sdp, "direction[]", "lan,wan", NULL);
	if (*bench_text(reply, "error-reason"))
		print_message("%s: %s\n", id, bench_text(reply, "error-reason"));
	const char *at = strstr(bench_text(reply, "sdp"), "m=audio ");
	unsigned port = at ? (unsigned)atoi(at + 8) : 0;

	bench_ask(b, "answer", "call-id", id, "from-tag", "a", "to-tag", "b", "sdp",
		  bench_sdp(b, "198.51.100.7", 5000, ""), NULL);
	return port;
}

static void end(struct bench *b, const char *id)
{
	bench_ask(b, "delete", "call-id", id, "from-tag", "a", "delete-delay", "0", NULL);
}

static void sessions_stay_on_a_range_that_is_gone(void **state)
{
	struct bench *b = *state;
	struct session_interface interfaces[3];
	struct addr other;
	size_t left;

	unsigned first = call(b, "c1");
	assert_in_range(first, 30000, 30099);
	bench_interfaces(b, interfaces);
	interfaces[1].ports[0] = (struct session_ports){31000, 31099};
	assert_int_equal(sessions_follow(b->sessions, interfaces, 2), 0);
	assert_int_equal(sessions_sweep_ranges(b->sessions, b->now_ms, &left), 1); /* of IPv6 */
	assert_int_equal(left, 1);
	assert_in_range(call(b, "c2"), 31000, 31099);
	assert_int_equal(call(b, "c1"), first); /* a re-offer */
	/* Away and back again: it is the same one, with who is on it. */
	interfaces[1].ports[0] = (struct session_ports){30000, 30099};
	assert_int_equal(sessions_follow(b->sessions, interfaces, 2), 0);
	unsigned third = call(b, "c3");
	assert_in_range(third, 30000, 30099);
	assert_int_not_equal(third, first);
	end(b, "c2");
	assert_int_equal(sessions_sweep_ranges(b->sessions, b->now_ms, &left), 2);
	assert_int_equal(left, 0);

	/* An interface more; one that has nothing any more refuses. */
	assert_int_equal(addr_parse_ip(SLICE("192.0.2.1"), &other), 0);
	interfaces[2] = interfaces[0];
	interfaces[2].name = "dmz";
	interfaces[2].addresses = &other;
	interfaces[1].address_count = 0;
	assert_int_equal(sessions_follow(b->sessions, interfaces, 3), 0);
	assert_int_equal(call(b, "c4"), 0);
	assert_int_equal(call(b, "c1"), first);
	end(b, "c1");
	end(b, "c3");
	sessions_sweep_ranges(b->sessions, b->now_ms, &left);
	assert_int_equal(left, 0);
	assert_int_equal(sessions_range_count(b->sessions), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sessions_stay_on_a_range_that_is_gone, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
