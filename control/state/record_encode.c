/* record_encode.c - a call record into bytes; refuses what decoding would refuse.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_fields.h"

static int fields_encode(const struct field_table *table, const void *base, struct buf *out);

static size_t varint_write(uint64_t value, char *out)
{
	size_t n = 0;
	do {
		uint8_t byte = value & 0x7f;
		value >>= 7;
		out[n++] = (char)(value ? byte | 0x80 : byte);
	} while (value);
	return n;
}

static void header_add(struct buf *out, uint16_t number, size_t len)
{
	char header[16];
	size_t n = varint_write(number, header);
	n += varint_write(len, header + n);
	buf_add(out, (struct slice){header, n});
}

static void bytes_add(struct buf *out, uint16_t number, struct slice bytes)
{
	header_add(out, number, bytes.len);
	buf_add(out, bytes);
}

static int text_add(struct buf *out, const struct field *field, struct slice text)
{
	if (text.len > field->limit)
		return -ERR_TOO_LARGE;
	if (field->kind != FIELD_BODY && field->kind != FIELD_BYTES && !field_line_is_clean(text))
		return -ERR_INVALID;
	bytes_add(out, field->number, text);
	return 0;
}

static void number_add(struct buf *out, uint16_t number, uint64_t value)
{
	char bytes[8];
	size_t n = 0;
	for (int shift = 56; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(value >> shift);
		if (n || byte)
			bytes[n++] = (char)byte;
	}
	if (n)
		bytes_add(out, number, (struct slice){bytes, n});
}

static int addr_add(struct buf *out, uint16_t number, const struct addr *addr)
{
	char bytes[18];
	if (addr->family == 0)
		return 0;
	if (addr->family != AF_INET && addr->family != AF_INET6)
		return -ERR_INVALID;
	size_t n = addr->family == AF_INET ? 4 : 16;
	memcpy(bytes, addr->bytes, n);
	bytes[n] = (char)(addr->port >> 8);
	bytes[n + 1] = (char)addr->port;
	bytes_add(out, number, (struct slice){bytes, n + 2});
	return 0;
}

static int lines_add(struct buf *out, const struct field *field, const struct slice *lines,
		     uint32_t count)
{
	if (count > field->count_limit)
		return -ERR_TOO_MANY;
	for (uint32_t i = 0; i < count; i++) {
		int err = lines[i].len ? text_add(out, field, lines[i]) : -ERR_INVALID;
		if (err)
			return err;
	}
	return 0;
}

/* A leg's length is known once it is written; it then moves up to make room for its header. */
static int leg_add(struct buf *out, uint16_t number, const struct record_leg *leg)
{
	size_t start = out->len;
	int err = fields_encode(&leg_table, leg, out);
	if (err)
		return err;
	size_t len = out->len - start;
	header_add(out, number, len);
	if (buf_failed(out))
		return -ERR_NO_MEMORY;

	char header[16];
	size_t header_len = out->len - start - len;
	memcpy(header, out->data + start + len, header_len);
	memmove(out->data + start + header_len, out->data + start, len);
	memcpy(out->data + start, header, header_len);
	return 0;
}

static int legs_add(struct buf *out, const struct field *field, const struct record_leg *legs,
		    uint32_t count)
{
	if (count > field->count_limit)
		return -ERR_TOO_MANY;
	for (uint32_t i = 0; i < count; i++) {
		int err = leg_add(out, field->number, &legs[i]);
		if (err)
			return err;
	}
	return 0;
}

static int enum_add(struct buf *out, const struct field *field, uint32_t value)
{
	if (value > field->limit)
		return -ERR_INVALID;
	number_add(out, field->number, value);
	return 0;
}

static int field_encode(const struct field *field, const void *base, struct buf *out)
{
	const void *at = field_of(base, field->offset);
	const uint32_t *count = field_of(base, field->count_offset);
	const struct slice *text = at;
	switch (field->kind) {
	case FIELD_LINE:
	case FIELD_BODY:
	case FIELD_BYTES:
		return text->len ? text_add(out, field, *text) : 0;
	case FIELD_U32:
		number_add(out, field->number, *(const uint32_t *)at);
		return 0;
	case FIELD_ENUM:
		return enum_add(out, field, *(const uint32_t *)at);
	case FIELD_U64:
	case FIELD_TIME:
		number_add(out, field->number, *(const uint64_t *)at);
		return 0;
	case FIELD_BOOL:
		number_add(out, field->number, *(const bool *)at ? 1 : 0);
		return 0;
	case FIELD_ADDR:
		return addr_add(out, field->number, at);
	case FIELD_LINES:
		return lines_add(out, field, text, *count);
	case FIELD_LEGS:
		return legs_add(out, field, *(const struct record_leg *const *)at, *count);
	}
	return -ERR_INVALID;
}

static int fields_encode(const struct field_table *table, const void *base, struct buf *out)
{
	for (size_t i = 0; i < table->count; i++) {
		int err = field_encode(&table->fields[i], base, out);
		if (err)
			return err;
	}
	return 0;
}

static bool id_is_sane(struct slice id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.data[i];
		bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			    (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
		if (!fine)
			return false;
	}
	return id.len > 0 && id.len <= RECORD_ID_LIMIT;
}

bool record_is_sane(const struct call_record *record)
{
	return id_is_sane(record->id) && record->state != 0;
}

int record_encode(const struct call_record *record, struct buf *out)
{
	size_t start = out->len;
	if (!record_is_sane(record))
		return -ERR_INVALID;
	buf_add(out, SLICE(RECORD_MAGIC));
	buf_add_char(out, RECORD_VERSION);
	int err = fields_encode(&record_table, record, out);
	if (!err && buf_failed(out))
		err = -ERR_NO_MEMORY;
	if (!err && out->len - start > RECORD_SIZE_LIMIT)
		err = -ERR_TOO_LARGE;
	if (err && out->data) {
		out->len = start;
		out->data[start] = '\0';
	}
	return err;
}

int record_key(struct slice id, struct buf *out)
{
	if (!id_is_sane(id))
		return -ERR_INVALID;
	buf_add_text(out, "call:{");
	buf_add(out, id);
	buf_add_char(out, '}');
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
