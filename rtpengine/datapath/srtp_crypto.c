/* srtp_crypto.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/srtp_crypto.h"
#include <endian.h>
#include <intel-ipsec-mb.h>
#include <stddef.h>
#include <stdlib.h>
#include "rtpengine/datapath/slab.h"

#define SHA1_BLOCK 64
#define SHA1_LEN   20
#define AUTH_KEY   20 /* RFC 3711 5.2: n_a is 160 bits in every suite with HMAC-SHA1 */

_Static_assert(CRYPTO_BATCH <= IMB_MAX_BURST_SIZE, "one call a batch");

enum { KEY_128, KEY_192, KEY_256, KEY_SIZES };

struct srtp_crypto {
	IMB_MGR *mgr;
	IMB_JOB hash[CRYPTO_BATCH];
	IMB_JOB cipher[KEY_SIZES][CRYPTO_BATCH];
	struct slab slabs[3]; /* one for each size of keys: AES_CM_128, other CM, AEAD */
};

struct srtp_keys {
	uint8_t salt[16] __attribute__((aligned(64)));
	uint8_t ipad[SHA1_LEN], opad[SHA1_LEN];
	uint8_t key_size; /* KEY_128 ... */
	bool is_aead;
	uint8_t expanded[16 * 15] __attribute__((aligned(64)));
	struct gcm_key_data gcm[] __attribute__((aligned(64))); /* one, for AEAD */
};

/* The eleven round keys of 128 bits. */
#define SIZE_128 (offsetof(struct srtp_keys, expanded) + 16 * 11)
_Static_assert(((SIZE_128 + 63) & ~63ul) == SRTP_KEYS_HOT, "as prefetched");

int srtp_crypto_create(struct srtp_crypto **out)
{
	struct srtp_crypto *crypto = aligned_alloc(64, (sizeof(*crypto) + 63) / 64 * 64);
	if (!crypto)
		return -ERR_NO_MEMORY;
	memset(crypto, 0, sizeof(*crypto));
	crypto->mgr = alloc_mb_mgr(0);
	if (!crypto->mgr) {
		free(crypto);
		return -ERR_NO_MEMORY;
	}
	init_mb_mgr_auto(crypto->mgr, NULL);
	for (unsigned i = 0; i < CRYPTO_BATCH; i++) {
		IMB_JOB *hash = &crypto->hash[i];
		hash->hash_alg = IMB_AUTH_HMAC_SHA_1;
		hash->cipher_mode = IMB_CIPHER_NULL;
		hash->chain_order = IMB_ORDER_HASH_CIPHER;
		hash->auth_tag_output_len_in_bytes = SHA1_LEN;
		for (unsigned size = 0; size < KEY_SIZES; size++) {
			IMB_JOB *cipher = &crypto->cipher[size][i];
			cipher->hash_alg = IMB_AUTH_NULL;
			cipher->cipher_mode = IMB_CIPHER_CNTR;
			cipher->cipher_direction = IMB_DIR_ENCRYPT;
			cipher->chain_order = IMB_ORDER_CIPHER_HASH;
			cipher->key_len_in_bytes = 16 + 8 * size;
			cipher->iv_len_in_bytes = 16;
		}
	}
	*out = crypto;
	return 0;
}

void srtp_crypto_destroy(struct srtp_crypto *crypto)
{
	if (!crypto)
		return;
	for (unsigned i = 0; i < sizeof(crypto->slabs) / sizeof(crypto->slabs[0]); i++)
		slab_release(&crypto->slabs[i]);
	free_mb_mgr(crypto->mgr);
	free(crypto);
}

struct slab *srtp_crypto_slab(struct srtp_crypto *crypto, const struct flow_srtp_info *suite,
			      size_t size)
{
	struct slab *slab = &crypto->slabs[suite->is_aead ? 2 : suite->key_len > 16];
	if (!slab->size)
		slab_init(slab, size);
	return slab;
}

