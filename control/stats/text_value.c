/* text_value.c - units, times and escaping for people's eyes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/text_value.h"
#include <inttypes.h>
#include <math.h>
#include <time.h>

enum unit { UNIT_NONE, UNIT_US, UNIT_MS, UNIT_S, UNIT_AT, UNIT_BYTES, UNIT_PERCENT };

static const struct {
	struct slice suffix;
	enum unit unit;
	bool is_shown; /* in the name as well */
} units[] = {
	{{"_us", 3}, UNIT_US, false},      {{"_ms", 3}, UNIT_MS, false},
	{{"_s", 2}, UNIT_S, false},        {{"_at", 3}, UNIT_AT, false},
	{{"_bytes", 6}, UNIT_BYTES, true}, {{"_percent", 8}, UNIT_PERCENT, false},
};

static enum unit unit_of(struct slice name, size_t *shown_len)
{
	*shown_len = name.len;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!slice_ends(name, units[i].suffix))
			continue;
		if (!units[i].is_shown)
			*shown_len = name.len - units[i].suffix.len;
		return units[i].unit;
	}
	return slice_equal(name, SLICE("bytes")) ? UNIT_BYTES : UNIT_NONE;
}

void text_name(const char *name, struct buf *out)
{
	struct slice all = slice_from(name);
	size_t len;
	unit_of(all, &len);
	size_t start = out->len;
	text_escape(slice_sub(all, 0, len), out);
	for (size_t i = start; i < out->len; i++) {
		if (out->data[i] == '_')
			out->data[i] = ' ';
	}
}

/* --- numbers --- */

static void duration(double seconds, struct buf *out)
{
	if (seconds < 0) {
		buf_add_char(out, '-');
		seconds = -seconds;
	}
	if (seconds < 1e-3) {
		buf_printf(out, "%.0f us", seconds * 1e6);
		return;
	}
	if (seconds < 1) {
		buf_printf(out, "%.4g ms", seconds * 1e3);
		return;
	}
	if (seconds < 60) {
		buf_printf(out, "%.3g s", seconds);
		return;
	}
	if (seconds > 1e12) {
		buf_printf(out, "%.3g s", seconds);
		return;
	}
	uint64_t s = (uint64_t)seconds;
	if (s < 3600)
		buf_printf(out, "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
	else if (s < 86400)
		buf_printf(out, "%" PRIu64 "h%02um", s / 3600, (unsigned)(s / 60 % 60));
	else
		buf_printf(out, "%" PRIu64 "d%02uh", s / 86400, (unsigned)(s / 3600 % 24));
}

static void size(double bytes, struct buf *out)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;
	while (fabs(bytes) >= 1024 && i + 1 < sizeof(names) / sizeof(names[0])) {
		bytes /= 1024;
		i++;
	}
	buf_printf(out, i ? "%.1f %s" : "%.0f %s", bytes, names[i]);
}

static void moment(double unix_s, struct buf *out)
{
	struct tm utc;
	char text[40];
	if (unix_s <= 0 || unix_s > 253402300799.0) { /* the year 9999 ends */
		buf_add_char(out, '-');
		return;
	}
	time_t seconds = (time_t)unix_s;
	gmtime_r(&seconds, &utc);
	if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &utc))
		buf_add_text(out, text);
}

static void number(enum unit unit, const json_t *value, struct buf *out)
{
	double real = json_number_value(value);
	switch (unit) {
	case UNIT_US:
		duration(real / 1e6, out);
		return;
	case UNIT_MS:
		duration(real / 1e3, out);
		return;
	case UNIT_S:
		duration(real, out);
		return;
	case UNIT_AT:
		moment(real, out);
		return;
	case UNIT_BYTES:
		size(real, out);
		return;
	case UNIT_PERCENT:
		buf_printf(out, "%.1f %%", real);
		return;
	case UNIT_NONE:
		if (json_is_integer(value))
			buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		else
			buf_printf(out, "%.6g", real);
		return;
	}
}

/* --- text --- */

/* Characters that change how others are shown: Unicode's bidirectional controls. */
static bool turns_direction(uint32_t c)
{
	return c == 0x200e || c == 0x200f || c == 0x061c || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

/* Length and value of the character at the start; broken UTF-8 counts as one byte above U+10FFFF.
 */
static size_t character(struct slice s, uint32_t *out)
{
	uint8_t first = (uint8_t)s.data[0];
	size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t value = len <= 1 ? first : first & (0x7fu >> len);
	*out = UINT32_MAX;
	if (len == 0 || len > s.len)
		return 1;
	for (size_t i = 1; i < len; i++) {
		uint8_t byte = (uint8_t)s.data[i];
		if ((byte & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (byte & 0x3f);
	}
	*out = value;
	return len;
}

void text_escape(struct slice text, struct buf *out)
{
	while (text.len) {
		uint32_t c;
		size_t len = character(text, &c);
		bool plain = c >= 0x20 && c < 0x110000 && !(c >= 0x7f && c < 0xa0) &&
			     !turns_direction(c) && c != 0x2028 && c != 0x2029;
		if (plain)
			buf_add(out, slice_sub(text, 0, len));
		for (size_t i = 0; !plain && i < len; i++)
			buf_printf(out, "\\x%02x", (uint8_t)text.data[i]);
		text = slice_sub(text, len, SIZE_MAX);
	}
}

size_t text_width(struct slice text)
{
	size_t width = 0;
	for (size_t i = 0; i < text.len; i++)
		width += ((uint8_t)text.data[i] & 0xc0) != 0x80;
	return width;
}

static void list(const char *name, const json_t *value, struct buf *out)
{
	const json_t *item;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)value, i, item)
	{
		if (i)
			buf_add_text(out, ", ");
		if (json_is_array(item) || json_is_object(item))
			buf_add_text(out, "..."); /* deeper than a cell can show */
		else
			text_value(name, item, out);
	}
	if (json_array_size(value) == 0)
		buf_add_char(out, '-');
}

static void pairs(const json_t *value, struct buf *out)
{
	const char *key;
	const json_t *item;
	bool first = true;
	json_object_foreach((json_t *)(uintptr_t)value, key, item)
	{
		if (!first)
			buf_add_char(out, ' ');
		text_escape(slice_from(key), out);
		buf_add_char(out, '=');
		if (json_is_array(item) || json_is_object(item))
			buf_add_text(out, "...");
		else
			text_value(key, item, out);
		first = false;
	}
	if (first)
		buf_add_char(out, '-');
}

void text_value(const char *name, const json_t *value, struct buf *out)
{
	size_t len;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		pairs(value, out);
		return;
	case JSON_ARRAY:
		list(name, value, out);
		return;
	case JSON_STRING:
		text_escape((struct slice){json_string_value(value), json_string_length(value)},
			    out);
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		number(unit_of(slice_from(name), &len), value, out);
		return;
	case JSON_TRUE:
		buf_add_text(out, "yes");
		return;
	case JSON_FALSE:
		buf_add_text(out, "no");
		return;
	case JSON_NULL:
		buf_add_char(out, '-');
		return;
	}
}
