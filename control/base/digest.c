/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/digest.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *method_of(enum digest_algorithm algorithm)
{
	switch (algorithm) {
	case DIGEST_MD5:
		return EVP_md5();
	case DIGEST_SHA_256:
		return EVP_sha256();
	case DIGEST_SHA_512_256:
		break;
	}
	return EVP_sha512_256();
}

struct slice digest_name(enum digest_algorithm algorithm)
{
	switch (algorithm) {
	case DIGEST_MD5:
		return SLICE("MD5");
	case DIGEST_SHA_256:
		return SLICE("SHA-256");
	case DIGEST_SHA_512_256:
		break;
	}
	return SLICE("SHA-512-256");
}

size_t digest_hex_length(enum digest_algorithm algorithm)
{
	return algorithm == DIGEST_MD5 ? 32 : 64;
}

static void write_hex(const uint8_t *raw, size_t len, struct digest_hex *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out->text[2 * i] = digits[raw[i] >> 4];
		out->text[2 * i + 1] = digits[raw[i] & 15];
	}
	out->text[2 * len] = '\0';
}

int digest_of(enum digest_algorithm algorithm, const struct slice *parts, size_t count,
	      struct digest_hex *out)
{
	uint8_t raw[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context)
		return -ERR_NO_MEMORY;
	int ok = EVP_DigestInit_ex(context, method_of(algorithm), NULL);
	for (size_t i = 0; ok && i < count; i++) {
		if (i > 0)
			ok = EVP_DigestUpdate(context, ":", 1);
		if (ok && parts[i].len > 0)
			ok = EVP_DigestUpdate(context, parts[i].data, parts[i].len);
	}
	ok = ok && EVP_DigestFinal_ex(context, raw, &len) && len <= DIGEST_RAW_MAX;
	EVP_MD_CTX_free(context);
	if (!ok)
		return -ERR_SYSTEM;
	write_hex(raw, len, out);
	digest_wipe(raw, sizeof(raw));
	return 0;
}

int digest_ha1(enum digest_algorithm algorithm, struct slice user, struct slice realm,
	       struct slice password, struct digest_hex *out)
{
	const struct slice parts[] = {user, realm, password};
	return digest_of(algorithm, parts, 3, out);
}

int digest_mac(const void *key, size_t key_len, struct slice text, uint8_t *out, size_t len)
{
	uint8_t raw[EVP_MAX_MD_SIZE];
	unsigned int made = 0;

	if (len > DIGEST_RAW_MAX)
		return -ERR_TOO_LARGE;
	if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.data, text.len, raw,
		  &made))
		return -ERR_SYSTEM;
	memcpy(out, raw, len);
	return 0;
}

bool digest_is_same(struct slice a, struct slice b)
{
	return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

void digest_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}
