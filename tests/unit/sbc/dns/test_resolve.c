/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "bench.h"

static void service_over_tcp_then_udp_then_the_address(void **state)
{
	static const char *const zone[] = {"_sip._tcp.x.example SRV 1 0 5070 t.example",
					   "_sip._udp.x.example SRV 1 0 5080 u.example",
					   "t.example A 192.0.2.1",
					   "u.example A 192.0.2.2",
					   "x.example A 192.0.2.3",
					   NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(bench_resolve(&bench, "x.example", 0, 0), 0);
	assert_string_equal(bench_text(&bench),
			    "tcp 192.0.2.1:5070, udp 192.0.2.2:5080, udp 192.0.2.3:5060");
	assert_int_equal(bench_resolve(&bench, "x.example", 5090, 0), 0);
	assert_string_equal(bench_text(&bench), "udp 192.0.2.3:5090");
	assert_int_equal(bench_resolve(&bench, "x.example", 0, DNS_UDP), 0);
	assert_string_equal(bench_text(&bench), "udp 192.0.2.2:5080, udp 192.0.2.3:5060");
	assert_int_equal(bench_resolve(&bench, "192.0.2.9", 0, DNS_TCP), 0);
	assert_string_equal(bench_text(&bench), "tcp 192.0.2.9:5060");
	bench_close(&bench);
}

static void naptr_says_which_services(void **state)
{
	static const char *const zone[] = {"x.example NAPTR 20 1 s SIP+D2U - _u.example",
					   "x.example NAPTR 10 2 s SIP+D2T - _t.example",
					   "x.example NAPTR 10 1 s SIPS+D2T - _s.example",
					   "x.example NAPTR 1 1 s SIP+D2S - _sctp.example",
					   "_u.example SRV 1 0 5060 h.example",
					   "_t.example SRV 1 0 5060 h.example",
					   "_s.example SRV 1 0 5061 h.example",
					   "_sip._udp.x.example SRV 1 0 9999 h.example",
					   "h.example A 192.0.2.1",
					   NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(bench_resolve(&bench, "x.example", 0, 0), 0);
	assert_string_equal(bench_text(&bench),
			    "tls 192.0.2.1:5061, tcp 192.0.2.1:5060, udp 192.0.2.1:5060");
	bench_close(&bench);
}

static void priority_first_then_weight(void **state)
{
	static const char *const zone[] = {"_sip._udp.x.example SRV 20 0 5060 c.example",
					   "_sip._udp.x.example SRV 10 75 5060 a.example",
					   "_sip._udp.x.example SRV 10 25 5060 b.example",
					   "a.example A 192.0.2.1",
					   "b.example A 192.0.2.2",
					   "c.example A 192.0.2.3",
					   NULL};
	struct bench bench;
	int a_first = 0;
	(void)state;

	bench_open(&bench, zone);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(bench_resolve(&bench, "x.example", 0, DNS_UDP), 0);
		assert_int_equal(bench.targets.count, 3);
		assert_int_equal(bench.targets.targets[2].addr.bytes[3], 3);
		a_first += bench.targets.targets[0].addr.bytes[3] == 1;
	}
	assert_in_range(a_first, 690, 810);
	assert_true(bench.asked < 12); /* the rest came from memory */
	bench_close(&bench);
}

static void both_families(void **state)
{
	static const char *const zone[] = {"x.example A 192.0.2.1", "x.example AAAA 2001:db8::1",
					   "x.example A 0.0.0.0", "x.example A 224.0.0.1", NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), 0);
	assert_string_equal(bench_text(&bench), "udp 192.0.2.1:5060, udp [2001:db8::1]:5060");
	struct dns_destination destination = {
		.host = SLICE("x.example"), .port = 5060, .allowed = DNS_UDP, .no_v4 = true};
	assert_int_equal(
		dns_resolve(bench.dns, &destination, bench_on_targets, &bench, 1, &bench.targets),
		0);
	assert_string_equal(bench_text(&bench), "udp [2001:db8::1]:5060");
	bench_close(&bench);
}

static void answers_that_come_later_are_told_once(void **state)
{
	static const char *const zone[] = {"_sip._tcp.x.example SRV 1 0 5070 t.example",
					   "t.example A 192.0.2.1", NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	bench.later = true;
	assert_int_equal(bench_resolve(&bench, "x.example", 0, 0), -ERR_AGAIN);
	assert_int_equal(bench_resolve(&bench, "X.EXAMPLE.", 0, 0), -ERR_AGAIN);
	uint32_t asked = bench.asked;
	assert_int_equal(bench.told, 0);
	bench_answer(&bench);
	assert_int_equal(bench.told, 2);
	assert_int_equal(bench.context, 42);
	assert_string_equal(bench_text(&bench), "tcp 192.0.2.1:5070");
	assert_int_equal(bench.asked, asked + 2); /* the SRV's host, both families */
	bench_close(&bench);
}

static void silence_is_told_in_time(void **state)
{
	static const char *const zone[] = {"x.example A 192.0.2.1", NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	bench.silent = "x.example";
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), -ERR_AGAIN);
	bench_advance(&bench, 3999);
	assert_int_equal(bench.told, 0);
	bench_advance(&bench, 1);
	assert_int_equal(bench.told, 1);
	assert_int_equal(bench.err, -ERR_TIMEOUT);
	bench_close(&bench);
}

