/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/seal.h"
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include "control/base/digest.h"
#include "control/state/keys.h"
#include "control/state/record_head.h"

enum { KEY_SIZE = 32, SAY_EACH = 1024 };

struct seal {
	uint8_t key[KEY_SIZE];
	EVP_CIPHER_CTX *cipher; /* of this store's thread alone */
	struct random *random;
	const struct log *log;
	uint64_t refused;
};

int seal_create(const char *secret, struct random *random, const struct log *log, struct seal **out)
{
	struct seal *seal = calloc(1, sizeof(*seal));
	if (!seal)
		return -ERR_NO_MEMORY;
	seal->random = random;
	seal->log = log;
	seal->cipher = EVP_CIPHER_CTX_new();
	int err = seal->cipher ? cluster_derive(secret, "seal", seal->key, sizeof(seal->key))
			       : -ERR_NO_MEMORY;
	if (err) {
		seal_destroy(seal);
		return err;
	}
	*out = seal;
	return 0;
}

void seal_destroy(struct seal *seal)
{
	if (!seal)
		return;
	EVP_CIPHER_CTX_free(seal->cipher);
	digest_wipe(seal->key, sizeof(seal->key));
	free(seal);
}

uint64_t seal_refused(const struct seal *seal)
{
	return seal->refused;
}

static bool has_head(struct slice value)
{
	return value.len > 0 && (uint8_t)value.data[0] == RECORD_HEAD_MAGIC;
}

/* The head without its owner. */
static void write_bound(struct slice value, uint8_t out[RECORD_HEAD_SIZE])
{
	memcpy(out, value.data, RECORD_HEAD_SIZE);
	out[1] = RECORD_HEAD_SEALED;
	record_head_take((char *)out, 0, 0);
}

static int encrypt(struct seal *seal, const uint8_t *nonce, struct slice value, uint8_t *out)
{
	EVP_CIPHER_CTX *cipher = seal->cipher;
	struct slice body = slice_sub(value, RECORD_HEAD_SIZE, SIZE_MAX);
	uint8_t bound[RECORD_HEAD_SIZE];
	int len;

	write_bound(value, bound);
	if (EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, seal->key, nonce) != 1 ||
	    EVP_EncryptUpdate(cipher, NULL, &len, bound, sizeof(bound)) != 1 ||
	    EVP_EncryptUpdate(cipher, out, &len, (const uint8_t *)body.data, (int)body.len) != 1 ||
	    EVP_EncryptFinal_ex(cipher, out + len, &len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, out + body.len) != 1)
		return -ERR_SYSTEM;
	return 0;
}

int seal_close(struct seal *seal, struct slice value, struct buf *out)
{
	uint8_t nonce[SEAL_NONCE_SIZE];

	if (!has_head(value)) {
		buf_add(out, value);
		return buf_failed(out) ? -ERR_NO_MEMORY : 0;
	}
	if (value.len < RECORD_HEAD_SIZE)
		return -ERR_INVALID;
	size_t sealed = value.len - RECORD_HEAD_SIZE + SEAL_TAG_SIZE;
	if (!buf_reserve(out, RECORD_HEAD_SIZE + SEAL_NONCE_SIZE + sealed))
		return -ERR_NO_MEMORY;
	random_fill(seal->random, nonce, sizeof(nonce));
	size_t start = out->len;
	buf_add(out, slice_sub(value, 0, RECORD_HEAD_SIZE));
	out->data[start + 1] = RECORD_HEAD_SEALED;
	buf_add(out, (struct slice){(const char *)nonce, sizeof(nonce)});
	int err = encrypt(seal, nonce, value, (uint8_t *)out->data + out->len);
	if (err)
		out->len = start;
	else
		out->len += sealed;
	return err;
}

static int decrypt(struct seal *seal, struct slice value, struct slice body, uint8_t *out)
{
	EVP_CIPHER_CTX *cipher = seal->cipher;
	const uint8_t *nonce = (const uint8_t *)value.data + RECORD_HEAD_SIZE;
	uint8_t tag[SEAL_TAG_SIZE], bound[RECORD_HEAD_SIZE];
	int len, last;

	write_bound(value, bound);
	memcpy(tag, body.data + body.len, sizeof(tag));
	if (EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, seal->key, nonce) != 1 ||
	    EVP_DecryptUpdate(cipher, NULL, &len, bound, sizeof(bound)) != 1 ||
	    EVP_DecryptUpdate(cipher, out, &len, (const uint8_t *)body.data, (int)body.len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, sizeof(tag), tag) != 1 ||
	    EVP_DecryptFinal_ex(cipher, out + len, &last) != 1)
		return -ERR_MALFORMED;
	return 0;
}

static int refuse(struct seal *seal, const char *reason)
{
	if (seal->refused++ % SAY_EACH == 0)
		log_warn(seal->log, "store.record_refused", "reason=\"%s\" refused=%" PRIu64,
			 reason, seal->refused);
	return -ERR_MALFORMED;
}

int seal_open(struct seal *seal, struct slice value, struct buf *out)
{
	const size_t around = RECORD_HEAD_SIZE + SEAL_NONCE_SIZE + SEAL_TAG_SIZE;

	if (!has_head(value)) {
		buf_add(out, value);
		return buf_failed(out) ? -ERR_NO_MEMORY : 0;
	}
	if (value.len < 2 || value.data[1] != RECORD_HEAD_SEALED)
		return refuse(seal, "not sealed, and state.key is set");
	if (value.len < around)
		return refuse(seal, "cut off");
	struct slice body =
		slice_sub(value, RECORD_HEAD_SIZE + SEAL_NONCE_SIZE, value.len - around);
	if (!buf_reserve(out, RECORD_HEAD_SIZE + body.len + SEAL_TAG_SIZE))
		return -ERR_NO_MEMORY;
	size_t start = out->len;
	buf_add(out, slice_sub(value, 0, RECORD_HEAD_SIZE));
	out->data[start + 1] = RECORD_HEAD_CLEAR;
	if (decrypt(seal, value, body, (uint8_t *)out->data + out->len) == 0) {
		out->len += body.len;
		return 0;
	}
	digest_wipe(out->data + out->len, body.len);
	out->len = start;
	return refuse(seal, "sealed with another state.key, or changed");
}
