/* test_sound.c - G.711 against its own tables and a WAV file in each form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/sounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "rtpengine/recorder/g711.h"

static void codes_go_round(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		assert_int_equal(g711_alaw(g711_from_alaw((uint8_t)code)), code);
		if (code != 0x7f) /* minus zero */
			assert_int_equal(g711_ulaw(g711_from_ulaw((uint8_t)code)), code);
	}
}

/* Known values of ITU-T G.711 (tables 1 and 2, in 16-bit steps). */
static void values_are_those_of_the_tables(void **state)
{
	(void)state;
	assert_int_equal(g711_alaw(0), 0xd5);
	assert_int_equal(g711_alaw(-1), 0x55);
	assert_int_equal(g711_alaw(32767), 0xaa);
	assert_int_equal(g711_alaw(-32768), 0x2a);
	assert_int_equal(g711_from_alaw(0xd5), 8);
	assert_int_equal(g711_from_alaw(0xaa), 32256);
	assert_int_equal(g711_ulaw(0), 0xff);
	assert_int_equal(g711_ulaw(32767), 0x80);
	assert_int_equal(g711_ulaw(-32768), 0x00);
	assert_int_equal(g711_from_ulaw(0xff), 0);
	assert_int_equal(g711_from_ulaw(0x80), 32124);
}

static void samples_stay_near(void **state)
{
	(void)state;
	for (int s = -32768; s <= 32767; s++) {
		int size = s < 0 ? -s : s, room = size / 16 + 16;

		assert_in_range(g711_from_alaw(g711_alaw((int16_t)s)) - s + room, 0, 2 * room);
		room = size / 16 + 644; /* the last step is clipped */
		assert_in_range(g711_from_ulaw(g711_ulaw((int16_t)s)) - s + room, 0, 2 * room);
	}
}

static size_t wav(uint8_t *out, unsigned format, unsigned channels, unsigned hz, unsigned bits,
		  const void *data, uint8_t len)
{
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
				'x',
				't',
				'r',
				'a',
				3,
				0,
				0,
				0,
				1,
				2,
				3,
				0, /* padded */
				'f',
				'm',
				't',
				' ',
				16,
				0,
				0,
				0,
				(uint8_t)format,
				0,
				(uint8_t)channels,
				0,
				(uint8_t)hz,
				(uint8_t)(hz >> 8),
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				(uint8_t)bits,
				0,
				'd',
				'a',
				't',
				'a',
				len,
				0,
				0,
				0};

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), data, len);
	return sizeof(head) + len;
}

static void every_form_is_read(void **state)
{
	uint8_t file[128];
	struct sound *sound;
	const char *why;

	(void)state;
	size_t len = wav(file, 1, 1, 8000, 16, "\x00\x01\xff\xff", 4);
	assert_int_equal(sound_parse((struct slice){(char *)file, len}, &sound, &why), 0);
	assert_int_equal(sound->count, 2);
	assert_int_equal(sound->samples[0], 256);
	assert_int_equal(sound->samples[1], -1);
	sound_put(sound);
	len = wav(file, 6, 1, 8000, 8, "\xd5\xaa", 2);
	assert_int_equal(sound_parse((struct slice){(char *)file, len}, &sound, &why), 0);
	assert_int_equal(sound->samples[1], 32256);
	sound_put(sound);
	len = wav(file, 7, 1, 8000, 8, "\xff\x80", 2);
	assert_int_equal(sound_parse((struct slice){(char *)file, len}, &sound, &why), 0);
	assert_int_equal(sound->samples[1], 32124);
	sound_put(sound);
}

static void bare_g711_is_known_by_its_name(void **state)
{
	static const struct {
		const char *name;
		int first; /* of the byte 0xaa; 0 = no such file */
	} cases[] = {{"x.alaw", 32256}, {"x.AL", 32256},  {"x.pcma", 32256}, {"x.ulaw", 5372},
		     {"x.ul", 5372},    {"x.pcmu", 5372}, {".alaw", 0},      {"x.raw", 0}};
	char folder[] = "/tmp/test-sound-XXXXXX", path[64];
	struct sounds sounds = {0};
	struct sound *sound;
	const char *why;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, cases[i].name);
		FILE *out = fopen(path, "w");
		assert_non_null(out);
		assert_int_equal(fwrite("\xaa\xaa\xaa", 1, 3, out), 3);
		fclose(out);
		int err = sounds_get(&sounds, folder, slice_from(cases[i].name), &sound, &why);
		unlink(path);
		assert_int_equal(err, cases[i].first ? 0 : -ERR_MALFORMED);
		if (err)
			continue;
		assert_int_equal(sound->count, 3);
		assert_int_equal(sound->samples[0], cases[i].first);
		sound_put(sound);
	}
	sounds_free(&sounds);
	rmdir(folder);
}

