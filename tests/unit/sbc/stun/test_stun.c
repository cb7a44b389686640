/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/stun/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COOKIE         "\x21\x12\xa4\x42"
#define ID             "\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
#define BYTES(literal) ((struct slice){(literal), sizeof(literal) - 1})

static const char old_request[] = "\x00\x01\x00\x08\x11\x22\x33\x44" ID "\x00\x03\x00\x04\0\0\0\0";

static struct addr source_of(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(slice_from(text), 0, &addr), 0);
	return addr;
}

static void assert_answer(struct slice request, const char *source, struct slice wanted)
{
	struct addr addr = source_of(source);
	char answer[STUN_ANSWER_MAX];
	size_t len = 0;

	assert_int_equal(stun_answer(request, &addr, answer, &len), 0);
	assert_int_equal(len, wanted.len);
	assert_memory_equal(answer, wanted.data, wanted.len);
}

static int answer_to(struct slice request)
{
	struct addr addr = source_of("192.0.2.1:32853");
	char answer[STUN_ANSWER_MAX];
	size_t len = 0;
	return stun_answer(request, &addr, answer, &len);
}

/* The addresses of RFC 5769 2.2 and 2.3. */
static void address_comes_back_masked(void **state)
{
	(void)state;
	assert_answer(BYTES("\x00\x01\x00\x00" COOKIE ID), "192.0.2.1:32853",
		      BYTES("\x01\x01\x00\x0c" COOKIE ID
			    "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"));
	assert_answer(BYTES("\x00\x01\x00\x00" COOKIE ID),
		      "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
		      BYTES("\x01\x01\x00\x18" COOKIE ID
			    "\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79"
			    "\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9"));
}

static void old_client_gets_its_own_kind(void **state)
{
	(void)state;
	assert_answer(BYTES(old_request), "192.0.2.1:32853",
		      BYTES("\x01\x01\x00\x0c\x11\x22\x33\x44" ID
			    "\x00\x01\x00\x08\x00\x01\x80\x55\xc0\x00\x02\x01"));
}

static void unknown_attributes_are_named(void **state)
{
	(void)state;
	assert_answer(BYTES("\x00\x01\x00\x08" COOKIE ID "\x00\x24\x00\x04\x6e\x00\x01\xff"),
		      "192.0.2.1:1",
		      BYTES("\x01\x11\x00\x10" COOKIE ID "\x00\x09\x00\x04\x00\x00\x04\x14"
			    "\x00\x0a\x00\x02\x00\x24\x00\x24"));
	/* An address to answer to, or from: nobody else is sent anything (RFC 3489 12.1.3). */
	assert_answer(BYTES("\x00\x01\x00\x08\x11\x22\x33\x44" ID "\x00\x03\x00\x04\0\0\0\x06"),
		      "192.0.2.1:1",
		      BYTES("\x01\x11\x00\x10\x11\x22\x33\x44" ID "\x00\x09\x00\x04\x00\x00\x04\x14"
			    "\x00\x0a\x00\x02\x00\x03\x00\x03"));
	assert_answer(BYTES("\x00\x01\x00\x0c\x11\x22\x33\x44" ID
			    "\x00\x02\x00\x08\x00\x01\x13\xc4\x01\x02\x03\x04"),
		      "192.0.2.1:1",
		      BYTES("\x01\x11\x00\x10\x11\x22\x33\x44" ID "\x00\x09\x00\x04\x00\x00\x04\x14"
			    "\x00\x0a\x00\x02\x00\x02\x00\x02"));
}

static void credentials_and_comments_are_passed_over(void **state)
{
	(void)state;
	assert_answer(BYTES("\x00\x01\x00\x14" COOKIE ID "\x00\x06\x00\x05hello\0\0\0"
			    "\x80\x22\x00\x04test"),
		      "192.0.2.1:32853",
		      BYTES("\x01\x01\x00\x0c" COOKIE ID
			    "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"));
}

static void fingerprint_is_checked_and_given(void **state)
{
	char request[] = "\x00\x01\x00\x08" COOKIE ID "\x80\x28\x00\x04\x00\x00\x00\x00";
	struct addr addr = source_of("192.0.2.1:32853");
	char answer[STUN_ANSWER_MAX];
	size_t len = 0;
	uint32_t crc = 0xffffffffu;
	(void)state;

	for (size_t i = 0; i < 20; i++)
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^
			      (((crc ^ (uint32_t)((uint8_t)request[i] >> bit)) & 1) ? 0xedb88320u
										    : 0);
	crc = ~crc ^ 0x5354554eu;
	for (size_t i = 0; i < 4; i++)
		request[24 + i] = (char)(crc >> (24 - 8 * i));
	assert_int_equal(stun_answer(BYTES(request), &addr, answer, &len), 0);
	assert_int_equal(len, 20 + 12 + 8);
	assert_memory_equal(answer + 32, "\x80\x28\x00\x04", 4);
	request[27] ^= 1;
	assert_int_equal(stun_answer(BYTES(request), &addr, answer, &len), -ERR_MALFORMED);
}

static void what_is_no_request_is_not_answered(void **state)
{
	(void)state;
	assert_false(stun_is(SLICE("OPTIONS sip:a@b SIP/2.0\r\n")));
	assert_false(stun_is(BYTES("\x00\x01\x00\x00")));
	assert_int_equal(answer_to(BYTES("\x00\x11\x00\x00" COOKIE ID)), -ERR_UNSUPPORTED);
	assert_int_equal(answer_to(BYTES("\x01\x01\x00\x00" COOKIE ID)), -ERR_UNSUPPORTED);
	assert_int_equal(answer_to(BYTES("\x00\x03\x00\x00" COOKIE ID)), -ERR_UNSUPPORTED);
	assert_int_equal(answer_to(BYTES("\x00\x01\x00\x04" COOKIE ID)), -ERR_MALFORMED);
	assert_int_equal(answer_to(BYTES("\x00\x01\x00\x02" COOKIE ID "ab")), -ERR_MALFORMED);
	assert_int_equal(answer_to(BYTES("\x00\x01\x00\x04" COOKIE ID "\x80\x22\x00\x04")),
			 -ERR_MALFORMED);
	assert_int_equal(answer_to(BYTES("\x00\x01\x00\x08" COOKIE ID "\x80\x28\x00\x04\0\0\0\0")),
			 -ERR_MALFORMED);
}

/* Nobody gains by sending in somebody else's name. */
static void an_answer_is_hardly_longer_than_its_request(void **state)
{
	char request[20 + 16 * 4] = "\x00\x01\x00\x40" COOKIE ID;
	struct addr addr = source_of("[2001:db8::1]:1");
	char answer[STUN_ANSWER_MAX];
	size_t len = 0;
	(void)state;

	for (size_t i = 0; i < 16; i++)
		memcpy(request + 20 + 4 * i, (char[]){0x7f, (char)i, 0, 0}, 4);
	assert_int_equal(stun_answer((struct slice){request, sizeof(request)}, &addr, answer, &len),
			 0);
	assert_true(len < sizeof(request));
	assert_int_equal(stun_answer(BYTES("\x00\x01\x00\x00" COOKIE ID), &addr, answer, &len), 0);
	assert_true(len <= 20 + 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_comes_back_masked),
		cmocka_unit_test(old_client_gets_its_own_kind),
		cmocka_unit_test(unknown_attributes_are_named),
		cmocka_unit_test(credentials_and_comments_are_passed_over),
		cmocka_unit_test(fingerprint_is_checked_and_given),
		cmocka_unit_test(what_is_no_request_is_not_answered),
		cmocka_unit_test(an_answer_is_hardly_longer_than_its_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
