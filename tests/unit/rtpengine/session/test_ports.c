/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct random_system random_source;

static struct port_range *range_of(uint16_t first, uint16_t last)
{
	struct port_range_config config = {
		.interface = "wan", .first = first, .last = last, .random = &random_source.base};
	struct port_range *range = NULL;

	random_system_init(&random_source);
	assert_int_equal(addr_parse_ip(SLICE("192.0.2.1"), &config.address), 0);
	assert_int_equal(port_range_create(&config, &range), 0);
	return range;
}

static void pairs_are_even_inside_and_never_given_twice(void **state)
{
	struct port_range *range = range_of(30001, 30100); /* 30002..30099: 49 pairs */
	bool seen[100] = {false};
	uint16_t port;
	(void)state;

	for (int i = 0; i < 49; i++) {
		assert_int_equal(port_range_take(range, 0, seen, &port), 0);
		assert_int_equal(port % 2, 0);
		assert_in_range(port, 30002, 30098);
		assert_false(seen[port - 30002]);
		seen[port - 30002] = true;
		assert_ptr_equal(port_range_owner(range, port), seen);
		assert_ptr_equal(port_range_owner(range, (uint16_t)(port + 1)), seen);
	}
	assert_int_equal(port_range_take(range, 0, seen, &port), -ERR_NO_PORT);
	port_range_destroy(range);
}

static void a_port_rests_before_it_is_given_again(void **state)
{
	struct port_range *range = range_of(30000, 30001);
	uint16_t port, again;
	(void)state;

	assert_int_equal(port_range_take(range, 1000, range, &port), 0);
	port_range_give(range, 2000, port);
	assert_null(port_range_owner(range, port));
	assert_int_equal(port_range_take(range, 2000 + PORTS_QUARANTINE_MS - 1, range, &again),
			 -ERR_NO_PORT);
	assert_int_equal(port_range_take(range, 2000 + PORTS_QUARANTINE_MS, range, &again), 0);
	assert_int_equal(again, port);
	port_range_destroy(range);
}

static void the_range_says_where_its_ports_are(void **state)
{
	struct port_range *range = range_of(30000, 30099);
	uint16_t ports[50];
	struct buf text;
	(void)state;

	for (int i = 0; i < 50; i++)
		assert_int_equal(port_range_take(range, 0, range, &ports[i]), 0);
	port_range_give(range, 0, ports[7]);
	buf_init(&text);
	port_range_describe(range, 1, &text);
	assert_string_equal(text.data,
			    "range 30000-30099 of wan: 98 of 100 ports in use, 2 in quarantine");
	buf_free(&text);
	port_range_destroy(range);
}

static void ports_cannot_be_guessed_from_the_last_one(void **state)
{
	struct port_range *range = range_of(20000, 29999);
	unsigned neighbours = 0;
	uint16_t last = 0, port;
	(void)state;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(port_range_take(range, 0, range, &port), 0);
		neighbours += port == last + 2 || port + 2 == last;
		last = port;
	}
	assert_in_range(neighbours, 0, 10);
	port_range_destroy(range);
}

static void nothing_is_lost_over_many_rounds(void **state)
{
	struct port_range *range = range_of(40000, 40199);
	uint16_t taken[100];
	uint64_t now_ms = 0;
	(void)state;

	for (int round = 0; round < 500; round++) {
		unsigned n = 1 + (unsigned)(round * 37 % 100);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(port_range_take(range, now_ms, range, &taken[i]), 0);
		for (unsigned i = 0; i < n; i++)
			port_range_give(range, now_ms, taken[i]);
		now_ms += PORTS_QUARANTINE_MS;
	}
	struct port_range_use use = port_range_use(range, now_ms);
	assert_int_equal(use.total, 200);
	assert_int_equal(use.in_use, 0);
	assert_int_equal(use.quarantine, 0);
	port_range_destroy(range);
}

static void a_range_without_a_pair_is_refused(void **state)
{
	struct port_range_config config = {.interface = "wan", .first = 30001, .last = 30002};
	struct port_range *range;
	(void)state;

	assert_int_equal(port_range_create(&config, &range), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_even_inside_and_never_given_twice),
		cmocka_unit_test(a_port_rests_before_it_is_given_again),
		cmocka_unit_test(the_range_says_where_its_ports_are),
		cmocka_unit_test(ports_cannot_be_guessed_from_the_last_one),
		cmocka_unit_test(nothing_is_lost_over_many_rounds),
		cmocka_unit_test(a_range_without_a_pair_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
