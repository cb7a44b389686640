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
