/* The driver of a fuzz target where libFuzzer is not linked: feeds it every file of the folders
 * given, and every beginning of the small ones, because a cut message is what a parser gets wrong
 * most easily. REPLAY_CUTS=N: about N beginnings of each, for targets that take long.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SMALL_FILE 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An allocation of exactly `size` bytes: the sanitizer sees a read past the end. */
static int run_one(const char *bytes, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	if (!exact)
		return -1;
	if (size)
		memcpy(exact, bytes, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

static int replay_file(const char *path)
{
	struct stat st;
	int err = -1;

	FILE *file = fopen(path, "rb");
	if (!file || fstat(fileno(file), &st))
		goto out_file;
	size_t size = (size_t)st.st_size;
	char *bytes = malloc(size + 1);
	if (!bytes || fread(bytes, 1, size, file) != size)
		goto out;
	err = run_one(bytes, size);
	const char *cuts = getenv("REPLAY_CUTS");
	size_t step = cuts ? size / strtoul(cuts, NULL, 10) + 1 : 1;
	for (size_t cut = 0; !err && size <= SMALL_FILE && cut < size; cut += step)
		err = run_one(bytes, cut);
out:
	free(bytes);
out_file:
	if (file)
		fclose(file);
	if (err)
		fprintf(stderr, "%s: cannot be read\n", path);
	return err;
}

/* Files run; negative = failure. */
static int replay_folder(const char *folder)
{
	int count = 0;
	struct dirent *entry;
	DIR *dir = opendir(folder);
	if (!dir) {
		fprintf(stderr, "%s: no such folder\n", folder);
		return -1;
	}
	while (count >= 0 && (entry = readdir(dir))) {
		char path[4096];
		struct stat st;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (stat(path, &st) || !S_ISREG(st.st_mode))
			continue;
		count = replay_file(path) ? -1 : count + 1;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i]);
		if (count < 0)
			return 1;
		total += count;
	}
	printf("%d files\n", total);
	return total ? 0 : 1; /* an empty corpus tests nothing */
}
