/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

bool hmac_sha1(struct slice key, const struct hmac_part *parts, size_t count,
	       uint8_t out[HMAC_SHA1_LEN])
{
	char digest[] = "SHA1";
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
				     OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t len = 0;
	bool done = context &&
		    EVP_MAC_init(context, (const unsigned char *)key.data, key.len, params) == 1;

	for (size_t i = 0; done && i < count; i++)
		done = EVP_MAC_update(context, parts[i].data, parts[i].len) == 1;
	done = done && EVP_MAC_final(context, out, &len, HMAC_SHA1_LEN) == 1 &&
	       len == HMAC_SHA1_LEN;
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return done;
}

bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
