/* Each key's example is right, is what it says in the reference, and is read back as it was; what
 * is marked as later is refused where no code acts on it. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <stdio.h>

/* What an example needs beside it; "@" is the example. */
static const struct {
	const char *section;
	const char *path;
	const char *line; /* of the element */
	const char *file; /* of the file */
} needs[] = {
	{"interfaces", "tls.key", "tls: {certificate: !file wan.pem, key: @}", ""},
	{"interfaces", "tls.certificate", "tls: {certificate: @, key: !file wan.key}", ""},
	{"interfaces", "security.unknown-caller", "security: {unknown-caller: @}",
	 "domains: {example.com: {registrar: local}}\n"},
	{"peers", "register.user", "register: {user: @, password: !env CARRIER_PASSWORD}", ""},
	{"peers", "register.password", "register: {user: a, password: @}", ""},
	{"peers", "register.auth-user",
	 "register: {user: a, auth-user: @, password: !env CARRIER_PASSWORD}", ""},
	{"peers", "register.domain",
	 "register: {user: a, domain: @, password: !env CARRIER_PASSWORD}", ""},
	{"peers", "credentials.user", "credentials: {user: @, password: !env CARRIER_PASSWORD}",
	 ""},
	{"peers", "credentials.password", "credentials: {user: a, password: @}", ""},
	{"", "subscribers.store", "subscribers: {store: @}",
	 "state: {store: redis, servers: 10.0.0.5}\n"},
	{"", "state.store", "state: {store: @, servers: 10.0.0.5}", ""},
	{"", "state.sentinel.servers", "state: {store: redis, sentinel: {servers: @, master: m}}",
	 ""},
};

/* "media: {ports: X}" for "media.ports". */
static void key_add(struct buf *out, const char *path, const char *value)
{
	struct slice rest = slice_from(path);
	unsigned depth = 0;

	for (; slice_find(rest, '.') < rest.len; depth++) {
		buf_add(out, slice_cut(&rest, '.'));
		buf_add_text(out, ": {");
	}
	buf_printf(out, "%.*s: %s", SLICE_ARG(rest), value);
	while (depth--)
		buf_add_char(out, '}');
}

static const char *line_add(struct buf *out, const struct schema_section *section,
			    const struct schema_key *key)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		struct slice after = slice_from(needs[i].line);
		if (strcmp(needs[i].section, section->path) != 0 ||
		    strcmp(needs[i].path, key->path) != 0)
			continue;
		buf_add(out, slice_cut(&after, '@'));
		buf_add_text(out, key->example);
		buf_add(out, after);
		return needs[i].file;
	}
	key_add(out, key->path, key->example);
	return "";
}

static const char *unless(const struct schema_key *key, const char *path, const char *text)
{
	return strcmp(key->path, path) == 0 ? "" : text;
}

/* A file whose key is the example. */
static void example_add(struct buf *out, int id, const struct schema_key *key)
{
	struct buf line;

	buf_init(&line);
	const char *file = line_add(&line, schema_section((enum schema_section_id)id), key);
	assert_false(buf_failed(&line));
	buf_add_text(out, "interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n"
			  "  wan: {address: 203.0.113.10}\n");
	if (id == SCHEMA_INTERFACES)
		buf_printf(out, "  other: {%s%s}\n",
			   unless(key, "address", "address: 198.51.100.1, "), line.data);
	buf_add_text(out, "peers:\n  pbx: {interface: lan, address: 10.0.0.30}\n");
	if (id == SCHEMA_PEERS)
		buf_printf(
			out, "  other: {%s%s%s}\n", unless(key, "interface", "interface: wan, "),
			unless(key, "servers", unless(key, "address", "address: 198.51.100.7, ")),
			line.data);
	if (id == SCHEMA_DOMAINS)
		buf_printf(out, "domains: {example.com: {%s}}\n", line.data);
	if (id == SCHEMA_PHONES)
		buf_printf(out, "phones: [{%s%s%s}]\n", unless(key, "from", "from: wan, "),
			   unless(key, "registrar", "registrar: pbx, "), line.data);
	if (id == SCHEMA_ROUTES)
		buf_printf(out, "phones: [{from: wan, registrar: pbx}]\nroutes: [{%s%s%s}]\n",
			   unless(key, "from", "from: phones, "), unless(key, "to", "to: pbx, "),
			   line.data);
	if (id == SCHEMA_FILE)
		buf_printf(out, "%s\n", line.data);
	buf_add_text(out, file);
	assert_false(buf_failed(out));
	buf_free(&line);
}

static void every_example_is_right(void **state)
{
	(void)state;
	for (int id = 0; id < SCHEMA_SECTIONS; id++) {
		const struct schema_section *section = schema_section((enum schema_section_id)id);
		for (size_t i = 0; i < section->key_count; i++) {
			const struct schema_key *key = &section->keys[i];
			struct buf text, findings;
			assert_non_null(key->example);
			assert_non_null(key->type);
			buf_init(&text);
			buf_init(&findings);
			example_add(&text, id, key);
			struct loaded *loaded = bench_load(text.data, &findings);
			if (!loaded)
				print_error("%s %s:\n%s\n%s\n", section->path, key->path, text.data,
					    findings.data);
			assert_non_null(loaded);
			loaded_destroy(loaded);
			buf_free(&text);
			buf_free(&findings);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
