/* srtp_crypto.h - the ciphers of SRTP, a burst at a time: AES counter mode, HMAC-SHA1 and AES-GCM
 * (libipsec-mb), and the keys they use, derived from a master key (RFC 3711 4.3, RFC 7714 11).
 * A struct srtp_crypto belongs to one thread; keys are read by any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/err.h"
#include "rtpengine/flow.h"

#define CRYPTO_BATCH   64
#define CRYPTO_TAG_MAX 20 /* a whole HMAC-SHA1; an AEAD tag has 16 */

struct slab;
struct srtp_crypto;
MUST_CHECK int srtp_crypto_create(struct srtp_crypto **out);
void srtp_crypto_destroy(struct srtp_crypto *crypto); /* NULL is fine */
/* Where its thread keeps pieces of `size`, which is that of contexts of this suite
 * (srtp_context.c). */
struct slab *srtp_crypto_slab(struct srtp_crypto *crypto, const struct flow_srtp_info *suite,
			      size_t size);

/* Session keys of one direction, for RTP or for RTCP, expanded. Immutable. They lie in memory of
 * their user, who wipes it: `size` bytes, aligned to 64. */
struct srtp_keys;
#define SRTP_KEYS_HOT 256 /* bytes: those of AES_CM_128 */
size_t srtp_keys_size(const struct flow_srtp_info *suite);
void srtp_keys_init(struct srtp_crypto *crypto, const struct flow_srtp *srtp, bool is_rtcp,
		    struct srtp_keys *keys);
/* The initialization vector of one packet: 16 bytes (RFC 3711 4.1.1) or 12 (RFC 7714 8.1, 9.1).
 * `index` is the packet index, 48 bits, or the SRTCP index. */
void srtp_keys_iv(const struct srtp_keys *keys, uint32_t ssrc, uint64_t index, uint8_t iv[16]);

struct srtp_op {
	const struct srtp_keys *keys;
	uint8_t *text; /* encrypted or decrypted in place */
	uint32_t text_len;
	const uint8_t *auth; /* authenticated: all of it (HMAC), or the associated data (AEAD) */
	uint32_t auth_len;
	uint8_t iv[16];
	uint8_t tag[CRYPTO_TAG_MAX]; /* as computed here */
};

/* Counter mode over the texts; up to CRYPTO_BATCH operations, of any suite but AEAD. */
void srtp_crypto_cipher(struct srtp_crypto *crypto, struct srtp_op *const *ops, unsigned n);
/* HMAC-SHA1 over what is authenticated, likewise. */
void srtp_crypto_hash(struct srtp_crypto *crypto, struct srtp_op *const *ops, unsigned n);
/* AEAD: the text and its tag in one. */
void srtp_crypto_seal(struct srtp_crypto *crypto, struct srtp_op *op);
void srtp_crypto_open(struct srtp_crypto *crypto, struct srtp_op *op);
/* In constant time. */
bool srtp_tag_is_equal(const uint8_t *a, const uint8_t *b, unsigned len);
