/* Each file of broken/ is refused, in the very words of the text beside it: the right place and a
 * useful cure. `test_broken NAME` prints the words of one. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static char *say(const char *name)
{
	struct loaded *loaded = NULL;
	struct buf findings;
	size_t length;
	char *text = bench_read(BROKEN_FOLDER, name, &length);

	buf_init(&findings);
	int err = loaded_create(name, text, length, &bench_host, &loaded, &findings);
	assert_int_equal(err, -ERR_MALFORMED);
	assert_non_null(findings.data);
	return findings.data;
}

static void broken_files_are_refused_with_place_and_cure(void **state)
{
	struct dirent **entries;
	int count = scandir(BROKEN_FOLDER, &entries, NULL, alphasort), files = 0;

	(void)state;
	for (int i = 0; i < count; i++) {
		char *name = entries[i]->d_name, expected_name[280];
		size_t stem = strlen(name), length;
		if (stem > 5 && strcmp(name + stem - 5, ".yaml") == 0) {
			char *said = say(name);
			(void)snprintf(expected_name, sizeof(expected_name), "%.*s.txt",
				       (int)stem - 5, name);
			char *expected = bench_read(BROKEN_FOLDER, expected_name, &length);
			if (strcmp(said, expected) != 0)
				print_error("%s: said\n%s\n", name, said);
			assert_string_equal(said, expected);
			assert_null(strstr(said, "hunter2"));
			free(expected);
			free(said);
			files++;
		}
		free(entries[i]);
	}
	free(entries);
	assert_true(files >= 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_files_are_refused_with_place_and_cure),
	};

	if (argc == 2) {
		char *said = say(argv[1]);
		fputs(said, stdout);
		free(said);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
