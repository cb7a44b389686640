/* sounds.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/sounds.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept_sound {
	struct kept_sound *next;
	char *name;
	struct timespec changed; /* the file, when it was read */
	ino_t inode;
	off_t size;
	struct sound *sound;
};

static size_t bytes_of(const struct sound *sound)
{
	return sizeof(*sound) + sound->count * sizeof(sound->samples[0]);
}

static void drop(struct sounds *sounds, struct kept_sound **at)
{
	struct kept_sound *kept = *at;

	*at = kept->next;
	sounds->bytes -= bytes_of(kept->sound);
	sound_put(kept->sound);
	free(kept->name);
	free(kept);
}

void sounds_free(struct sounds *sounds)
{
	while (sounds->first)
		drop(sounds, &sounds->first);
}

static bool is_same_file(const struct kept_sound *kept, const struct stat *status)
{
	return kept->inode == status->st_ino && kept->size == status->st_size &&
	       kept->changed.tv_sec == status->st_mtim.tv_sec &&
	       kept->changed.tv_nsec == status->st_mtim.tv_nsec;
}

/* Moves to the front. NULL: it is not kept, or not any more. */
static struct sound *find(struct sounds *sounds, struct slice name, const struct stat *status)
{
	struct kept_sound **at = &sounds->first, *kept;

	while (*at && !slice_equal(slice_from((*at)->name), name))
		at = &(*at)->next;
	kept = *at;
	if (kept && !is_same_file(kept, status)) {
		drop(sounds, at);
		return NULL;
	}
	if (!kept)
		return NULL;
	*at = kept->next;
	kept->next = sounds->first;
	sounds->first = kept;
	return kept->sound;
}

/* Without memory it is played all the same. */
static void keep(struct sounds *sounds, struct slice name, const struct stat *status,
		 struct sound *sound)
{
	struct kept_sound *kept = calloc(1, sizeof(*kept));
	char *copy = slice_dup(name);

	if (!kept || !copy) {
		free(kept);
		free(copy);
		return;
	}
	*kept = (struct kept_sound){.next = sounds->first,
				    .name = copy,
				    .changed = status->st_mtim,
				    .inode = status->st_ino,
				    .size = status->st_size,
				    .sound = sound_hold(sound)};
	sounds->first = kept;
	sounds->bytes += bytes_of(sound);
	while (sounds->bytes > SOUNDS_BYTES_MAX) {
		struct kept_sound **last = &sounds->first;
		while ((*last)->next)
			last = &(*last)->next;
		drop(sounds, last);
	}
}

int sounds_get(struct sounds *sounds, const char *folder, struct slice name, struct sound **out,
	       const char **why)
{
	struct stat status;
	int fd;
	int err = sound_open(folder, name, &fd, &status, why);

	if (err)
		return err;
	struct sound *sound = find(sounds, name, &status);
	if (sound) {
		*out = sound_hold(sound);
	} else {
		err = sound_read(fd, name, (size_t)status.st_size, out, why);
		if (!err)
			keep(sounds, name, &status, *out);
	}
	close(fd);
	return err;
}
