/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "bench.h"

#define NUMBER "4.3.2.1.3.3.e164.arpa"

static int look_up(struct bench *bench, const char *number)
{
	return dns_enum(bench->dns, slice_from(number), SLICE("e164.arpa"), bench_on_uris, bench, 9,
			&bench->uris);
}

static void sip_is_taken_by_order_and_preference(void **state)
{
	static const char *const zone[] = {
		NUMBER " NAPTR 10 10 u E2U+mailto !^.*$!mailto:a@x.example! .",
		NUMBER " NAPTR 10 20 u E2U+tel !^.*$!tel:+33999! .",
		NUMBER " NAPTR 20 10 u E2U+sip !^.*$!sip:third@x.example! .",
		NUMBER " NAPTR 10 40 u E2U+SIP !^\\+33(.*)$!sip:0\\1@x.example! .",
		NUMBER " NAPTR 10 30 u sip+E2U !^(.*)$!sip:\\1@x.example!i .",
		NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	assert_int_equal(look_up(&bench, "+331234"), 0);
	assert_int_equal(bench.uris.count, 3);
	assert_string_equal(bench.uris.uris[0], "sip:+331234@x.example");
	assert_string_equal(bench.uris.uris[1], "sip:01234@x.example");
	assert_string_equal(bench.uris.uris[2], "sip:third@x.example");
	assert_int_equal(look_up(&bench, "+331235"), -ERR_NOT_FOUND);
	assert_int_equal(look_up(&bench, "331234"), -ERR_MALFORMED);
	assert_int_equal(look_up(&bench, "+33a"), -ERR_MALFORMED);
	assert_int_equal(look_up(&bench, "+1234567890123456"), -ERR_MALFORMED);
	bench_close(&bench);
}

static void records_without_flag_lead_on_and_loops_end(void **state)
{
	static const char *const zone[] = {
		NUMBER " NAPTR 10 10 - E2U+sip - carrier.example",
		"carrier.example NAPTR 10 10 u E2U+sip !^.*$!sip:a@b.example! .",
		"5." NUMBER " NAPTR 10 10 - - - 5." NUMBER, NULL};
	struct bench bench;
	(void)state;

	bench_open(&bench, zone);
	bench.later = true;
	assert_int_equal(look_up(&bench, "+331234"), -ERR_AGAIN);
	bench_answer(&bench);
	assert_int_equal(bench.told, 1);
	assert_int_equal(bench.err, 0);
	assert_string_equal(bench.uris.uris[0], "sip:a@b.example");
	assert_int_equal(look_up(&bench, "+3312345"), -ERR_AGAIN);
	bench_answer(&bench);
	assert_int_equal(bench.err, -ERR_NOT_FOUND);
	bench_close(&bench);
}

/* Expressions that others take for ever over, or that lie about what they write. */
static void hostile_expressions_end_quickly(void **state)
{
	static const char *const zone[] = {
		NUMBER " NAPTR 1 1 u E2U+sip !^(((((.*)*)*)*)*)*[a]$!sip:a@b! .",
		NUMBER " NAPTR 1 2 u E2U+sip !(x{1,255}){1,255}!sip:a@b! .",
		NUMBER " NAPTR 1 3 u E2U+sip !^(.*)$!sip:\\9@b! .",
		NUMBER " NAPTR 1 4 u E2U+sip !^(.*)$!sip:\\0@b! .",
		NUMBER " NAPTR 1 5 u E2U+sip !^(.*$!sip:a@b! .",
		NUMBER " NAPTR 1 6 u E2U+sip !^.*$!sip:a@b\r\nX:1! .",
		NUMBER " NAPTR 1 7 u E2U+sip !^.*$! .",
		NUMBER " NAPTR 1 8 u E2U+sip ! .",
		NUMBER " NAPTR 1 9 u E2U+sip !(?=.\\K)!sip:a@b! .",
		NUMBER " NAPTR 1 10 u E2U+sip !^(.*)$!\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1! .",
		NULL};
	struct bench bench;
	struct timespec before, after;
	(void)state;

	bench_open(&bench, zone);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	int err = look_up(&bench, "+331234");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_true(err == 0 || err == -ERR_NOT_FOUND);
	for (uint32_t i = 0; i < bench.uris.count; i++)
		assert_null(strpbrk(bench.uris.uris[i], "\r\n <>"));
	assert_true((after.tv_sec - before.tv_sec) * 1000 +
			    (after.tv_nsec - before.tv_nsec) / 1000000 <
		    200);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip_is_taken_by_order_and_preference),
		cmocka_unit_test(records_without_flag_lead_on_and_loops_end),
		cmocka_unit_test(hostile_expressions_end_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
