/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sdp/bench.h"

#define HEAD "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n"

/* One media of a body whose session part ends with `session` and whose media has `lines`. */
static struct sdp_media *media_of(struct bench *bench, const char *session, const char *line,
				  const char *lines)
{
	char text[2048];

	snprintf(text, sizeof(text), HEAD "%sm=%s\r\n%s", session, line, lines);
	return &bench_parse(bench, text)->media[0];
}

#define SESSION "c=IN IP4 192.0.2.1\r\nt=0 0\r\n"
#define AUDIO   "audio 4000 RTP/AVP 0 8 96 101"

static void assert_rtcp(struct bench *bench, const char *lines, const char *expected)
{
	char text[ADDR_TEXT_SIZE];
	struct addr addr;

	assert_int_equal(sdp_media_rtcp_addr(media_of(bench, SESSION, AUDIO, lines), &addr), 0);
	assert_string_equal(addr_text(&addr, text), expected);
}

static void addresses_come_from_media_then_session(void **state)
{
	struct bench *bench = *state;
	char text[ADDR_TEXT_SIZE];
	struct addr addr;

	assert_int_equal(sdp_media_rtp_addr(media_of(bench, SESSION, AUDIO, ""), &addr), 0);
	assert_string_equal(addr_text(&addr, text), "192.0.2.1:4000");
	assert_int_equal(sdp_media_rtp_addr(media_of(bench, SESSION, AUDIO,
						     "c=IN IP6 2001:db8::1\r\n"
						     "c=IN IP4 192.0.2.9\r\n"),
					    &addr),
			 0);
	assert_string_equal(addr_text(&addr, text), "[2001:db8::1]:4000");
	assert_int_equal(
		sdp_media_rtp_addr(
			media_of(bench, SESSION, AUDIO, "c=IN IP4 media.example.com\r\n"), &addr),
		-ERR_UNSUPPORTED);
	assert_int_equal(sdp_media_rtp_addr(media_of(bench, "", "audio 0 RTP/AVP 0", ""), &addr),
			 -ERR_NOT_FOUND);
}

static void rtcp_follows_rfc_3605_and_5761(void **state)
{
	struct bench *bench = *state;

	assert_rtcp(bench, "", "192.0.2.1:4001");
	assert_rtcp(bench, "a=rtcp:5000\r\n", "192.0.2.1:5000");
	assert_rtcp(bench, "a=rtcp:5000 IN IP4 192.0.2.8\r\n", "192.0.2.8:5000");
	assert_rtcp(bench, "a=rtcp:5000\r\na=rtcp-mux\r\n", "192.0.2.1:4000");

	struct sdp_media *media = media_of(bench, SESSION, AUDIO, "a=rtcp:1\r\n");
	struct addr addr;
	assert_int_equal(addr_parse(SLICE("[2001:db8::2]:6001"), 0, &addr), 0);
	assert_int_equal(sdp_media_set_rtcp(media, &addr, false), 0);
	assert_slice(sdp_media_attribute(media, "rtcp")->argument, "6001");
	assert_int_equal(sdp_media_set_rtcp(media, &addr, true), 0);
	assert_slice(sdp_media_attribute(media, "rtcp")->argument, "6001 IN IP6 2001:db8::2");
}

static void direction_is_read_and_set(void **state)
{
	struct bench *bench = *state;
	struct sdp_media *media = media_of(bench, SESSION, AUDIO, "a=x\r\n");

	assert_int_equal(sdp_media_direction(media), SDP_SENDRECV);
	media = media_of(bench, SESSION "a=recvonly\r\n", AUDIO, "a=x\r\n");
	assert_int_equal(sdp_media_direction(media), SDP_RECVONLY);
	media = media_of(bench, SESSION "a=recvonly\r\n", AUDIO,
			 "a=inactive\r\na=x\r\na=sendonly\r\n");
	assert_int_equal(sdp_media_direction(media), SDP_INACTIVE);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(sdp_media_set_direction(media, (enum sdp_direction)i), 0);
		assert_int_equal(sdp_media_direction(media), i);
	}
	assert_string_equal(bench_write(bench, media->sdp),
			    HEAD SESSION "a=recvonly\r\nm=" AUDIO "\r\na=x\r\na=sendrecv\r\n");
	assert_int_equal(sdp_direction_reverse(SDP_SENDONLY), SDP_RECVONLY);
	assert_int_equal(sdp_direction_reverse(SDP_INACTIVE), SDP_INACTIVE);
	assert_string_equal(sdp_direction_text(SDP_SENDONLY), "sendonly");
}

