/* json.h - the other encoding of NG messages (jansson behind this file).
 * Reals become integers, true and false the strings "true" and "false", null is left out.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/ng/value.h"

/* Everything is copied into the arena. Errors as bencode_read(). */
MUST_CHECK int ng_json_read(struct arena *arena, struct slice text, struct ng_value **out);
/* Strings that are not UTF-8 have their bad bytes replaced by U+FFFD. */
void ng_json_write(struct buf *buf, const struct ng_value *value);
/* Where the object at the start of a stream ends, resumable as bencode's scanner is. It only counts
 * braces and brackets outside of strings: ng_json_read() says whether it is JSON. */
struct ng_json_scanner {
	size_t at;
	unsigned depth;
	bool in_string;
	bool is_escaped; /* the byte at `at` follows a backslash */
};
/* As bencode_scan_more(). */
MUST_CHECK int ng_json_scan_more(struct ng_json_scanner *scanner, struct slice text,
				 size_t *out_len);
