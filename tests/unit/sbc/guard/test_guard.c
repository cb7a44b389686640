/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "sbc/guard/guard.h"

static const struct guard_interface interfaces[] = {
	{.trusted = true},
	{.rate_per_s = 1000,
	 .source_rate_per_s = 10,
	 .source_burst = 20,
	 .bad_messages = 3,
	 .bad_window_s = 30,
	 .auth_failures = 3,
	 .auth_window_s = 60,
	 .ban_s = 60},
};

static struct meters *meters; /* of all guards of a test */

static struct guard *make_another(void)
{
	struct guard *guard;
	struct guard_peer peers[2] = {{.interface = 0, .peer = 7}, {.interface = 1, .peer = 8}};
	assert_int_equal(cidr_parse(SLICE("10.0.0.20"), &peers[0].network), 0);
	assert_int_equal(cidr_parse(SLICE("198.51.100.0/24"), &peers[1].network), 0);
	struct guard_config config = {.interfaces = interfaces,
				      .interface_count = 2,
				      .peers = peers,
				      .peer_count = 2,
				      .sources_max = 1024,
				      .hash_key = {1, 2},
				      .meters = meters};
	assert_int_equal(guard_create(&config, &guard), 0);
	return guard;
}

static struct guard *make(void)
{
	static const uint64_t key[2] = {1, 2};

	meters_destroy(meters);
	assert_int_equal(meters_create(2, 16, key, &meters), 0);
	return make_another();
}

static struct addr at(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(slice_from(text), 5060, &addr), 0);
	return addr;
}

static size_t admitted(struct guard *guard, const char *source, size_t tries, uint64_t now_ms)
{
	struct addr addr = at(source);
	size_t passed = 0;
	for (size_t i = 0; i < tries; i++)
		passed += guard_admit(guard, 1, &addr, now_ms) == GUARD_PASS;
	return passed;
}

static void peers_are_known_by_source_and_interface(void **state)
{
	struct guard *guard = make();
	struct addr pbx = at("10.0.0.20"), carrier = at("198.51.100.9:7777"),
		    other = at("10.0.0.21");
	(void)state;
	assert_int_equal(guard_peer_of(guard, 0, &pbx), 7);
	assert_int_equal(guard_peer_of(guard, 1, &pbx), -1);
	assert_int_equal(guard_peer_of(guard, 1, &carrier), 8);
	assert_int_equal(guard_peer_of(guard, 0, &other), -1);
	guard_destroy(guard);
}

static void hosts_of_a_name_are_a_peers(void **state)
{
	struct guard *guard = make();
	struct addr first = at("192.0.2.7:5070"), second = at("192.0.2.8"), other = at("192.0.2.9");
	struct addr both[2] = {first, second};
	(void)state;
	guard_set_hosts(guard, 3, 1, 8, both, 2);
	guard_set_hosts(guard, 4, 1, 9, &other, 1);
	assert_int_equal(guard_peer_of(guard, 1, &first), 8);
	assert_int_equal(guard_peer_of(guard, 1, &other), 9);
	assert_int_equal(guard_peer_of(guard, 0, &first), -1);
	guard_set_hosts(guard, 3, 1, 8, &second, 1);
	assert_int_equal(guard_peer_of(guard, 1, &first), -1);
	assert_int_equal(guard_peer_of(guard, 1, &second), 8);
	assert_int_equal(guard_peer_of(guard, 1, &other), 9);
	guard_destroy(guard);
}

static void a_peer_may_have_a_rate(void **state)
{
	struct guard *guard = make();
	(void)state;
	assert_int_equal(admitted(guard, "198.51.100.9", 100, 1000), 100);
	assert_int_equal(guard_set_peer_rate(guard, 8, 10), 0);
	assert_int_equal(admitted(guard, "198.51.100.9", 100, 2000), 20);
	assert_int_equal(admitted(guard, "198.51.100.8", 100, 2000), 0); /* one peer */
	assert_int_equal(admitted(guard, "198.51.100.9", 100, 3000), 10);
	assert_int_equal(guard_set_peer_rate(guard, 8, 0), 0);
	assert_int_equal(admitted(guard, "198.51.100.9", 100, 3000), 100);
	guard_destroy(guard);
}

