/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sdp/bench.h"

#define HEAD "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static int check(struct bench *bench, const char *offer, const char *answer)
{
	const char *reason = NULL;
	int err = sdp_answer_check(bench_parse(bench, offer), bench_parse(bench, answer), &reason);

	assert_int_equal(reason == NULL, err == 0);
	return err;
}

static void an_answer_mirrors_its_offer(void **state)
{
	const char *two = HEAD "m=audio 4 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n";
	struct bench *bench = *state;

	assert_int_equal(check(bench, two, HEAD "m=audio 6 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n"),
			 0);
	assert_int_equal(check(bench, two, HEAD "m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n"),
			 0);
	assert_int_equal(check(bench, two, HEAD "m=audio 6 RTP/AVP 0\r\n"), -ERR_MALFORMED);
	assert_int_equal(check(bench, two, HEAD "m=video 0 RTP/AVP 31\r\nm=audio 6 RTP/AVP 0\r\n"),
			 -ERR_MALFORMED);
	assert_int_equal(check(bench, two, HEAD "m=audio 6 RTP/AVP 0\r\nm=video 8 RTP/AVP 31\r\n"),
			 -ERR_MALFORMED);
}

static void rejecting_leaves_the_m_line(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, HEAD "m=audio 4/2 RTP/AVP 0\r\na=sendrecv\r\n");

	sdp_media_reject(&sdp->media[0]);
	assert_true(sdp_media_is_rejected(&sdp->media[0]));
	assert_string_equal(bench_write(bench, sdp), HEAD "m=audio 0 RTP/AVP 0\r\n");
}

static void directions_are_answered_as_rfc_3264_says(void **state)
{
	(void)state;
	assert_int_equal(sdp_direction_answer(SDP_SENDRECV, SDP_SENDRECV), SDP_SENDRECV);
	assert_int_equal(sdp_direction_answer(SDP_SENDONLY, SDP_SENDRECV), SDP_RECVONLY);
	assert_int_equal(sdp_direction_answer(SDP_RECVONLY, SDP_SENDRECV), SDP_SENDONLY);
	assert_int_equal(sdp_direction_answer(SDP_SENDONLY, SDP_SENDONLY), SDP_INACTIVE);
	assert_int_equal(sdp_direction_answer(SDP_INACTIVE, SDP_SENDRECV), SDP_INACTIVE);
	assert_int_equal(sdp_direction_answer(SDP_SENDRECV, SDP_RECVONLY), SDP_RECVONLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(an_answer_mirrors_its_offer),
		BENCH_TEST(rejecting_leaves_the_m_line),
		BENCH_TEST(directions_are_answered_as_rfc_3264_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
