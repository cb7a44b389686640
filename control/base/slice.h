/* slice.h - a view of bytes that somebody else owns. Never NUL-terminated by contract.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "control/base/err.h"

struct slice {
	const char *data;
	size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE     ((struct slice){NULL, 0})
/* For printf: "%.*s", SLICE_ARG(s) */
#define SLICE_ARG(s) (int)(s).len, (s).data ? (s).data : ""

static inline struct slice slice_from(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}
static inline bool slice_is_empty(struct slice s)
{
	return s.len == 0;
}
/* The part from `from` (clamped), at most `len` bytes. */
struct slice slice_sub(struct slice s, size_t from, size_t len);
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Index of the first occurrence, or s.len when there is none. */
size_t slice_find(struct slice s, char c);
size_t slice_find_slice(struct slice s, struct slice needle);
/* Without spaces, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice s);
/* Cut at the first `c`: returns what is before it and leaves the rest (after `c`) in *s. */
struct slice slice_cut(struct slice *s, char c);
/* The next line without its CRLF or LF; false when *s is used up. */
bool slice_next_line(struct slice *s, struct slice *line);
/* The next word separated by spaces or tabs; false when there is none. */
bool slice_next_word(struct slice *s, struct slice *word);
/* Whole slice as decimal number not above `max`; -ERR_MALFORMED otherwise (empty, sign, wrap). */
MUST_CHECK int slice_to_u64(struct slice s, uint64_t max, uint64_t *out);
MUST_CHECK int slice_to_u32(struct slice s, uint32_t max, uint32_t *out);
/* Copy with terminating NUL; cuts at size - 1. Returns bytes copied. */
size_t slice_copy(struct slice s, char *out, size_t size);
/* malloc'd, NUL-terminated; NULL without memory. */
char *slice_dup(struct slice s);
