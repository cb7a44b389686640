/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void hidden(struct body_origin *origin, const char *text, struct buf *out)
{
	struct arena *arena;
	const char *reason = NULL;

	buf_clear(out);
	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	assert_int_equal(body_hide(arena, slice_from(text), origin, out, &reason), 0);
	arena_destroy(arena);
}

static const char told[] =
	"v=0\r\no=alice 1 1 IN IP4 10.0.0.30\r\ns=My phone\r\ni=at "
	"10.0.0.30\r\nu=http://pbx.lan/\r\n"
	"e=a@pbx.lan\r\np=+33\r\nc=IN IP4 203.0.113.10\r\nb=AS:64\r\nt=0 0\r\na=tool:leaky 1.0\r\n"
	"a=X-addr:10.0.0.30\r\na=sendrecv\r\nm=audio 30000 RTP/AVP 8 101\r\na=rtpmap:8 "
	"PCMA/8000\r\n"
	"a=candidate:1 1 UDP 1 10.0.0.30 5000 typ host\r\na=ice-ufrag:x\r\n"
	"a=ssrc:1 cname:alice@10.0.0.30\r\na=ssrc:1 msid:a b\r\na=rtcp:30001 IN IP4 "
	"203.0.113.10\r\n"
	"a=X-where:at fd00::1:2\r\na=X-nice:kept 1.2.3\r\n"
	"a=fingerprint:sha-1 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD\r\n";

static void only_what_the_other_side_may_know_is_left(void **state)
{
	struct body_origin origin = {.session_id = 42};
	struct buf out;
	(void)state;

	buf_init(&out);
	hidden(&origin, told, &out);
	assert_string_equal(
		out.data,
		"v=0\r\no=- 42 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nb=AS:64\r\n"
		"t=0 0\r\na=sendrecv\r\nm=audio 30000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
		"a=ssrc:1 msid:a b\r\na=rtcp:30001 IN IP4 203.0.113.10\r\na=X-nice:kept 1.2.3\r\n"
		"a=fingerprint:sha-1 "
		"AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD\r\n");
	buf_free(&out);
}

static void the_relays_own_candidates_pass(void **state)
{
	static const char ice[] =
		"v=0\r\no=- 42 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\n"
		"a=ice-lite\r\nm=audio 30000 RTP/AVP 8\r\na=ice-ufrag:abcdefgh\r\n"
		"a=candidate:1 1 UDP 2130706431 203.0.113.10 30000 typ host\r\n"
		"a=end-of-candidates\r\n";
	struct body_origin origin = {.session_id = 42};
	struct buf out;
	(void)state;

	buf_init(&out);
	hidden(&origin, ice, &out);
	assert_string_equal(out.data, ice);
	buf_clear(&out);
	/* one that leads elsewhere takes them all with it, credentials too */
	hidden(&origin,
	       "v=0\r\no=- 42 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\n"
	       "a=ice-lite\r\nm=audio 30000 RTP/AVP 8\r\na=ice-ufrag:abcdefgh\r\n"
	       "a=candidate:1 1 UDP 2130706431 203.0.113.10 30000 typ host\r\n"
	       "a=candidate:2 1 UDP 1 pbx.lan 5000 typ host\r\n",
	       &out);
	assert_null(strstr(out.data, "ice-"));
	assert_null(strstr(out.data, "candidate"));
	buf_free(&out);
}

static void the_version_rises_with_every_change_and_no_other(void **state)
{
	struct body_origin origin = {.session_id = 7};
	struct buf out;
	(void)state;

	buf_init(&out);
	hidden(&origin, told, &out);
	hidden(&origin, told, &out);
	assert_int_equal(origin.version, 1);
	hidden(&origin,
	       "v=0\r\no=- 1 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\n"
	       "m=audio 30000 RTP/AVP 8\r\na=sendonly\r\n",
	       &out);
	assert_int_equal(origin.version, 2);
	assert_non_null(strstr(out.data, "o=- 7 2 IN IP4 203.0.113.10\r\n"));
	buf_free(&out);
}

static void a_bad_body_says_why_and_leaves_nothing(void **state)
{
	struct body_origin origin = {0};
	struct arena *arena;
	struct buf out;
	const char *reason = NULL;
	(void)state;

	buf_init(&out);
	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	assert_int_not_equal(
		body_hide(arena, SLICE("v=0\r\nm=audio x\r\n"), &origin, &out, &reason), 0);
	assert_non_null(reason);
	assert_int_equal(out.len, 0);
	arena_destroy(arena);
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_other_side_may_know_is_left),
		cmocka_unit_test(the_relays_own_candidates_pass),
		cmocka_unit_test(the_version_rises_with_every_change_and_no_other),
		cmocka_unit_test(a_bad_body_says_why_and_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
