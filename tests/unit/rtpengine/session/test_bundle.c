/* test_bundle.c - several streams on one transport (RFC 9143), as a session agrees them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "bench.h"
#include "control/sdp/media.h"
#include "rtpengine/session/session.h"

#define DIRECTION "direction=wan direction=lan "
#define MID_URI   "urn:ietf:params:rtp-hdrext:sdes:mid"
#define PRINT                                                                                      \
	"a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:" \
	"66:77:88:99:AA:BB:CC:DD:EE:FF\r\na=setup:actpass\r\n"
#define BROWSER                                                                                    \
	"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"                \
	"a=extmap-allow-mixed\r\n"                                                                 \
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 8\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\n"       \
	"a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=ice-options:"                 \
	"trickle\r\n" PRINT "a=extmap:4 " MID_URI "\r\na=rtpmap:111 opus/48000/2\r\n"
#define VIDEO_ONLY /* in the bundle or not at all */                                               \
	"m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=bundle-only\r\na=mid:1\r\n"    \
	"a=rtcp-mux\r\na=extmap:4 " MID_URI                                                        \
	"\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n"
#define VIDEO_OWN                                                                                  \
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:1\r\n"       \
	"a=ice-ufrag:bbbb\r\na=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb\r\n" PRINT "a=extmap:4 " MID_URI   \
	"\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n"
#define PHONE       "v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
#define PHONE_AUDIO "m=audio 4000 RTP/AVP 8\r\n"
#define PHONE_VIDEO "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	bench_start(b);
	b->random_state = 7;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static struct sdp *parsed(struct bench *b, const struct ng_value *reply)
{
	struct sdp *sdp = NULL;
	struct sdp_error why;

	assert_string_equal(bench_text(reply, "error-reason"), "");
	assert_int_equal(sdp_parse(b->arena, slice_from(bench_text(reply, "sdp")), &sdp, &why), 0);
	return sdp;
}

static unsigned count_lines(const struct sdp_media *media, const char *name)
{
	unsigned n = 0;
	for (const struct sdp_line *line = sdp_media_attribute(media, name); line;
	     line = sdp_attribute_next(line))
		n++;
	return n;
}

static void assert_group(const struct sdp *sdp, const char *text)
{
	const struct sdp_line *line = sdp_attribute(&sdp->section, "group");

	if (!text) {
		assert_null(line);
		return;
	}
	assert_non_null(line);
	assert_true(slice_equal(line->argument, slice_from(text)));
	assert_null(sdp_attribute_next(line));
}

static const struct flow_rule *rule_at(struct bench *b, const char *address, unsigned port)
{
	const struct fake_flow *flow = fake_flow_at(&b->datapath, address, port);
	assert_non_null(flow);
	return &flow->rule;
}

#define PLAIN "RTP/AVP ICE=remove rtcp-mux-demux "

/* The browser's video shares the port of its audio; the phone has two. */
static void call_phone(struct bench *b, const char *browser)
{
	struct sdp *sdp = parsed(b, bench_offer(b, "c", "a", browser, DIRECTION PLAIN));
	unsigned lan[2] = {sdp->media[0].port, sdp->media[1].port};

	assert_group(sdp, NULL);
	assert_int_equal(sdp->media_count, 2);
	assert_true(lan[0] && lan[1] && lan[0] != lan[1]);
	sdp = parsed(b, bench_answer(b, "c", "a b", PHONE PHONE_AUDIO PHONE_VIDEO, ""));
	assert_group(sdp, "BUNDLE 0 1");
	unsigned port = sdp->media[0].port;
	assert_int_equal(sdp->media[1].port, port);
	for (unsigned i = 0; i < 2; i++) {
		const struct sdp_media *media = &sdp->media[i];
		assert_int_equal(count_lines(media, "rtcp-mux"), 1);
		assert_int_equal(count_lines(media, "mid"), 1);
		assert_int_equal(count_lines(media, "ice-ufrag"), i == 0);
		assert_int_equal(count_lines(media, "fingerprint"), i == 0);
		assert_int_equal(count_lines(media, "candidate"), i == 0 ? 2 : 0);
	}

	const struct flow_rule *wan = rule_at(b, WAN, port);
	assert_non_null(wan->bundle);
	assert_non_null(wan->bundle);
	assert_true(wan->has_ice && wan->has_dtls && wan->needs_srtp);
	const struct flow_bundle *bundle = wan->bundle;
	assert_int_equal(bundle->count, 2);
	assert_int_equal(bundle->mid_id, 4);
	assert_string_equal(bundle->members[0].mid, "0");
	assert_string_equal(bundle->members[1].mid, "1");
	assert_true(bundle->members[1].payload_types[1] >> (96 - 64) & 1);
	for (unsigned i = 0; i < 2; i++) {
		const struct fake_flow *member =
			fake_flow_of(&b->datapath, bundle->members[i].flow);
		const struct fake_flow *out = fake_flow_of(&b->datapath, member->rule.rtp_to);
		assert_int_equal(out->local.port, lan[i]);
		assert_true(out->rule.rtp_to.value == bundle->members[0].flow.value);
		if (i == 0)
			continue;
		assert_int_equal(member->rule.source.mode, FLOW_SOURCE_CLOSED);
		assert_false(member->rule.needs_srtp || member->rule.has_ice);
		assert_null(member->rule.bundle);
	}
}

