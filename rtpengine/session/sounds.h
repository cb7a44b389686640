/* sounds.h - the files that were played lately, decoded once for all who hear them. Bounded: the
 * one unused for longest goes first; whoever plays it keeps it until the end.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/sound.h"

#define SOUNDS_BYTES_MAX (64u << 20) /* of samples that are kept */

struct kept_sound;
struct sounds {
	struct kept_sound *first; /* the last one used */
	size_t bytes;
};

void sounds_free(struct sounds *sounds);
/* The file as it is now: one that was changed is read again. The reference is the caller's. Errors
 * as sound_open(), sound_parse(). */
MUST_CHECK int sounds_get(struct sounds *sounds, const char *folder, struct slice name,
			  struct sound **out, const char **why);
