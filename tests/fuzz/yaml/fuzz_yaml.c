/* A configuration file of any bytes: refused or taken, within limits; what is taken can be shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/raw.h"

/* A machine on which everything exists, so that the bytes alone decide. */
static int device_addresses(void *owner, const char *device, struct addr *out, int max)
{
	(void)owner;
	(void)device;
	return max > 0 && !addr_parse_ip(SLICE("10.0.0.1"), &out[0]) ? 1 : -1;
}

static bool device_name(void *owner, unsigned index, char *out, size_t size)
{
	(void)owner;
	slice_copy(SLICE("lan0"), out, size);
	return index == 0;
}

static unsigned cpu_count(void *owner)
{
	(void)owner;
	return 4;
}

static bool has_user(void *owner, const char *user)
{
	(void)owner;
	return user[0] != 'x';
}

static const char *environment(void *owner, const char *name)
{
	(void)owner;
	return name[0] == 'x' ? NULL : "secret";
}

static bool read_file(void *owner, const char *path, char *out, size_t size, size_t *length,
		      bool *is_public, char *why, size_t why_size)
{
	(void)owner;
	*length = slice_copy(SLICE("secret\n"), out, size);
	*is_public = path[0] == 'p';
	slice_copy(SLICE("not here"), why, why_size);
	return path[0] != 'x';
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

static const struct config_host host = {
	.device_addresses = device_addresses,
	.device_name = device_name,
	.cpu_count = cpu_count,
	.has_user = has_user,
	.environment = environment,
	.read_file = read_file,
	.now_s = now_s,
	.node_name = node_name,
};

/* libfyaml 0.7 forgets a buffer of 2 KiB at texts with many quotes in quotes. The file is read once
 * in a process; what we allocate ourselves is still looked after. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so\n";
}

static const char running_text[] =
	"interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n  wan: {address: 203.0.113.10}\n"
	"peers:\n  pbx: {interface: lan, address: 10.0.0.20}\n"
	"  carrier: {interface: wan, address: 198.51.100.7}\n"
	"routes: [{from: [pbx, carrier], to: [carrier, pbx]}]\n";

static char *copy_of(const void *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return NULL;
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

/* The bytes as a new file for what runs: indexes stay, whatever they say. */
static void reload(const uint8_t *data, size_t size)
{
	struct loaded *running = NULL, *next = NULL;
	char *text = copy_of(running_text, sizeof(running_text) - 1), *copy = copy_of(data, size);
	struct buf said;

	buf_init(&said);
	if (!text || !copy ||
	    loaded_create("fuzz.yaml", text, sizeof(running_text) - 1, &host, &running, &said) != 0)
		abort();
	buf_clear(&said);
	int err = loaded_reload(running, copy, size, &next, &said);
	if (err && next)
		abort();
	if (next && (next->file.public.interface_count != 2 || next->file.public.peer_count < 2 ||
		     strcmp(next->file.public.peers[1].name, "carrier") != 0))
		abort();
	loaded_destroy(next);
	loaded_destroy(running);
	buf_free(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loaded *loaded = NULL;
	struct buf findings, shown;
	char *copy = copy_of(data, size);

	if (!copy)
		return 0;
	buf_init(&findings);
	buf_init(&shown);
	int err = loaded_create("fuzz.yaml", copy, size, &host, &loaded, &findings);
	if (err == -ERR_MALFORMED && findings.len == 0)
		abort(); /* refused without a word */
	if (!err) {
		effective_show(loaded, &shown);
		if (shown.len == 0)
			abort();
	}
	loaded_destroy(loaded);
	reload(data, size);
	buf_free(&findings);
	buf_free(&shown);
	return 0;
}
