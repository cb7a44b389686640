/* buf.h - one growable buffer to write into. Failure is sticky: write everything, then ask
 * buf_failed() once. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

struct buf {
	char *data; /* owned; NUL-terminated after every write, the NUL is not counted */
	size_t len;
	size_t cap;
	bool failed; /* no memory at some write since buf_clear() */
};

void buf_init(struct buf *buf);  /* allocates nothing */
void buf_free(struct buf *buf);  /* back to the state of buf_init() */
void buf_clear(struct buf *buf); /* keeps the memory */
bool buf_failed(const struct buf *buf);
struct slice buf_slice(const struct buf *buf);
/* Room for `more` further bytes at data + len; the caller adds to len. NULL without memory. */
char *buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, struct slice s);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first n bytes (what a stream reader has used up). */
void buf_consume(struct buf *buf, size_t n);
