/* bencode.h - the encoding of NG messages: d3:key5:valuee, i42e, l...e. Keys in any order, twice
 * the same key allowed (Kamailio sends "delete delay" and "delete-delay").
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/ng/value.h"

/* One whole value, nothing after it but white space. Strings point into `text`. -ERR_MALFORMED,
 * -ERR_TOO_LARGE (bytes, depth, values), -ERR_NO_MEMORY. */
MUST_CHECK int bencode_read(struct arena *arena, struct slice text, struct ng_value **out);
void bencode_write(struct buf *buf, const struct ng_value *value);
/* Where the value at the start of a stream ends, resumable, so that a peer who sends byte by byte
 * costs no more than one who does not. Zeroed = at the start. `text` always starts at the value. */
struct bencode_scanner {
	size_t at;
	unsigned depth;
};
/* 0 and the length of the value; -ERR_AGAIN = not yet whole; -ERR_MALFORMED; -ERR_TOO_LARGE. */
MUST_CHECK int bencode_scan_more(struct bencode_scanner *scanner, struct slice text,
				 size_t *out_len);
