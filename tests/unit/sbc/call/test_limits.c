/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/limits.h"
#include "sbc/route/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct bench {
	struct config_interface interface;
	struct config config;
	struct random_system random;
	struct worker worker;
	struct limits *limits;
};

static void bench_open(struct bench *bench, uint8_t workers)
{
	bench->config.interfaces = &bench->interface;
	bench->config.interface_count = 1;
	random_system_init(&bench->random);
	bench->worker.config = &bench->config;
	bench->worker.random = &bench->random.base;
	bench->worker.count = workers;
	assert_int_equal(limits_create(&bench->worker, &bench->limits), 0);
}

static unsigned taken(struct bench *bench, const char *source, enum limit_source who,
		      uint64_t now_ms)
{
	struct transport_path path = {0};
	unsigned count = 0;

	assert_int_equal(addr_parse(slice_from(source), 5060, &path.remote), 0);
	while (count < 1000 && limits_take(bench->limits, LIMIT_SETUP, &path, who, -1, now_ms) == 0)
		count++;
	return count;
}

static void calls_at_once_are_counted_over_all_workers(void **state)
{
	struct bench one = {.interface.limits.calls = 3}, other = {.interface.limits.calls = 3};
	(void)state;

	bench_open(&one, 2);
	bench_open(&other, 2);
	struct shared *shared;
	assert_int_equal(shared_create(&one.config, &one.random.base, &shared), 0);
	one.worker.shared = other.worker.shared = shared;
	assert_int_equal(limits_enter(one.limits, 0, -1, false), 0);
	assert_int_equal(limits_enter(one.limits, 0, -1, false), 0);
	assert_int_equal(limits_enter(other.limits, 0, -1, false), 0);
	assert_int_equal(limits_enter(one.limits, 0, -1, false), -ERR_TOO_MANY);
	assert_int_equal(limits_enter(other.limits, 0, -1, false), -ERR_TOO_MANY);
	limits_leave(one.limits, 0, -1, false);
	assert_int_equal(limits_enter(other.limits, 0, -1, false), 0);
	assert_int_equal(limits_calls(one.limits, 0), 1);
	assert_int_equal(limits_calls(other.limits, 0), 2);
	shared_destroy(shared);
	limits_destroy(one.limits);
	limits_destroy(other.limits);
}

static void an_emergency_fills_no_limit(void **state)
{
	struct bench bench = {.interface.limits.calls = 1};
	(void)state;

	bench_open(&bench, 1);
	assert_int_equal(limits_enter(bench.limits, 0, -1, true), 0);
	assert_int_equal(limits_enter(bench.limits, 0, -1, false), 0);
	assert_int_equal(limits_enter(bench.limits, 0, -1, false), -ERR_TOO_MANY);
	assert_int_equal(limits_enter(bench.limits, 0, -1, true), 0);
	limits_leave(bench.limits, 0, -1, true);
	assert_int_equal(limits_enter(bench.limits, 0, -1, false), -ERR_TOO_MANY);
	assert_int_equal(limits_calls(bench.limits, 0), 2);
	limits_destroy(bench.limits);
}