static void a_stranger_has_a_rate(void **state)
{
	struct guard *guard = make();
	(void)state;
	assert_int_equal(admitted(guard, "192.0.2.1", 100, 1000), 20);    /* the burst */
	assert_int_equal(admitted(guard, "192.0.2.1:99", 100, 2000), 10); /* any port: one source */
	assert_int_equal(admitted(guard, "192.0.2.2", 100, 2000), 20);
	assert_int_equal(admitted(guard, "192.0.2.1", 100, 60000), 20);
	assert_int_equal(counter_get(&guard_counters(guard)[GUARD_SOURCE_RATE]), 330);
	guard_destroy(guard);
}

static void workers_count_a_stranger_together(void **state)
{
	struct guard *one = make(), *other = make_another();
	(void)state;
	assert_int_equal(admitted(one, "192.0.2.1", 15, 1000), 15);
	assert_int_equal(admitted(other, "192.0.2.1", 15, 1000), 5);
	assert_int_equal(admitted(one, "2001:db8::1", 15, 1000), 15);
	assert_int_equal(admitted(other, "2001:db8::2:1", 15, 1000), 5); /* its /64 */
	guard_destroy(one);
	guard_destroy(other);
}

static void a_peer_has_none(void **state)
{
	struct guard *guard = make();
	(void)state;
	assert_int_equal(admitted(guard, "198.51.100.7", 5000, 1000), 5000);
	guard_destroy(guard);
}

static void all_strangers_together_have_a_rate(void **state)
{
	struct guard *guard = make();
	char source[32];
	size_t passed = 0;
	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(source, sizeof(source), "203.0.%d.%d", i / 250, i % 250);
		passed += admitted(guard, source, 1, 1000);
	}
	assert_int_equal(passed, 1000);
	assert_int_equal(counter_get(&guard_counters(guard)[GUARD_INTERFACE_RATE]), 1000);
	guard_destroy(guard);
}

/* As the worker does it: what brings a ban is banned. */
static bool bad_message(struct guard *guard, uint16_t interface, const struct addr *source,
			uint64_t now_ms)
{
	struct addr banned;
	uint64_t until_ms = guard_bad_message(guard, interface, source, now_ms, &banned);
	if (until_ms)
		guard_ban(guard, interface, &banned, until_ms, now_ms, GUARD_BAD_MESSAGES);
	return until_ms != 0;
}

static void bad_messages_close_the_door_for_a_while(void **state)
{
	struct guard *guard = make();
	struct addr bad = at("192.0.2.1"), carrier = at("198.51.100.9");
	(void)state;
	assert_false(bad_message(guard, 1, &bad, 1000));
	assert_false(bad_message(guard, 1, &bad, 2000));
	assert_false(bad_message(guard, 1, &bad, 40000)); /* another window */
	assert_false(bad_message(guard, 1, &bad, 41000));
	assert_true(bad_message(guard, 1, &bad, 42000));
	assert_int_equal(guard_admit(guard, 1, &bad, 42001), GUARD_BANNED);
	assert_true(guard_is_banned(guard, 1, &bad, 101999));
	assert_int_equal(guard_admit(guard, 0, &bad, 42001), GUARD_PASS); /* another interface */
	assert_int_equal(guard_admit(guard, 1, &bad, 102000), GUARD_PASS);
	for (int i = 0; i < 10; i++)
		assert_false(bad_message(guard, 1, &carrier, 1000));
	guard_destroy(guard);
}

static bool always(void *owner, const struct addr *source)
{
	(void)owner;
	(void)source;
	return true;
}

