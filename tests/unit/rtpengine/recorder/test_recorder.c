/* test_recorder.c - what is pushed into the rings is in the file; names, sizes and ends are
 * bounded. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/recorder/recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct bench {
	char folder[64];
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
	struct recorder_config config = {.folder = b->folder,
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
		TEST(a_full_ring_is_counted),
		TEST(files_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
