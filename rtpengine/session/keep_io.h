/* keep_io.h - numbered fields of a media record, written or read by the same walk over what they
 * describe, so that the two cannot differ.
 *
 *   field = number, length (both LEB128, shortest form), that many bytes
 *
 * Fields are asked for in ascending order of number; lists repeat one. What is zero or empty is
 * left out; a reader passes over numbers it does not know, and what is missing stays as it was.
 * What is read is not trusted: each field has its limit, and the first that breaks one ends the
 * walk (io->err). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

struct keep_io {
	struct buf *out; /* writing; NULL = reading */
	struct slice in; /* what is still to be read */
	int err;         /* the first; nothing is done any more */
};

/* One field that holds fields. */
struct keep_nest {
	size_t start;      /* writing: where its content begins */
	struct slice rest; /* reading: what follows it */
};

static inline bool keep_reads(const struct keep_io *io)
{
	return !io->out;
}
void keep_fail(struct keep_io *io, int err);

/* `value` when writing (and again as the result); otherwise what stands there, at most `max`. */
uint64_t keep_number(struct keep_io *io, uint16_t number, uint64_t value, uint64_t max);
#define KEEP(io, number, place, max)                                                               \
	((place) = (__typeof__(place))keep_number(io, number, (uint64_t)(place), max))
void keep_addr(struct keep_io *io, uint16_t number, struct addr *addr);
/* A text in an array that is NUL-terminated. */
void keep_chars(struct keep_io *io, uint16_t number, char *text, size_t size);
/* The same, allocated; NULL = none. */
void keep_text(struct keep_io *io, uint16_t number, char **text, size_t limit);
/* Exactly `len` bytes, all zero = left out. */
void keep_bytes(struct keep_io *io, uint16_t number, void *bytes, size_t len);
/* Reading: is there (another) one of this number? Then it is open. Writing: it always is. */
bool keep_open(struct keep_io *io, uint16_t number, struct keep_nest *nest);
void keep_close(struct keep_io *io, uint16_t number, struct keep_nest *nest);
