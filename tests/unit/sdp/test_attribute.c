/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sdp/bench.h"

#define HEAD "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n"

static const char body[] = HEAD "c=IN IP4 192.0.2.1\r\nt=0 0\r\na=setup:actpass\r\na=ice-lite\r\n"
				"m=audio 4000 RTP/AVP 0\r\n"
				"c=IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.3\r\n"
				"a=candidate:1\r\na=rtcp:4001\r\na=candidate:2\r\na=sendrecv\r\n"
				"m=video 0 RTP/AVP 31\r\n";

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(slice_from(text), 0, &addr), 0);
	return addr;
}

static void attributes_are_found_by_exact_name(void **state)
{
	struct sdp *sdp = bench_parse(*state, body);
	struct sdp_media *media = &sdp->media[0];
	const struct sdp_line *line = sdp_media_attribute(media, "candidate");

	assert_slice(line->argument, "1");
	line = sdp_attribute_next(line);
	assert_slice(line->argument, "2");
	assert_null(sdp_attribute_next(line));
	assert_null(sdp_media_attribute(media, "Candidate"));
	assert_null(sdp_media_attribute(media, "candidat"));
	assert_null(sdp_media_attribute(media, "setup"));
	assert_slice(sdp_media_attribute_effective(media, "setup")->argument, "actpass");
	assert_null(sdp_attribute(&sdp->section, "ice-lite")->argument.data);
	line = sdp_line_find(&media->section, 'c');
	assert_slice(line->connection->host, "192.0.2.2");
	assert_slice(sdp_line_next(line)->connection->host, "192.0.2.3");
}

static void lines_are_added_where_they_belong(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, HEAD "t=0 0\r\nx=1\r\nm=audio 0 RTP/AVP 0\r\n");
	struct sdp_section *section = &sdp->media[0].section;

	assert_int_equal(sdp_attribute_add(sdp, section, "ptime", SLICE("20")), 0);
	assert_int_equal(sdp_attribute_add(sdp, section, "rtcp-mux", SLICE_NONE), 0);
	assert_int_equal(sdp_line_add(sdp, section, 'b', SLICE("AS:64")), 0);
	assert_int_equal(sdp_line_add(sdp, section, 'i', SLICE("voice")), 0);
	assert_int_equal(sdp_line_add(sdp, &sdp->section, 'i', SLICE("call")), 0);
	assert_int_equal(sdp_attribute_add(sdp, &sdp->section, "x", SLICE("y")), 0);
	assert_int_equal(sdp_line_add(sdp, section, 'm', SLICE("audio 0 RTP/AVP 0")), -ERR_INVALID);
	assert_int_equal(sdp_attribute_add(sdp, section, "x", SLICE("a\r\nm=b")), -ERR_INVALID);
	assert_int_equal(sdp_attribute_add(sdp, section, "bad name", SLICE("y")), -ERR_MALFORMED);
	assert_string_equal(bench_write(bench, sdp),
			    HEAD "i=call\r\nt=0 0\r\nx=1\r\na=x:y\r\n"
				 "m=audio 0 RTP/AVP 0\r\ni=voice\r\nb=AS:64\r\na=ptime:20\r\n"
				 "a=rtcp-mux\r\n");
}

static void setting_leaves_one_in_the_first_place(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, body);
	struct sdp_section *section = &sdp->media[0].section;

	assert_int_equal(sdp_attribute_set(sdp, section, "candidate", SLICE("3")), 0);
	assert_int_equal(sdp_attribute_set(sdp, section, "new", SLICE_NONE), 0);
	assert_non_null(strstr(bench_write(bench, sdp),
			       "a=candidate:3\r\na=rtcp:4001\r\na=sendrecv\r\na=new\r\nm=video"));
	assert_int_equal(sdp_attribute_remove(section, "candidate"), 1);
	assert_int_equal(sdp_attribute_remove(section, "candidate"), 0);
	assert_null(strstr(bench_write(bench, sdp), "candidate"));
}

