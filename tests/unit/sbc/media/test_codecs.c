/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/codecs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static const char *const g711[] = {"PCMU", "PCMA"};
static const char *const wide[] = {"opus", "PCMA"};

static int filter(const char *sdp, struct codec_list from, struct codec_list to, struct buf *out)
{
	struct arena *arena;

	buf_clear(out);
	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	int err = codecs_filter(arena, slice_from(sdp), from, to, out);
	arena_destroy(arena);
	return err;
}

static void both_lists_apply_in_the_order_of_the_receiver(void **state)
{
	const struct codec_list all = {NULL, 0}, narrow = {g711, 2}, broad = {wide, 2};
	static const char sdp[] = HEAD "m=audio 4000 RTP/AVP 96 9 8 0 101\r\n"
				       "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
				       "a=rtpmap:101 telephone-event/8000\r\n";
	struct buf out;
	(void)state;

	buf_init(&out);
	assert_int_equal(filter(sdp, all, narrow, &out), 0);
	assert_non_null(strstr(out.data, "RTP/AVP 0 8 101\r\n"));
	assert_null(strstr(out.data, "opus"));
	assert_null(strstr(out.data, "useinbandfec"));
	assert_int_equal(filter(sdp, narrow, broad, &out), 0);
	assert_non_null(strstr(out.data, "RTP/AVP 8 101\r\n"));
	assert_int_equal(filter(sdp, broad, all, &out), 0);
	assert_non_null(strstr(out.data, "RTP/AVP 96 8 101\r\n"));
	buf_free(&out);
}

static void events_alone_are_no_call(void **state)
{
	const struct codec_list all = {NULL, 0}, narrow = {g711, 2};
	struct buf out;
	(void)state;

	buf_init(&out);
	assert_int_equal(filter(HEAD "m=audio 4000 RTP/AVP 9 101\r\n"
				     "a=rtpmap:101 telephone-event/8000\r\n",
				all, narrow, &out),
			 -ERR_UNSUPPORTED);
	/* A medium goes, another stays; one that is no RTP has no codecs. */
	assert_int_equal(filter(HEAD "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 97\r\n"
				     "a=rtpmap:97 H264/90000\r\nm=image 4004 udptl t38\r\n",
				all, narrow, &out),
			 0);
	assert_non_null(strstr(out.data, "m=video 0 "));
	assert_non_null(strstr(out.data, "m=image 4004 udptl t38\r\n"));
	/* Everything was refused before: nothing new. */
	assert_int_equal(filter(HEAD "m=audio 0 RTP/AVP 9\r\n", all, narrow, &out), 0);
	assert_int_equal(filter("rubbish", all, narrow, &out), -ERR_MALFORMED);
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_lists_apply_in_the_order_of_the_receiver),
		cmocka_unit_test(events_alone_are_no_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
