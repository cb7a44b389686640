/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/header.h"
#include "control/base/buf.h"

enum { PARAMETERS_MAX = 32 };

struct row {
	struct slice name;
	size_t offset;
};

#define ROW(field)                                                                                 \
	{                                                                                          \
		{#field, sizeof(#field) - 1}, offsetof(struct auth_fields, field)                  \
	}

static const struct row rows[] = {
	ROW(username), ROW(realm), ROW(nonce), ROW(uri),       ROW(response), ROW(cnonce),
	ROW(opaque),   ROW(qop),   ROW(nc),    ROW(algorithm), ROW(stale),    ROW(userhash),
};

static void skip_spaces(struct slice *rest)
{
	while (rest->len > 0 && (*rest->data == ' ' || *rest->data == '\t'))
		*rest = slice_sub(*rest, 1, rest->len);
}

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-.!%*_+`'~/=:", c));
}

static struct slice take_token(struct slice *rest, bool is_name)
{
	size_t len = 0;

	while (len < rest->len && is_token_char(rest->data[len]) &&
	       !(is_name && rest->data[len] == '='))
		len++;
	struct slice token = slice_sub(*rest, 0, len);
	*rest = slice_sub(*rest, len, rest->len);
	return token;
}

/* Behind the opening quote. Escapes stay as they are: digests are made over the text as sent. */
static int take_quoted(struct slice *rest, struct slice *out)
{
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->data[i] == '\\') {
			i++;
		} else if (rest->data[i] == '"') {
			*out = slice_sub(*rest, 0, i);
			*rest = slice_sub(*rest, i + 1, rest->len);
			return 0;
		}
	}
	return -ERR_MALFORMED;
}

static int take_parameter(struct slice *rest, struct slice *name, struct slice *value)
{
	*name = take_token(rest, true);
	*value = SLICE_NONE;
	skip_spaces(rest);
	if (name->len == 0 || rest->len == 0 || *rest->data != '=')
		return -ERR_MALFORMED;
	*rest = slice_sub(*rest, 1, rest->len);
	skip_spaces(rest);
	if (rest->len > 0 && *rest->data == '"') {
		*rest = slice_sub(*rest, 1, rest->len);
		return take_quoted(rest, value);
	}
	*value = take_token(rest, false);
	return value->len > 0 ? 0 : -ERR_MALFORMED;
}

static int keep(struct auth_fields *fields, struct slice name, struct slice value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice *field = (struct slice *)((char *)fields + rows[i].offset);
		if (!slice_equal_nocase(name, rows[i].name))
			continue;
		if (field->data)
			return -ERR_MALFORMED;
		*field = value;
		return 0;
	}
	return 0; /* RFC 7616 3.3: what is not known is ignored */
}

int auth_fields_parse(struct slice value, struct auth_fields *out)
{
	struct auth_fields fields = {0};
	struct slice rest = slice_trim(value);
	struct slice scheme = take_token(&rest, true), name, text;
	int count = 0;

	if (scheme.len == 0)
		return -ERR_MALFORMED;
	if (!slice_equal_nocase(scheme, SLICE("Digest")))
		return -ERR_UNSUPPORTED;
	while (true) {
		skip_spaces(&rest);
		int err = take_parameter(&rest, &name, &text);
		if (!err)
			err = keep(&fields, name, text);
		if (err)
			return err;
		skip_spaces(&rest);
		if (rest.len == 0)
			break;
		if (*rest.data != ',' || ++count == PARAMETERS_MAX)
			return -ERR_MALFORMED;
		rest = slice_sub(rest, 1, rest.len);
	}
	*out = fields;
	return 0;
}

int auth_algorithm(struct slice text, enum digest_algorithm *out, bool *session)
{
	struct slice suffix = SLICE("-sess");

	*session = text.len > suffix.len &&
		   slice_equal_nocase(slice_sub(text, text.len - suffix.len, suffix.len), suffix);
	if (*session)
		text.len -= suffix.len;
	if (slice_is_empty(text)) {
		*out = DIGEST_MD5;
		return 0;
	}
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		if (slice_equal_nocase(text, digest_name((enum digest_algorithm)i))) {
			*out = (enum digest_algorithm)i;
			return 0;
		}
	}
	return -ERR_UNSUPPORTED;
}

bool auth_list_has(struct slice list, struct slice word)
{
	while (list.len > 0) {
		struct slice member = slice_trim(slice_cut(&list, ','));
		if (slice_equal_nocase(member, word))
			return true;
	}
	return false;
}

bool auth_is_quotable(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if (c < ' ' || c == 0x7f)
			return false;
		if (c == '"')
			return false;
		if (c != '\\')
			continue;
		if (++i == value.len || (unsigned char)value.data[i] < ' ' || value.data[i] == 0x7f)
			return false;
	}
	return true;
}
