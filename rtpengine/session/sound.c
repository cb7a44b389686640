/* sound.c - WAV. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/sound.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "control/base/buf.h"
#include "rtpengine/recorder/g711.h"

enum { WAV_PCM = 1, WAV_ALAW = 6, WAV_ULAW = 7 };

static uint32_t le(const char *at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)(uint8_t)at[i] << (8 * i);
	return value;
}

/* The data of a chunk; empty = there is none. */
static struct slice chunk(struct slice wav, const char *name)
{
	size_t at = 12;

	while (at + 8 <= wav.len) {
		size_t size = le(wav.data + at + 4, 4);
		struct slice data = slice_sub(wav, at + 8, size);

		if (!memcmp(wav.data + at, name, 4))
			return data;
		at += 8 + size + (size & 1);
	}
	return SLICE_NONE;
}

static int16_t sample(unsigned format, const char *data, size_t index)
{
	if (format == WAV_PCM)
		return (int16_t)le(data + 2 * index, 2);
	return format == WAV_ALAW ? g711_from_alaw((uint8_t)data[index])
				  : g711_from_ulaw((uint8_t)data[index]);
}

static int make(unsigned format, struct slice data, size_t count, struct sound **out,
		const char **why)
{
	struct sound *sound = malloc(sizeof(*sound) + count * sizeof(sound->samples[0]));

	*why = "out of memory";
	if (!sound)
		return -ERR_NO_MEMORY;
	sound->references = 1;
	sound->count = count;
	for (size_t i = 0; i < count; i++)
		sound->samples[i] = sample(format, data.data, i);
	*out = sound;
	return 0;
}

int sound_parse(struct slice wav, struct sound **out, const char **why)
{
	*why = "not a WAV file";
	if (wav.len < 12 || memcmp(wav.data, "RIFF", 4) != 0 ||
	    memcmp(wav.data + 8, "WAVE", 4) != 0)
		return -ERR_MALFORMED;
	struct slice head = chunk(wav, "fmt "), data = chunk(wav, "data");
	*why = "a WAV file without format or data";
	if (head.len < 16 || data.len < 2)
		return -ERR_MALFORMED;
	unsigned format = le(head.data, 2), bits = le(head.data + 14, 2);
	*why = "neither 16-bit PCM, A-law nor mu-law";
	if ((format != WAV_PCM || bits != 16) &&
	    ((format != WAV_ALAW && format != WAV_ULAW) || bits != 8))
		return -ERR_MALFORMED;
	*why = "not 8000 Hz with one channel";
	if (le(head.data + 2, 2) != 1 || le(head.data + 4, 4) != SOUND_HZ)
		return -ERR_MALFORMED;
	return make(format, data, data.len / (bits / 8), out, why);
}

/* 0 = not by its name. */
static unsigned bare_format(struct slice name)
{
	static const struct {
		const char *end;
		unsigned format;
	} ends[] = {{".alaw", WAV_ALAW}, {".al", WAV_ALAW}, {".pcma", WAV_ALAW},
		    {".ulaw", WAV_ULAW}, {".ul", WAV_ULAW}, {".pcmu", WAV_ULAW}};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t len = strlen(ends[i].end);
		if (name.len > len && slice_equal_nocase(slice_sub(name, name.len - len, name.len),
							 slice_from(ends[i].end)))
			return ends[i].format;
	}
	return 0;
}

static bool name_is_inside(struct slice name)
{
	return name.len && name.data[0] != '/' && !memchr(name.data, 0, name.len) &&
	       slice_find_slice(name, SLICE("..")) == name.len;
}

static int read_whole(int fd, size_t size, struct buf *out)
{
	while (out->len < size) {
		char *room = buf_reserve(out, size - out->len);
		ssize_t n = room ? read(fd, room, size - out->len) : -1;

		if (n < 0 && room && errno == EINTR)
			continue;
		if (n <= 0)
			return room ? -ERR_SYSTEM : -ERR_NO_MEMORY;
		out->len += (size_t)n;
	}
	return 0;
}

int sound_open(const char *folder, struct slice name, int *out, struct stat *status,
	       const char **why)
{
	struct buf path;

	*why = "the name leads out of the folder";
	if (!name_is_inside(name))
		return -ERR_INVALID;
	buf_init(&path);
	buf_printf(&path, "%s/%.*s", folder, SLICE_ARG(name));
	int fd = buf_failed(&path) ? -1 : open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	buf_free(&path);
	*why = "no such file";
	if (fd < 0)
		return -ERR_NOT_FOUND;
	int err = fstat(fd, status) != 0 || !S_ISREG(status->st_mode) ? -ERR_NOT_FOUND : 0;
	if (!err && status->st_size > SOUND_BYTES_MAX) {
		*why = "the file is too large";
		err = -ERR_TOO_LARGE;
	}
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}

int sound_read(int fd, struct slice name, size_t size, struct sound **out, const char **why)
{
	unsigned format = bare_format(name);
	struct buf data;

	buf_init(&data);
	*why = "the file cannot be read";
	int err = read_whole(fd, size, &data);
	if (!err && format)
		err = make(format, buf_slice(&data), data.len, out, why);
	else if (!err)
		err = sound_parse(buf_slice(&data), out, why);
	buf_free(&data);
	return err;
}

void sound_put(struct sound *sound)
{
	if (sound && --sound->references == 0)
		free(sound);
}
