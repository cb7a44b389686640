/* The samples are right; what is in effect can be read back; the reference is the table's; and
 * files mutated a thousand times are refused or taken, never fatal. SPDX-License-Identifier:
 * Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/effective.h"

#define MUTATIONS 1000

static const char *const samples[] = {"shortest.yaml", "two-sides.yaml", "redis.yaml", "trunk.yaml",
				      "nat.yaml",      "firewall.yaml",  "tls.yaml"};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

/* A sample; after the last of them the file that says nearly everything. */
static char *sample_read(size_t i)
{
	size_t length;

	return i < SAMPLES ? bench_read(SAMPLES_FOLDER, samples[i], &length)
			   : bench_read(TEST_FOLDER, "whole.yaml", &length);
}

static void every_sample_is_fine(void **state)
{
	struct dirent **entries;
	int count = scandir(SAMPLES_FOLDER, &entries, NULL, alphasort);
	size_t files = 0;

	(void)state;
	for (int i = 0; i < count; i++) {
		size_t stem = strlen(entries[i]->d_name);
		files += stem > 5 && strcmp(entries[i]->d_name + stem - 5, ".yaml") == 0;
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(files, SAMPLES); /* none is forgotten here */
	for (size_t i = 0; i <= SAMPLES; i++) {
		char *text = sample_read(i);
		loaded_destroy(bench_fine(text));
		if (i < SAMPLES) { /* by this version, not by one to come */
			struct loaded *loaded = bench_load_on(&bench_host, text, NULL);
			assert_non_null(loaded);
			loaded_destroy(loaded);
		}
		free(text);
	}
}

/* The lines without what stands behind " #". */
static char *without_origins(const struct buf *text)
{
	struct slice rest = buf_slice(text), line;
	struct buf out;

	buf_init(&out);
	while (slice_next_line(&rest, &line)) {
		line.len = slice_find(line, '#');
		line = (struct slice){line.data, line.len};
		while (line.len && line.data[line.len - 1] == ' ')
			line.len--;
		buf_add(&out, line);
		buf_add_char(&out, '\n');
	}
	assert_false(buf_failed(&out));
	return out.data;
}

/* A secret is not shown: in its place one that the environment has. */
static char *with_secrets(const struct buf *shown)
{
	static const char hidden[] = "(set, not shown)";
	struct buf out;
	const char *at = shown->data, *next;

	buf_init(&out);
	for (; (next = strstr(at, hidden)); at = next + sizeof(hidden) - 1) {
		buf_add(&out, (struct slice){at, (size_t)(next - at)});
		buf_add_text(&out, "!env STATE_KEY");
	}
	buf_add_text(&out, at);
	buf_add_char(&out, '\0');
	assert_false(buf_failed(&out));
	return out.data;
}

static void effective_values_can_be_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i <= SAMPLES; i++) {
		char *text = sample_read(i);
		struct loaded *first = bench_fine(text);
		struct buf shown, again;
		buf_init(&shown);
		buf_init(&again);
		effective_show(first, &shown);
		char *readable = with_secrets(&shown);
		struct loaded *second = bench_fine(readable);
		effective_show(second, &again);
		char *a = without_origins(&shown), *b = without_origins(&again);
		assert_string_equal(a, b);
		free(a);
		free(b);
		free(readable);
		loaded_destroy(second);
		loaded_destroy(first);
		buf_free(&shown);
		buf_free(&again);
		free(text);
	}
}

static void expect(const struct buf *text, const char *line)
{
	if (!strstr(text->data, line))
		print_error("expected %s\nin\n%s\n", line, text->data);
	assert_non_null(strstr(text->data, line));
}

static void effective_values_name_their_origin(void **state)
{
	struct loaded *loaded =
		bench_fine(BENCH_SHORTEST "state: {store: redis, servers: 10.0.0.5, "
					  "password: !env REDIS_PASSWORD}\n");
	struct buf shown;

	(void)state;
	buf_init(&shown);
	effective_show(loaded, &shown);
	expect(&shown, "    role: trusted                                # test.yaml:2\n");
	expect(&shown, "    role: untrusted                              # default\n");
	expect(&shown, "      calls: off                                 # role trusted\n");
	expect(&shown, "      calls: 5000                                # role untrusted\n");
	expect(&shown, "    identity: trusted                            # role trusted\n");
	expect(&shown,
	       "  - from: wan                                    # default: neither phones nor");
	expect(&shown, "  name: edge                                     # this machine\n");
	expect(&shown, "  servers: [10.0.0.5]                            # test.yaml:6\n");
	expect(&shown, "  password: (set, not shown)                     # test.yaml:6\n");
	assert_null(strstr(shown.data, "hunter2"));
	buf_free(&shown);
	loaded_destroy(loaded);
}

static void the_reference_is_made_from_the_table(void **state)
{
	struct buf made;
	size_t length;
	char *kept = bench_read(DOCS_FOLDER, "configuration.md", &length);

	(void)state;
	buf_init(&made);
	schema_docs(&made);
	assert_false(buf_failed(&made));
	if (strcmp(kept, made.data) != 0)
		print_error("docs/configuration.md is old: postern config docs > "
			    "docs/configuration.md\n");
	assert_string_equal(kept, made.data);
	free(kept);
	buf_free(&made);
}

