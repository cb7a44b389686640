/* SDP in, SDP out, side by side in files: sdp/NN_name.steps holds one request a line,
 *   offer|answer FROM-TAG TO-TAG|- FLAGS...
 * step n reads NN_name.n.in and must give NN_name.n.out (or "error: reason").
 * With the argument --write the .out files are written instead: then read them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MAX_CASES 100

static bool read_file(const char *path, bool crlf, struct buf *out)
{
	FILE *file = fopen(path, "r");
	int c;

	if (!file)
		return false;
	buf_clear(out);
	while ((c = fgetc(file)) != EOF) {
		if (c == '\n' && crlf)
			buf_add_char(out, '\r');
		buf_add_char(out, (char)c);
	}
	fclose(file);
	buf_add_text(out, "");
	return true;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (; *text; text++) {
		if (*text != '\r')
			fputc(*text, file);
	}
	fclose(file);
}

static void step_result(struct bench *bench, struct slice line, struct slice sdp, struct buf *out)
{
	struct slice command, from, to;

	assert_true(slice_next_word(&line, &command));
	assert_true(slice_next_word(&line, &from));
	assert_true(slice_next_word(&line, &to));
	const char *tags =
		slice_equal(to, SLICE("-"))
			? arena_text(bench->arena, from)
			: arena_printf(bench->arena, "%.*s %.*s", SLICE_ARG(from), SLICE_ARG(to));
	const char *flags = arena_text(bench->arena, line);
	const char *body = arena_text(bench->arena, sdp);
	const struct ng_value *reply = slice_equal(command, SLICE("offer"))
					       ? bench_offer(bench, "call", tags, body, flags)
					       : bench_answer(bench, "call", tags, body, flags);
	buf_clear(out);
	if (ng_get_string(reply, "sdp").len)
		buf_add(out, ng_get_string(reply, "sdp"));
	else
		buf_printf(out, "error: %.*s\r\n", SLICE_ARG(ng_get_string(reply, "error-reason")));
}

static void run_case(const char *directory, const char *name, bool write)
{
	struct bench bench = {.last_port = 0};
	struct buf steps, in, got, expected;
	char path[512];
	unsigned step = 0;

	buf_init(&steps);
	buf_init(&in);
	buf_init(&got);
	buf_init(&expected);
	bench_start(&bench);
	snprintf(path, sizeof(path), "%s/%s.steps", directory, name);
	assert_true(read_file(path, false, &steps));
	struct slice rest = buf_slice(&steps), line;
	while (slice_next_line(&rest, &line)) {
		snprintf(path, sizeof(path), "%s/%s.%u.in", directory, name, ++step);
		if (!read_file(path, true, &in))
			fail_msg("%s is missing", path);
		step_result(&bench, line, buf_slice(&in), &got);
		snprintf(path, sizeof(path), "%s/%s.%u.out", directory, name, step);
		if (write) {
			write_file(path, got.data);
			continue;
		}
		if (!read_file(path, true, &expected))
			fail_msg("%s is missing", path);
		if (strcmp(got.data, expected.data) != 0)
			fail_msg("%s differs. Got:\n%s", path, got.data);
	}
	bench_stop(&bench);
	buf_free(&steps);
	buf_free(&in);
	buf_free(&got);
	buf_free(&expected);
}

struct sdp_case {
	const char *directory;
	char name[128];
	bool write;
};

static void one_case(void **state)
{
	const struct sdp_case *at = *state;
	run_case(at->directory, at->name, at->write);
}

static int is_steps(const struct dirent *entry)
{
	return slice_ends(slice_from(entry->d_name), SLICE(".steps"));
}

int main(int argc, char **argv)
{
	static struct sdp_case cases[MAX_CASES];
	struct CMUnitTest tests[MAX_CASES];
	struct dirent **found;
	const char *directory = argc > 1 ? argv[1] : ".";
	int count = scandir(directory, &found, is_steps, alphasort);

	if (count <= 0 || count > MAX_CASES) {
		fprintf(stderr, "no cases in %s\n", directory);
		return 1;
	}
	memset(tests, 0, sizeof(tests));
	for (int i = 0; i < count; i++) {
		slice_copy((struct slice){found[i]->d_name, strlen(found[i]->d_name) - 6},
			   cases[i].name, sizeof(cases[i].name));
		cases[i].directory = directory;
		cases[i].write = argc > 2 && !strcmp(argv[2], "--write");
		tests[i] = (struct CMUnitTest){
			.name = cases[i].name, .test_func = one_case, .initial_state = &cases[i]};
		free(found[i]);
	}
	free(found);
	return _cmocka_run_group_tests("sdp", tests, (size_t)count, NULL, NULL);
}