static void hold_is_seen_in_both_ways(void **state)
{
	struct bench *bench = *state;

	assert_false(sdp_media_is_hold(media_of(bench, SESSION, AUDIO, "")));
	assert_false(sdp_media_is_hold(media_of(bench, SESSION, AUDIO, "a=recvonly\r\n")));
	assert_true(sdp_media_is_hold(media_of(bench, SESSION, AUDIO, "a=sendonly\r\n")));
	assert_true(sdp_media_is_hold(media_of(bench, SESSION, AUDIO, "a=inactive\r\n")));
	assert_true(sdp_media_is_hold(media_of(bench, SESSION, AUDIO, "c=IN IP4 0.0.0.0\r\n")));
	assert_true(sdp_media_is_hold(media_of(bench, SESSION, AUDIO, "c=IN IP6 ::\r\n")));
	assert_false(sdp_media_is_hold(
		media_of(bench, SESSION, AUDIO, "c=IN IP4 0.0.0.0\r\na=ice-ufrag:x\r\n")));

	const char *both = HEAD SESSION "m=audio 4 RTP/AVP 0\r\na=sendonly\r\n"
					"m=video 0 RTP/AVP 31\r\n";
	assert_true(sdp_is_hold(bench_parse(bench, both)));
	assert_true(sdp_text_may_hold(slice_from(both)));
	assert_true(sdp_text_may_hold(SLICE("c=IN IP4 0.0.0.0\r\n")));
	assert_true(sdp_text_may_hold(SLICE("c=IN IP6 0:0:0:0:0:0:0:0\r\n")));
	assert_true(sdp_text_may_hold(SLICE("v=0\na= inactive \n")));
	assert_false(sdp_text_may_hold(SLICE(HEAD SESSION "a=sendrecv\r\na=recvonly\r\n")));
	const char *one = HEAD SESSION "m=audio 4 RTP/AVP 0\r\na=sendonly\r\n"
				       "m=video 6 RTP/AVP 31\r\n";
	assert_false(sdp_is_hold(bench_parse(bench, one)));
	assert_false(sdp_is_hold(bench_parse(bench, HEAD SESSION)));
}

static void protocols_are_known(void **state)
{
	static const struct {
		const char *line;
		bool rtp;
		bool secure;
	} rows[] = {
		{"audio 4 RTP/AVP 0", true, false},
		{"audio 4 RTP/SAVPF 0", true, true},
		{"audio 4 UDP/TLS/RTP/SAVP 0", true, true},
		{"audio 4 TCP/RTP/AVP 0", true, false},
		{"image 4 udptl t38", false, false},
		{"application 4 UDP/DTLS/SCTP x", false, false},
		{"audio 4 RTP 0", false, false},
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sdp_media *media = media_of(bench, SESSION, rows[i].line, "");

		assert_int_equal(sdp_media_is_rtp(media), rows[i].rtp);
		assert_int_equal(sdp_media_is_secure(media), rows[i].secure);
	}
}

static void formats_have_their_maps(void **state)
{
	struct bench *bench = *state;
	struct sdp_media *media = media_of(bench, SESSION, AUDIO,
					   "a=rtpmap:96 opus/48000/2\r\n"
					   "a=rtpmap:101 telephone-event/8000\r\n"
					   "a=fmtp:101  0-16 \r\na=rtcp-fb:96 nack\r\n"
					   "a=ptime:20\r\na=fmtp:96 useinbandfec=1\r\n");
	struct sdp_rtpmap map;

	assert_int_equal(sdp_media_rtpmap(media, SLICE("96"), &map), 0);
	assert_slice(map.encoding, "opus");
	assert_int_equal(map.clock_rate, 48000);
	assert_int_equal(map.channels, 2);
	assert_int_equal(sdp_media_rtpmap(media, SLICE("8"), &map), 0);
	assert_slice(map.encoding, "PCMA");
	assert_int_equal(sdp_media_rtpmap(media, SLICE("97"), &map), -ERR_NOT_FOUND);
	assert_int_equal(sdp_media_find_encoding(media, SLICE("Telephone-Event"), 8000, &map), 0);
	assert_int_equal(map.payload_type, 101);
	assert_int_equal(sdp_media_find_encoding(media, SLICE("telephone-event"), 16000, &map),
			 -ERR_NOT_FOUND);
	assert_slice(sdp_media_fmtp(media, SLICE("101")), "0-16");
	assert_null(sdp_media_fmtp(media, SLICE("0")).data);
	assert_int_equal(sdp_media_ptime_ms(media), 20);
	assert_int_equal(sdp_media_ptime_ms(media_of(bench, SESSION, AUDIO, "")), 0);

	assert_true(sdp_media_remove_format(media, SLICE("96")));
	assert_false(sdp_media_remove_format(media, SLICE("96")));
	assert_true(sdp_media_remove_format(media, SLICE("0")));
	assert_true(sdp_media_remove_format(media, SLICE("8")));
	assert_false(sdp_media_remove_format(media, SLICE("101")));
	assert_int_equal(sdp_media_set_protocol(media, SLICE("RTP/SAVP")), 0);
	assert_int_equal(sdp_media_set_protocol(media, SLICE("RTP AVP")), -ERR_INVALID);
	assert_string_equal(bench_write(bench, media->sdp),
			    HEAD SESSION "m=audio 4000 RTP/SAVP 101\r\n"
					 "a=rtpmap:101 telephone-event/8000\r\n"
					 "a=fmtp:101  0-16 \r\na=ptime:20\r\n");
}

static void rejected_is_port_zero_without_bundle_only(void **state)
{
	struct bench *bench = *state;

	assert_true(sdp_media_is_rejected(media_of(bench, SESSION, "audio 0 RTP/AVP 0", "")));
	assert_false(sdp_media_is_rejected(
		media_of(bench, SESSION, "audio 0 RTP/AVP 0", "a=bundle-only\r\n")));
	assert_false(sdp_media_is_rejected(media_of(bench, SESSION, AUDIO, "")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(addresses_come_from_media_then_session),
		BENCH_TEST(rtcp_follows_rfc_3605_and_5761),
		BENCH_TEST(direction_is_read_and_set),
		BENCH_TEST(hold_is_seen_in_both_ways),
		BENCH_TEST(protocols_are_known),
		BENCH_TEST(formats_have_their_maps),
		BENCH_TEST(rejected_is_port_zero_without_bundle_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
