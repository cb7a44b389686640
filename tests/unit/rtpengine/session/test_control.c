/* test_control.c - commands on calls in progress: block, silence, play.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "rtpengine/session/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define SESSION_TEXT_MAX 512 /* session.h */
#define EVENTS           "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"

/* lan 10.0.0.20:4000 ("a", labelled "caller") calls wan 198.51.100.7:5000 ("b"); our ports are
 * 20000 and 30000. */
static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	bench_start(b);
	*state = b;
	const char *offer =
		"v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8 101\r\n" EVENTS;
	const char *answer =
		"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
		"m=audio 5000 RTP/AVP 8 101\r\n" EVENTS;
	bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "label", "caller", "sdp", offer,
		  "direction[]", "lan,wan", NULL);
	bench_ask(b, "answer", "call-id", "c", "from-tag", "a", "to-tag", "b", "sdp", answer, NULL);
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static const struct flow_alter *caller(struct bench *b)
{
	return &fake_flow_at(&b->datapath, LAN, 20000)->rule.alter;
}

static const struct flow_alter *callee(struct bench *b)
{
	return &fake_flow_at(&b->datapath, WAN, 30000)->rule.alter;
}

static void ok(const struct ng_value *reply)
{
	if (*bench_text(reply, "error-reason"))
		fail_msg("%s", bench_text(reply, "error-reason"));
	assert_string_equal(bench_text(reply, "result"), "ok");
}

static void refused(const struct ng_value *reply, const char *reason)
{
	assert_string_equal(bench_text(reply, "error-reason"), reason);
}

static void the_whole_call_is_blocked_and_let_go(void **state)
{
	struct bench *b = *state;

	/* A from-tag alone is what Kamailio sends with everything. */
	ok(bench_ask(b, "block media", "call-id", "c", "from-tag", "a", NULL));
	assert_int_equal(caller(b)->media, FLOW_MEDIA_BLOCK);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_BLOCK);
	assert_int_equal(caller(b)->event_types[0], 101);
	ok(bench_ask(b, "unblock media", "call-id", "c", NULL));
	assert_int_equal(caller(b)->media, FLOW_MEDIA_PASS);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
}

static void one_participant_is_meant_by_tag_label_or_address(void **state)
{
	static const char *const rows[][4] = {
		{"from-tag", "a", "flags[]", "directional"},
		{"label", "caller", NULL, NULL},
		{"address", "10.0.0.20", NULL, NULL},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++) {
		ok(bench_ask(b, "silence media", "call-id", "c", rows[i][0], rows[i][1], rows[i][2],
			     rows[i][3], NULL));
		assert_int_equal(caller(b)->media, FLOW_MEDIA_SILENCE);
		assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
		ok(bench_ask(b, "unsilence media", "call-id", "c", rows[i][0], rows[i][1],
			     rows[i][2], rows[i][3], NULL));
		assert_int_equal(caller(b)->media, FLOW_MEDIA_PASS);
	}
	refused(bench_ask(b, "block DTMF", "call-id", "c", "label", "nobody", NULL),
		"no such participant in this call");
	refused(bench_ask(b, "block DTMF", "call-id", "c", "address", "x", NULL),
		"address: \"x\" is no IP address");
	refused(bench_ask(b, "block DTMF", "call-id", "c", "DTMF-security", "tone", NULL),
		"DTMF-security=tone is not supported");
	refused(bench_ask(b, "block media", "call-id", "c", "all", "flows", NULL),
		"all=flows is not supported");
	refused(bench_ask(b, "block DTMF", "call-id", "d", NULL), "Unknown call-id");
	refused(bench_ask(b, "block DTMF", NULL), "No call-id in message");
}