static void expand(struct srtp_crypto *crypto, const uint8_t *key, unsigned key_size,
		   uint8_t expanded[16 * 15])
{
	uint8_t unused[16 * 15] __attribute__((aligned(16))); /* for decryption in other modes */
	if (key_size == KEY_128)
		IMB_AES_KEYEXP_128(crypto->mgr, key, expanded, unused);
	else if (key_size == KEY_192)
		IMB_AES_KEYEXP_192(crypto->mgr, key, expanded, unused);
	else
		IMB_AES_KEYEXP_256(crypto->mgr, key, expanded, unused);
	explicit_bzero(unused, sizeof(unused));
}

/* RFC 3711 4.3.3: the key stream of the master key at x = label * 2^48 XOR master salt; with 256
 * bits as RFC 6188 says. A salt of 96 bits is filled up with zeros (RFC 7714 11). */
static void derive(struct srtp_crypto *crypto, const struct flow_srtp *srtp, uint8_t label,
		   uint8_t *out, uint32_t len)
{
	struct srtp_keys master = {.key_size =
					   (uint8_t)(flow_srtp_info(srtp->suite)->key_len / 8 - 2)};
	struct srtp_op op = {.keys = &master, .text = out, .text_len = len};
	struct srtp_op *ops[] = {&op};
	expand(crypto, srtp->key, master.key_size, master.expanded);
	memcpy(op.iv, srtp->salt, flow_srtp_info(srtp->suite)->salt_len);
	op.iv[7] ^= label;
	memset(out, 0, len);
	srtp_crypto_cipher(crypto, ops, 1);
	explicit_bzero(&master, sizeof(master));
	explicit_bzero(&op, sizeof(op));
}

/* RFC 2104: the state of SHA1 after the padded key. */
static void hash_pad(struct srtp_crypto *crypto, const uint8_t key[AUTH_KEY], uint8_t pad,
		     uint8_t out[SHA1_LEN])
{
	uint8_t block[SHA1_BLOCK];
	memset(block, pad, sizeof(block));
	for (unsigned i = 0; i < AUTH_KEY; i++)
		block[i] ^= key[i];
	IMB_SHA1_ONE_BLOCK(crypto->mgr, block, out);
	explicit_bzero(block, sizeof(block));
}

size_t srtp_keys_size(const struct flow_srtp_info *suite)
{
	size_t size = suite->is_aead ? sizeof(struct srtp_keys) + sizeof(struct gcm_key_data)
		      : suite->key_len == 16 ? SIZE_128
					     : sizeof(struct srtp_keys);
	return (size + 63) & ~(size_t)63;
}

void srtp_keys_init(struct srtp_crypto *crypto, const struct flow_srtp *srtp, bool is_rtcp,
		    struct srtp_keys *keys)
{
	const struct flow_srtp_info *suite = flow_srtp_info(srtp->suite);
	uint8_t label = is_rtcp ? 3 : 0; /* RFC 3711 4.3.2: then authentication, then salt */
	uint8_t key[32] __attribute__((aligned(16)));
	memset(keys, 0, srtp_keys_size(suite));
	keys->key_size = (uint8_t)(suite->key_len / 8 - 2);
	keys->is_aead = suite->is_aead;
	derive(crypto, srtp, label, key, suite->key_len);
	if (suite->is_aead && keys->key_size == KEY_128)
		IMB_AES128_GCM_PRE(crypto->mgr, key, keys->gcm);
	else if (suite->is_aead)
		IMB_AES256_GCM_PRE(crypto->mgr, key, keys->gcm);
	else
		expand(crypto, key, keys->key_size, keys->expanded);
	if (!suite->is_aead) {
		derive(crypto, srtp, (uint8_t)(label + 1), key, AUTH_KEY);
		hash_pad(crypto, key, 0x36, keys->ipad);
		hash_pad(crypto, key, 0x5c, keys->opad);
	}
	derive(crypto, srtp, (uint8_t)(label + 2), keys->salt, suite->salt_len);
	explicit_bzero(key, sizeof(key));
}

