/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const devices[] = {"lo", "lan0", "wan0", "bare0"};

static int device_addresses(void *owner, const char *device, struct addr *out, int max)
{
	(void)owner;
	if (strcmp(device, "lan0") == 0 && max >= 2) {
		assert_int_equal(addr_parse_ip(SLICE("10.0.0.1"), &out[0]), 0);
		assert_int_equal(addr_parse_ip(SLICE("2001:db8::1"), &out[1]), 0);
		return 2;
	}
	if (strcmp(device, "wan0") == 0 && max >= 1) {
		assert_int_equal(addr_parse_ip(SLICE("203.0.113.10"), &out[0]), 0);
		return 1;
	}
	return strcmp(device, "bare0") == 0 ? 0 : -1;
}

static bool device_name(void *owner, unsigned index, char *out, size_t size)
{
	(void)owner;
	if (index >= sizeof(devices) / sizeof(devices[0]))
		return false;
	slice_copy(slice_from(devices[index]), out, size);
	return true;
}

static unsigned cpu_count(void *owner)
{
	(void)owner;
	return 2;
}

static bool has_user(void *owner, const char *user)
{
	(void)owner;
	return strcmp(user, "nobody") == 0 || strcmp(user, "sip") == 0;
}

static const char *environment(void *owner, const char *name)
{
	(void)owner;
	return strcmp(name, "REDIS_PASSWORD") == 0 || strcmp(name, "SENTINEL_PASSWORD") == 0 ||
			       strcmp(name, "CARRIER_PASSWORD") == 0 ||
			       strcmp(name, "STATE_KEY") == 0
		       ? "hunter2"
		       : NULL;
}

/* Names without a folder are those of pem/. */
static bool read_file(void *owner, const char *path, char *out, size_t size, size_t *length,
		      bool *is_public, char *why, size_t why_size)
{
	char beside[4096];

	(void)snprintf(beside, sizeof(beside), "%s/%s", PEM_FOLDER, path);
	bool done = config_this_host.read_file(owner, strchr(path, '/') ? path : beside, out, size,
					       length, is_public, why, why_size);
	if (!strchr(path, '/'))
		*is_public = strcmp(path, "public.key") == 0;
	return done;
}

static int64_t now_s(void *owner)
{
	(void)owner;
	return 1795000000;
}

static void node_name(void *owner, char *out, size_t size)
{
	(void)owner;
	slice_copy(SLICE("edge"), out, size);
}

#define BENCH_HOST                                                                                 \
	.device_addresses = device_addresses, .device_name = device_name, .cpu_count = cpu_count,  \
	.has_user = has_user, .environment = environment, .read_file = read_file, .now_s = now_s,  \
	.node_name = node_name

const struct config_host bench_host = {BENCH_HOST};

struct loaded *bench_load_on(const struct config_host *host, const char *text, struct buf *findings)
{
	struct loaded *loaded = NULL;
	struct buf own;

	buf_init(&own);
	int err = loaded_create("test.yaml", strdup(text), strlen(text), host, &loaded,
				findings ? findings : &own);
	buf_free(&own);
	assert_true(err == 0 || !loaded);
	return loaded;
}

struct loaded *bench_load(const char *text, struct buf *findings)
{
	return bench_load_on(&bench_host, text, findings);
}

static void expect_line(const struct buf *findings, const char *line)
{
	if (findings->data && strstr(findings->data, line))
		return;
	print_error("expected: %s\nsaid:\n%s\n", line,
		    findings->data ? findings->data : "(nothing)");
	fail();
}

void bench_refused(const char *text, const char *line)
{
	struct buf findings;

	buf_init(&findings);
	struct loaded *loaded = bench_load(text, &findings);
	assert_null(loaded);
	expect_line(&findings, line);
	buf_free(&findings);
}

void bench_warned(const char *text, const char *line)
{
	struct buf findings;

	buf_init(&findings);
	struct loaded *loaded = bench_load(text, &findings);
	expect_line(&findings, line);
	assert_non_null(loaded);
	loaded_destroy(loaded);
	buf_free(&findings);
}

struct loaded *bench_fine(const char *text)
{
	struct buf findings;

	buf_init(&findings);
	struct loaded *loaded = bench_load(text, &findings);
	if (findings.len)
		print_error("%s\n", findings.data);
	assert_non_null(loaded);
	assert_int_equal(findings.len, 0);
	buf_free(&findings);
	return loaded;
}

char *bench_read(const char *folder, const char *name, size_t *length)
{
	char path[4096];
	struct buf text;
	size_t got;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "re");
	if (!file)
		print_error("%s cannot be read\n", path);
	assert_non_null(file);
	buf_init(&text);
	do {
		char *room = buf_reserve(&text, 4096);
		assert_non_null(room);
		got = fread(room, 1, 4096, file);
		text.len += got;
	} while (got);
	fclose(file);
	buf_add_char(&text, '\0');
	assert_false(buf_failed(&text));
	*length = text.len - 1;
	return text.data;
}