/* Defaults are read like values of a file: none may be wrong. */
static void every_default_is_right(void **state)
{
	(void)state;
	for (int id = 0; id < SCHEMA_SECTIONS; id++) {
		const struct schema_section *section = schema_section((enum schema_section_id)id);
		for (size_t i = 0; i < section->key_count; i++) {
			const struct schema_key *key = &section->keys[i];
			assert_non_null(key->doc);
			if (!key->type)
				continue;
			/* the reader is told what happens without it */
			assert_true(key->is_required || key->untrusted || key->otherwise);
			assert_true(!key->trusted || key->untrusted);
		}
	}
	loaded_destroy(bench_fine(BENCH_SHORTEST));
}

/* --- mutation ------------------------------------------------------------------------------------
 */

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33);
}

static void mutate(struct buf *text, uint64_t *seed)
{
	static const char *const parts[] = {
		"{",   "}",   "[",      "]",       ":",    ",",      "\n",      "  ",
		"\t",  "\"",  "'",      "&a",      "*a",   "!env X", "!file x", "- ",
		"? ",  "|",   ">",      "#",       "null", "off",    "-1",      "99999999999",
		"wan", "pbx", "phones", "0.0.0.0", "::",   "\xff",   "\x1b",    "%"};
	size_t at = text->len ? next_random(seed) % text->len : 0;
	size_t length = next_random(seed) % 12;
	struct buf out;

	buf_init(&out);
	buf_add(&out, slice_sub(buf_slice(text), 0, at));
	switch (next_random(seed) % 4) {
	case 0: /* something is gone */
		buf_add(&out, slice_sub(buf_slice(text), at + length, SIZE_MAX));
		break;
	case 1: /* something is twice there */
		buf_add(&out, slice_sub(buf_slice(text), at, length * 8));
		buf_add(&out, slice_sub(buf_slice(text), at, SIZE_MAX));
		break;
	case 2: /* something is new */
		buf_add_text(&out, parts[next_random(seed) % (sizeof(parts) / sizeof(parts[0]))]);
		buf_add(&out, slice_sub(buf_slice(text), at, SIZE_MAX));
		break;
	default: /* a bit is another */
		buf_add(&out, slice_sub(buf_slice(text), at, SIZE_MAX));
		if (at < out.len)
			out.data[at] = (char)(out.data[at] ^ (1 << next_random(seed) % 8));
	}
	assert_false(buf_failed(&out));
	buf_free(text);
	*text = out;
}

/* What runs is what it was, whatever is offered to it. */
static void reload_mutated(const struct loaded *running, const struct buf *text)
{
	struct loaded *next = NULL;
	struct buf said, before, after;
	char *copy = malloc(text->len + 1);

	assert_non_null(copy);
	memcpy(copy, text->len ? text->data : "", text->len);
	copy[text->len] = '\0';
	buf_init(&said);
	buf_init(&before);
	buf_init(&after);
	effective_show(running, &before);
	int err = loaded_reload(running, copy, text->len, &next, &said);
	effective_show(running, &after);
	assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
	assert_true(err ? !next && said.len : !next == !said.len);
	if (next)
		assert_true(next->file.public.peer_count >= running->file.public.peer_count);
	loaded_destroy(next);
	buf_free(&said);
	buf_free(&before);
	buf_free(&after);
}

static void mutated_files_are_refused_or_taken(void **state)
{
	uint64_t seed = 20261122;
	unsigned taken = 0, refused = 0;
	char *first = sample_read(SAMPLES);
	struct loaded *running = bench_fine(first);

	(void)state;
	free(first);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		char *sample = sample_read(i % (SAMPLES + 1));
		struct buf text, findings, shown;
		buf_init(&text);
		buf_init(&findings);
		buf_init(&shown);
		buf_add_text(&text, sample);
		for (unsigned n = next_random(&seed) % 4 + 1; n; n--)
			mutate(&text, &seed);
		struct loaded *loaded = NULL;
		char *copy = malloc(text.len + 1);
		assert_non_null(copy);
		memcpy(copy, text.len ? text.data : "", text.len);
		copy[text.len] = '\0';
		int err =
			loaded_create("test.yaml", copy, text.len, &bench_host, &loaded, &findings);
		if (err) {
			assert_int_equal(err, -ERR_MALFORMED);
			assert_int_equal(strncmp(findings.data, "test.yaml:", 10), 0);
			refused++;
		} else {
			effective_show(loaded, &shown);
			taken++;
		}
		reload_mutated(running, &text);
		loaded_destroy(loaded);
		buf_free(&text);
		buf_free(&findings);
		buf_free(&shown);
		free(sample);
	}
	loaded_destroy(running);
	assert_int_equal(taken + refused, MUTATIONS);
	assert_true(refused > MUTATIONS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_fine),
		cmocka_unit_test(effective_values_can_be_read_back),
		cmocka_unit_test(effective_values_name_their_origin),
		cmocka_unit_test(the_reference_is_made_from_the_table),
		cmocka_unit_test(every_default_is_right),
		cmocka_unit_test(mutated_files_are_refused_or_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
