/* The pre-scanner beyond the torture messages. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "sbc/message/message.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static struct scan scan;  /* large */
static char text[131072]; /* of the message in hand */

#define HEAD                                                                                       \
	"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"                 \
	"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"

/* More than one Contact is for REGISTER alone. */
#define REGISTER_HEAD                                                                              \
	"REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"                 \
	"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n"

static enum scan_verdict look(const char *message)
{
	struct scan_limits limits = {.message_max = 65536};
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", message);
	return scan_message(text, len, &limits, &scan);
}

static unsigned int refused(const char *message)
{
	return look(message) == SCAN_REPLY ? scan.reply_code : 0;
}

static bool slice_is(struct slice s, const char *expected)
{
	return slice_equal(s, slice_from(expected));
}

static void what_matters_is_found(void **state)
{
	(void)state;
	assert_int_equal(
		look("BYE sip:b@h;x SIP/2.0\r\n"
		     "v : SIP/2.0/TCP [2001:db8::1]:5070 ;rport; BRANCH=z9hG4bKa ,\r\n"
		     "  SIP/2.0/UDP other\r\n"
		     "f:\"A\"<sip:a@h>;tag=1\r\nt:<sip:b@h>;tag=2\r\ni: call@h\r\n"
		     "CSEQ: 0007   BYE\r\nmax-forwards: 0\r\nX-Own:  folded\r\n\t value \r\n"
		     "l: 4\r\n\r\nbodymore"),
		SCAN_ACCEPT);
	assert_int_equal(scan.method, METHOD_BYE);
	assert_true(slice_is(scan.request_uri, "sip:b@h;x"));
	assert_true(slice_is(scan.via.host, "2001:db8::1"));
	assert_int_equal(scan.via.port, 5070);
	assert_true(scan.via.rport);
	assert_true(slice_is(scan.via.branch, "z9hG4bKa"));
	assert_true(slice_is(scan.call_id, "call@h"));
	assert_true(slice_is(scan.from_tag, "1"));
	assert_true(slice_is(scan.to_tag, "2"));
	assert_true(slice_is(scan.from.uri, "sip:a@h"));
	assert_int_equal(scan.cseq, 7);
	assert_int_equal(scan.max_forwards, 0);
	assert_true(slice_is(scan.body, "body"));
	assert_true(slice_ends(scan.message, SLICE("body")));
	assert_int_equal(scan.header_count, 8);
	assert_true(slice_is(scan.headers[6].name, "X-Own"));
	assert_true(slice_is(scan.headers[6].value, "folded  \t value"));
}

static void every_spelling_of_a_name_is_one_header(void **state)
{
	(void)state;
	assert_int_equal(refused(HEAD "i: y\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "CALL-id \t: y\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "f: <sip:a@h>\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Max-Forwards: 1\r\nMAX-FORWARDS: 2\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Content-Length: 0\r\nl: 0\r\n\r\n"), 400);
	assert_true(scan.close);
	assert_int_equal(look(HEAD "Subject: a\r\nX-Any: 1\r\nX-Any: 2\r\n\r\n"), SCAN_ACCEPT);
	assert_int_equal(look(HEAD "Supported: \r\nAllow:\r\n\r\n"), SCAN_ACCEPT);
	assert_int_equal(refused(HEAD "Route: \r\n\r\n"), 400);
}

static void forbidden_octets_are_refused(void **state)
{
	struct scan_limits limits = {.message_max = 65536};
	static const char nul[] = HEAD "X: a\0b\r\n\r\n";
	static const char quoted[] = HEAD "X: \"a\\\0b\"\r\n\r\n";
	(void)state;
	assert_int_equal(refused(HEAD "X: a\x01\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "X: a\x7f\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "X: a\rb\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "X: a\nb: c\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "X y: a\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "no colon\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD ": nothing\r\n\r\n"), 400);
	memcpy(text, nul, sizeof(nul));
	assert_int_equal(scan_message(text, sizeof(nul) - 1, &limits, &scan), SCAN_REPLY);
	memcpy(text, quoted, sizeof(quoted)); /* RFC 4475 3.1.1.2 */
	assert_int_equal(scan_message(text, sizeof(quoted) - 1, &limits, &scan), SCAN_ACCEPT);
}

/* What is not a URI of any scheme could not be written again, nor logged as one word. */
static void addresses_are_uris(void **state)
{
	(void)state;
	assert_int_equal(
		look("INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
		     "From: <isbn:2983792873>;tag=1\r\nTo: <urn:service:sos>\r\nCall-ID: x\r\n"
		     "CSeq: 1 INVITE\r\nContact: <mailto:a@h>\r\n\r\n"),
		SCAN_ACCEPT);
	assert_int_equal(
		refused("INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
			"From: <x:a b call=1>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\n"
			"CSeq: 1 INVITE\r\n\r\n"),
		400);
	assert_int_equal(refused(HEAD "Contact: <x:a b>\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Contact: <x:>\r\n\r\n"), 400);
}

