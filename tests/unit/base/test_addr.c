/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct addr ip(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(slice_from(text), 0, &addr), 0);
	return addr;
}

static void addresses_are_read_and_written(void **state)
{
	(void)state;
	static const struct {
		const char *text, *ip, *with_port;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1", "10.0.0.1:0"},
		{"10.0.0.1:5060", "10.0.0.1", "10.0.0.1:5060"},
		{"2001:DB8::1", "2001:db8::1", "[2001:db8::1]:0"},
		{"[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:0"},
		{"[2001:db8::1]:65535", "2001:db8::1", "[2001:db8::1]:65535"},
		{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:0"},
		{"[::ffff:192.0.2.1]:7", "192.0.2.1", "192.0.2.1:7"},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	};
	char out[ADDR_TEXT_SIZE];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr addr = ip(cases[i].text);
		assert_string_equal(addr_ip_text(&addr, out), cases[i].ip);
		assert_string_equal(addr_text(&addr, out), cases[i].with_port);
	}
	struct addr none = {0}, defaulted;
	assert_false(addr_is_set(&none));
	assert_string_equal(addr_ip_text(&none, out), "-");
	assert_int_equal(addr_parse(SLICE("::1"), 5061, &defaulted), 0);
	assert_int_equal(defaulted.port, 5061);
}

static void malformed_addresses_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"host",
		"10.0.0",
		"10.0.0.256",
		"10.0.0.1:",
		"10.0.0.1:65536",
		"10.0.0.1:-1",
		"10.0.0.1:x",
		"[10.0.0.1]:5060",
		"[::1",
		"[::1]5060",
		"[::1]:",
		"::1]",
		"[]",
		"[]:5060",
		":5060",
		" 10.0.0.1",
		"10.0.0.1 ",
		"fe80::1%eth0",
		"[",
		"1:2:3:4:5:6:7:8:9",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct addr addr = {.port = 99};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_parse(slice_from(bad[i]), 0, &addr), -ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(SLICE("10.0.0.1:5060"), &addr), -ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(SLICE("10.0.0.1\0x"), &addr), -ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(SLICE_NONE, &addr), -ERR_MALFORMED);
	assert_int_equal(addr.port, 99); /* untouched */
}