void srtp_keys_iv(const struct srtp_keys *keys, uint32_t ssrc, uint64_t index, uint8_t iv[16])
{
	uint64_t words[2];
	memcpy(words, keys->salt, 16);
	if (keys->is_aead) { /* the SSRC at 2, the index at 6 (RFC 7714 8.1) */
		words[0] ^= htobe64((uint64_t)ssrc << 16 | index >> 32);
		words[1] ^= htobe64(index << 32);
	} else { /* at 4 and 8 (RFC 3711 4.1.1) */
		words[0] ^= htobe64(ssrc);
		words[1] ^= htobe64(index << 16);
	}
	memcpy(iv, words, 16);
}

void srtp_crypto_cipher(struct srtp_crypto *crypto, struct srtp_op *const *ops, unsigned n)
{
	uint32_t count[KEY_SIZES] = {0};
	for (unsigned i = 0; i < n; i++) {
		const struct srtp_op *op = ops[i];
		uint8_t size = op->keys->key_size;
		if (op->text_len == 0)
			continue;
		IMB_JOB *job = &crypto->cipher[size][count[size]++];
		job->enc_keys = op->keys->expanded;
		job->dec_keys = op->keys->expanded;
		job->src = op->text;
		job->dst = op->text;
		job->msg_len_to_cipher_in_bytes = op->text_len;
		job->iv = op->iv;
	}
	for (unsigned size = 0; size < KEY_SIZES; size++)
		if (count[size])
			IMB_SUBMIT_CIPHER_BURST_NOCHECK(crypto->mgr, crypto->cipher[size],
							count[size], IMB_CIPHER_CNTR,
							IMB_DIR_ENCRYPT, 16 + 8 * size);
}

void srtp_crypto_hash(struct srtp_crypto *crypto, struct srtp_op *const *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		IMB_JOB *job = &crypto->hash[i];
		job->src = ops[i]->auth;
		job->msg_len_to_hash_in_bytes = ops[i]->auth_len;
		job->auth_tag_output = ops[i]->tag;
		job->u.HMAC._hashed_auth_key_xor_ipad = ops[i]->keys->ipad;
		job->u.HMAC._hashed_auth_key_xor_opad = ops[i]->keys->opad;
	}
	if (n)
		IMB_SUBMIT_HASH_BURST_NOCHECK(crypto->mgr, crypto->hash, n, IMB_AUTH_HMAC_SHA_1);
}

void srtp_crypto_seal(struct srtp_crypto *crypto, struct srtp_op *op)
{
	struct gcm_context_data context;
	if (op->keys->key_size == KEY_128)
		IMB_AES128_GCM_ENC(crypto->mgr, op->keys->gcm, &context, op->text, op->text,
				   op->text_len, op->iv, op->auth, op->auth_len, op->tag, 16);
	else
		IMB_AES256_GCM_ENC(crypto->mgr, op->keys->gcm, &context, op->text, op->text,
				   op->text_len, op->iv, op->auth, op->auth_len, op->tag, 16);
}

void srtp_crypto_open(struct srtp_crypto *crypto, struct srtp_op *op)
{
	struct gcm_context_data context;
	if (op->keys->key_size == KEY_128)
		IMB_AES128_GCM_DEC(crypto->mgr, op->keys->gcm, &context, op->text, op->text,
				   op->text_len, op->iv, op->auth, op->auth_len, op->tag, 16);
	else
		IMB_AES256_GCM_DEC(crypto->mgr, op->keys->gcm, &context, op->text, op->text,
				   op->text_len, op->iv, op->auth, op->auth_len, op->tag, 16);
}

bool srtp_tag_is_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint8_t difference = 0;
	for (unsigned i = 0; i < len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}
