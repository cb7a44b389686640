/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sdp/bench.h"
#include <time.h>

#define HEAD "v=0\r\no=alice 2890844526 2890844527 IN IP4 192.0.2.1\r\ns=-\r\n"
#define TAIL "c=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\n"

static const char offer[] = "v=0\r\n"
			    "o=alice 2890844526 2890844527 IN IP4 192.0.2.1\r\n"
			    "s=a call\r\n"
			    "i=about\r\n"
			    "u=http://example.com/\r\n"
			    "e=a@example.com\r\n"
			    "p=+1 617 555-6011\r\n"
			    "c=IN IP4 192.0.2.1\r\n"
			    "b=AS:128\r\n"
			    "b=X-YZ:128\r\n"
			    "t=2873397496 2873404696\r\n"
			    "r=7d 1h 0 25h\r\n"
			    "z=2882844526 -1h 2898848070 0\r\n"
			    "k=prompt\r\n"
			    "a=recvonly\r\n"
			    "a=group:BUNDLE a b\r\n"
			    "m=audio 49170/2 RTP/AVP 0 8 101\r\n"
			    "i=voice\r\n"
			    "c=IN IP4 233.252.0.1/127\r\n"
			    "c=IN IP4 233.252.0.2/127/3\r\n"
			    "b=TIAS:64000\r\n"
			    "a=rtpmap:101 telephone-event/8000\r\n"
			    "a=fmtp:101 0-16\r\n"
			    "a=sendrecv\r\n"
			    "m=video 51372 RTP/AVPF 99\r\n"
			    "c=IN IP6 2001:db8::5\r\n"
			    "a=rtpmap:99 h263-1998/90000\r\n"
			    "x=unknown line\r\n";

static void everything_is_read_and_written_byte_exact(void **state)
{
	struct bench *bench = *state;
	struct sdp *sdp = bench_parse(bench, offer);

	assert_slice(sdp->origin.username, "alice");
	assert_slice(sdp->origin.session_id, "2890844526");
	assert_int_equal(sdp_origin_version(&sdp->origin), 2890844527u);
	assert_slice(sdp->session_name, "a call");
	assert_int_equal(sdp->media_count, 2);
	assert_slice(sdp->media[0].type, "audio");
	assert_int_equal(sdp->media[0].port, 49170);
	assert_int_equal(sdp->media[0].port_count, 2);
	assert_slice(sdp->media[0].protocol, "RTP/AVP");
	assert_int_equal(sdp->media[0].format_count, 3);
	assert_slice(sdp->media[0].formats[2], "101");
	assert_int_equal(sdp->media[1].index, 1);
	assert_string_equal(bench_write(bench, sdp), offer);
}

struct accepted {
	const char *what;
	const char *text;
	const char *written; /* NULL = the same */
};

