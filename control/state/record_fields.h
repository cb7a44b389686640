/* record_fields.h - private to control/state: the numbered fields of a record, one table for
 * encoding, decoding and JSON. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/record.h"

#define RECORD_MAGIC "\xCA"

enum field_kind {
	FIELD_LINE,  /* text without control bytes; limit: bytes */
	FIELD_BODY,  /* any bytes; limit: bytes */
	FIELD_BYTES, /* the same; in JSON their number alone */
	FIELD_U32,   /* numbers: big-endian without leading zero byte, never zero */
	FIELD_U64,
	FIELD_TIME,  /* as U64; Unix milliseconds */
	FIELD_ENUM,  /* as U32; limit: highest value */
	FIELD_BOOL,  /* one byte, 1 */
	FIELD_ADDR,  /* 4 or 16 bytes of address, 2 of port, network order */
	FIELD_LINES, /* the field once for each; limit: bytes of one */
	FIELD_LEGS   /* the field once for each leg, fields inside */
};

struct field {
	uint16_t number; /* ascending in the table and on the wire; never reused */
	enum field_kind kind;
	uint32_t limit;
	const char *name; /* in JSON; FIELD_TIME is shown in seconds */
	size_t offset;
	size_t count_offset; /* LINES, LEGS: the uint32_t that counts them */
	uint32_t count_limit;
	const char *const *names; /* ENUM: in JSON */
};

struct field_table {
	const struct field *fields;
	size_t count;
};

extern const struct field_table record_table;
extern const struct field_table leg_table;

static inline void *field_at(void *base, size_t offset)
{
	return (char *)base + offset;
}
static inline const void *field_of(const void *base, size_t offset)
{
	return (const char *)base + offset;
}
/* What every record must have: an id of the allowed characters, and a state. */
bool record_is_sane(const struct call_record *record);
bool field_line_is_clean(struct slice line); /* no control bytes but the tab */