static void bundle_only_is_taken_in(void **state)
{
	call_phone(*state, BROWSER VIDEO_ONLY);
}

static void two_transports_become_one(void **state)
{
	call_phone(*state, BROWSER VIDEO_OWN);
}

static void what_is_refused_is_not_in_the_group(void **state)
{
	struct bench *b = *state;

	(void)parsed(b, bench_offer(b, "c", "a", BROWSER VIDEO_ONLY, DIRECTION PLAIN));
	struct sdp *sdp = parsed(
		b, bench_answer(b, "c", "a b", PHONE PHONE_AUDIO "m=video 0 RTP/AVP 96\r\n", ""));
	assert_group(sdp, "BUNDLE 0");
	assert_int_equal(sdp->media[1].port, 0);
	assert_null(rule_at(b, WAN, sdp->media[0].port)->bundle);
}

static void the_first_may_be_the_one_refused(void **state)
{
	struct bench *b = *state;

	(void)parsed(b, bench_offer(b, "c", "a", BROWSER VIDEO_ONLY, DIRECTION PLAIN));
	struct sdp *sdp = parsed(
		b, bench_answer(b, "c", "a b", PHONE "m=audio 0 RTP/AVP 8\r\n" PHONE_VIDEO, ""));
	assert_group(sdp, "BUNDLE 1");
	assert_int_equal(sdp->media[0].port, 0);
	assert_int_equal(count_lines(&sdp->media[1], "ice-ufrag"), 1);
	assert_int_equal(count_lines(&sdp->media[1], "fingerprint"), 1);
	assert_true(rule_at(b, WAN, sdp->media[1].port)->has_ice);
}

/* RFC 9143 7.5.2: the port stays although its m= line goes. */
static void the_carrier_may_be_taken_off_later(void **state)
{
	struct bench *b = *state;

	call_phone(b, BROWSER VIDEO_OWN);
	(void)parsed(b, bench_offer(b, "c", "a b",
				    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
				    "a=group:BUNDLE 1\r\nm=audio 0 UDP/TLS/RTP/SAVPF 8\r\n"
				    "c=IN IP4 0.0.0.0\r\n" VIDEO_OWN,
				    DIRECTION PLAIN));
	struct sdp *sdp = parsed(
		b, bench_answer(b, "c", "a b", PHONE "m=audio 0 RTP/AVP 8\r\n" PHONE_VIDEO, ""));
	assert_group(sdp, "BUNDLE 1");
	assert_int_equal(sdp->media[0].port, 0);
	const struct flow_rule *rule = rule_at(b, WAN, sdp->media[1].port);
	assert_int_equal(rule->bundle->count, 1);
	assert_false(flow_id_is_set(rule->rtp_to));
	assert_true(rule->has_dtls && rule->has_ice);
	assert_int_equal(count_lines(&sdp->media[1], "fingerprint"), 1);
}

static void it_can_be_refused(void **state)
{
	struct bench *b = *state;

	(void)parsed(b,
		     bench_offer(b, "c", "a", BROWSER VIDEO_OWN, DIRECTION PLAIN "bundle-reject"));
	struct sdp *sdp = parsed(b, bench_answer(b, "c", "a b", PHONE PHONE_AUDIO PHONE_VIDEO, ""));
	assert_group(sdp, NULL);
	assert_int_not_equal(sdp->media[0].port, sdp->media[1].port);
	assert_int_equal(count_lines(&sdp->media[1], "ice-ufrag"), 1);
	/* and what is nothing without it is refused */
	(void)parsed(b,
		     bench_offer(b, "d", "a", BROWSER VIDEO_ONLY, DIRECTION PLAIN "bundle-reject"));
	sdp = parsed(b,
		     bench_answer(b, "d", "a b", PHONE PHONE_AUDIO "m=video 0 RTP/AVP 96\r\n", ""));
	assert_int_equal(sdp->media[1].port, 0);
}

#define PHONE_OFFER PHONE PHONE_AUDIO PHONE_VIDEO
#define TO_WAN      "direction=lan direction=wan "

static const char *const BUNDLED_ANSWER =
	"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
	"a=group:BUNDLE 0 1\r\nm=audio 5000 RTP/AVP 8\r\na=mid:0\r\na=rtcp-mux\r\n"
	"m=video 5000 RTP/AVP 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";