static void what_one_is_denied_outlives_the_calls_own(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "block DTMF", "call-id", "c", "label", "caller", NULL));
	ok(bench_ask(b, "block DTMF", "call-id", "c", NULL));
	assert_true(callee(b)->blocks_events);
	ok(bench_ask(b, "unblock DTMF", "call-id", "c", NULL));
	assert_true(caller(b)->blocks_events);
	assert_false(callee(b)->blocks_events);
	ok(bench_ask(b, "unblock DTMF", "call-id", "c", "flags[]", "all", NULL));
	assert_false(caller(b)->blocks_events);
}

static void who_is_meant_may_be_given_a_label(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "block DTMF", "call-id", "c", "from-tag", "b", "flags[]", "directional",
		     "set-label", "callee", "DTMF-security", "drop", NULL));
	ok(bench_ask(b, "silence media", "call-id", "c", "label", "callee", NULL));
	assert_int_equal(callee(b)->media, FLOW_MEDIA_SILENCE);
	assert_int_equal(caller(b)->media, FLOW_MEDIA_PASS);
	/* nobody is named when everybody is meant */
	ok(bench_ask(b, "unblock DTMF", "call-id", "c", "set-label", "all of them", "all", "all",
		     NULL));
	assert_false(callee(b)->blocks_events);
	refused(bench_ask(b, "block DTMF", "call-id", "c", "label", "all of them", NULL),
		"no such participant in this call");
	char *text = arena_alloc(b->arena, SESSION_TEXT_MAX + 2);
	memset(text, 'x', SESSION_TEXT_MAX + 1);
	text[SESSION_TEXT_MAX + 1] = 0;
	refused(bench_ask(b, "block DTMF", "call-id", "c", "label", "callee", "set-label", text,
			  NULL),
		"set-label is no text of at most 512 bytes");
}

static void a_reinvite_keeps_the_block(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "block media", "call-id", "c", NULL));
	bench_offer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 4000, ""), "");
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	assert_int_equal(caller(b)->media, FLOW_MEDIA_BLOCK);
}

static void report_played(struct bench *b, uint32_t id)
{
	b->datapath.events[0] =
		(struct datapath_event){.type = DATAPATH_PLAYED,
					.flow = fake_flow_at(&b->datapath, LAN, 20000)->id,
					.play = id};
	b->datapath.event_count = 1;
	sessions_events(b->sessions);
}

static void digits_are_played_one_after_the_other(void **state)
{
	struct bench *b = *state;

	ok(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", "1#", "duration",
		     "200", "volume", "-9", NULL));
	assert_int_equal(callee(b)->play.id, 0);
	struct flow_play first = caller(b)->play;
	assert_int_not_equal(first.id, 0);
	assert_int_equal(first.type, 101);
	assert_int_equal(first.event, 1);
	assert_int_equal(first.volume, 9);
	assert_int_equal(first.duration, 1600);
	report_played(b, first.id + 1); /* not ours */
	assert_int_equal(caller(b)->play.id, first.id);
	report_played(b, first.id);
	assert_int_equal(caller(b)->play.id, 0);
	bench_advance(b, 110); /* the pause */
	assert_int_equal(caller(b)->play.event, 11);
	assert_int_not_equal(caller(b)->play.id, first.id);
	report_played(b, caller(b)->play.id);
	bench_advance(b, 110);
	assert_int_equal(caller(b)->play.id, 0);
}

static void bad_digits_are_refused(void **state)
{
	static const char *const codes[] = {"", "x", "1x", "16"};
	static const char reason[] = "code: 0 to 15, or 1 to 32 characters of 0-9*#A-D";
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++)
		refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", codes[i],
				  NULL),
			reason);
	refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", NULL), reason);
	refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "z", "code", "1", NULL),
		"no participant with telephone-event in its audio");
	for (unsigned i = 0; i < 32; i++)
		ok(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", "5", NULL));
	refused(bench_ask(b, "play DTMF", "call-id", "c", "from-tag", "a", "code", "5", NULL),
		"too many events are waiting already");
}

