/* base64.h - RFC 4648 section 4: written with padding, read with it and without.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

/* How many bytes the text stands for, if it is any. */
size_t base64_size(struct slice text);
/* Exactly `len` bytes, or -ERR_MALFORMED. */
MUST_CHECK int base64_read(struct slice text, uint8_t *out, size_t len);
void base64_write(const uint8_t *data, size_t len, struct buf *out);
