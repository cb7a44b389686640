/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/cdr/cdr_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/postern-cdr-XXXXXX";
static const struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "test"};

static int begin(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return rmdir(folder);
}

static const char *path_of(const char *name)
{
	static char path[2][64];
	static int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static struct cdr_file *make(const char *path)
{
	struct cdr_file_config config = {.path = path, .log = &quiet};
	struct cdr_file *file = NULL;
	struct buf why;

	buf_init(&why);
	assert_int_equal(cdr_file_create(&config, &why, &file), 0);
	assert_int_equal(cdr_file_run(file), 0);
	buf_free(&why);
	return file;
}

static void wait_for(struct cdr_file *file, uint64_t written, uint64_t lost)
{
	struct cdr_file_counts counts = {0, 0};

	for (int i = 0; i < 5000; i++) {
		cdr_file_counts(file, &counts);
		if (counts.written == written && counts.lost == lost)
			return;
		usleep(1000);
	}
	fail_msg("written %llu, lost %llu", (unsigned long long)counts.written,
		 (unsigned long long)counts.lost);
}

static void assert_content(const char *path, const char *want)
{
	char text[256];
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[length > 0 ? length : 0] = '\0';
	assert_string_equal(text, want);
}

static void a_file_moved_away_is_opened_anew(void **state)
{
	const char *path = path_of("cdr.json"), *old = path_of("cdr.json.1");
	struct cdr_file *file = make(path);
	(void)state;

	cdr_file_write(file, SLICE("{\"a\":1}"));
	wait_for(file, 1, 0);
	assert_int_equal(rename(path, old), 0);
	cdr_file_write(file, SLICE("{\"a\":2}"));
	wait_for(file, 2, 0);
	assert_content(old, "{\"a\":1}\n");
	assert_content(path, "{\"a\":2}\n");
	assert_int_equal(unlink(path), 0);
	cdr_file_write(file, SLICE("{\"a\":3}"));
	cdr_file_stop(file); /* what was given is written first */
	assert_content(path, "{\"a\":3}\n");
	cdr_file_destroy(file);
	unlink(path);
	unlink(old);
}

/* A limit of the file's size stands for the disk. */
static void a_full_disk_costs_whole_lines(void **state)
{
	const char *path = path_of("cdr.json");
	struct cdr_file *file = make(path);
	struct rlimit old, limit;
	(void)state;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){.rlim_cur = 12, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cdr_file_write(file, SLICE("{\"a\":1}"));
	wait_for(file, 1, 0);
	cdr_file_write(file, SLICE("{\"a\":2}"));
	wait_for(file, 1, 1);
	assert_content(path, "{\"a\":1}\n"); /* not half of the second */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	cdr_file_write(file, SLICE("{\"a\":3}"));
	wait_for(file, 2, 1);
	assert_content(path, "{\"a\":1}\n{\"a\":3}\n");
	cdr_file_destroy(file);
	unlink(path);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A process that was killed has told of these; what it had no time to finish is not there. */
static void what_was_told_is_known(void **state)
{
	const char *path = path_of("cdr.json");
	(void)state;

	put(path, "{\"call\":\"one\",\"a\":1}\n# a note\n{\"call\":\"two\"}\n{\"call\":\"three");
	struct cdr_file *file = make(path);
	assert_true(cdr_file_told(file, SLICE("one")));
	assert_true(cdr_file_told(file, SLICE("two")));
	assert_false(cdr_file_told(file, SLICE("three")));
	assert_false(cdr_file_told(file, SLICE("tw")));
	uint64_t ticket = cdr_file_write(file, SLICE("{\"call\":\"four\"}"));
	assert_int_equal(ticket, 1);
	wait_for(file, 1, 0);
	assert_true(cdr_file_is_done(file, ticket));
	assert_false(cdr_file_is_done(file, ticket + 1));
	assert_false(cdr_file_told(file, SLICE("four"))); /* it is our own */
	cdr_file_destroy(file);
	assert_content(path, "{\"call\":\"one\",\"a\":1}\n# a note\n{\"call\":\"two\"}\n"
			     "{\"call\":\"four\"}\n");
	/* What is nobody's line stays as it is. */
	put(path, "{\"call\":\"one\"}\nmine");
	file = make(path);
	assert_true(cdr_file_told(file, SLICE("one")));
	cdr_file_destroy(file);
	assert_content(path, "{\"call\":\"one\"}\nmine");
	unlink(path);
}

/* Only the end of a long file is read, and its first line there is not whole. */
static void the_end_of_a_long_file_is_read(void **state)
{
	const char *path = path_of("cdr.json");
	FILE *out = fopen(path, "w");
	char id[32];
	(void)state;

	for (int i = 0; i < 200000; i++)
		fprintf(out, "{\"call\":\"c%d\",\"x\":\"0123456789\"}\n", i);
	fclose(out);
	struct cdr_file *file = make(path);
	assert_false(cdr_file_told(file, SLICE("c0")));
	for (int i = 100000; i < 200000; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		assert_true(cdr_file_told(file, slice_from(id)));
	}
	cdr_file_destroy(file);
	unlink(path);
}

static void a_place_that_is_none_is_said(void **state)
{
	struct cdr_file_config config = {.path = "/nowhere/cdr.json", .log = &quiet};
	struct cdr_file *file = NULL;
	struct buf why;
	(void)state;

	buf_init(&why);
	assert_int_not_equal(cdr_file_create(&config, &why, &file), 0);
	assert_string_equal(why.data, "cdr.path: cannot append to /nowhere/cdr.json: No such file "
				      "or directory");
	buf_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_moved_away_is_opened_anew),
		cmocka_unit_test(a_full_disk_costs_whole_lines),
		cmocka_unit_test(what_was_told_is_known),
		cmocka_unit_test(the_end_of_a_long_file_is_read),
		cmocka_unit_test(a_place_that_is_none_is_said),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
