/* fingerprint.h - a=fingerprint (RFC 8122): the hash of a certificate that SDP promises.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

#define FINGERPRINT_MAX 64 /* bytes: SHA-512 */

enum fingerprint_hash { FINGERPRINT_SHA256, FINGERPRINT_SHA384, FINGERPRINT_SHA512 };

struct fingerprint {
	uint8_t hash; /* enum fingerprint_hash */
	uint8_t len;
	uint8_t bytes[FINGERPRINT_MAX];
};

/* "sha-256 4A:AD:...". -ERR_MALFORMED; -ERR_UNSUPPORTED: another hash (SHA-1 and older are not to
 * be relied on). */
MUST_CHECK int fingerprint_read(struct slice text, struct fingerprint *out);
void fingerprint_write(const struct fingerprint *fingerprint, struct buf *out);
bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b);
/* Length in bytes of what a hash gives. */
uint8_t fingerprint_len(enum fingerprint_hash hash);
MUST_CHECK int fingerprint_hash_read(struct slice name, enum fingerprint_hash *out);
