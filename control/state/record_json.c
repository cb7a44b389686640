/* record_json.c - a record as a JSON object, for `show record` and the demo.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_fields.h"
#include <inttypes.h>

static void fields_json(const struct field_table *table, const void *base, struct buf *out);

/* Length of the UTF-8 character at the start (RFC 3629 4), 0 when there is none. */
static size_t utf8_length(struct slice s)
{
	const uint8_t *b = (const uint8_t *)s.data;
	if (b[0] < 0x80)
		return 1;
	size_t n = b[0] >= 0xc2 && b[0] <= 0xdf   ? 2
		   : b[0] >= 0xe0 && b[0] <= 0xef ? 3
		   : b[0] >= 0xf0 && b[0] <= 0xf4 ? 4
						  : 0;
	if (n == 0 || n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	}
	bool overlong = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90);
	bool beyond = (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf4 && b[1] > 0x8f);
	return overlong || beyond ? 0 : n;
}

static void string_json(struct slice s, struct buf *out)
{
	buf_add_char(out, '"');
	while (s.len) {
		size_t n = utf8_length(s);
		unsigned char c = (unsigned char)s.data[0];
		if (n == 0 || c == 0) /* what no reader of JSON takes in a text */
			buf_add_text(out, "\xef\xbf\xbd"); /* U+FFFD */
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_add(out, slice_sub(s, 0, n));
		s = slice_sub(s, n ? n : 1, SIZE_MAX);
	}
	buf_add_char(out, '"');
}

static void addr_json(const struct addr *addr, struct buf *out)
{
	char text[ADDR_TEXT_SIZE];
	string_json(slice_from(addr_is_set(addr) ? addr_text(addr, text) : ""), out);
}

static void lines_json(const struct slice *lines, uint32_t count, struct buf *out)
{
	buf_add_char(out, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buf_add_char(out, ',');
		string_json(lines[i], out);
	}
	buf_add_char(out, ']');
}

static void legs_json(const struct record_leg *legs, uint32_t count, struct buf *out)
{
	buf_add_char(out, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buf_add_char(out, ',');
		fields_json(&leg_table, &legs[i], out);
	}
	buf_add_char(out, ']');
}

static void value_json(const struct field *field, const void *base, struct buf *out)
{
	const void *at = field_of(base, field->offset);
	const uint32_t *count = field_of(base, field->count_offset);
	uint32_t number;
	uint64_t ms;
	switch (field->kind) {
	case FIELD_LINE:
	case FIELD_BODY:
		string_json(*(const struct slice *)at, out);
		return;
	case FIELD_BYTES:
		buf_add_u64(out, ((const struct slice *)at)->len);
		return;
	case FIELD_U32:
		buf_add_u64(out, *(const uint32_t *)at);
		return;
	case FIELD_U64:
		/* Beyond 63 bits readers of JSON take no number. */
		ms = *(const uint64_t *)at;
		buf_printf(out, ms > INT64_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, ms);
		return;
	case FIELD_TIME:
		ms = *(const uint64_t *)at;
		buf_printf(out, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
		return;
	case FIELD_ENUM:
		number = *(const uint32_t *)at;
		string_json(slice_from(number <= field->limit ? field->names[number] : "?"), out);
		return;
	case FIELD_BOOL:
		buf_add_text(out, *(const bool *)at ? "true" : "false");
		return;
	case FIELD_ADDR:
		addr_json(at, out);
		return;
	case FIELD_LINES:
		lines_json(at, *count, out);
		return;
	case FIELD_LEGS:
		legs_json(*(const struct record_leg *const *)at, *count, out);
		return;
	}
}

/* What is not there is left out, as on the wire; the legs and what is false or "none" are shown. */
static bool is_shown(const struct field *field, const void *base)
{
	const void *at = field_of(base, field->offset);
	switch (field->kind) {
	case FIELD_LINE:
	case FIELD_BODY:
	case FIELD_BYTES:
		return ((const struct slice *)at)->len > 0;
	case FIELD_TIME:
		return *(const uint64_t *)at > 0;
	case FIELD_ADDR:
		return addr_is_set(at);
	case FIELD_LINES:
		return *(const uint32_t *)field_of(base, field->count_offset) > 0;
	default:
		return true;
	}
}

static void fields_json(const struct field_table *table, const void *base, struct buf *out)
{
	bool first = true;
	buf_add_char(out, '{');
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		if (!is_shown(field, base))
			continue;
		buf_printf(out, "%s\"%s\":", first ? "" : ",", field->name);
		value_json(field, base, out);
		first = false;
	}
	buf_add_char(out, '}');
}

void record_json(const struct call_record *record, struct buf *out)
{
	fields_json(&record_table, record, out);
}
