/* SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#define TEXT_VALUE (*(const char *const *)value)
/* sizeof(sun_path) - 1: what a Unix socket's address holds */
#define SOCKET_PATH_MAX 107

bool type_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool type_is_word(struct slice text)
{
	if (text.len == 0 || text.len > 64)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!type_is_alnum(text.data[i]) && text.data[i] != '-' && text.data[i] != '_' &&
		    text.data[i] != '.')
			return false;
	return true;
}

bool type_is_host(struct slice text)
{
	struct slice rest = text;
	bool letter = false;

	if (text.len == 0 || text.len > 253)
		return false;
	while (rest.data && rest.len) {
		struct slice label = slice_cut(&rest, '.');
		if (label.len == 0 || label.len > 63 || label.data[0] == '-' ||
		    label.data[label.len - 1] == '-')
			return false;
		letter = false;
		for (size_t i = 0; i < label.len; i++) {
			if (!type_is_alnum(label.data[i]) && label.data[i] != '-')
				return false;
			letter = letter || (label.data[i] > '9');
		}
	}
	return letter; /* of the last label: otherwise it is a wrong address */
}

/* RFC 3261 25.1 */
bool type_is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!type_is_alnum(text.data[i]) && !strchr("-.!%*_+`'~", text.data[i]))
			return false;
	return text.len > 0;
}

/* Plain where YAML reads it as a text that ends where it ends. */
void type_quoted_add(struct buf *out, const char *text)
{
	bool plain = type_is_alnum(*text);

	for (const char *c = text; *c && plain; c++)
		plain = type_is_alnum(*c) || strchr("-_./+", *c);
	if (plain) {
		buf_add_text(out, text);
		return;
	}
	buf_add_char(out, '"');
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *c);
	}
	buf_add_char(out, '"');
}

static bool text_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, bool good, void *out)
{
	if (!good)
		return type_wrong(loaded, key, node);
	*(const char **)out = type_text(loaded, node->text);
	return true;
}

void type_text_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		     struct buf *out)
{
	(void)loaded;
	(void)key;
	if (TEXT_VALUE)
		buf_add_text(out, TEXT_VALUE);
}

static bool word_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	return text_read(loaded, key, node, type_is_word(node->text), out);
}

const struct schema_type type_word = {
	.name = "name",
	.write = "letters, digits, '-', '_' and '.', at most 64",
	.pattern = "^[A-Za-z0-9_.-]{1,64}$",
	.size = sizeof(const char *),
	.read = word_read,
	.print = type_text_print,
};

/* scheme://host[:port] as browsers write it in Origin (RFC 6454 6.2). */
static bool is_origin(struct slice text)
{
	struct slice scheme = slice_sub(text, 0, slice_find(text, ':'));
	struct slice rest = slice_sub(text, scheme.len, text.len);

	if (!scheme.len || rest.len < 4 || rest.len > 255 || !slice_starts(rest, SLICE("://")))
		return false;
	for (size_t i = 0; i < scheme.len; i++)
		if (!type_is_alnum(scheme.data[i]) && !strchr("+-.", scheme.data[i]))
			return false;
	for (size_t i = 3; i < rest.len; i++)
		if (!type_is_alnum(rest.data[i]) && !strchr("-.:[]_", rest.data[i]))
			return false;
	return true;
}

static bool origin_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	return text_read(loaded, key, node, is_origin(node->text), out);
}

const struct schema_type type_origin = {
	.name = "origin",
	.write = "https://phone.example.com, or with a port",
	.pattern = "^[A-Za-z0-9+.-]+://[A-Za-z0-9_.:\\[\\]-]{1,252}$",
	.size = sizeof(const char *),
	.read = origin_read,
	.print = type_text_print,
};

static bool domain_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct addr addr;
	bool good = type_is_host(node->text) || !addr_parse_ip(node->text, &addr);

	return text_read(loaded, key, node, good, out);
}

const struct schema_type type_domain = {
	.name = "domain",
	.write = "a host name such as example.com",
	.size = sizeof(const char *),
	.read = domain_read,
	.print = type_text_print,
};

static bool path_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	if (node->text.len > SOCKET_PATH_MAX) {
		finding_error(&loaded->findings, node->place,
			      "the path of a socket holds at most %d bytes, this has %zu",
			      SOCKET_PATH_MAX, node->text.len);
		return false;
	}
	return text_read(loaded, key, node, node->text.len > 1 && node->text.data[0] == '/', out);
}

const struct schema_type type_path = {
	.name = "path",
	.write = "one that begins with /",
	.pattern = "^/.+$",
	.size = sizeof(const char *),
	.read = path_read,
	.print = type_text_print,
};

static bool user_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	if (!text_read(loaded, key, node, type_is_word(node->text), out))
		return false;
	const char *user = *(const char **)out;
	if (user && !loaded->host->has_user(loaded->host->owner, user)) {
		finding_error(&loaded->findings, node->place,
			      "this machine has no user \"%s\" (useradd --system %s creates it)",
			      user, user);
		return false;
	}
	return true;
}

const struct schema_type type_user = {
	.name = "user",
	.write = "the name of a user of this machine",
	.pattern = "^[A-Za-z0-9_.-]{1,64}$",
	.size = sizeof(const char *),
	.read = user_read,
	.print = type_text_print,
};

static bool place_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	return text_read(loaded, key, node,
			 node->text.len > 1 && node->text.len < 4096 && node->text.data[0] == '/',
			 out);
}

static void line_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	(void)loaded;
	(void)key;
	if (TEXT_VALUE)
		type_quoted_add(out, TEXT_VALUE);
}

const struct schema_type type_place = {
	.name = "path",
	.write = "one that begins with /",
	.pattern = "^/.+$",
	.size = sizeof(const char *),
	.read = place_read,
	.print = line_print,
};

static bool line_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	bool good = node->text.len > 0 && node->text.len <= 128;

	for (size_t i = 0; i < node->text.len; i++)
		good = good && (unsigned char)node->text.data[i] >= ' ';
	return text_read(loaded, key, node, good, out);
}

const struct schema_type type_line = {
	.name = "text",
	.write = "1 to 128 characters on one line",
	.size = sizeof(const char *),
	.read = line_read,
	.print = line_print,
};
