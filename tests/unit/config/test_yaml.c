/* Files that are not what they seem: refused at once, with their place, in little memory
 * (hostile-edge A31). SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BOMB_BYTES 1000000
#if defined(__SANITIZE_ADDRESS__)
#define SLOWDOWN 20
#else
#define SLOWDOWN 1
#endif

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Refused within 100 ms of CPU, with this beginning of a finding. Three tries: the machine may be
 * busy with other things. */
static void refuse_quickly(char *text, size_t length, const char *line)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 3 && best > 100000 * SLOWDOWN; i++) {
		struct loaded *loaded = NULL;
		struct buf findings;
		char *copy = malloc(length + 1);
		assert_non_null(copy);
		memcpy(copy, text, length);
		copy[length] = '\0';
		buf_init(&findings);
		uint64_t before = now_us();
		int err = loaded_create("test.yaml", copy, length, &bench_host, &loaded, &findings);
		uint64_t took = now_us() - before;
		best = took < best ? took : best;
		assert_int_equal(err, -ERR_MALFORMED);
		if (!strstr(findings.data, line))
			print_error("expected %s\nsaid %.500s\n", line, findings.data);
		assert_non_null(strstr(findings.data, line));
		buf_free(&findings);
	}
	if (best > 100000 * SLOWDOWN)
		print_error("%s took %llu us\n", line, (unsigned long long)best);
	assert_true(best <= 100000 * SLOWDOWN);
}

/* `part` again and again, up to BOMB_BYTES. */
static void refuse_repeated(const char *head, const char *part, const char *line)
{
	struct buf text;

	buf_init(&text);
	buf_add_text(&text, head);
	while (text.len + strlen(part) < BOMB_BYTES)
		buf_add_text(&text, part);
	assert_false(buf_failed(&text));
	refuse_quickly(text.data, text.len, line);
	buf_free(&text);
}

static void depth_is_bounded(void **state)
{
	(void)state;
	refuse_repeated("", "[", "test.yaml:1:65: nested too deep");
	refuse_repeated("", "{a: ", "test.yaml:1:257: nested too deep");
	refuse_repeated("a: [[[[[[[[[[[[[[[[[[[[[[", "],", "test.yaml:1:19: nested too deep");
	refuse_repeated("", "- ", "test.yaml:1:33: nested too deep");
	refuse_repeated("", "? ", "test.yaml:1:3: a key must be a word");
}

static void counts_are_bounded(void **state)
{
	(void)state;
	refuse_repeated("interfaces: [", "b,", "test.yaml:");
	refuse_repeated("interfaces: {lan: {role: trusted, address: 10.0.0.1}}\nroutes:\n",
			"- {}\n", "test.yaml:65533:3: too many values");
	refuse_repeated("interfaces:\n", "  a: {}\n", "test.yaml:65536:6: too many values");
	refuse_repeated("", "a: 1\n", "test.yaml:65536:4: too many values");
}

static void aliases_do_not_multiply(void **state)
{
	(void)state;
	refuse_repeated("a: &a [x, x]\n", "b: [*a, *a]\n", "test.yaml:1:7: anchors");
	refuse_repeated("interfaces: ", "*a\n", "test.yaml:1:");
	refuse_repeated("<<: ", "*a\n", "test.yaml:1:5: aliases are not used here");
}

static void long_texts_are_harmless(void **state)
{
	(void)state;
	refuse_repeated("a: \"", "x", "test.yaml:1:");
	refuse_repeated("", "x", "test.yaml:1:1: a configuration begins with keys");
	refuse_repeated("", "# \n", "test.yaml: the file is empty");
	refuse_repeated("", "---\n", "test.yaml:2:");
	refuse_repeated("%YAML 1.2\n", "%TAG ! x\n", "test.yaml:");
	refuse_repeated("interfaces: {lan: {role: ", "y", "test.yaml:1:");
}

static void wrong_keys_by_the_thousand_are_summed_up(void **state)
{
	struct buf text;
	char key[32];

	(void)state;
	buf_init(&text);
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(key, sizeof(key), "adress%d: 1\n", i);
		buf_add_text(&text, key);
	}
	refuse_quickly(text.data, text.len, "test.yaml: and 19901 more\n");
	buf_free(&text);
}

static void wrong_bytes_have_a_place(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *line;
	} rows[] = {
		{"a: \0b", 5, "test.yaml:1:4: byte 0x00 has no place in a text file\n"},
		{"a: \x1b[31m", 8, "test.yaml:1:4: byte 0x1b has no place in a text file\n"},
		{"a: 1\n\tb: 2", 10, "test.yaml:2:1: a tab is no indentation: use spaces\n"},
		{"a: \xff", 4, "test.yaml:1:4: byte 0xff is not UTF-8 text\n"},
		{"a: \xc3\xa9\xc0\xaf", 7, "test.yaml:1:5: byte 0xc0 is not UTF-8 text\n"},
		{"a: \xed\xa0\x80", 6, "test.yaml:1:4: byte 0xed is not UTF-8 text\n"},
		{"a: \xf4\x90\x80\x80", 7, "test.yaml:1:4: byte 0xf4 is not UTF-8 text\n"},
		{"a: \xe2\x82", 5, "test.yaml:1:4: byte 0xe2 is not UTF-8 text\n"},
		{"", 0, "test.yaml: the file is empty\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char copy[16];
		memcpy(copy, rows[i].text, rows[i].length);
		refuse_quickly(copy, rows[i].length, rows[i].line);
	}
}

static void a_huge_file_is_not_read(void **state)
{
	char path[] = "/tmp/postern-test-XXXXXX", *source;
	struct buf findings;
	size_t length;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	buf_init(&findings);
	assert_int_equal(loaded_read(path, &source, &length, &findings), -ERR_TOO_LARGE);
	assert_non_null(strstr(findings.data, ": is larger than 1 MiB\n"));
	/* and one that says nothing of its size */
	buf_clear(&findings);
	struct config *config;
	assert_int_equal(config_load("/dev/zero", &config, &findings), -ERR_MALFORMED);
	assert_non_null(strstr(findings.data, "/dev/zero: the file is larger than 1 MiB\n"));
	close(fd);
	unlink(path);
	buf_free(&findings);
}

static void files_that_cannot_be_read_say_why(void **state)
{
	struct config *config;
	struct buf findings;

	(void)state;
	buf_init(&findings);
	assert_int_equal(config_load("/no/such.yaml", &config, &findings), -ERR_NOT_FOUND);
	assert_string_equal(findings.data,
			    "/no/such.yaml: cannot be opened: No such file or directory\n");
	buf_clear(&findings);
	assert_int_equal(config_load("/tmp", &config, &findings), -ERR_INVALID);
	assert_string_equal(findings.data, "/tmp: is a directory, not a file\n");
	buf_free(&findings);
}

/* Last: what all of the above took at most. */
static void memory_was_bounded(void **state)
{
	struct rusage usage;

	(void)state;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	if (SLOWDOWN == 1)
		assert_true(usage.ru_maxrss <= 64 << 10); /* KiB */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(aliases_do_not_multiply),
		cmocka_unit_test(long_texts_are_harmless),
		cmocka_unit_test(wrong_keys_by_the_thousand_are_summed_up),
		cmocka_unit_test(wrong_bytes_have_a_place),
		cmocka_unit_test(a_huge_file_is_not_read),
		cmocka_unit_test(files_that_cannot_be_read_say_why),
		cmocka_unit_test(memory_was_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
