/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PASSWORD SLICE("VOkJxbRl1RmTxUk/WvJxBt")

/* RFC 5769 2.1: sample request. */
static const uint8_t request[] =
	"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\x80\x22"
	"\x00"
	"\x10STUN test "
	"client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26"
	"\x3b\x36\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\x00\x08\x00\x14"
	"\x9a"
	"\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00"
	"\x04"
	"\xe5\x7a\x3b\xcf";
/* 2.2: sample IPv4 response. */
static const uint8_t response4[] = "\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6"
				   "\x86\xfa\x87\xdf\xae\x80\x22\x00"
				   "\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\x00\x20"
				   "\x00\x08\x00\x01\xa1\x47\xe1\x12"
				   "\xa6\x43\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c"
				   "\x74\x89\xf9\x2a\xf9\xba\x53\xf0"
				   "\x6b\xe7\xd7\x80\x28\x00\x04\xc0\x7d\x4c\x96";
/* 2.3: sample IPv6 response. */
static const uint8_t response6[] = "\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6"
				   "\x86\xfa\x87\xdf\xae\x80\x22\x00"
				   "\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\x00\x20"
				   "\x00\x14\x00\x02\xa1\x47\x01\x13"
				   "\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\x00"
				   "\x08\x00\x14\xa3\x82\x95\x4e\x4b"
				   "\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41"
				   "\x80\x28\x00\x04\xc8\xfb\x0b\x4c";

static void reads_the_vectors_of_rfc_5769(void **state)
{
	struct stun_message m;
	char text[ADDR_TEXT_SIZE];
	(void)state;

	assert_int_equal(stun_read(request, sizeof(request) - 1, &m), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_int_equal(m.method, STUN_BINDING);
	assert_true(slice_equal(m.username, SLICE("evtj:h6vY")));
	assert_int_equal(m.priority, 0x6e0001ff);
	assert_int_equal(m.role, STUN_CONTROLLED);
	assert_true(m.tie_breaker == 0x932ff9b151263b36ull);
	assert_true(m.has_fingerprint);
	assert_true(stun_is_authentic(&m, PASSWORD));
	assert_false(stun_is_authentic(&m, SLICE("another")));

	assert_int_equal(stun_read(response4, sizeof(response4) - 1, &m), 0);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_string_equal(addr_text(&m.mapped, text), "192.0.2.1:32853");
	assert_true(stun_is_authentic(&m, PASSWORD));
	assert_int_equal(stun_read(response6, sizeof(response6) - 1, &m), 0);
	assert_string_equal(addr_text(&m.mapped, text),
			    "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
	assert_true(stun_is_authentic(&m, PASSWORD));
}

static void refuses_every_cut_and_every_flipped_bit(void **state)
{
	uint8_t copy[sizeof(request) - 1];
	struct stun_message m;
	(void)state;

	for (size_t len = 0; len < sizeof(copy); len++)
		assert_int_not_equal(stun_read(request, len, &m), 0);
	for (size_t bit = 0; bit < sizeof(copy) * 8; bit++) {
		memcpy(copy, request, sizeof(copy));
		copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1 << bit % 8);
		if (stun_read(copy, sizeof(copy), &m) != 0)
			continue; /* FINGERPRINT sees it, save in its own type field */
		assert_false(m.has_fingerprint && stun_is_authentic(&m, PASSWORD));
	}
}

static void write_one(struct stun_writer *writer)
{
	const struct addr addr = {.family = AF_INET, .port = 4660, .bytes = {198, 51, 100, 7}};

	stun_begin(writer, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	stun_add_username(writer, SLICE("theirs:ours"));
	stun_add_priority(writer, 77);
	stun_add_role(writer, STUN_CONTROLLING, 0x0102030405060708ull);
	stun_add_use_candidate(writer);
	stun_add_mapped(writer, &addr);
}

static void reads_what_it_writes(void **state)
{
	struct stun_writer writer;
	struct stun_message m;
	char text[ADDR_TEXT_SIZE];
	(void)state;

	write_one(&writer);
	assert_int_equal(stun_end(&writer, PASSWORD), 0);
	assert_int_equal(stun_read(writer.data, writer.len, &m), 0);
	assert_memory_equal(m.id, "abcdefghijkl", STUN_ID);
	assert_true(slice_equal(m.username, SLICE("theirs:ours")));
	assert_int_equal(m.priority, 77);
	assert_int_equal(m.role, STUN_CONTROLLING);
	assert_true(m.tie_breaker == 0x0102030405060708ull);
	assert_true(m.use_candidate);
	assert_string_equal(addr_text(&m.mapped, text), "198.51.100.7:4660");
	assert_true(m.has_fingerprint && stun_is_authentic(&m, PASSWORD));
}

static void writes_errors(void **state)
{
	const uint16_t unknown[] = {0x7001, 0x7002, 0x7003};
	struct stun_writer writer;
	struct stun_message m;
	(void)state;

	stun_begin(&writer, STUN_ERROR, (const uint8_t *)"abcdefghijkl");
	stun_add_error(&writer, 420, SLICE("Unknown Attribute"));
	stun_add_unknown(&writer, unknown, 3);
	assert_int_equal(stun_end(&writer, SLICE("secret")), 0);
	assert_int_equal(stun_read(writer.data, writer.len, &m), 0);
	assert_int_equal(m.class, STUN_ERROR);
	assert_int_equal(m.error, 420);
}

static void what_stands_behind_the_integrity_does_not_count(void **state)
{
	struct stun_writer writer;
	struct stun_message m;
	(void)state;

	stun_begin(&writer, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	stun_add_username(&writer, SLICE("a:b"));
	assert_int_equal(stun_end(&writer, PASSWORD), 0);
	writer.len -= 8; /* an attacker takes FINGERPRINT off and nominates */
	stun_add_use_candidate(&writer);
	assert_int_equal(stun_end(&writer, SLICE_NONE), 0);
	assert_int_equal(stun_read(writer.data, writer.len, &m), 0);
	assert_true(stun_is_authentic(&m, PASSWORD));
	assert_false(m.use_candidate);
}

static void lists_what_it_does_not_know(void **state)
{
	uint8_t data[STUN_HEADER + 16] = {0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42};
	struct stun_message m;
	(void)state;

	data[20] = 0x7f; /* comprehension-required */
	data[21] = 0x01;
	data[28] = 0xff; /* optional */
	data[23] = data[31] = 4;
	assert_int_equal(stun_read(data, sizeof(data), &m), 0);
	assert_int_equal(m.unknown_count, 1);
	assert_int_equal(m.unknown[0], 0x7f01);
	data[31] = 5; /* longer than what is there */
	assert_int_not_equal(stun_read(data, sizeof(data), &m), 0);
}

static void a_message_that_does_not_fit_is_not_made(void **state)
{
	static char text[512];
	struct stun_writer writer;
	(void)state;

	stun_begin(&writer, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	for (int i = 0; i < 3; i++)
		stun_add_username(&writer, (struct slice){text, sizeof(text)});
	assert_int_equal(stun_end(&writer, PASSWORD), -ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_vectors_of_rfc_5769),
		cmocka_unit_test(refuses_every_cut_and_every_flipped_bit),
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(writes_errors),
		cmocka_unit_test(what_stands_behind_the_integrity_does_not_count),
		cmocka_unit_test(lists_what_it_does_not_know),
		cmocka_unit_test(a_message_that_does_not_fit_is_not_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
