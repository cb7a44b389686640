/* test_recorder.c - what is pushed into the rings is in the file; names, sizes and ends are
 * bounded. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/recorder/recorder.h"
#include "rtpengine/recorder/pcm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct bench {
	char folder[64], socket[80];
	struct record_ring *ring;
	struct recorder *recorder;
	struct log log;
	uint8_t file[65536];
	size_t len;
};

static int setup(void **state)
{
	struct bench *b = test_calloc(1, sizeof(*b));

	snprintf(b->folder, sizeof(b->folder), "/tmp/test-recorder-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->ring = calloc(1, sizeof(*b->ring));
	assert_non_null(b->ring);
	b->log = (struct log){.level = LOG_ERROR, .fd = -1, .program = "test"};
	snprintf(b->socket, sizeof(b->socket), "%s/socket", b->folder);
	struct recorder_config config = {.folder = b->folder,
					 .forward_path = b->socket,
					 .rings = &b->ring,
					 .ring_count = 1,
					 .wall_ns = 1000000000,
					 .file_max = 4096,
					 .log = &b->log};
	assert_int_equal(recorder_create(&config, &b->recorder), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	recorder_destroy(b->recorder);
	snprintf(command, sizeof(command), "rm -r %s", b->folder);
	assert_int_equal(system(command), 0);
	free(b->ring);
	test_free(b);
	return 0;
}

static bool push(struct bench *b, uint32_t recording, const char *from, const char *to,
		 uint16_t len)
{
	struct record *record = record_next(b->ring);

	if (!record)
		return false;
	record->time_ns = 5;
	record->recording = recording;
	assert_int_equal(addr_parse(slice_from(from), 0, &record->from), 0);
	assert_int_equal(addr_parse(slice_from(to), 0, &record->to), 0);
	record->len = len;
	memset(record->payload, 0xab, len);
	record_push(b->ring);
	return true;
}

static void read_file(struct bench *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	b->len = fread(b->file, 1, sizeof(b->file), file);
	fclose(file);
}

static uint32_t u32(const struct bench *b, size_t at)
{
	uint32_t value;

	assert_true(at + 4 <= b->len);
	memcpy(&value, b->file + at, 4);
	return value;
}

static void finish(struct bench *b, uint32_t recording)
{
	recorder_close(b->recorder, recording);
	for (unsigned i = 0; i < 200 && recorder_counters(b->recorder).open; i++)
		usleep(10000);
	assert_int_equal(recorder_counters(b->recorder).open, 0);
}

static void packets_are_written_as_blocks(void **state)
{
	struct bench *b = *state;
	uint32_t recording;

	assert_int_equal(recorder_open(b->recorder, SLICE("call.pcapng"), &recording), 0);
	assert_true(push(b, recording, "192.0.2.1:5000", "10.0.0.1:30000", 173));
	assert_true(push(b, recording, "[2001:db8::1]:5000", "[2001:db8::2]:30000", 12));
	assert_true(push(b, recording + 7, "192.0.2.1:5000", "10.0.0.1:30000", 20)); /* nobody's */
	finish(b, recording);
	read_file(b, "call.pcapng");
	assert_int_equal(u32(b, 0), 0x0a0d0d0a);
	assert_int_equal(u32(b, 8), 0x1a2b3c4d);
	size_t at = u32(b, 4);
	assert_int_equal(u32(b, at), 1);
	assert_int_equal(u32(b, at + 8) & 0xffff, 101);
	at += u32(b, at + 4);
	assert_int_equal(u32(b, at), 6);
	assert_int_equal(u32(b, at + 16), 1000000005);
	assert_int_equal(u32(b, at + 20), 28 + 173);
	assert_int_equal(u32(b, at + 4), 32 + 204);
	assert_int_equal(b->file[at + 28], 0x45);
	assert_int_equal(u32(b, at + u32(b, at + 4) - 4), u32(b, at + 4));
	at += u32(b, at + 4);
	assert_int_equal(u32(b, at + 20), 48 + 12);
	assert_int_equal(b->file[at + 28], 0x60);
	assert_int_equal(at + u32(b, at + 4), b->len);
	assert_int_equal(recorder_counters(b->recorder).packets, 2);
	assert_int_equal(recorder_counters(b->recorder).lost, 1);
}

