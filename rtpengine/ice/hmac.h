/* hmac.h - HMAC-SHA1, for STUN's MESSAGE-INTEGRITY. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

#define HMAC_SHA1_LEN 20

struct hmac_part {
	const void *data;
	size_t len;
};

/* Over the parts in order. False: the library refused (out of memory). */
bool hmac_sha1(struct slice key, const struct hmac_part *parts, size_t count,
	       uint8_t out[HMAC_SHA1_LEN]);
/* In constant time. */
bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len);