static void behind_an_office_only_the_flow_is_banned(void **state)
{
	struct guard *guard = make();
	struct addr bad = at("192.0.2.1"), good = at("192.0.2.1"), banned;
	struct guard_ban ban;
	uint32_t walk = 0;
	uint64_t until_ms = 0;
	(void)state;

	good.port = (uint16_t)(bad.port + 1);
	guard_set_known(guard, always, NULL);
	for (int i = 0; i < 3; i++)
		until_ms = guard_auth_failure(guard, 1, &bad, 1000, &banned);
	assert_int_equal(until_ms, 61000);
	assert_true(addr_equal(&banned, &bad));
	guard_ban(guard, 1, &banned, until_ms, 1000, GUARD_AUTH_FAILURES);
	assert_int_equal(guard_admit(guard, 1, &bad, 1001), GUARD_BANNED);
	assert_int_equal(guard_admit(guard, 1, &good, 1001), GUARD_PASS);
	assert_true(guard_ban_next(guard, 1001, &walk, &ban));
	assert_true(ban.cause == GUARD_AUTH_FAILURES && addr_equal(&ban.source, &bad));
	assert_false(guard_ban_next(guard, 1001, &walk, &ban));
	assert_int_equal(guard_unban(guard, &good, 1001), 1);
	assert_int_equal(guard_admit(guard, 1, &bad, 1002), GUARD_PASS);
	guard_destroy(guard);
}

/* A flood from everywhere does not push a ban out of the bounded table. */
static void a_ban_outlives_a_flood(void **state)
{
	struct guard *guard = make();
	struct addr bad = at("192.0.2.1");
	char source[32];
	(void)state;
	for (int i = 0; i < 3; i++)
		(void)bad_message(guard, 1, &bad, 1000);
	for (int i = 0; i < 60000; i++) {
		snprintf(source, sizeof(source), "203.%d.%d.1", i / 250, i % 250);
		admitted(guard, source, 1, 2000);
	}
	assert_true(guard_is_banned(guard, 1, &bad, 3000));
	guard_destroy(guard);
}

static void impossible_sources_are_dropped(void **state)
{
	struct guard *guard = make();
	static const char *const sources[] = {"224.0.1.75", "0.0.0.0", "192.0.2.1:0"};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct addr addr = at(sources[i]);
		assert_int_equal(guard_admit(guard, 1, &addr, 1000), GUARD_BROADCAST);
	}
	guard_destroy(guard);
}

static void new_rules_leave_bans_alone(void **state)
{
	struct guard *guard = make();
	struct addr pbx = at("10.0.0.20"), other = at("192.0.2.7"), carrier = at("198.51.100.9"),
		    banned;
	struct guard_interface rules[] = {interfaces[0], interfaces[1]};
	struct guard_peer peer = {.interface = 1, .peer = 9};
	(void)state;

	guard_ban(guard, 1, &other, 100000, 1000, GUARD_SCANNER);
	assert_int_equal(cidr_parse(SLICE("198.51.100.9"), &peer.network), 0);
	rules[1].bad_messages = 1;
	rules[1].source_burst = 1;
	rules[1].source_rate_per_s = 1;
	assert_int_equal(guard_set_rules(guard, rules, 2, &peer, 1), 0);
	assert_int_equal(guard_peer_of(guard, 0, &pbx), -1);
	assert_int_equal(guard_peer_of(guard, 1, &carrier), 9);
	assert_true(guard_is_banned(guard, 1, &other, 2000));
	assert_int_equal(admitted(guard, "192.0.2.8", 5, 2000), 1);
	other = at("192.0.2.9");
	assert_true(guard_bad_message(guard, 1, &other, 2000, &banned) != 0);
	guard_destroy(guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_are_known_by_source_and_interface),
		cmocka_unit_test(hosts_of_a_name_are_a_peers),
		cmocka_unit_test(a_peer_may_have_a_rate),
		cmocka_unit_test(a_stranger_has_a_rate),
		cmocka_unit_test(workers_count_a_stranger_together),
		cmocka_unit_test(a_peer_has_none),
		cmocka_unit_test(all_strangers_together_have_a_rate),
		cmocka_unit_test(bad_messages_close_the_door_for_a_while),
		cmocka_unit_test(behind_an_office_only_the_flow_is_banned),
		cmocka_unit_test(a_ban_outlives_a_flood),
		cmocka_unit_test(impossible_sources_are_dropped),
		cmocka_unit_test(new_rules_leave_bans_alone),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	meters_destroy(meters);
	return failed;
}