/* Valid, or a slip that hurts nobody; most of these libosip2 refuses. */
static const struct accepted accepted[] = {
	{"a lone space as name", "v=0\r\no=- 0 0 IN IP4 h\r\ns= \r\n" TAIL, NULL},
	{"empty name", "v=0\r\no=- 0 0 IN IP4 h\r\ns=\r\n" TAIL,
	 "v=0\r\no=- 0 0 IN IP4 h\r\ns=-\r\n" TAIL},
	{"no name", "v=0\r\no=- 0 0 IN IP4 h\r\n" TAIL, "v=0\r\no=- 0 0 IN IP4 h\r\ns=-\r\n" TAIL},
	{"no time", HEAD "c=IN IP4 1.2.3.4\r\na=x\r\n",
	 HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\na=x\r\n"},
	{"line feeds alone", "v=0\no=- 0 0 IN IP4 h\ns=-\nc=IN IP4 1.2.3.4\nt=0 0\n",
	 "v=0\r\no=- 0 0 IN IP4 h\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"},
	{"no last line end", "v=0\r\no=- 0 0 IN IP4 h\r\ns=-\r\nt=0 0",
	 "v=0\r\no=- 0 0 IN IP4 h\r\ns=-\r\nt=0 0\r\n"},
	{"blank lines at the end", HEAD TAIL "\r\n\r\n", HEAD TAIL},
	{"name as address", HEAD "c=IN IP4 media.example.com\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
	 NULL},
	{"IPv6 name", HEAD "c=IN IP6 media.example.com\r\nt=0 0\r\n", NULL},
	{"IPv6 multicast", HEAD "c=IN IP6 FF15::101/3\r\nt=0 0\r\n", NULL},
	{"no media", HEAD "t=0 0\r\n", NULL},
	{"c= in the media only", HEAD "t=0 0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 1.2.3.4\r\n", NULL},
	{"refused stream without c=", HEAD "t=0 0\r\nm=audio 0 RTP/AVP 0\r\n", NULL},
	{"refused stream without format", HEAD "t=0 0\r\nm=audio 0 RTP/AVP\r\n",
	 HEAD "t=0 0\r\nm=audio 0 RTP/AVP 0\r\n"},
	{"t38", HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=image 4000 udptl t38\r\n", NULL},
	{"data channel",
	 HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
	 NULL},
	{"msrp", HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n", NULL},
	{"number above 127 where no RTP",
	 HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=application 9 DTLS/SCTP 5000\r\n", NULL},
	{"space at the end of m=", HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 8 \r\n",
	 HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 8\r\n"},
	{"several times", HEAD "t=1 2\r\nr=1 2 3\r\nt=3 4\r\n", NULL},
	{"colon and all in a value", HEAD "t=0 0\r\na=x:y:z =\"\\;\t\xc3\xa9\r\n", NULL},
	{"empty attribute value", HEAD "t=0 0\r\na=x:\r\n", NULL},
	{"huge version", "v=0\r\no=- 0 123456789012345678901234567890 IN IP4 h\r\ns=-\r\nt=0 0\r\n",
	 NULL},
	{"attribute before time", HEAD "a=x\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n",
	 HEAD "c=IN IP4 1.2.3.4\r\nt=0 0\r\na=x\r\n"},
	{"bandwidth behind attribute", HEAD TAIL "a=x\r\nb=AS:1\r\ni=voice\r\n",
	 HEAD TAIL "i=voice\r\nb=AS:1\r\na=x\r\n"},
	{"unknown lines keep their place", HEAD "y=1\r\nt=0 0\r\ny=2\r\na=x\r\ny=3\r\n", NULL},
	{"another network", HEAD "c=ATM NSAP 47.0091.8100.0000\r\nt=0 0\r\n", NULL},
	{"map without clock rate (RFC 4475)", HEAD TAIL "a=rtpmap:31 LPC\r\n", NULL},
	{"flag with a space behind", HEAD TAIL "a=sendrecv \r\n", NULL},
};

static void valid_and_harmless_bodies_are_taken(void **state)
{
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		const struct accepted *row = &accepted[i];
		struct sdp *sdp;

		if (bench_try(bench, slice_from(row->text), &sdp))
			fail_msg("%s: line %u column %u: %s", row->what, bench->why.line,
				 bench->why.column, bench->why.reason);
		const char *text = bench_write(bench, sdp);
		const char *want = row->written ? row->written : row->text;
		if (strcmp(text, want))
			fail_msg("%s: written\n%s\nwanted\n%s", row->what, text, want);
	}
}

struct refused {
	unsigned line;
	unsigned column;
	const char *text;
};

static const struct refused refused[] = {
	{1, 1, ""},
	{1, 1, "\r\n"},
	{1, 1, "\r\nv=0\r\n"},
	{1, 1, "v=1\r\n"},
	{1, 1, "o=- 0 0 IN IP4 h\r\n"},
	{1, 1, "v=0\r\n"},
	{1, 2, "v:0\r\n"},
	{1, 2, "v"},
	{2, 3, "v=0\r\nv=0\r\n"},
	{2, 3, "v=0\r\no=\r\n"},
	{2, 5, "v=0\r\no=- x 0 IN IP4 h\r\n"},
	{2, 7, "v=0\r\no=- 1 -1 IN IP4 h\r\n"},
	{2, 15, "v=0\r\no=- 0 0 IN IP4\r\n"},
	{2, 18, "v=0\r\no=- 0 0 IN IP4 h h\r\n"},
	{3, 3, "v=0\r\no=- 0 0 IN IP4 h\r\no=- 0 0 IN IP4 h\r\n"},
	{4, 3, HEAD "s=again\r\n"},
	{4, 1, HEAD "\r\nt=0 0\r\n"},
	{4, 1, HEAD "1=x\r\n"},
	{4, 2, HEAD "nonsense\r\n"},
	{4, 3, HEAD "i=\0x\r\n"},
	{4, 5, HEAD "i=ab\rc\r\n"},
	{4, 3, HEAD "t=x 0\r\n"},
	{4, 4, HEAD "t=0\r\n"},
	{4, 7, HEAD "t=0 0 0\r\n"},
	{4, 5, HEAD "b=AS\r\n"},
	{4, 6, HEAD "b=AS:x\r\n"},
	{4, 3, HEAD "a=\r\n"},
	{4, 3, HEAD "a=:x\r\n"},
	{4, 3, HEAD "a=b c:d\r\n"},
	{4, 10, HEAD "c=IN IP4 300.1.1.1\r\n"},
	{4, 10, HEAD "c=IN IP4 2001:db8::1\r\n"},
	{4, 10, HEAD "c=IN IP6 192.0.2.1\r\n"},
	{4, 10, HEAD "c=IN IP6 [2001:db8::1]\r\n"},
	{4, 9, HEAD "c=IN IP4\r\n"},
	{4, 20, HEAD "c=IN IP4 192.0.2.1/127\r\n"},
	{4, 22, HEAD "c=IN IP4 233.252.0.1/256\r\n"},
	{4, 26, HEAD "c=IN IP4 233.252.0.1/127/0\r\n"},
	{4, 22, HEAD "c=IN IP4 233.252.0.1/\r\n"},
	{5, 3, HEAD "c=IN IP4 1.2.3.4\r\nc=IN IP4 1.2.3.4\r\n"},
	{4, 3, HEAD "m=audio 9 RTP/AVP 0\r\n"}, /* no c= anywhere */
	{4, 3, HEAD "m=\r\n"},
	{4, 8, HEAD "m=audio\r\n"},
	{4, 9, HEAD "m=audio 65536 RTP/AVP 0\r\n"},
	{4, 9, HEAD "m=audio -1 RTP/AVP 0\r\n"},
	{4, 9, HEAD "m=audio 4294967297 RTP/AVP 0\r\n"},
	{4, 14, HEAD "m=audio 4000/0 RTP/AVP 0\r\n"},
	{4, 10, HEAD "m=audio 9\r\n"},
	{4, 11, HEAD "m=audio 9 RTP/ 0\r\n"},
	{4, 18, HEAD "m=audio 9 RTP/AVP\r\n"},
	{4, 19, HEAD "m=audio 9 RTP/AVP 128\r\n"},
	{4, 21, HEAD "m=audio 9 RTP/AVP 0 x\r\n"},
	{4, 28, HEAD "m=audio 9 UDP/TLS/RTP/SAVP 4294967296\r\n"},
	{7, 3, HEAD TAIL "t=0 0\r\n"},
	{7, 3, HEAD TAIL "o=- 0 0 IN IP4 h\r\n"},
	{7, 10, HEAD TAIL "a=rtpmap:128 x/8000\r\n"},
	{7, 15, HEAD TAIL "a=rtpmap:96 x/\r\n"},
	{7, 15, HEAD TAIL "a=rtpmap:96 x/0\r\n"},
	{7, 3, HEAD TAIL "a=rtpmap\r\n"},
	{7, 8, HEAD TAIL "a=rtcp:65536\r\n"},
	{7, 20, HEAD TAIL "a=rtcp:5000 IN IP4 1.2.3\r\n"},
};

static void invalid_bodies_are_refused_with_line_and_column(void **state)
{
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct slice text = slice_from(refused[i].text);
		struct sdp *sdp = NULL;

		if (strcmp(text.data, HEAD "i=") == 0)
			text.len += 4; /* behind the NUL */
		if (bench_try(bench, text, &sdp) != -ERR_MALFORMED)
			fail_msg("row %u was not refused: %s", i, refused[i].text);
		assert_non_null(bench->why.reason);
		if (bench->why.line != refused[i].line || bench->why.column != refused[i].column)
			fail_msg("row %u: %u:%u: %s, wanted %u:%u", i, bench->why.line,
				 bench->why.column, bench->why.reason, refused[i].line,
				 refused[i].column);
		assert_null(sdp);
		assert_int_equal(sdp_parse(bench->arena, text, &sdp, NULL), -ERR_MALFORMED);
	}
}

static struct slice repeat(struct bench *bench, const char *head, const char *each, unsigned times)
{
	buf_clear(&bench->out);
	buf_add_text(&bench->out, head);
	for (unsigned i = 0; i < times; i++)
		buf_add_text(&bench->out, each);
	return buf_slice(&bench->out);
}

static void limits_hold(void **state)
{
	static const struct {
		const char *head;
		const char *each;
		unsigned limit;
		int err;
	} rows[] = {
		{HEAD TAIL, "a=x\r\n", SDP_MAX_ATTRIBUTES, -ERR_TOO_MANY},
		{HEAD "c=IN IP4 1.2.3.4\r\n", "m=audio 9 RTP/AVP 0\r\n", SDP_MAX_MEDIA,
		 -ERR_TOO_MANY},
		{HEAD "c=IN IP4 1.2.3.4\r\nm=audio 9 RTP/AVP", " 0", SDP_MAX_FORMATS,
		 -ERR_TOO_MANY},
		{HEAD, "i=x\r\n", SDP_MAX_LINES - 3, -ERR_TOO_MANY},
		{HEAD "i=", "x", SDP_MAX_BYTES - (sizeof(HEAD "i=") - 1), -ERR_TOO_LARGE},
	};
	struct bench *bench = *state;
	struct sdp *sdp;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice text = repeat(bench, rows[i].head, rows[i].each, rows[i].limit);

		assert_int_equal(bench_try(bench, text, &sdp), 0);
		text = repeat(bench, rows[i].head, rows[i].each, rows[i].limit + 1);
		assert_int_equal(bench_try(bench, text, &sdp), rows[i].err);
		assert_non_null(bench->why.reason);
	}
}

static void without_memory_it_says_so(void **state)
{
	struct bench *bench = *state;
	bool parsed = false;

	for (size_t limit = 256; limit < 65536 && !parsed; limit += 64) {
		struct arena *arena;
		struct sdp *sdp;

		assert_int_equal(arena_create(256, limit, &arena), 0);
		int err = sdp_parse(arena, slice_from(offer), &sdp, &bench->why);
		parsed = err == 0;
		if (err)
			assert_int_equal(err, -ERR_NO_MEMORY);
		arena_destroy(arena);
	}
	assert_true(parsed);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The worst bodies of hostile-edge section 2, at the largest size that is read and at 64 KB. A
 * bound wide enough for sanitizers and a busy machine; quadratic code misses it by far. */
static void the_worst_bodies_cost_little(void **state)
{
	static const struct {
		const char *head;
		const char *each;
	} rows[] = {
		{HEAD "c=IN IP4 1.2.3.4\r\nm=audio 9 RTP/AVP", " 0"},
		{HEAD TAIL, "a=x\r\n"},
		{HEAD "c=IN IP4 1.2.3.4\r\n", "m=audio 9 RTP/AVP 0\r\n"},
		{HEAD "a=x\r\n", "i=x\r\n"},
		{HEAD "a=x\r\n", "\r\n"},
		{HEAD "c=IN IP4 1.2.3.4/1", "/1"},
		{HEAD "m=audio 9 R", "/R"},
	};
	static const size_t sizes[] = {SDP_MAX_BYTES, 65536};
	struct bench *bench = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]) * 2; i++) {
		size_t each = strlen(rows[i / 2].each);
		unsigned times = (unsigned)((sizes[i % 2] - strlen(rows[i / 2].head)) / each);
		struct slice text = repeat(bench, rows[i / 2].head, rows[i / 2].each, times);
		double best = 1;

		for (unsigned run = 0; run < 5; run++) {
			struct sdp *sdp;
			double start = seconds();

			arena_reset(bench->arena);
			(void)!bench_try(bench, text, &sdp);
			double took = seconds() - start;
			best = took < best ? took : best;
		}
		if (best > 0.005)
			fail_msg("%s x %u took %f s", rows[i / 2].each, times, best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(everything_is_read_and_written_byte_exact),
		BENCH_TEST(valid_and_harmless_bodies_are_taken),
		BENCH_TEST(invalid_bodies_are_refused_with_line_and_column),
		BENCH_TEST(limits_hold),
		BENCH_TEST(without_memory_it_says_so),
		BENCH_TEST(the_worst_bodies_cost_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
