/* bencode.c - NG messages as bencode: 3:abc, i42e, l...e, d...e.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/bencode.h"

struct reader {
	struct arena *arena;
	struct slice text;
	size_t at;
	unsigned depth;
	unsigned values;
};

/* Decimal digits at `at` up to `end_char`, as written by the grammar: no sign, no leading zero.
 * -ERR_AGAIN when the text stops before `end_char`. */
static int read_digits(struct slice text, size_t *at, char end_char, uint64_t max, uint64_t *out)
{
	size_t i = *at;
	uint64_t number = 0;

	for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
		unsigned digit = (unsigned)(text.data[i] - '0');

		if (i > *at && text.data[*at] == '0')
			return -ERR_MALFORMED;
		if (number > (max - digit) / 10)
			return -ERR_TOO_LARGE;
		number = number * 10 + digit;
	}
	if (i == text.len)
		return -ERR_AGAIN;
	if (i == *at || text.data[i] != end_char)
		return -ERR_MALFORMED;
	*at = i + 1;
	*out = number;
	return 0;
}

/* "5:hello" at `at`. */
static int read_string(struct slice text, size_t *at, struct slice *out)
{
	size_t start = *at;
	uint64_t len;
	int err = read_digits(text, &start, ':', NG_MAX_BYTES, &len);

	if (err)
		return err;
	if (len > text.len - start)
		return -ERR_AGAIN;
	*out = (struct slice){text.data + start, (size_t)len};
	*at = start + (size_t)len;
	return 0;
}

/* "i-42e" at `at`. */
static int read_integer(struct slice text, size_t *at, int64_t *out)
{
	size_t start = *at + 1;
	uint64_t number;
	bool negative = start < text.len && text.data[start] == '-';

	if (negative)
		start++;
	uint64_t max = (uint64_t)INT64_MAX + negative;
	int err = read_digits(text, &start, 'e', max, &number);
	if (err)
		return err == -ERR_TOO_LARGE ? -ERR_MALFORMED : err;
	if (negative && number == 0)
		return -ERR_MALFORMED;
	*out = (int64_t)(negative ? 0 - number : number);
	*at = start;
	return 0;
}

static int read_value(struct reader *reader, struct ng_value **out);

static int read_members(struct reader *reader, struct ng_value *parent)
{
	int err = 0;

	if (++reader->depth > NG_MAX_DEPTH)
		return -ERR_TOO_LARGE;
	reader->at++;
	while (reader->at < reader->text.len && reader->text.data[reader->at] != 'e') {
		struct slice key = SLICE_NONE;
		struct ng_value *value;

		if (parent->type == NG_DICT)
			err = read_string(reader->text, &reader->at, &key);
		if (!err)
			err = read_value(reader, &value);
		if (err)
			return err;
		(void)ng_dict_add(parent, key, value);
	}
	if (reader->at == reader->text.len)
		return -ERR_AGAIN;
	reader->at++;
	reader->depth--;
	return 0;
}

static int read_value(struct reader *reader, struct ng_value **out)
{
	if (reader->at >= reader->text.len)
		return -ERR_AGAIN;
	if (++reader->values > NG_MAX_VALUES)
		return -ERR_TOO_LARGE;
	struct ng_value *value = arena_zalloc(reader->arena, sizeof(*value));
	if (!value)
		return -ERR_NO_MEMORY;
	*out = value;
	switch (reader->text.data[reader->at]) {
	case 'd':
		value->type = NG_DICT;
		return read_members(reader, value);
	case 'l':
		value->type = NG_LIST;
		return read_members(reader, value);
	case 'i':
		value->type = NG_INTEGER;
		return read_integer(reader->text, &reader->at, &value->integer);
	default:
		value->type = NG_STRING;
		return read_string(reader->text, &reader->at, &value->string);
	}
}

int bencode_read(struct arena *arena, struct slice text, struct ng_value **out)
{
	struct reader reader = {.arena = arena, .text = text};
	struct ng_value *value;

	if (text.len > NG_MAX_BYTES)
		return -ERR_TOO_LARGE;
	int err = read_value(&reader, &value);
	if (err)
		return err == -ERR_AGAIN ? -ERR_MALFORMED : err;
	if (slice_trim(slice_sub(text, reader.at, text.len - reader.at)).len)
		return -ERR_MALFORMED;
	*out = value;
	return 0;
}

static void write_string(struct buf *buf, struct slice string)
{
	buf_add_u64(buf, string.len);
	buf_add_char(buf, ':');
	buf_add(buf, string);
}

void bencode_write(struct buf *buf, const struct ng_value *value)
{
	switch (value->type) {
	case NG_STRING:
		write_string(buf, value->string);
		return;
	case NG_INTEGER:
		buf_add_text(buf, value->integer < 0 ? "i-" : "i");
		buf_add_u64(buf, value->integer < 0 ? 0 - (uint64_t)value->integer
						    : (uint64_t)value->integer);
		buf_add_char(buf, 'e');
		return;
	case NG_LIST:
	case NG_DICT:
		break;
	}
	buf_add_char(buf, value->type == NG_DICT ? 'd' : 'l');
	for (const struct ng_value *member = value->first; member; member = member->next) {
		if (value->type == NG_DICT)
			write_string(buf, member->key);
		bencode_write(buf, member);
	}
	buf_add_char(buf, 'e');
}

/* Step over the token at `at`: the opening or the end of a list or dict, an integer, a string. */
static int scan_token(struct bencode_scanner *scanner, struct slice text)
{
	struct slice string;
	int64_t integer;

	switch (text.data[scanner->at]) {
	case 'd':
	case 'l':
		scanner->at++;
		return ++scanner->depth > NG_MAX_DEPTH ? -ERR_TOO_LARGE : 0;
	case 'e':
		if (!scanner->depth)
			return -ERR_MALFORMED;
		scanner->at++;
		scanner->depth--;
		return 0;
	case 'i':
		return read_integer(text, &scanner->at, &integer);
	default:
		return read_string(text, &scanner->at, &string);
	}
}

int bencode_scan_more(struct bencode_scanner *scanner, struct slice text, size_t *out_len)
{
	while (scanner->at < text.len) {
		int err = scan_token(scanner, text);

		if (err == -ERR_AGAIN && text.len > NG_MAX_BYTES)
			return -ERR_TOO_LARGE;
		if (err)
			return err;
		if (scanner->at > NG_MAX_BYTES)
			return -ERR_TOO_LARGE;
		if (!scanner->depth) {
			*out_len = scanner->at;
			return 0;
		}
	}
	return -ERR_AGAIN;
}