static size_t wav(char *out, unsigned packets)
{
	size_t bytes = packets * 160u;
	const uint8_t head[] = {'R',
				'I',
				'F',
				'F',
				0,
				0,
				0,
				0,
				'W',
				'A',
				'V',
				'E',
				'f',
				'm',
				't',
				' ',
				16,
				0,
				0,
				0,
				6,
				0,
				1,
				0,
				0x40,
				0x1f,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				8,
				0,
				'd',
				'a',
				't',
				'a',
				(uint8_t)bytes,
				(uint8_t)(bytes >> 8),
				0,
				0};

	memcpy(out, head, sizeof(head));
	memset(out + sizeof(head), 0x2a, bytes);
	return sizeof(head) + bytes;
}

/* NG's strings may hold anything; bench_ask() takes texts alone. */
static const struct ng_value *play_blob(struct bench *b, unsigned packets, const char *times)
{
	static char sound[4096], name[64];
	size_t len = wav(sound, packets);

	snprintf(name, sizeof(name), "/tmp/test-control-%d.wav", (int)getpid());
	FILE *file = fopen(name, "w");
	assert_int_equal(fwrite(sound, 1, len, file), len);
	fclose(file);
	const struct ng_value *reply = bench_ask(b, "play media", "call-id", "c", "from-tag", "a",
						 "file", name + 5, "repeat-times", times, NULL);
	unlink(name);
	return reply;
}

static void a_sound_is_played_in_place_of_the_other(void **state)
{
	struct bench *b = *state;
	int64_t duration;
	const struct ng_value *reply = play_blob(b, 3, "2");

	ok(reply);
	assert_int_equal(ng_get_integer(reply, "duration", &duration), 0);
	assert_int_equal(duration, 60);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_BLOCK); /* the caller hears the sound */
	assert_int_equal(caller(b)->media, FLOW_MEDIA_PASS);
	bench_advance(b, 1);
	assert_int_equal(b->datapath.media_sent, 1);
	assert_int_equal(b->datapath.media[1], 0x80 | 8);
	assert_int_equal(b->datapath.media_len, 172);
	assert_int_equal(b->datapath.media[12], 0x2a);
	bench_advance(b, 20);
	assert_int_equal(b->datapath.media_sent, 2);
	assert_int_equal(b->datapath.media[1], 8);
	bench_advance(b, 200);
	assert_int_equal(b->datapath.media_sent, 6);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
}

static void a_sound_in_base64_repeats_for_a_time(void **state)
{
	struct bench *b = *state;
	char sound[1024];
	size_t len = wav(sound, 3);
	struct buf text;

	buf_init(&text);
	base64_write((const uint8_t *)sound, len, &text);
	ok(bench_ask(b, "play media", "call-id", "c", "from-tag", "a", "blob64", text.data,
		     "repeat-duration", "100", NULL));
	buf_free(&text);
	for (unsigned i = 0; i < 15; i++)
		bench_advance(b, 20);
	assert_int_equal(b->datapath.media_sent, 6); /* it begins at 0 and 60 ms, not at 120 */
	assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
}

static void a_sound_can_be_stopped(void **state)
{
	struct bench *b = *state;
	int64_t position;

	ok(play_blob(b, 20, "1"));
	for (unsigned i = 0; i < 5; i++)
		bench_advance(b, 20);
	const struct ng_value *reply =
		bench_ask(b, "stop media", "call-id", "c", "from-tag", "a", NULL);
	ok(reply);
	assert_int_equal(ng_get_integer(reply, "last-frame-pos", &position), 0);
	assert_in_range(position, 5, 6);
	unsigned sent = b->datapath.media_sent;
	bench_advance(b, 100);
	assert_int_equal(b->datapath.media_sent, sent);
	assert_int_equal(callee(b)->media, FLOW_MEDIA_PASS);
	ok(play_blob(b, 20, "1")); /* the call ends while it plays: teardown sees no timer */
}