static void what_is_no_such_file_is_refused(void **state)
{
	static const unsigned rows[][4] = {
		{1, 2, 8000, 16}, {1, 1, 16000, 16}, {1, 1, 8000, 8}, {3, 1, 8000, 16}};
	uint8_t file[128];
	struct sound *sound;
	const char *why;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t len = wav(file, rows[i][0], rows[i][1], rows[i][2], rows[i][3], "abcd", 4);
		assert_int_equal(sound_parse((struct slice){(char *)file, len}, &sound, &why),
				 -ERR_MALFORMED);
	}
	size_t len = wav(file, 1, 1, 8000, 16, "abcd", 4);
	for (size_t cut = 0; cut < len - 3; cut++)
		assert_int_equal(sound_parse((struct slice){(char *)file, cut}, &sound, &why),
				 -ERR_MALFORMED);
	memset(file + 16, 0xff, 4); /* a chunk of 4 GB */
	assert_int_equal(sound_parse((struct slice){(char *)file, len}, &sound, &why),
			 -ERR_MALFORMED);
}

static void write_file(const char *path, const char *samples, uint8_t count)
{
	uint8_t file[128];
	size_t len = wav(file, 1, 1, 8000, 16, samples, count);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(file, 1, len, out), len);
	fclose(out);
}

static void names_stay_in_the_folder(void **state)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {{"b.wav", -ERR_NOT_FOUND},
		     {".", -ERR_NOT_FOUND},
		     {"../a.wav", -ERR_INVALID},
		     {"/etc/passwd", -ERR_INVALID}};
	char folder[] = "/tmp/test-sound-XXXXXX", path[64];
	struct sounds sounds = {0};
	struct sound *sound;
	const char *why;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.wav", folder);
	write_file(path, "abcd", 4);
	assert_int_equal(sounds_get(&sounds, folder, SLICE("a.wav"), &sound, &why), 0);
	sound_put(sound);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			sounds_get(&sounds, folder, slice_from(cases[i].name), &sound, &why),
			cases[i].err);
	sounds_free(&sounds);
	unlink(path);
	rmdir(folder);
}

/* Who plays the same file hears the same bytes; a file that changed is another one. */
static void one_sound_serves_all_players(void **state)
{
	char folder[] = "/tmp/test-sound-XXXXXX", path[64];
	struct sounds sounds = {0};
	struct sound *first, *second, *changed;
	const char *why;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.wav", folder);
	write_file(path, "abcd", 4);
	assert_int_equal(sounds_get(&sounds, folder, SLICE("a.wav"), &first, &why), 0);
	assert_int_equal(sounds_get(&sounds, folder, SLICE("a.wav"), &second, &why), 0);
	assert_ptr_equal(first, second);
	assert_int_equal(first->references, 3);
	sound_put(second);
	write_file(path, "efghij", 6);
	assert_int_equal(sounds_get(&sounds, folder, SLICE("a.wav"), &changed, &why), 0);
	assert_ptr_not_equal(first, changed);
	assert_int_equal(first->references, 1); /* who plays it goes on */
	assert_int_equal(first->samples[0], 'a' | 'b' << 8);
	sound_put(first);
	unlink(path);
	assert_int_equal(sounds_get(&sounds, folder, SLICE("a.wav"), &first, &why), -ERR_NOT_FOUND);
	sounds_free(&sounds);
	assert_int_equal(changed->references, 1);
	assert_int_equal(sounds.bytes, 0);
	sound_put(changed);
	rmdir(folder);
}

static void what_is_kept_is_bounded(void **state)
{
	char folder[] = "/tmp/test-sound-XXXXXX", path[64], name[16];
	static uint8_t head[128];
	struct sounds sounds = {0};
	struct sound *sound;
	const char *why;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "%u.wav", i);
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		uint32_t bytes = SOUND_BYTES_MAX - 100;
		size_t len = wav(head, 1, 1, 8000, 16, "", 0);
		for (unsigned b = 0; b < 4; b++)
			head[len - 4 + b] = (uint8_t)(bytes >> (8 * b));
		FILE *out = fopen(path, "w");
		assert_non_null(out);
		assert_int_equal(fwrite(head, 1, len, out), len);
		assert_int_equal(ftruncate(fileno(out), SOUND_BYTES_MAX), 0);
		fclose(out);
		assert_int_equal(sounds_get(&sounds, folder, slice_from(name), &sound, &why), 0);
		assert_true(sounds.bytes <= SOUNDS_BYTES_MAX);
		sound_put(sound);
		unlink(path);
	}
	assert_true(sounds.bytes > SOUNDS_BYTES_MAX / 2);
	sounds_free(&sounds);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_go_round),
		cmocka_unit_test(values_are_those_of_the_tables),
		cmocka_unit_test(samples_stay_near),
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(bare_g711_is_known_by_its_name),
		cmocka_unit_test(what_is_no_such_file_is_refused),
		cmocka_unit_test(names_stay_in_the_folder),
		cmocka_unit_test(one_sound_serves_all_players),
		cmocka_unit_test(what_is_kept_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
