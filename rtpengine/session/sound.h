/* sound.h - what `play media` plays: a WAV file (8000 Hz, one channel; 16-bit PCM, A-law, mu-law),
 * or the bare bytes of G.711 in a file that is named so; read whole into memory.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

#define SOUND_HZ        8000
#define SOUND_BYTES_MAX (8u << 20) /* of a file */

struct stat;

/* Read by whoever holds a reference; never changed. One thread. */
struct sound {
	unsigned references;
	size_t count;
	int16_t samples[];
};

void sound_put(struct sound *sound); /* gives back a reference; the last one frees. NULL is fine */
static inline struct sound *sound_hold(struct sound *sound)
{
	sound->references++;
	return sound;
}

/* With one reference. -ERR_MALFORMED (`why` says what is not as it must be), -ERR_NO_MEMORY. */
MUST_CHECK int sound_parse(struct slice wav, struct sound **out, const char **why);
/* FOLDER/NAME, to be closed; `name` may not lead out of the folder (no "..", no leading '/').
 * -ERR_INVALID (the name), -ERR_NOT_FOUND, -ERR_TOO_LARGE. */
MUST_CHECK int sound_open(const char *folder, struct slice name, int *fd, struct stat *status,
			  const char **why);
/* `name` tells by its end what is in it: ".alaw", ".al" or ".pcma", ".ulaw", ".ul" or ".pcmu" are
 * G.711 without a header, anything else is WAV. */
MUST_CHECK int sound_read(int fd, struct slice name, size_t size, struct sound **out,
			  const char **why);
