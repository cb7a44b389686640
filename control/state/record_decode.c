/* record_decode.c - bytes from the store into a call record. The bytes are not trusted: another
 * version, another program or an attacker may have written them, and their text goes into SIP.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_fields.h"

static int fields_decode(struct arena *arena, const struct field_table *table, struct slice bytes,
			 void *base);

/* Shortest form only, at most 28 bits: far above every limit. */
static int varint_read(struct slice *bytes, uint32_t *out)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 4 && i < bytes->len; i++) {
		uint8_t byte = (uint8_t)bytes->data[i];
		value |= (uint32_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		if (i && byte == 0)
			return -ERR_MALFORMED;
		*bytes = slice_sub(*bytes, i + 1, SIZE_MAX);
		*out = value;
		return 0;
	}
	return -ERR_MALFORMED;
}

static int text_read(struct arena *arena, const struct field *field, struct slice bytes,
		     struct slice *out)
{
	if (bytes.len == 0)
		return -ERR_MALFORMED;
	if (bytes.len > field->limit)
		return -ERR_TOO_LARGE;
	if (field->kind != FIELD_BODY && field->kind != FIELD_BYTES && !field_line_is_clean(bytes))
		return -ERR_MALFORMED;
	struct slice copy = arena_copy(arena, bytes);
	if (!copy.data)
		return -ERR_NO_MEMORY;
	*out = copy;
	return 0;
}

static int number_read(struct slice bytes, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (bytes.len == 0 || bytes.len > 8 || bytes.data[0] == 0)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < bytes.len; i++)
		value = value << 8 | (uint8_t)bytes.data[i];
	if (value > max)
		return -ERR_MALFORMED;
	*out = value;
	return 0;
}

static int u32_read(struct slice bytes, uint32_t max, uint32_t *out)
{
	uint64_t value;
	int err = number_read(bytes, max, &value);
	if (!err)
		*out = (uint32_t)value;
	return err;
}

static int bool_read(struct slice bytes, bool *out)
{
	uint64_t value;
	int err = number_read(bytes, 1, &value);
	if (!err)
		*out = true;
	return err;
}

static int addr_read(struct slice bytes, struct addr *out)
{
	if (bytes.len != 4 + 2 && bytes.len != 16 + 2)
		return -ERR_MALFORMED;
	size_t n = bytes.len - 2;
	struct addr addr = {.family = n == 4 ? AF_INET : AF_INET6};
	memcpy(addr.bytes, bytes.data, n);
	addr.port = (uint16_t)((uint8_t)bytes.data[n] << 8 | (uint8_t)bytes.data[n + 1]);
	*out = addr;
	return 0;
}

static int line_append(struct arena *arena, const struct field *field, struct slice bytes,
		       struct slice *lines, uint32_t *count)
{
	if (*count >= field->count_limit)
		return -ERR_TOO_MANY;
	int err = text_read(arena, field, bytes, &lines[*count]);
	if (!err)
		(*count)++;
	return err;
}

/* The texts of the leg before lie behind it in the arena, so this copies: legs are few. */
static int leg_append(struct arena *arena, const struct field *field, struct slice bytes,
		      struct record_leg **legs, uint32_t *count)
{
	if (*count >= field->count_limit)
		return -ERR_TOO_MANY;
	struct record_leg *more =
		arena_realloc(arena, *legs, *count * sizeof(**legs), (*count + 1) * sizeof(**legs));
	if (!more)
		return -ERR_NO_MEMORY;
	*legs = more;
	struct record_leg leg = {0};
	int err = fields_decode(arena, &leg_table, bytes, &leg);
	if (!err)
		more[(*count)++] = leg;
	return err;
}

static int field_decode(struct arena *arena, const struct field *field, struct slice bytes,
			void *base)
{
	void *at = field_at(base, field->offset);
	uint32_t *count = field_at(base, field->count_offset);
	switch (field->kind) {
	case FIELD_LINE:
	case FIELD_BODY:
	case FIELD_BYTES:
		return text_read(arena, field, bytes, at);
	case FIELD_U32:
		return u32_read(bytes, UINT32_MAX, at);
	case FIELD_ENUM:
		return u32_read(bytes, field->limit, at);
	case FIELD_U64:
	case FIELD_TIME:
		return number_read(bytes, UINT64_MAX, at);
	case FIELD_BOOL:
		return bool_read(bytes, at);
	case FIELD_ADDR:
		return addr_read(bytes, at);
	case FIELD_LINES:
		return line_append(arena, field, bytes, at, count);
	case FIELD_LEGS:
		return leg_append(arena, field, bytes, at, count);
	}
	return -ERR_MALFORMED;
}

static const struct field *field_find(const struct field_table *table, uint32_t number)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->fields[i].number == number)
			return &table->fields[i];
	}
	return NULL;
}

static int fields_decode(struct arena *arena, const struct field_table *table, struct slice bytes,
			 void *base)
{
	uint32_t last = 0;
	while (bytes.len) {
		uint32_t number = 0, len = 0;
		if (varint_read(&bytes, &number) || varint_read(&bytes, &len) || len > bytes.len)
			return -ERR_MALFORMED;
		const struct field *field = field_find(table, number);
		bool repeats = !field || field->kind == FIELD_LINES || field->kind == FIELD_LEGS;
		if (number < last || number == 0 || (number == last && !repeats))
			return -ERR_MALFORMED;
		int err = field ? field_decode(arena, field, slice_sub(bytes, 0, len), base) : 0;
		if (err)
			return err;
		bytes = slice_sub(bytes, len, SIZE_MAX);
		last = number;
	}
	return 0;
}

int record_decode(struct arena *arena, struct slice bytes, struct call_record **out)
{
	struct slice magic = SLICE(RECORD_MAGIC);
	if (bytes.len > RECORD_SIZE_LIMIT)
		return -ERR_TOO_LARGE;
	if (!slice_starts(bytes, magic) || bytes.len <= magic.len)
		return -ERR_MALFORMED;
	if (bytes.data[magic.len] != RECORD_VERSION)
		return -ERR_VERSION;
	struct call_record *record = arena_zalloc(arena, sizeof(*record));
	if (!record)
		return -ERR_NO_MEMORY;
	int err = fields_decode(arena, &record_table, slice_sub(bytes, magic.len + 1, SIZE_MAX),
				record);
	if (err)
		return err;
	if (!record_is_sane(record))
		return -ERR_MALFORMED;
	*out = record;
	return 0;
}

struct call_record *record_create(struct arena *arena, uint32_t legs)
{
	if (legs > RECORD_LEGS_LIMIT)
		return NULL;
	struct call_record *record = arena_zalloc(arena, sizeof(*record));
	if (!record)
		return NULL;
	record->leg_count = legs;
	record->legs = legs ? arena_zalloc(arena, legs * sizeof(*record->legs)) : NULL;
	return record->legs || legs == 0 ? record : NULL;
}