static void what_cannot_be_played_is_refused(void **state)
{
	struct bench *b = *state;

	refused(bench_ask(b, "play media", "call-id", "c", "from-tag", "a", NULL),
		"cannot play: one of file, blob and blob64 is needed");
	refused(bench_ask(b, "play media", "call-id", "c", "from-tag", "a", "blob64", "x!x=", NULL),
		"cannot play: blob64 is no base64");
	refused(bench_ask(b, "play media", "call-id", "c", "from-tag", "a", "blob64", "Zm9v", NULL),
		"cannot play: not a WAV file");
	refused(bench_ask(b, "play media", "call-id", "c", "from-tag", "a", "file", "../x", NULL),
		"cannot play: the name leads out of the folder");
	refused(bench_ask(b, "play media", "call-id", "c", "from-tag", "a", "blob", "x", NULL),
		"cannot play: not a WAV file");
	refused(bench_ask(b, "start recording", "call-id", "c", NULL),
		"this relay does not record (relay.recordings is not set)");
	refused(bench_ask(b, "start forwarding", "call-id", "c", NULL),
		"cannot forward: relay.forwarding is not set");
	refused(bench_ask(b, "start forwarding", "call-id", "c", "label", "nobody", NULL),
		"no participant with G.711: nothing else is decoded here");
	ok(bench_ask(b, "stop forwarding", "call-id", "c", NULL));
}

static const char answer[] =
	"v=0\r\no=- 1 1 IN IP4 10.0.0.77\r\ns=-\r\nc=IN IP4 10.0.0.77\r\nt=0 0\r\n"
	"m=audio 6000 RTP/AVP 8\r\na=recvonly\r\nm=audio 6002 RTP/AVP 8\r\na=recvonly\r\n";

static void a_recorder_gets_copies_of_both_sides(void **state)
{
	struct bench *b = *state;
	uint32_t flows = datapath_flow_count(&b->datapath);
	const struct ng_value *reply =
		bench_ask(b, "subscribe request", "call-id", "c", "flags[]", "all,siprec",
			  "interface", "lan", "to-tag", "r", "set-label", "recorder", NULL);

	ok(reply);
	assert_string_equal(bench_text(reply, "to-tag"), "r");
	assert_string_equal(bench_text(reply, "from-tag"), "a");
	const char *sdp = bench_text(reply, "sdp");
	assert_non_null(strstr(sdp, "c=IN IP4 10.0.0.1\r\n"));
	assert_non_null(strstr(sdp, "a=sendonly\r\n"));
	assert_non_null(strstr(sdp, "a=label:2\r\n"));
	assert_non_null(strstr(sdp, "a=rtpmap:101 telephone-event/8000\r\n"));
	const struct ng_value *medias = ng_first(ng_get_list(reply, "tag-medias"));
	assert_string_equal(bench_text(medias, "label"), "caller");
	const struct ng_value *one = ng_first(ng_get_list(medias, "medias"));
	int64_t index;
	assert_string_equal(bench_text(one, "label"), "1");
	assert_string_equal(bench_text(one, "mode"), "sendrecv");
	one = ng_get_dict(ng_get_dict(reply, "media-labels"), "2");
	assert_string_equal(bench_text(one, "tag"), "b");
	assert_string_equal(bench_text(one, "type"), "audio");
	assert_int_equal(ng_get_integer(one, "index", &index), 0);
	assert_int_equal(index, 1); /* the first of its own */
	assert_int_equal(datapath_flow_count(&b->datapath), flows + 2);
	assert_int_equal(caller(b)->copies[0].value, 0);

	ok(bench_ask(b, "subscribe answer", "call-id", "c", "to-tag", "r", "sdp", answer, NULL));
	struct fake_flow *copy = fake_flow_of(&b->datapath, caller(b)->copies[0]);
	assert_non_null(copy);
	assert_int_equal(copy->rule.remote.port, 6000);
	assert_int_equal(copy->rule.source.mode, FLOW_SOURCE_CLOSED);
	assert_int_equal(fake_flow_of(&b->datapath, callee(b)->copies[0])->rule.remote.port, 6002);

	copy->stats.sent_packets = 7;
	reply = ng_get_dict(bench_ask(b, "query", "call-id", "c", NULL), "tags");
	const struct ng_value *tag = ng_get_dict(reply, "r");
	assert_string_equal(bench_text(tag, "label"), "recorder");
	assert_int_equal(ng_get_list(tag, "medias")->count, 2);
	one = ng_first(ng_get_list(ng_first(ng_get_list(tag, "medias")), "streams"));
	assert_int_equal(ng_get_integer(ng_get_dict(one, "stats"), "sent packets", &index), 0);
	assert_int_equal(index, 7);
	assert_int_equal(ng_get_integer(ng_get_dict(one, "endpoint"), "port", &index), 0);
	assert_int_equal(index, 6000);
	assert_int_equal(ng_get_list(tag, "subscriptions")->count, 2);
	tag = ng_first(ng_get_list(ng_get_dict(reply, "a"), "subscribers"));
	assert_string_equal(bench_text(tag, "type"), "offer/answer");
	assert_string_equal(bench_text(tag->next, "tag"), "r");
	assert_string_equal(bench_text(tag->next, "type"), "pub/sub");

	/* asked for again, it is another one, without its answer */
	ok(bench_ask(b, "subscribe request", "call-id", "c", "from-tag", "a", "to-tag", "r", NULL));
	assert_int_equal(datapath_flow_count(&b->datapath), flows + 1);
	assert_int_equal(caller(b)->copies[0].value, 0);
	ok(bench_ask(b, "unsubscribe", "call-id", "c", "to-tag", "r", NULL));
	assert_int_equal(datapath_flow_count(&b->datapath), flows);
	assert_int_equal(caller(b)->copies[0].value, 0);
	refused(bench_ask(b, "unsubscribe", "call-id", "c", "to-tag", "r", NULL),
		"no subscription with this to-tag");
}

