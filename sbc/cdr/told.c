/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/cdr/told.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/base/table.h"

#define BEGINNING "{\"call\":\""

struct told {
	uint64_t *hashes; /* owned; sorted */
	size_t count;
};

/* The file is our own: nobody chooses identifiers that meet. */
static uint64_t hash_of(struct slice id)
{
	static const uint64_t key[2] = {0, 0};
	return siphash(id, key);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static bool read_id(struct slice line, struct slice *out)
{
	if (!slice_starts(line, SLICE(BEGINNING)))
		return false;
	line = slice_sub(line, sizeof(BEGINNING) - 1, line.len);
	*out = slice_sub(line, 0, slice_find(line, '"'));
	return out->len < line.len;
}

static int take(struct told *told, struct slice text)
{
	struct slice id;
	size_t lines = 0, end;

	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	told->hashes = calloc(lines + 1, sizeof(*told->hashes));
	if (!told->hashes)
		return -ERR_NO_MEMORY;
	while ((end = slice_find(text, '\n')) < text.len) {
		if (read_id(slice_sub(text, 0, end), &id))
			told->hashes[told->count++] = hash_of(id);
		text = slice_sub(text, end + 1, text.len);
	}
	qsort(told->hashes, told->count, sizeof(*told->hashes), compare);
	return 0;
}

/* Nobody will write the rest of it, and what comes next is to be a line of its own. */
static int take_back(int fd, const char *path, off_t size, struct slice text)
{
	size_t at = text.len;

	while (at > 0 && text.data[at - 1] != '\n')
		at--;
	struct slice rest = slice_sub(text, at, text.len);
	struct slice ours = slice_sub(SLICE(BEGINNING), 0, rest.len);
	struct stat now;

	if (rest.len == 0 || !slice_starts(rest, ours) || fstat(fd, &now) != 0 ||
	    now.st_size != size)
		return 0;
	return truncate(path, size - (off_t)rest.len) == 0 ? 0 : err_from_errno(errno);
}

static int read_end(int fd, const char *path, struct told *told)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
		return 0;
	size_t want = status.st_size < TOLD_BYTES ? (size_t)status.st_size : TOLD_BYTES, have = 0;
	char *bytes = malloc(want);
	if (!bytes)
		return -ERR_NO_MEMORY;
	while (have < want) {
		ssize_t n = pread(fd, bytes + have, want - have,
				  status.st_size - (off_t)want + (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	struct slice text = {bytes, have};
	int err = have == want ? take_back(fd, path, status.st_size, text) : 0;
	if (!err)
		err = take(told, text);
	free(bytes);
	return err;
}

int told_read(const char *path, struct told **out)
{
	struct told *told = calloc(1, sizeof(*told));
	if (!told)
		return -ERR_NO_MEMORY;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err = 0;
	if (fd >= 0) {
		err = read_end(fd, path, told);
		close(fd);
	}
	if (err) {
		told_free(told);
		return err;
	}
	*out = told;
	return 0;
}

void told_free(struct told *told)
{
	if (!told)
		return;
	free(told->hashes);
	free(told);
}

bool told_has(const struct told *told, struct slice id)
{
	uint64_t hash = hash_of(id);

	return told->count > 0 &&
	       bsearch(&hash, told->hashes, told->count, sizeof(*told->hashes), compare);
}
