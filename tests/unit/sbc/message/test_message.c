/* The view of an accepted message, and what the builder writes. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sbc/message/builder.h"
#include "sbc/message/frame.h"
#include "sbc/message/message.h"

struct bench {
	struct arena *arena;
	struct scan scan;
	struct message *message;
	char text[8192];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	assert_int_equal(arena_create(65536, 1 << 20, &b->arena), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	arena_destroy(b->arena);
	free(b);
	return 0;
}

static const struct message *parse(struct bench *b, const char *text)
{
	struct scan_limits limits = {.message_max = 16384};
	size_t len = (size_t)snprintf(b->text, sizeof(b->text), "%s", text);
	assert_int_equal(scan_message(b->text, len, &limits, &b->scan), SCAN_ACCEPT);
	assert_int_equal(message_parse(&b->scan, b->arena, &b->message), 0);
	return b->message;
}

static bool slice_is(struct slice s, const char *expected)
{
	return slice_equal(s, slice_from(expected));
}

static const char registers[] =
	"REGISTER sip:example.com SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/TCP two:5070;branch=z9hG4bK2\r\n"
	"X-First: 1\r\nv: SIP/2.0/UDP three;received=192.0.2.3\r\n"
	"From: \"A, B\" <sip:a@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\n"
	"Call-ID: call@10.0.0.1\r\nCSeq: 3 REGISTER\r\nMax-Forwards: 68\r\nExpires: 60\r\n"
	"Contact: <sip:a@10.0.0.1:5071;ob>;expires=30;q=0.5, sip:b@h\r\nm: <sip:c@h>\r\n"
	"Route: <sip:r1;lr>, <sip:r2;lr>;x\r\nRoute: <sip:r3>\r\nSupported: path, outbound\r\n"
	"k: gruu\r\nx-first: 2\r\nContent-Length: 0\r\n\r\n";

static void everything_can_be_asked(void **state)
{
	struct bench *b = *state;
	const struct message *m = parse(b, registers);
	struct contact contact;
	struct slice member;
	struct via via;
	struct slice value;
	uint32_t expires;

	assert_int_equal(message_method(m), METHOD_REGISTER);
	assert_true(slice_is(message_request_uri(m), "sip:example.com"));
	assert_true(slice_is(message_from(m)->display, "\"A, B\""));
	assert_true(slice_is(message_from_tag(m), "1"));
	assert_int_equal(message_to_tag(m).len, 0);
	assert_int_equal(message_max_forwards(m), 68);
	assert_true(message_expires(m, &expires));
	assert_int_equal(expires, 60);
	assert_int_equal(message_contact_count(m), 3);
	assert_true(message_contact(m, 0, &contact));
	assert_true(slice_is(contact.address.uri, "sip:a@10.0.0.1:5071;ob"));
	assert_true(contact.has_expires);
	assert_int_equal(contact.expires_s, 30);
	assert_true(message_contact(m, 1, &contact));
	assert_true(slice_is(contact.address.uri, "sip:b@h"));
	assert_false(contact.has_expires);
	assert_false(message_contact(m, 3, &contact));
	assert_int_equal(message_via_count(m), 3);
	assert_true(message_member(m, HEADER_VIA, 2, &member));
	assert_int_equal(via_parse(member, &via), 0);
	assert_true(slice_is(via.host, "three"));
	assert_int_equal(message_member_count(m, HEADER_ROUTE), 3);
	assert_true(message_member(m, HEADER_ROUTE, 1, &value));
	assert_true(slice_is(value, "<sip:r2;lr>;x"));
	assert_true(message_has_option(m, HEADER_SUPPORTED, SLICE("OUTBOUND")));
	assert_true(message_has_option(m, HEADER_SUPPORTED, SLICE("gruu")));
	assert_false(message_has_option(m, HEADER_SUPPORTED, SLICE("timer")));
	assert_true(message_header(m, SLICE("X-FIRST"), &value));
	assert_true(slice_is(value, "1"));
	assert_true(message_header(m, SLICE("l"), &value));
	assert_false(message_header(m, SLICE("X-Second"), &value));
	assert_true(slice_is(message_header_at(m, 1)->name, "X-First"));
	assert_null(message_header_at(m, message_header_count(m)));
}

static void body_and_its_type_are_known(void **state)
{
	struct bench *b = *state;
	const struct message *m = parse(
		b,
		"SIP/2.0 200 Well then\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
		"c: Application/SDP ;charset=x\r\nContact: *\r\nl: 3\r\n\r\nv=0");
	struct contact contact;
	assert_false(message_is_request(m));
	assert_int_equal(message_status(m), 200);
	assert_true(slice_is(message_scan(m)->reason, "Well then"));
	assert_true(message_has_sdp(m));
	assert_true(slice_is(message_body(m), "v=0"));
	assert_true(message_contact(m, 0, &contact));
	assert_true(contact.star);
}

static void reply_head_copies_what_it_must(void **state)
{
	struct bench *b = *state;
	struct addr source;
	struct buf out;
	const struct reply reply = {.status = 404, .to_tag = SLICE("ours")};

	parse(b, "OPTIONS sip:b@h SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.1:5060;rport ;branch=z9hG4bK1;received=9.9.9.9 , "
		 "SIP/2.0/UDP x\r\n"
		 "v: SIP/2.0/UDP y\r\n"
		 "f: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: x\r\nCSeq: 1 OPTIONS\r\n\r\n");
	assert_int_equal(addr_parse(SLICE("192.0.2.7:1024"), 0, &source), 0);
	buf_init(&out);
	builder_reply(&out, &b->scan, &source, &reply);
	assert_false(buf_failed(&out));
	assert_string_equal(out.data,
			    "SIP/2.0 404 Not Found\r\n"
			    "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;received=192.0.2.7;"
			    "rport=1024, SIP/2.0/UDP x\r\nVia: SIP/2.0/UDP y\r\n"
			    "From: <sip:a@h>;tag=1\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
			    "To: <sip:b@h>;tag=ours\r\nContent-Length: 0\r\n\r\n");
	buf_free(&out);
}

static void malformed_request_can_be_answered(void **state)
{
	struct bench *b = *state;
	struct scan_limits limits = {.message_max = 16384};
	struct addr source;
	struct buf out;
	const struct reply reply = {.status = 400, .to_tag = SLICE("ours")};
	size_t len = (size_t)snprintf(b->text, sizeof(b->text),
				      "INVITE sip:b@h SIP/2.0\r\nVia: ;;,;,,\r\nTo: <<\r\n\r\n");

	assert_int_equal(scan_message(b->text, len, &limits, &b->scan), SCAN_REPLY);
	assert_int_equal(addr_parse(SLICE("192.0.2.7:1024"), 0, &source), 0);
	buf_init(&out);
	builder_reply(&out, &b->scan, &source, &reply);
	assert_string_equal(out.data, "SIP/2.0 400 Bad Request\r\nVia: ;;,;,,\r\nTo: <<\r\n"
				      "Content-Length: 0\r\n\r\n");
	buf_free(&out);
}

static void nothing_can_be_injected(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out);
	builder_header(&out, HEADER_SUBJECT, SLICE("a\r\nX: y"));
	assert_true(buf_failed(&out));
	buf_clear(&out);
	builder_request_line(&out, SLICE("INVITE"), SLICE("sip:a@b SIP/2.0\nX"));
	assert_true(buf_failed(&out));
	buf_clear(&out);
	builder_address(&out, HEADER_TO, SLICE_NONE, SLICE("sip:a@b>;tag=x"), SLICE_NONE,
			SLICE_NONE);
	assert_true(buf_failed(&out));
	buf_clear(&out);
	builder_header_text(&out, SLICE("A: b\r\nC"), SLICE("d"));
	assert_true(buf_failed(&out));
	buf_clear(&out);
	builder_address(&out, HEADER_TO, SLICE("\"A\""), SLICE("sip:a@b"), SLICE("t"),
			SLICE(";x=1"));
	assert_string_equal(out.data, "To: \"A\" <sip:a@b>;tag=t;x=1\r\n");
	buf_free(&out);
}

static void arena_that_is_too_small_is_an_error(void **state)
{
	struct bench *b = *state;
	struct arena *small;
	struct message *message;
	parse(b, registers);
	for (size_t limit = 64; limit < 8192; limit += 64) {
		assert_int_equal(arena_create(64, limit, &small), 0);
		int err = message_parse(&b->scan, small, &message);
		assert_true(err == 0 || err == -ERR_NO_MEMORY || err == -ERR_MALFORMED);
		arena_destroy(small);
	}
}

static void frames_are_found_in_any_pieces(void **state)
{
	static const char stream[] =
		"\r\nOPTIONS a\r\nl: 3\r\n\r\nabcBYE b\r\nContent-Length :\r\n 0\r\n"
		"\r\n\r\n\r\n";
	(void)state;
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		struct frame frame = {0};
		size_t start = 0, have = 0, length, messages = 0, pings = 0;
		while (have < sizeof(stream) - 1 || start < have) {
			enum frame_result result =
				frame_next(&frame, (struct slice){stream + start, have - start},
					   1000, &length);
			if (result == FRAME_MORE) {
				if (have == sizeof(stream) - 1)
					break;
				have += piece;
				if (have > sizeof(stream) - 1)
					have = sizeof(stream) - 1;
				continue;
			}
			if (result == FRAME_MESSAGE)
				assert_int_equal(length, messages++ == 0 ? 22 : 31);
			else
				pings++;
			assert_true(result != FRAME_BROKEN && result != FRAME_LARGE);
			start += length;
			frame = (struct frame){0};
		}
		assert_int_equal(messages, 2);
		assert_true(pings >= 2);
		assert_int_equal(start, sizeof(stream) - 1);
	}
}

static void frames_without_an_end_are_told(void **state)
{
	static const struct {
		const char *text;
		enum frame_result result;
	} cases[] = {
		{"OPTIONS a\r\n\r\n", FRAME_BROKEN},
		{"OPTIONS a\r\nl: 1\r\nContent-Length: 1\r\n\r\n", FRAME_BROKEN},
		{"OPTIONS a\r\nl: -1\r\n\r\n", FRAME_BROKEN},
		{"OPTIONS a\r\nl: 99999999999\r\n\r\n", FRAME_BROKEN},
		{"OPTIONS a\r\nl: 90\r\n\r\n", FRAME_LARGE},
		{"OPTIONS "
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
		 "aaaaaaaaaaaaaaaaaaaaaa",
		 FRAME_LARGE},
		{"OPTIONS a\r\nl: 9\r\n\r\n12345678", FRAME_MORE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame frame = {0};
		size_t length;
		assert_int_equal(frame_next(&frame, slice_from(cases[i].text), 100, &length),
				 cases[i].result);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(everything_can_be_asked),        T(body_and_its_type_are_known),
		T(reply_head_copies_what_it_must), T(malformed_request_can_be_answered),
		T(nothing_can_be_injected),        T(arena_that_is_too_small_is_an_error),
		T(frames_are_found_in_any_pieces), T(frames_without_an_end_are_told),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
