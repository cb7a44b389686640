/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench.h"

static const char *const zone[] = {"x.example A 192.0.2.1",
				   "x.example A 192.0.2.2",
				   "x.example AAAA 2001:db8::1",
				   "alias.example CNAME x.example",
				   "loop.example CNAME loop2.example",
				   "loop2.example CNAME loop.example",
				   "_sip._udp.x.example SRV 10 60 5060 x.example",
				   "n.example NAPTR 10 20 u E2U+sip !^(.*)$!sip:\\1@x! .",
				   NULL};

static int read_zone(enum dns_type type, const char *name, struct dns_answer **out)
{
	struct bench bench = {.zone = zone, .ttl_s = 60};
	uint8_t bytes[8192];

	size_t len = bench_message(&bench, type, name, bytes);
	return dns_answer_read((struct slice){(char *)bytes, len}, type, slice_from(name), out);
}

static void records_are_read(void **state)
{
	struct dns_answer *answer;
	(void)state;

	assert_int_equal(read_zone(DNS_A, "x.example", &answer), 0);
	assert_int_equal(answer->count, 2);
	assert_int_equal(answer->ttl_s, 60);
	free(answer);
	assert_int_equal(read_zone(DNS_A, "alias.example", &answer), 0);
	assert_int_equal(answer->count, 2);
	free(answer);
	assert_int_equal(read_zone(DNS_SRV, "_sip._udp.x.example", &answer), 0);
	assert_int_equal(answer->records[0].srv.weight, 60);
	assert_true(slice_equal(answer->records[0].srv.target, SLICE("x.example")));
	free(answer);
	assert_int_equal(read_zone(DNS_NAPTR, "n.example", &answer), 0);
	assert_int_equal(answer->records[0].naptr.preference, 20);
	assert_true(slice_equal(answer->records[0].naptr.regexp, SLICE("!^(.*)$!sip:\\1@x!")));
	assert_true(slice_equal(answer->records[0].naptr.replacement, SLICE(".")));
	free(answer);
}

static void aliases_in_a_loop_end(void **state)
{
	struct dns_answer *answer;
	(void)state;

	assert_int_equal(read_zone(DNS_A, "loop.example", &answer), 0);
	assert_int_equal(answer->count, 0);
	free(answer);
}

static void thousands_of_records_are_cut(void **state)
{
	static uint8_t bytes[65535];
	struct bench bench = {.zone = (const char *const[]){"x.example A 192.0.2.1", NULL},
			      .ttl_s = 60};
	struct dns_answer *answer;
	(void)state;

	size_t len = bench_message(&bench, DNS_A, "x.example", bytes);
	size_t record = 11 + 10 + 4, copies = (sizeof(bytes) - len) / record;
	for (size_t i = 0; i < copies; i++, len += record)
		memcpy(bytes + len, bytes + len - record, record);
	bytes[6] = (uint8_t)((copies + 1) >> 8);
	bytes[7] = (uint8_t)(copies + 1);
	assert_int_equal(dns_answer_read((struct slice){(char *)bytes, len}, DNS_A,
					 SLICE("x.example"), &answer),
			 0);
	assert_int_equal(answer->count, DNS_RECORDS_MAX);
	free(answer);
}

static void every_cut_and_every_changed_octet_is_survived(void **state)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR};
	static const char *const names[] = {"alias.example", "x.example", "_sip._udp.x.example",
					    "n.example"};
	struct bench bench = {.zone = zone, .ttl_s = 60};
	uint8_t bytes[8192];
	(void)state;

	for (size_t k = 0; k < 4; k++) {
		size_t len = bench_message(&bench, types[k], names[k], bytes);
		for (size_t at = 0; at < len; at++) {
			for (int value = 0; value < 256; value += 15) {
				struct dns_answer *answer = NULL;
				uint8_t *copy = malloc(len);
				memcpy(copy, bytes, len);
				copy[at] = (uint8_t)value;
				size_t size = value == 0 ? at : len;
				if (dns_answer_read((struct slice){(char *)copy, size}, types[k],
						    slice_from(names[k]), &answer) == 0)
					free(answer);
				free(copy);
			}
		}
	}
}

static void another_name_is_not_believed(void **state)
{
	struct bench bench = {.zone = zone, .ttl_s = 60};
	struct dns_answer *answer;
	uint8_t bytes[8192];
	(void)state;

	size_t len = bench_message(&bench, DNS_A, "x.example", bytes);
	assert_int_equal(dns_answer_read((struct slice){(char *)bytes, len}, DNS_A,
					 SLICE("y.example"), &answer),
			 -ERR_MALFORMED);
	bytes[3] = 0x82; /* SERVFAIL */
	assert_int_equal(dns_answer_read((struct slice){(char *)bytes, len}, DNS_A,
					 SLICE("x.example"), &answer),
			 -ERR_REFUSED);
}

static void names_have_one_form(void **state)
{
	char out[DNS_NAME_MAX + 1];
	(void)state;

	assert_int_equal(dns_name_normal(SLICE("SIP.Example.COM."), out), 0);
	assert_string_equal(out, "sip.example.com");
	assert_int_equal(dns_name_normal(SLICE("a..b"), out), -ERR_MALFORMED);
	assert_int_equal(dns_name_normal(SLICE("a b"), out), -ERR_MALFORMED);
	assert_int_equal(dns_name_normal(SLICE(""), out), -ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(aliases_in_a_loop_end),
		cmocka_unit_test(thousands_of_records_are_cut),
		cmocka_unit_test(every_cut_and_every_changed_octet_is_survived),
		cmocka_unit_test(another_name_is_not_believed),
		cmocka_unit_test(names_have_one_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