/* Offered, each with its own port (7.2); taken, all go by the first. */
static void we_offer_it(void **state)
{
	struct bench *b = *state;
	struct sdp *sdp = parsed(b, bench_offer(b, "c", "a", PHONE_OFFER, TO_WAN "bundle=offer"));

	assert_group(sdp, "BUNDLE 0 1");
	assert_int_not_equal(sdp->media[0].port, sdp->media[1].port);
	assert_int_equal(count_lines(&sdp->media[1], "rtcp-mux"), 1);
	unsigned port = sdp->media[0].port, spare = sdp->media[1].port;
	sdp = parsed(b, bench_answer(b, "c", "a b", BUNDLED_ANSWER, ""));
	assert_group(sdp, NULL);
	assert_int_equal(rule_at(b, WAN, port)->bundle->count, 2);
	assert_int_equal(rule_at(b, WAN, spare)->source.mode, FLOW_SOURCE_CLOSED);
	/* a re-INVITE of the phone: the same port for both (7.5) */
	sdp = parsed(b, bench_offer(b, "c", "a b", PHONE_OFFER, TO_WAN));
	assert_group(sdp, "BUNDLE 0 1");
	assert_int_equal(sdp->media[0].port, port);
	assert_int_equal(sdp->media[1].port, port);
	(void)parsed(b, bench_answer(b, "c", "a b", BUNDLED_ANSWER, ""));
	assert_int_equal(rule_at(b, WAN, port)->bundle->count, 2);
}

static void nobody_has_to_take_it(void **state)
{
	struct bench *b = *state;
	struct sdp *sdp =
		parsed(b, bench_offer(b, "c", "a", PHONE_OFFER, TO_WAN "bundle=offer webrtc"));
	const char *offered[] = {"ice-ufrag", "fingerprint", "candidate"};

	for (size_t i = 0; i < 3; i++)
		assert_true(count_lines(&sdp->media[1], offered[i]) > 0);
	sdp = parsed(b, bench_offer(b, "d", "a", PHONE_OFFER, TO_WAN "bundle=offer"));
	unsigned ports[2] = {sdp->media[0].port, sdp->media[1].port};
	(void)parsed(b, bench_answer(b, "d", "a b",
				     "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\n"
				     "c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"
				     "m=video 5002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n",
				     ""));
	for (unsigned i = 0; i < 2; i++) {
		assert_null(rule_at(b, WAN, ports[i])->bundle);
		assert_int_not_equal(rule_at(b, WAN, ports[i])->source.mode, FLOW_SOURCE_CLOSED);
	}
}

static void required_means_nothing_without_it(void **state)
{
	struct bench *b = *state;
	struct sdp *sdp =
		parsed(b, bench_offer(b, "c", "a", PHONE_OFFER, TO_WAN "webrtc bundle=require"));

	assert_group(sdp, "BUNDLE 0 1");
	assert_int_equal(sdp->media[1].port, 0);
	assert_int_equal(count_lines(&sdp->media[1], "bundle-only"), 1);
	assert_int_equal(count_lines(&sdp->media[1], "ice-ufrag"), 0);
	assert_int_equal(count_lines(&sdp->media[0], "bundle-only"), 0);
	assert_true(sdp->media[0].port);
}

static void keys_of_sdes_are_not_shared(void **state)
{
	struct bench *b = *state;
	struct sdp *sdp =
		parsed(b, bench_offer(b, "c", "a", PHONE_OFFER, TO_WAN "bundle=offer RTP/SAVP"));

	assert_group(sdp, NULL);
}

static void header_extensions_are_stripped(void **state)
{
	struct bench *b = *state;
	struct sdp *sdp = parsed(
		b, bench_offer(b, "c", "a", BROWSER VIDEO_OWN, DIRECTION PLAIN "strip-extmap"));

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(count_lines(&sdp->media[i], "extmap"), 0);
	assert_null(sdp_attribute(&sdp->section, "extmap-allow-mixed"));
}

static void nothing_is_left(void **state)
{
	struct bench *b = *state;

	call_phone(b, BROWSER VIDEO_OWN);
	(void)bench_ask(b, "delete", "call-id", "c", "from-tag", "a", NULL);
	assert_int_equal(bench_ports_in_use(b), 0);
	assert_int_equal(b->datapath.count, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bundle_only_is_taken_in),
		T(two_transports_become_one),
		T(what_is_refused_is_not_in_the_group),
		T(the_first_may_be_the_one_refused),
		T(the_carrier_may_be_taken_off_later),
		T(it_can_be_refused),
		T(we_offer_it),
		T(nobody_has_to_take_it),
		T(required_means_nothing_without_it),
		T(keys_of_sdes_are_not_shared),
		T(header_extensions_are_stripped),
		T(nothing_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