static void sockaddr_goes_both_ways(void **state)
{
	(void)state;
	static const char *const texts[] = {"192.0.2.7:1024", "[2001:db8::7]:65535"};
	for (size_t i = 0; i < 2; i++) {
		struct addr addr = ip(texts[i]), back;
		struct sockaddr_storage storage;
		socklen_t len = addr_to_sockaddr(&addr, &storage);
		assert_int_equal(len, i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		addr_from_sockaddr((const struct sockaddr *)&storage, &back);
		assert_true(addr_equal(&addr, &back));
	}
	/* What a socket of both families reports of an IPv4 peer. */
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
	struct addr addr, expected = ip("192.0.2.7:9");
	addr_from_sockaddr((const struct sockaddr *)&mapped, &addr);
	assert_true(addr_equal(&addr, &expected));

	struct sockaddr local = {.sa_family = AF_UNIX};
	struct sockaddr_storage storage;
	addr_from_sockaddr(&local, &addr);
	assert_false(addr_is_set(&addr));
	assert_int_equal(addr_to_sockaddr(&addr, &storage), 0);
}

static void equality_and_hash_see_address_and_port(void **state)
{
	(void)state;
	const uint64_t key[2] = {1, 2};
	struct addr a = ip("192.0.2.1:1"), b = ip("[::ffff:192.0.2.1]:1"), c = ip("192.0.2.1:2");
	struct addr d = ip("192.0.2.2:1"), e = ip("[::1]:1");
	/* Bytes beyond an IPv4 address do not count. */
	memset(b.bytes + 4, 0xee, 12);
	assert_true(addr_equal(&a, &b));
	assert_true(addr_hash(&a, key) == addr_hash(&b, key));
	assert_false(addr_equal(&a, &c));
	assert_true(addr_equal_ip(&a, &c));
	assert_true(addr_hash(&a, key) != addr_hash(&c, key));
	assert_false(addr_equal_ip(&a, &d));
	assert_true(addr_hash(&a, key) != addr_hash(&d, key));
	assert_false(addr_equal_ip(&a, &e));
}

static void kinds_of_addresses(void **state)
{
	(void)state;
	static const char *const private[] = {
		"10.0.0.0",         "10.255.255.255",
		"172.16.0.0",       "172.31.255.255",
		"192.168.1.1",      "100.64.0.0",
		"100.127.255.255",  "169.254.1.1",
		"127.0.0.1",        "fc00::1",
		"fdff:ffff:ffff::", "fe80::1",
		"febf::1",          "::1",
		"::ffff:10.1.1.1",
	};
	static const char *const public[] = {
		"9.255.255.255",  "11.0.0.0",        "172.15.255.255",
		"172.32.0.0",     "192.167.255.255", "192.169.0.0",
		"100.63.255.255", "100.128.0.0",     "169.253.1.1",
		"128.0.0.1",      "2001:db8::1",     "fbff::1",
		"fe00::1",        "fec0::1",         "::2",
	};
	for (size_t i = 0; i < 15; i++) {
		struct addr a = ip(private[i]), b = ip(public[i]);
		assert_true(addr_is_private(&a));
		assert_false(addr_is_private(&b));
	}
	struct addr any4 = ip("0.0.0.0"), any6 = ip("::"), one = ip("0.0.0.1"), none = {0};
	assert_true(addr_is_any(&any4));
	assert_true(addr_is_any(&any6));
	assert_false(addr_is_any(&one));
	assert_false(addr_is_any(&none));
	assert_false(addr_is_private(&none));
	struct addr low = ip("224.0.0.0"), high = ip("239.255.255.255"),
		    below = ip("223.255.255.255");
	struct addr above = ip("240.0.0.0"), multi6 = ip("ff02::1"), uni6 = ip("fe80::1");
	assert_true(addr_is_multicast(&low));
	assert_true(addr_is_multicast(&high));
	assert_true(addr_is_multicast(&multi6));
	assert_false(addr_is_multicast(&below));
	assert_false(addr_is_multicast(&above));
	assert_false(addr_is_multicast(&uni6));
}

static void into_a_buffer_as_sdp_and_as_uri(void **state)
{
	(void)state;
	struct buf buf;
	struct addr v4 = ip("192.0.2.1"), v6 = ip("2001:db8::1");
	buf_init(&buf);
	addr_add_ip(&buf, &v4);
	buf_add_char(&buf, ' ');
	addr_add_host(&buf, &v4);
	buf_add_char(&buf, ' ');
	addr_add_ip(&buf, &v6);
	buf_add_char(&buf, ' ');
	addr_add_host(&buf, &v6);
	assert_string_equal(buf.data, "192.0.2.1 192.0.2.1 2001:db8::1 [2001:db8::1]");
	buf_free(&buf);
}

static void networks_contain_their_hosts(void **state)
{
	(void)state;
	static const struct {
		const char *cidr, *inside, *outside;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
		{"10.1.2.3/8", "10.9.9.9", "9.9.9.9"}, /* host bits do not matter */
		{"192.0.2.128/25", "192.0.2.255", "192.0.2.127"},
		{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		{"0.0.0.0/0", "255.255.255.255", "::"},
		{"::/0", "2001:db8::1", "10.0.0.1"},
		{"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
		{"2001:db8::1", "2001:db8::1", "2001:db8::2"},
		{"::ffff:10.0.0.0/104", "10.2.3.4", "11.0.0.1"},
	};
	struct cidr cidr;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr inside = ip(cases[i].inside), outside = ip(cases[i].outside);
		assert_int_equal(cidr_parse(slice_from(cases[i].cidr), &cidr), 0);
		assert_true(cidr_contains(&cidr, &inside));
		assert_false(cidr_contains(&cidr, &outside));
	}
	static const char *const bad[] = {
		"",       "/8",           "10.0.0.0/33",        "10.0.0.0/",
		"::/129", "10.0.0.0/8/8", "::ffff:10.0.0.0/95", "10.0.0.0/-1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cidr_parse(slice_from(bad[i]), &cidr), -ERR_MALFORMED);
	struct addr none = {0};
	assert_false(cidr_contains(&(struct cidr){0}, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(malformed_addresses_are_refused),
		cmocka_unit_test(sockaddr_goes_both_ways),
		cmocka_unit_test(equality_and_hash_see_address_and_port),
		cmocka_unit_test(kinds_of_addresses),
		cmocka_unit_test(into_a_buffer_as_sdp_and_as_uri),
		cmocka_unit_test(networks_contain_their_hosts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
