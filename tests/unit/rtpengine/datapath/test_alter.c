/* test_alter.c - blocking, silence, and telephone events seen, blocked and played (RFC 4733).
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const TO = "10.0.0.1:30000";

/* 20 ms of this payload type. */
static struct packet *packet(struct bench *b, uint8_t type, uint16_t sequence, uint32_t timestamp,
			     const void *payload, uint16_t len)
{
	uint8_t rtp[12 + 160] = {0x80, type, (uint8_t)(sequence >> 8), (uint8_t)sequence};

	for (unsigned i = 0; i < 4; i++)
		rtp[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
	rtp[11] = 7;
	memset(rtp + 12, 0x55, 160);
	if (payload)
		memcpy(rtp + 12, payload, len);
	return bench_udp(b, 0, LAN, TO, rtp, (uint16_t)(12 + (payload ? len : 160)));
}

static enum drop audio(struct bench *b, uint8_t type, uint16_t sequence, uint32_t timestamp)
{
	return bench_run(b, packet(b, type, sequence, timestamp, NULL, 0));
}

static enum drop event(struct bench *b, uint16_t sequence, uint32_t timestamp, bool is_end)
{
	const uint8_t body[4] = {5, is_end ? 0x8a : 0x0a, 3, 0x20};

	return bench_run(b, packet(b, 101, sequence, timestamp, body, 4));
}

static const uint8_t *sent(const struct bench *b)
{
	return packet_payload(&b->packets[0]);
}

/* What goes out has right checksums: it is taken in again on the other side. */
static void assert_sum(struct bench *b)
{
	const struct packet *p = &b->packets[0];

	assert_int_equal(p->payload_sum,
			 checksum_fold(checksum_add(0, packet_payload(p), p->payload_len)));
}

static void alter(struct bench *b, struct flow_alter alter)
{
	b->extras[0].alter = alter;
	b->flows[0].is_altered =
		alter.media != FLOW_MEDIA_PASS || alter.blocks_events || alter.play.id;
	memcpy(b->flows[0].event_types, alter.event_types, sizeof(alter.event_types));
	b->flows[0].clock_hz = 8000;
}

static void blocked_media_let_events_through(void **state)
{
	struct bench *b = *state;

	alter(b, (struct flow_alter){.media = FLOW_MEDIA_BLOCK, .event_types = {101}});
	assert_int_equal(audio(b, 8, 1, 160), DROP_BLOCKED);
	assert_int_equal(event(b, 2, 320, false), DROP_NONE);
	assert_int_equal(audio(b, 8, 3, 480), DROP_BLOCKED);
	alter(b, (struct flow_alter){.media = FLOW_MEDIA_PASS});
	assert_int_equal(audio(b, 8, 4, 640), DROP_NONE);
}

static void silence_is_that_of_the_codec(void **state)
{
	struct bench *b = *state;

	alter(b, (struct flow_alter){.media = FLOW_MEDIA_SILENCE});
	assert_int_equal(audio(b, 8, 1, 160), DROP_NONE);
	assert_int_equal(sent(b)[12], 0xd5);
	assert_int_equal(sent(b)[171], 0xd5);
	assert_sum(b);
	assert_int_equal(audio(b, 0, 2, 320), DROP_NONE);
	assert_int_equal(sent(b)[171], 0xff);
	assert_int_equal(audio(b, 18, 3, 480), DROP_BLOCKED);
}

static void events_are_reported_once_and_blocked_when_asked(void **state)
{
	struct bench *b = *state;

	(void)audio(b, 8, 1, 0); /* locks the source, which is an event of its own */
	unsigned before = b->event_count;
	alter(b, (struct flow_alter){.event_types = {101}});
	assert_int_equal(event(b, 2, 160, false), DROP_NONE);
	assert_int_equal(b->event_count, before);
	for (uint16_t i = 3; i < 6; i++)
		assert_int_equal(event(b, i, 160, true), DROP_NONE);
	assert_int_equal(b->event_count, before + 1);
	assert_int_equal(b->events[before].type, DATAPATH_DTMF);
	assert_int_equal(b->events[before].event, 5);
	assert_int_equal(b->events[before].volume, 10);
	assert_int_equal(b->events[before].duration, 800);
	alter(b, (struct flow_alter){.event_types = {0, 101}, .blocks_events = true});
	assert_int_equal(event(b, 6, 1600, true), DROP_BLOCKED);
	assert_int_equal(b->event_count, before + 2);
	assert_int_equal(audio(b, 8, 7, 1760), DROP_NONE);
}

static void a_played_event_takes_the_place_of_audio(void **state)
{
	struct bench *b = *state;
	unsigned ends = 0, played = 0;

	(void)audio(b, 8, 1, 1000);
	unsigned before = b->event_count;
	alter(b,
	      (struct flow_alter){
		      .event_types = {101},
		      .play = {.id = 9, .type = 101, .event = 11, .volume = 8, .duration = 800}});
	for (unsigned i = 0; i < 12; i++) {
		uint32_t timestamp = 1160 + i * 160;

		assert_int_equal(audio(b, 8, (uint16_t)(2 + i), timestamp), DROP_NONE);
		if ((sent(b)[1] & 0x7f) != 101)
			continue;
		assert_int_equal(read_be16(sent(b) + 2), 2 + i); /* the audio's own number */
		assert_int_equal(read_be32(sent(b) + 4), 1160);
		assert_int_equal(sent(b)[1] >> 7, i == 0);
		assert_int_equal(sent(b)[12], 11);
		assert_int_equal(sent(b)[13] & 0x3f, 8);
		assert_int_equal(read_be16(sent(b) + 14), i < 5 ? (i + 1) * 160 : 800);
		assert_int_equal(b->packets[0].payload_len, 16);
		assert_sum(b);
		ends += sent(b)[13] >> 7;
		played++;
	}
	assert_int_equal(ends, 3);
	assert_int_equal(played, 7);
	assert_int_equal(b->event_count, before + 1);
	assert_int_equal(b->events[before].type, DATAPATH_PLAYED);
	assert_int_equal(b->events[before].play, 9);
}

static void short_packets_are_left_alone(void **state)
{
	struct bench *b = *state;
	const uint8_t extended[] = {1, 2, 0xff, 0xff};

	alter(b, (struct flow_alter){.media = FLOW_MEDIA_SILENCE,
				     .event_types = {101},
				     .play = {.id = 1, .type = 101, .duration = 800}});
	struct packet *p = packet(b, 8, 1, 160, "", 0);
	assert_int_equal(bench_run(b, p), DROP_NONE);
	assert_int_equal(b->packets[0].payload_len, 12);
	p = packet(b, 101, 2, 320, "ab", 2);
	assert_int_equal(bench_run(b, p), DROP_NONE);
	p = packet(b, 8, 3, 480, extended, 4);
	p->data[p->payload] = 0x90;
	bench_checksum(p);
	(void)bench_run(b, p); /* an extension longer than the packet */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blocked_media_let_events_through),
		TEST(silence_is_that_of_the_codec),
		TEST(events_are_reported_once_and_blocked_when_asked),
		TEST(a_played_event_takes_the_place_of_audio),
		TEST(short_packets_are_left_alone),
	};

	return cmocka_run_group_tests_name("alter", tests, NULL, NULL);
}