static void a_peer_has_limits_of_its_own(void **state)
{
	struct config_peer peer = {.limits = {.calls = 2, .setup_rate = {3, 1000}}};
	struct bench bench = {0};
	struct transport_path path = {0};
	(void)state;

	bench.config.peers = &peer;
	bench.config.peer_count = 1;
	bench_open(&bench, 1);
	assert_int_equal(limits_enter(bench.limits, 0, 0, false), 0);
	assert_int_equal(limits_enter(bench.limits, 0, 0, false), 0);
	assert_int_equal(limits_enter(bench.limits, 0, 0, false), -ERR_TOO_MANY);
	assert_int_equal(limits_enter(bench.limits, 0, -1, false), 0);
	limits_leave(bench.limits, 0, 0, false);
	assert_int_equal(limits_enter(bench.limits, 0, 0, false), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(limits_take(bench.limits, LIMIT_SETUP, &path, LIMIT_PEER, 0, 5000),
				 0);
	assert_int_equal(limits_take(bench.limits, LIMIT_SETUP, &path, LIMIT_PEER, 0, 5000),
			 -ERR_BUSY);
	limits_destroy(bench.limits);
}

static void a_rate_is_a_burst_and_then_a_trickle(void **state)
{
	struct bench bench = {.interface.limits.setup_rate = {10, 1000}};
	(void)state;

	bench_open(&bench, 1);
	assert_int_equal(taken(&bench, "10.0.0.1", LIMIT_PEER, 5000), 10);
	assert_int_equal(taken(&bench, "10.0.0.1", LIMIT_PEER, 5099), 0);
	assert_int_equal(taken(&bench, "10.0.0.1", LIMIT_PEER, 5200), 2);
	assert_int_equal(taken(&bench, "10.0.0.1", LIMIT_PEER, 60000), 10);
	limits_destroy(bench.limits);
}

static void one_stranger_does_not_use_up_anothers_share(void **state)
{
	struct bench bench = {.interface.limits.per_source.setup_rate = {2, 1000}};
	(void)state;

	bench_open(&bench, 1);
	assert_int_equal(taken(&bench, "198.51.100.1:1000", LIMIT_PHONE, 5000), 2);
	assert_int_equal(taken(&bench, "198.51.100.1:2000", LIMIT_PHONE, 5000), 0);
	assert_int_equal(taken(&bench, "198.51.100.2", LIMIT_PHONE, 5000), 2);
	assert_int_equal(taken(&bench, "198.51.100.3", LIMIT_PEER, 5000), 1000); /* a peer */
	limits_destroy(bench.limits);
}

static void strangers_do_not_shut_out_registered_phones(void **state)
{
	struct bench bench = {0};
	struct transport_path path = {0};
	unsigned count = 0;
	(void)state;

	bench.interface.limits.register_rate = (struct config_rate){10, 1000};
	bench.interface.limits.per_source.register_rate = (struct config_rate){5, 1000};
	bench_open(&bench, 1);
	for (unsigned i = 0; i < 100; i++) {
		char text[32];
		snprintf(text, sizeof(text), "198.51.100.%u", i);
		assert_int_equal(addr_parse(slice_from(text), 5060, &path.remote), 0);
		count += limits_take(bench.limits, LIMIT_REGISTER, &path, LIMIT_STRANGER, -1,
				     1000) == 0;
	}
	assert_int_equal(count, 10);
	assert_int_equal(addr_parse(SLICE("192.0.2.1"), 5060, &path.remote), 0);
	assert_int_not_equal(
		limits_take(bench.limits, LIMIT_REGISTER, &path, LIMIT_STRANGER, -1, 1000), 0);
	for (count = 0; count < 100; count++)
		if (limits_take(bench.limits, LIMIT_REGISTER, &path, LIMIT_PHONE, -1, 5000) != 0)
			break;
	assert_int_equal(count, 5); /* its own rate */
	limits_destroy(bench.limits);
}

static void a_replayed_answer_is_ended_once(void **state)
{
	struct bench bench = {0};
	char tag[16];
	unsigned ended = 0, acknowledged = 0;
	(void)state;

	bench_open(&bench, 1);
	assert_int_equal(limits_take_stray(bench.limits, SLICE("ours"), SLICE("a"), 1000), 0);
	assert_int_equal(limits_take_stray(bench.limits, SLICE("ours"), SLICE("a"), 1500),
			 -ERR_EXISTS);
	/* another branch of the fork, another call */
	assert_int_equal(limits_take_stray(bench.limits, SLICE("ours"), SLICE("b"), 1500), 0);
	assert_int_equal(limits_take_stray(bench.limits, SLICE("ours2"), SLICE("a"), 1500), 0);
	assert_int_equal(limits_take_stray(bench.limits, SLICE("ours"), SLICE("a"), 60000), 0);
	/* a flood of them, each with a tag of its own, for ten seconds */
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(tag, sizeof(tag), "%u", i);
		int err =
			limits_take_stray(bench.limits, SLICE("ours"), slice_from(tag), 100000 + i);
		ended += err == 0;
		acknowledged += err != -ERR_BUSY;
	}
	assert_in_range(ended, 100, 220);
	assert_in_range(acknowledged, ended, 2200);
	limits_destroy(bench.limits);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_at_once_are_counted_over_all_workers),
		cmocka_unit_test(an_emergency_fills_no_limit),
		cmocka_unit_test(a_peer_has_limits_of_its_own),
		cmocka_unit_test(a_rate_is_a_burst_and_then_a_trickle),
		cmocka_unit_test(one_stranger_does_not_use_up_anothers_share),
		cmocka_unit_test(strangers_do_not_shut_out_registered_phones),
		cmocka_unit_test(a_replayed_answer_is_ended_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