static void names_stay_in_the_folder(void **state)
{
	static const char *const names[] = {"", "../x", "a/b", ".hidden", "a b", "a\nb"};
	struct bench *b = *state;
	uint32_t recording;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(recorder_open(b->recorder, slice_from(names[i]), &recording),
				 -ERR_INVALID);
	assert_int_equal(recorder_open(b->recorder, SLICE("a"), &recording), 0);
	uint32_t second;
	assert_int_equal(recorder_open(b->recorder, SLICE("a"), &second), -ERR_EXISTS);
	finish(b, recording);
}

static void a_file_is_bounded(void **state)
{
	struct bench *b = *state;
	uint32_t recording;
	struct stat status;
	char path[128];

	assert_int_equal(recorder_open(b->recorder, SLICE("a"), &recording), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_true(push(b, recording, "192.0.2.1:5000", "10.0.0.1:30000", 1000));
	finish(b, recording);
	snprintf(path, sizeof(path), "%s/a", b->folder);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size < 5000);
	assert_true(recorder_counters(b->recorder).lost >= 6);
}

static void a_discarded_file_is_gone_at_once(void **state)
{
	struct bench *b = *state;
	uint32_t recording, kept;
	char path[128];

	assert_int_equal(recorder_open(b->recorder, SLICE("gone"), &recording), 0);
	assert_int_equal(recorder_open(b->recorder, SLICE("kept"), &kept), 0);
	assert_true(push(b, recording, "192.0.2.1:5000", "10.0.0.1:30000", 100));
	recorder_discard(b->recorder, recording);
	snprintf(path, sizeof(path), "%s/gone", b->folder);
	assert_int_equal(access(path, F_OK), -1);
	finish(b, kept);
	snprintf(path, sizeof(path), "%s/kept", b->folder);
	assert_int_equal(access(path, F_OK), 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(un.sun_path, path, sizeof(un.sun_path) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void say(struct bench *b, uint32_t recording, const char *rtp, uint16_t len)
{
	assert_true(push(b, recording, "192.0.2.1:5000", "10.0.0.1:30000", len));
	uint32_t head = atomic_load(&b->ring->head) - 1;
	memcpy(b->ring->records[head % RECORD_RING_SIZE].payload, rtp, len);
}

static void sound_goes_out_decoded(void **state)
{
	static const char alaw[] = "\x80\x08\0\1\0\0\0\0\0\0\0\1\x2a\xaa";
	/* with one contributing source, an extension of one word and two bytes of padding */
	static const char ulaw[] = "\xb1\x00\0\2\0\0\0\2\0\0\0\1"
				   "\0\0\0\7\xbe\xde\0\1\0\0\0\0\xff\1\2";
	static const char other[] = "\x80\x65\0\3\0\0\0\0\0\0\0\1\x2a";
	static const char cut[] = "\x9f\x08\0\4\0\0\0\0\0\0\0\1\x2a";
	static const uint8_t expected[] = "who\0\x00\x82\x00\x7e\0\0";
	struct bench *b = *state;
	uint32_t recording;
	char got[64];
	size_t len = 0;

	assert_int_equal(recorder_forward(b->recorder, SLICE("x"), 8, 0, &recording),
			 -ERR_NOT_FOUND);
	int listener = listen_at(b->socket);
	assert_int_equal(recorder_forward(b->recorder, SLICE("who"), 8, 0, &recording), 0);
	say(b, recording, alaw, sizeof(alaw) - 1);
	say(b, recording, other, sizeof(other) - 1);
	say(b, recording, cut, sizeof(cut) - 1);
	say(b, recording, ulaw, sizeof(ulaw) - 1);
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	finish(b, recording);
	for (ssize_t n; (n = read(fd, got + len, sizeof(got) - len)) > 0;)
		len += (size_t)n;
	assert_int_equal(len, sizeof(expected) - 1);
	assert_memory_equal(got, expected, len);
	close(fd);
	close(listener);
}

/* One packet of two samples. */
static void add_sound(struct pcm *pcm, struct buf *out, uint32_t timestamp, uint8_t ssrc)
{
	const uint8_t rtp[] = {0x80,
			       8,
			       0,
			       0,
			       (uint8_t)(timestamp >> 24),
			       (uint8_t)(timestamp >> 16),
			       (uint8_t)(timestamp >> 8),
			       (uint8_t)timestamp,
			       0,
			       0,
			       0,
			       ssrc,
			       0xaa,
			       0xaa};
	pcm_add(pcm, out, rtp, sizeof(rtp));
}

static void time_goes_on_evenly_whatever_comes(void **state)
{
	struct pcm pcm = {.pcma_type = 8, .pcmu_type = 0};
	struct buf out;

	(void)state;
	buf_init(&out);
	add_sound(&pcm, &out, 0xfffffffe, 1);
	assert_int_equal(out.len, 4);
	add_sound(&pcm, &out, 0, 1); /* around */
	assert_int_equal(out.len, 8);
	add_sound(&pcm, &out, 5, 1); /* three samples are missing */
	assert_int_equal(out.len, 18);
	assert_memory_equal(out.data + 8, "\0\0\0\0\0\0\x00\x7e", 8);
	add_sound(&pcm, &out, 2, 1); /* too late */
	add_sound(&pcm, &out, 5, 1); /* twice */
	assert_int_equal(out.len, 18);
	add_sound(&pcm, &out, 7 + PCM_GAP_MAX, 1);
	assert_int_equal(out.len, 22 + 2 * PCM_GAP_MAX);
	buf_clear(&out);
	add_sound(&pcm, &out, 10 + 2 * PCM_GAP_MAX, 1); /* too long: anew */
	assert_int_equal(out.len, 4);
	add_sound(&pcm, &out, 77, 2); /* another stream */
	assert_int_equal(out.len, 8);
	buf_free(&out);
}

/* It says nothing and takes nothing: what waits is bounded, and nobody waits for it. */
static void a_far_end_that_takes_nothing_costs_little(void **state)
{
	char rtp[1012] = "\x80\x08";
	struct bench *b = *state;
	uint32_t recording;

	int listener = listen_at(b->socket);
	assert_int_equal(recorder_forward(b->recorder, SLICE(""), 8, 0, &recording), 0);
	int fd = accept(listener, NULL, NULL);
	for (unsigned i = 0; i < 400 && !recorder_counters(b->recorder).lost; i++) {
		for (unsigned n = 0; n < 20; n++) {
			uint32_t timestamp = htonl((i * 20 + n) * 1000);
			memcpy(rtp + 4, &timestamp, 4);
			say(b, recording, rtp, sizeof(rtp));
		}
		usleep(25000);
	}
	assert_true(recorder_counters(b->recorder).lost > 0);
	close(fd); /* and gone */
	close(listener);
	say(b, recording, rtp, sizeof(rtp));
	finish(b, recording);
}

static void a_full_ring_is_counted(void **state)
{
	struct bench *b = *state;

	/* The thread sleeps: nothing is open. */
	for (unsigned i = 0; i < RECORD_RING_SIZE; i++)
		assert_true(push(b, 1, "192.0.2.1:5000", "10.0.0.1:30000", 10));
	assert_false(push(b, 1, "192.0.2.1:5000", "10.0.0.1:30000", 10));
	assert_int_equal(recorder_counters(b->recorder).lost, 1);
}

static void files_are_counted(void **state)
{
	struct bench *b = *state;
	uint32_t recording;
	char name[16];

	for (unsigned i = 0; i < RECORDER_OPEN_MAX; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(recorder_open(b->recorder, slice_from(name), &recording), 0);
	}
	assert_int_equal(recorder_open(b->recorder, SLICE("more"), &recording), -ERR_TOO_MANY);
	/* What is open at the end is closed by destroy. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_are_written_as_blocks),
		TEST(names_stay_in_the_folder),
		TEST(a_file_is_bounded),
		TEST(a_discarded_file_is_gone_at_once),
		TEST(sound_goes_out_decoded),
		TEST(time_goes_on_evenly_whatever_comes),
		TEST(a_far_end_that_takes_nothing_costs_little),
		TEST(a_full_ring_is_counted),
		TEST(files_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
