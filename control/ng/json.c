/* json.c - NG messages as JSON (jansson). SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/json.h"
#include <jansson.h>

struct reader {
	struct arena *arena;
	unsigned values;
};

static int read_value(struct reader *reader, const json_t *json, unsigned depth,
		      struct ng_value **out);

static int read_string(struct reader *reader, const char *text, size_t len, struct slice *out)
{
	struct slice copy = len ? arena_copy(reader->arena, (struct slice){text, len}) : SLICE("");

	if (!copy.data)
		return -ERR_NO_MEMORY;
	*out = copy;
	return 0;
}

static int read_array(struct reader *reader, const json_t *json, unsigned depth,
		      struct ng_value *list)
{
	for (size_t i = 0; i < json_array_size(json); i++) {
		struct ng_value *member = NULL;
		int err = read_value(reader, json_array_get(json, i), depth + 1, &member);

		if (err)
			return err;
		if (member)
			(void)ng_list_add(list, member);
	}
	return 0;
}

static int read_object(struct reader *reader, json_t *json, unsigned depth, struct ng_value *dict)
{
	for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
		const char *name = json_object_iter_key(at);
		struct ng_value *member = NULL;
		struct slice key;
		int err = read_string(reader, name, strlen(name), &key);

		if (!err)
			err = read_value(reader, json_object_iter_value(at), depth + 1, &member);
		if (err)
			return err;
		if (member)
			(void)ng_dict_add(dict, key, member);
	}
	return 0;
}

/* *out stays NULL for null. */
static int read_value(struct reader *reader, const json_t *json, unsigned depth,
		      struct ng_value **out)
{
	struct ng_value *value;

	if (json_is_null(json))
		return 0;
	/* As bencode has it, a text in the innermost list is no further level. */
	if ((depth > NG_MAX_DEPTH && (json_is_array(json) || json_is_object(json))) ||
	    ++reader->values > NG_MAX_VALUES)
		return -ERR_TOO_LARGE;
	value = arena_zalloc(reader->arena, sizeof(*value));
	if (!value)
		return -ERR_NO_MEMORY;
	*out = value;
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		value->type = NG_DICT;
		return read_object(reader, (json_t *)(uintptr_t)json, depth, value);
	case JSON_ARRAY:
		value->type = NG_LIST;
		return read_array(reader, json, depth, value);
	case JSON_INTEGER:
		value->type = NG_INTEGER;
		value->integer = json_integer_value(json);
		return 0;
	case JSON_REAL: {
		double real = json_real_value(json);

		/* Beyond these bounds the conversion is undefined. */
		if (!(real > -9.2e18 && real < 9.2e18))
			return -ERR_MALFORMED;
		value->type = NG_INTEGER;
		value->integer = (int64_t)real;
		return 0;
	}
	case JSON_STRING:
		value->type = NG_STRING;
		return read_string(reader, json_string_value(json), json_string_length(json),
				   &value->string);
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	value->type = NG_STRING;
	value->string = json_is_true(json) ? SLICE("true") : SLICE("false");
	return 0;
}

int ng_json_read(struct arena *arena, struct slice text, struct ng_value **out)
{
	struct reader reader = {.arena = arena};
	struct ng_value *value = NULL;
	json_error_t error;

	if (text.len > NG_MAX_BYTES)
		return -ERR_TOO_LARGE;
	json_t *json = json_loadb(text.data ? text.data : "", text.len, JSON_ALLOW_NUL, &error);
	if (!json)
		return -ERR_MALFORMED;
	int err = read_value(&reader, json, 1, &value);
	json_decref(json);
	if (err)
		return err;
	if (!value)
		return -ERR_MALFORMED;
	*out = value;
	return 0;
}

static void scan_in_string(struct ng_json_scanner *scanner, char c)
{
	if (scanner->is_escaped)
		scanner->is_escaped = false;
	else if (c == '\\')
		scanner->is_escaped = true;
	else if (c == '"')
		scanner->in_string = false;
}

int ng_json_scan_more(struct ng_json_scanner *scanner, struct slice text, size_t *out_len)
{
	while (scanner->at < text.len) {
		char c = text.data[scanner->at++];

		if (scanner->at > NG_MAX_BYTES)
			return -ERR_TOO_LARGE;
		if (scanner->in_string)
			scan_in_string(scanner, c);
		else if (c == '"')
			scanner->in_string = true;
		else if ((c == '{' || c == '[') && ++scanner->depth > NG_MAX_DEPTH)
			return -ERR_TOO_LARGE;
		else if ((c == '}' || c == ']') && --scanner->depth == 0) {
			*out_len = scanner->at;
			return 0;
		}
		if (!scanner->depth)
			return -ERR_MALFORMED;
	}
	return -ERR_AGAIN;
}

/* Length of the well-formed UTF-8 sequence (RFC 3629) at the start; 0 = none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;

	if (len == 1)
		return 1;
	if (!len || len > left || s[0] >= 0xf8)
		return 0;
	uint32_t point = s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return len;
}

static void write_string(struct buf *buf, struct slice string)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *at = (const unsigned char *)string.data;
	const unsigned char *end = at + string.len;

	buf_add_char(buf, '"');
	while (at < end) {
		size_t len = utf8_length(at, (size_t)(end - at));

		if (!len) {
			buf_add_text(buf, "\\ufffd");
			len = 1;
		} else if (*at == '"' || *at == '\\') {
			buf_add_char(buf, '\\');
			buf_add_char(buf, (char)*at);
		} else if (*at == '\r' || *at == '\n' || *at == '\t') {
			buf_add_text(buf, *at == '\r' ? "\\r" : *at == '\n' ? "\\n" : "\\t");
		} else if (*at < 0x20 || *at == 0x7f) {
			buf_add_text(buf, "\\u00");
			buf_add_char(buf, hex[*at >> 4]);
			buf_add_char(buf, hex[*at & 15]);
		} else {
			buf_add(buf, (struct slice){(const char *)at, len});
		}
		at += len;
	}
	buf_add_char(buf, '"');
}

void ng_json_write(struct buf *buf, const struct ng_value *value)
{
	switch (value->type) {
	case NG_STRING:
		write_string(buf, value->string);
		return;
	case NG_INTEGER:
		if (value->integer < 0)
			buf_add_char(buf, '-');
		buf_add_u64(buf, value->integer < 0 ? 0 - (uint64_t)value->integer
						    : (uint64_t)value->integer);
		return;
	case NG_LIST:
	case NG_DICT:
		break;
	}
	buf_add_char(buf, value->type == NG_DICT ? '{' : '[');
	for (const struct ng_value *member = value->first; member; member = member->next) {
		if (value->type == NG_DICT) {
			write_string(buf, member->key);
			buf_add_char(buf, ':');
		}
		ng_json_write(buf, member);
		if (member->next)
			buf_add_char(buf, ',');
	}
	buf_add_char(buf, value->type == NG_DICT ? '}' : ']');
}