static void denials_and_failures_are_remembered_for_a_while(void **state)
{
	static const char *const zone[] = {NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), -ERR_NOT_FOUND);
	uint32_t asked = bench.asked;
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), -ERR_NOT_FOUND);
	assert_int_equal(bench.asked, asked);
	bench.broken = "y.example";
	assert_int_equal(bench_resolve(&bench, "y.example", 5060, 0), -ERR_UNREACHABLE);
	asked = bench.asked;
	assert_int_equal(bench_resolve(&bench, "y.example", 5060, 0), -ERR_UNREACHABLE);
	assert_int_equal(bench.asked, asked);
	bench_advance(&bench, 3001);
	assert_int_equal(bench_resolve(&bench, "y.example", 5060, 0), -ERR_UNREACHABLE);
	assert_int_equal(bench.asked, asked + 2);
	bench_close(&bench);
}

static void truth_ends_with_its_ttl(void **state)
{
	const char *zone[] = {"x.example A 192.0.2.1", NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), 0);
	zone[0] = "x.example A 192.0.2.2";
	bench_advance(&bench, 9000); /* the denial of AAAA lasts ten seconds */
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), 0);
	assert_string_equal(bench_text(&bench), "udp 192.0.2.1:5060");
	bench_advance(&bench, 51001);
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), 0);
	assert_string_equal(bench_text(&bench), "udp 192.0.2.2:5060");
	bench.ttl_s = 0;
	assert_int_equal(bench_resolve(&bench, "x.example", 5060, 0), 0);
	bench_close(&bench);
}

static void memory_is_bounded(void **state)
{
	static const char *const zone[] = {NULL};
	struct bench bench;
	char name[64];
	(void)state;

	bench_open(&bench, zone);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		assert_int_equal(bench_resolve(&bench, name, 0, 0), -ERR_NOT_FOUND);
	}
	assert_in_range(counter_get(&dns_counters(bench.dns)->entries), 1, 2048);
	bench_close(&bench);
}

static void questions_and_lookups_are_bounded(void **state)
{
	static const char *const zone[] = {NULL};
	struct bench bench;
	char name[64];
	int busy = 0;
	(void)state;

	bench_open(&bench, zone);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		bench.silent = name;
		int err = bench_resolve(&bench, name, 5060, 0);
		assert_true(err == -ERR_AGAIN || err == -ERR_BUSY);
		busy += err == -ERR_BUSY;
	}
	assert_true(busy > 300);
	bench_advance(&bench, 5000);
	assert_int_equal(bench.told, 600 - busy);
	bench_close(&bench);
}

static void a_service_that_is_denied(void **state)
{
	static const char *const zone[] = {"_sip._udp.x.example SRV 0 0 0 .",
					   "x.example A 192.0.2.1", NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(bench_resolve(&bench, "x.example", 0, DNS_UDP), -ERR_NOT_FOUND);
	assert_int_equal(bench_resolve(&bench, "a b", 0, 0), -ERR_MALFORMED);
	bench_close(&bench);
}

static void hundreds_of_services_are_cut(void **state)
{
	const char *zone[101] = {0};
	char text[100][80];
	struct bench bench;
	(void)state;

	for (int i = 0; i < 50; i++) {
		snprintf(text[i], 80, "_sip._udp.x.example SRV 1 %d 5060 h%d.example", i, i);
		snprintf(text[50 + i], 80, "h%d.example A 192.0.2.%d", i, i + 1);
		zone[i] = text[i];
		zone[50 + i] = text[50 + i];
	}
	bench_open(&bench, zone);
	bench.later = true;
	assert_int_equal(bench_resolve(&bench, "x.example", 0, DNS_UDP), -ERR_AGAIN);
	bench_answer(&bench);
	assert_int_equal(bench.err, 0);
	assert_int_equal(bench.targets.count, DNS_TARGETS_MAX);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_over_tcp_then_udp_then_the_address),
		cmocka_unit_test(naptr_says_which_services),
		cmocka_unit_test(priority_first_then_weight),
		cmocka_unit_test(both_families),
		cmocka_unit_test(answers_that_come_later_are_told_once),
		cmocka_unit_test(silence_is_told_in_time),
		cmocka_unit_test(denials_and_failures_are_remembered_for_a_while),
		cmocka_unit_test(truth_ends_with_its_ttl),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(questions_and_lookups_are_bounded),
		cmocka_unit_test(a_service_that_is_denied),
		cmocka_unit_test(hundreds_of_services_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