static void numbers_have_ranges(void **state)
{
	(void)state;
	assert_int_equal(refused(HEAD "Max-Forwards: 256\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Max-Forwards: -1\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Expires: 4294967296\r\n\r\n"), 400);
	assert_int_equal(look(HEAD "Expires: 4294967295\r\n\r\n"), SCAN_ACCEPT);
	assert_int_equal(refused(HEAD "Contact: <sip:a@h>;expires=99999999999\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Content-Length: 18446744073709551616\r\n\r\n"), 400);
	assert_int_equal(refused(HEAD "Content-Length: 0x4\r\n\r\nbody"), 400);
	assert_int_equal(
		refused("OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>\r\n"
			"To: <sip:a@h>\r\nCall-ID: x\r\nCSeq: 2147483648 OPTIONS\r\n\r\n"),
		400);
}

static void nothing_is_answered_to_an_answer(void **state)
{
	(void)state;
	assert_int_equal(look("SIP/2.0 200 OK\r\n\r\n"), SCAN_DROP);
	assert_int_equal(scan.drop, SCAN_DROP_BAD_RESPONSE);
	assert_int_equal(look("SIP/2.0 20 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"), SCAN_DROP);
	assert_int_equal(look("SIP/2.0 700 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"), SCAN_DROP);
	assert_int_equal(look("SIP/3.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"), SCAN_DROP);
	assert_int_equal(look("ACK sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n"), SCAN_DROP);
	assert_int_equal(scan.drop, SCAN_DROP_BAD_ACK);
	assert_int_equal(look("INVITE sip:a@h SIP/2.0\r\n\r\n"), SCAN_DROP);
	assert_int_equal(scan.drop, SCAN_DROP_NO_RETURN);
	assert_int_equal(look("\r\n\r\n"), SCAN_DROP);
	assert_int_equal(scan.drop, SCAN_DROP_KEEPALIVE);
	assert_int_equal(look("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), SCAN_DROP);
	assert_int_equal(scan.drop, SCAN_DROP_NOT_SIP);
	assert_int_equal(look(""), SCAN_DROP);
}

static void size_is_bounded(void **state)
{
	struct scan_limits limits = {.message_max = 300};
	(void)state;
	size_t len = (size_t)snprintf(text, sizeof(text), HEAD "X: %0200d\r\n\r\n", 0);
	assert_int_equal(scan_message(text, len, &limits, &scan), SCAN_REPLY);
	assert_int_equal(scan.reply_code, 513);
	limits.message_max = 65536;
	limits.truncated = true;
	len = (size_t)snprintf(text, sizeof(text), HEAD "X: cut he");
	assert_int_equal(scan_message(text, len, &limits, &scan), SCAN_REPLY);
	assert_int_equal(scan.reply_code, 513);
}

/* HEAD, then `piece` (with a comma or CRLF of its own) so often, then the end. */
static size_t repeat(const char *start, const char *piece, size_t count, const char *end)
{
	size_t len = (size_t)snprintf(text, sizeof(text), HEAD "%s", start);
	for (size_t i = 0; i < count && len < 120000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", piece);
	return len + (size_t)snprintf(text + len, sizeof(text) - len, "%s\r\n\r\n", end);
}

static unsigned int verdict_of(size_t len)
{
	struct scan_limits limits = {.message_max = 131072};
	return scan_message(text, len, &limits, &scan) == SCAN_REPLY ? scan.reply_code : 0;
}

static void counts_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(repeat("", "Q: 1\r\n", 193, "W: 1")), 0);
	assert_int_equal(verdict_of(repeat("", "Q: 1\r\n", 195, "W: 1")), 400);
	assert_int_equal(verdict_of(repeat("Route: ", "<sip:a>,", 63, "<sip:a>")), 0);
	assert_int_equal(verdict_of(repeat("Route: ", "<sip:a>,", 64, "<sip:a>")), 400);
	assert_int_equal(verdict_of(repeat("", "Route: <sip:a>\r\n", 65, "X: 1")), 400);
	assert_int_equal(verdict_of(repeat("Contact: <sip:a>", ";a=1", 64, "")), 0);
	assert_int_equal(verdict_of(repeat("Contact: <sip:a>", ";a=1", 65, "")), 400);
	assert_int_equal(verdict_of(repeat("Contact: <sip:b>", ",<sip:a>;a;b;c;d", 60, "")), 0);
	assert_int_equal(verdict_of(repeat("Contact: <sip:b>", ",<sip:a>;a;b;c;d;e", 60, "")), 400);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The shapes that cost libosip2 up to 800 ms (hostile-edge 2): the best of five, 64 KB each. */
static void worst_cases_cost_a_millisecond_at_most(void **state)
{
	static const char *const shapes[][3] = {
		{"", "Q:1\r\n", ""},
		{"Contact: <sip:a>", ";a", ""},
		{"Contact: ", "<sip:a>,", "<sip:b>"},
		{"Via: SIP/2.0/UDP h", ",SIP/2.0/UDP h", ""},
		{"", "Via: SIP/2.0/UDP h\r\n", "X: 1"},
		{"Subject: a", "\r\n b", ""},
		{"", "Route: <sip:a>\r\n", "X: 1"},
		{"Q: ", "\"\\", ""},
		{"Call-ID: ", "\"", ""},
		{"Content-Type: multipart/x;boundary=b\r\n\r\n", "--b\r\n", ""},
		{"Q: ", "\x7f", ""},
		{"Contact: ", "\"<", ""},
	};
	struct arena *arena;
	(void)state;
	assert_int_equal(arena_create(65536, 8 << 20, &arena), 0);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		uint64_t best = UINT64_MAX;
		for (int run = 0; run < 5; run++) {
			struct message *message;
			size_t count = 65000 / strlen(shapes[i][1]);
			size_t len = repeat(shapes[i][0], shapes[i][1], count, shapes[i][2]);
			uint64_t start = cpu_ns();
			if (verdict_of(len) == 0) {
				arena_reset(arena);
				(void)!message_parse(&scan, arena, &message);
			}
			uint64_t spent = cpu_ns() - start;
			best = spent < best ? spent : best;
		}
		/* The sanitizers take their share. */
#ifdef SANITIZED
		assert_in_range(best, 0, 20000000);
#else
		assert_in_range(best, 0, 1000000);
#endif
	}
	arena_destroy(arena);
}

static void largest_accepted_message_parses_in_a_millisecond(void **state)
{
	struct arena *arena;
	struct message *message;
	uint64_t best = UINT64_MAX;
	(void)state;
	assert_int_equal(arena_create(65536, 8 << 20, &arena), 0);
	for (int run = 0; run < 5; run++) {
		/* Every list and every parameter at its limit, and as many headers as may be. */
		size_t len = (size_t)snprintf(text, sizeof(text), "%s", REGISTER_HEAD);
		for (int list = 0; list < 5; list++) {
			static const char *const names[] = {"Contact", "Route", "Record-Route",
							    "Path", "Service-Route"};
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s: <sip:a@h>",
						names[list]);
			for (int i = 0; i < 63; i++)
				len += (size_t)snprintf(text + len, sizeof(text) - len,
							",<sip:u%d@h;a=b;c=d>;p=\"%040d\";q=1", i,
							i);
			len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
		}
		for (int i = 0; i < 180; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "X-Q: %0220d\r\n",
						i);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
		assert_in_range(len, 60000, 65536);
		uint64_t start = cpu_ns();
		assert_int_equal(verdict_of(len), 0);
		arena_reset(arena);
		assert_int_equal(message_parse(&scan, arena, &message), 0);
		uint64_t spent = cpu_ns() - start;
		best = spent < best ? spent : best;
	}
#ifdef SANITIZED
	assert_in_range(best, 0, 20000000);
#else
	assert_in_range(best, 0, 1000000);
#endif
	arena_destroy(arena);
}

static void options_are_compared(void **state)
{
	static const struct slice known[] = {{"100rel", 6}, {"timer", 5}};
	struct buf unsupported;
	(void)state;
	buf_init(&unsupported);
	assert_int_equal(look(HEAD "Require: Timer, a\r\nRequire: 100rel,b\r\n\r\n"), SCAN_ACCEPT);
	assert_true(scan_unknown_options(&scan, HEADER_REQUIRE, known, 2, &unsupported));
	assert_string_equal(unsupported.data, "a, b");
	buf_clear(&unsupported);
	assert_false(scan_unknown_options(&scan, HEADER_PROXY_REQUIRE, known, 2, &unsupported));
	buf_free(&unsupported);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_matters_is_found),
		cmocka_unit_test(every_spelling_of_a_name_is_one_header),
		cmocka_unit_test(forbidden_octets_are_refused),
		cmocka_unit_test(addresses_are_uris),
		cmocka_unit_test(numbers_have_ranges),
		cmocka_unit_test(nothing_is_answered_to_an_answer),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(worst_cases_cost_a_millisecond_at_most),
		cmocka_unit_test(largest_accepted_message_parses_in_a_millisecond),
		cmocka_unit_test(options_are_compared),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
