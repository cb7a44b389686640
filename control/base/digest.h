/* digest.h - message digests as SIP's digest authentication uses them (RFC 7616, RFC 8760).
 * OpenSSL's libcrypto behind digest.c alone.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA_256, DIGEST_SHA_512_256 };
enum { DIGEST_ALGORITHMS = 3, DIGEST_HEX_MAX = 64, DIGEST_RAW_MAX = 32 };

/* A digest in lower-case hex, NUL-terminated; "" = none. */
struct digest_hex {
	char text[DIGEST_HEX_MAX + 1];
};

struct slice digest_name(enum digest_algorithm algorithm); /* "SHA-256" */
size_t digest_hex_length(enum digest_algorithm algorithm); /* 32 or 64 */
/* The digest of the parts joined by ':'. -ERR_SYSTEM: the library refuses. */
MUST_CHECK int digest_of(enum digest_algorithm algorithm, const struct slice *parts, size_t count,
			 struct digest_hex *out);
/* H(user:realm:password), what stands for a password in the store. */
MUST_CHECK int digest_ha1(enum digest_algorithm algorithm, struct slice user, struct slice realm,
			  struct slice password, struct digest_hex *out);
/* HMAC-SHA-256, cut to `len` bytes (at most DIGEST_RAW_MAX). */
MUST_CHECK int digest_mac(const void *key, size_t key_len, struct slice text, uint8_t *out,
			  size_t len);
/* Takes the same time whatever differs. */
bool digest_is_same(struct slice a, struct slice b);
/* Not optimised away. */
void digest_wipe(void *secret, size_t len);
