/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/codec.h"
#include "tests/unit/sdp/bench.h"

static const char body[] =
	"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	"m=audio 4000 RTP/AVP 0 8 96 97 101 18\r\n"
	"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
	"a=rtpmap:97 rtx/48000\r\na=fmtp:97 rtx-time=3000; apt=96;x=y\r\n"
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
	"m=image 5000 udptl t38\r\n";

static void add(struct sdp_codec_names *names, const char *text)
{
	struct slice rest = slice_from(text);

	while (rest.len) {
		size_t end = slice_find(rest, ' ');
		assert_int_equal(sdp_codec_names_add(names, slice_sub(rest, 0, end)), 0);
		rest = slice_sub(rest, end + 1, rest.len);
	}
}

static const char *formats(struct bench *bench, const struct sdp_media *media)
{
	buf_clear(&bench->out);
	for (unsigned i = 0; i < media->format_count; i++) {
		buf_add_text(&bench->out, i ? " " : "");
		buf_add(&bench->out, media->formats[i]);
	}
	return bench->out.data;
}

static void filters_leave_what_they_should(void **state)
{
	static const struct {
		const char *strip, *except, *offer, *left;
	} rows[] = {
		{"", "", "", "0 8 96 97 101 18"},
		{"PCMU", "", "", "8 96 97 101 18"},
		{"pcma/8000", "", "", "0 96 97 101 18"},
		{"pcma/16000", "", "", "0 8 96 97 101 18"},
		{"opus/48000/1", "", "", "0 8 96 97 101 18"},
		{"opus", "", "", "0 8 101 18"}, /* its rtx goes along */
		{"OPUS/48000/2 G729", "", "", "0 8 101"},
		{"all", "PCMA telephone-event", "", "8 101"},
		{"all", "", "telephone-event PCMA PCMU", "101 8 0"},
		{"all", "PCMU", "opus rtx", "96 97 0"},
		{"all", "rtx PCMU", "", "0"},
		{"PCMU PCMA", "", "PCMA", "8 96 97 101 18"},
		{"", "", "G722 opus PCMA", "96 8 0 97 101 18"},
		{"all", "PCMU", "telephone-event", "101 0"},
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sdp *sdp = bench_parse(bench, body);
		struct sdp_codec_rules rules = {.strip.count = 0};

		add(&rules.strip, rows[i].strip);
		add(&rules.except, rows[i].except);
		add(&rules.offer, rows[i].offer);
		assert_int_equal(sdp_media_filter_codecs(&sdp->media[0], &rules), 0);
		assert_string_equal(formats(bench, &sdp->media[0]), rows[i].left);
		assert_int_equal(sdp_media_filter_codecs(&sdp->media[1], &rules), 0);
		assert_string_equal(formats(bench, &sdp->media[1]), "t38");
	}
}

static void attributes_go_with_their_formats(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, body);
	struct sdp_codec_rules rules = {.strip.count = 0};

	add(&rules.strip, "opus");
	assert_int_equal(sdp_media_filter_codecs(&sdp->media[0], &rules), 0);
	bench_write(bench, sdp);
	assert_null(strstr(bench->out.data, ":96"));
	assert_null(strstr(bench->out.data, ":97"));
	assert_non_null(strstr(bench->out.data, "a=rtpmap:101 telephone-event/8000"));
}

static void nothing_left_leaves_everything(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, body);
	struct sdp_codec_rules rules = {.strip.count = 0};

	add(&rules.strip, "all");
	add(&rules.offer, "G722");
	assert_int_equal(sdp_media_filter_codecs(&sdp->media[0], &rules), -ERR_NOT_FOUND);
	assert_string_equal(formats(bench, &sdp->media[0]), "0 8 96 97 101 18");
}

static void names_are_bounded(void **state)
{
	struct sdp_codec_names names = {.count = 0};

	(void)state;
	for (unsigned i = 0; i < SDP_CODEC_NAMES_MAX; i++)
		add(&names, "PCMU");
	assert_int_equal(sdp_codec_names_add(&names, SLICE("PCMU")), -ERR_TOO_MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(filters_leave_what_they_should),
		BENCH_TEST(attributes_go_with_their_formats),
		BENCH_TEST(nothing_left_leaves_everything),
		cmocka_unit_test(names_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