static void connection_is_replaced_as_one(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, body);
	struct addr v6 = address("2001:db8::9");
	struct addr none = {.family = 0};

	assert_int_equal(sdp_media_set_connection(&sdp->media[0], &v6), 0);
	assert_int_equal(sdp_media_set_connection(&sdp->media[1], &v6), 0);
	assert_int_equal(sdp_media_set_connection(&sdp->media[1], &none), -ERR_INVALID);
	assert_int_equal(sdp_remove_connection(&sdp->section), 1);
	assert_string_equal(bench_write(bench, sdp),
			    HEAD "t=0 0\r\na=setup:actpass\r\na=ice-lite\r\n"
				 "m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::9\r\n"
				 "a=candidate:1\r\na=rtcp:4001\r\na=candidate:2\r\na=sendrecv\r\n"
				 "m=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::9\r\n");
	assert_true(addr_equal_ip(&sdp_media_connection(&sdp->media[0])->addr, &v6));
}

static void origin_parts_are_replaced_singly(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, body);
	struct sdp_origin origin = {.session_version = SLICE("77")};
	struct sdp_origin bad = {.username = SLICE("two words")};
	struct addr v6 = address("::1");

	assert_int_equal(sdp_set_origin(sdp, &origin), 0);
	assert_int_equal(sdp_set_origin(sdp, &bad), -ERR_INVALID);
	assert_int_equal(sdp_set_origin_address(sdp, &v6), 0);
	assert_int_equal(sdp_set_session_name(sdp, SLICE("x")), 0);
	assert_int_equal(sdp_origin_version(&sdp->origin), 77);
	assert_int_equal(sdp_text_version(slice_from(bench_write(bench, sdp))), 77);
	assert_true(sdp_text_version(SLICE("v=0\no=- 1\n")) == UINT64_MAX);
	assert_non_null(strstr(bench_write(bench, sdp), "o=- 1 77 IN IP6 ::1\r\ns=x\r\n"));
}

static void a_body_is_built_from_nothing(void **state)
{
	struct bench *bench = *state;
	struct addr addr = address("192.0.2.7");
	struct sdp_origin origin = {SLICE("-"),  SLICE("1"),   SLICE("2"),
				    SLICE("IN"), SLICE("IP4"), SLICE("192.0.2.7")};
	struct sdp_media *media;
	struct sdp *sdp;

	assert_int_equal(sdp_create(bench->arena, &origin, &addr, &sdp), 0);
	for (unsigned i = 0; i < SDP_MAX_MEDIA; i++)
		assert_int_equal(sdp_add_media(sdp, SLICE("audio"), 4000 + 2 * i, SLICE("RTP/AVP"),
					       SLICE("0 101"), &media),
				 0);
	assert_int_equal(
		sdp_add_media(sdp, SLICE("audio"), 1, SLICE("RTP/AVP"), SLICE("0"), &media),
		-ERR_TOO_MANY);
	sdp->media_count = 1;
	assert_int_equal(
		sdp_add_media(sdp, SLICE("audio"), 1, SLICE("RTP/AVP"), SLICE("200"), &media),
		-ERR_MALFORMED);
	assert_int_equal(
		sdp_add_media(sdp, SLICE("audio"), 65536, SLICE("RTP/AVP"), SLICE("0"), &media),
		-ERR_INVALID);
	assert_string_equal(bench_write(bench, sdp),
			    "v=0\r\no=- 1 2 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\n"
			    "t=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(attributes_are_found_by_exact_name),
		BENCH_TEST(lines_are_added_where_they_belong),
		BENCH_TEST(setting_leaves_one_in_the_first_place),
		BENCH_TEST(connection_is_replaced_as_one),
		BENCH_TEST(origin_parts_are_replaced_singly),
		BENCH_TEST(a_body_is_built_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