static void bad_subscriptions_leave_nothing(void **state)
{
	struct bench *b = *state;
	uint32_t ports = bench_ports_in_use(b);

	refused(bench_ask(b, "subscribe request", "call-id", "c", "from-tag", "nobody", NULL),
		"cannot subscribe: nobody with media is meant: from-tag, from-tags or all");
	refused(bench_ask(b, "subscribe request", "call-id", "c", "from-tag", "a", "interface", "x",
			  NULL),
		"cannot subscribe: no such interface, or none of this address family");
	assert_int_equal(bench_ports_in_use(b), ports);
	for (unsigned i = 0; i < 8; i++)
		ok(bench_ask(b, "subscribe request", "call-id", "c", "from-tag", "b", NULL));
	refused(bench_ask(b, "subscribe request", "call-id", "c", "from-tag", "b", NULL),
		"cannot subscribe: too many subscriptions or streams");
	/* The call ends with them. */
	ok(bench_ask(b, "delete", "call-id", "c", NULL));
	assert_int_equal(bench_ports_in_use(b), 0);
	assert_int_equal(datapath_flow_count(&b->datapath), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_whole_call_is_blocked_and_let_go),
		TEST(one_participant_is_meant_by_tag_label_or_address),
		TEST(what_one_is_denied_outlives_the_calls_own),
		TEST(who_is_meant_may_be_given_a_label),
		TEST(a_reinvite_keeps_the_block),
		TEST(digits_are_played_one_after_the_other),
		TEST(bad_digits_are_refused),
		TEST(a_sound_is_played_in_place_of_the_other),
		TEST(a_sound_in_base64_repeats_for_a_time),
		TEST(a_sound_can_be_stopped),
		TEST(what_cannot_be_played_is_refused),
		TEST(a_recorder_gets_copies_of_both_sides),
		TEST(bad_subscriptions_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
