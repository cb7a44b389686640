/* identity.c - our certificate and what every handshake has in common.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/dtls/private.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* A day: long enough to be cheap, short enough that calls of two days cannot be linked by it. */
#define ROTATE_MS   (24 * 3600 * 1000ull)
#define VALID_S     (30 * 24 * 3600)
#define BACKDATED_S (24 * 3600) /* clocks of phones */

struct dtls_identities {
	struct dtls_identity *current;
	uint64_t made_ms;
};

/* WebRTC asks for the first; the others are for old phones and for those who ask for more. */
static const char profiles[] = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:"
			       "SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32";
/* Forward secrecy and AEAD; RSA certificates are the peer's affair. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305";

static bool fill(X509 *certificate, EVP_PKEY *key)
{
	uint64_t serial;
	X509_NAME *name = X509_get_subject_name(certificate);

	/* says nothing of who we are: only the fingerprint counts (RFC 5763 5) */
	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       X509_set_version(certificate, 2) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATED_S) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_S) != NULL &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC",
					  -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, name) == 1 &&
	       X509_set_pubkey(certificate, key) == 1 &&
	       X509_sign(certificate, key, EVP_sha256()) != 0;
}

/* Whoever it is: the fingerprint is compared when the handshake is through. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static uint64_t cookie_of(const SSL *ssl)
{
	const struct dtls *dtls = dtls_of_ssl(ssl);
	return addr_hash(&dtls->from, dtls->config.cookie_key);
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned int *len)
{
	uint64_t value = cookie_of(ssl);
	memcpy(cookie, &value, sizeof(value));
	*len = sizeof(value);
	return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len)
{
	uint64_t value = cookie_of(ssl);
	return len == sizeof(value) && memcmp(cookie, &value, sizeof(value)) == 0;
}

static bool configure(SSL_CTX *context, X509 *certificate, EVP_PKEY *key)
{
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
	SSL_CTX_set_cookie_generate_cb(context, make_cookie);
	SSL_CTX_set_cookie_verify_cb(context, check_cookie);
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1); /* a datagram at a time */
	return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
	       SSL_CTX_set_tlsext_use_srtp(context, profiles) == 0 && /* 0 is success here */
	       SSL_CTX_use_certificate(context, certificate) == 1 &&
	       SSL_CTX_use_PrivateKey(context, key) == 1;
}

int dtls_identity_create(struct dtls_identity **out)
{
	struct dtls_identity *identity = calloc(1, sizeof(*identity));
	EVP_PKEY *key = NULL;

	if (!identity)
		return -ERR_NO_MEMORY;
	identity->references = 1;
	identity->context = SSL_CTX_new(DTLS_method());
	identity->certificate = X509_new();
	identity->method = dtls_bio_method();
	key = EVP_EC_gen("P-256");
	bool done = identity->context && identity->certificate && identity->method && key &&
		    fill(identity->certificate, key) &&
		    configure(identity->context, identity->certificate, key);
	EVP_PKEY_free(key);
	if (!done) {
		dtls_identity_put(identity);
		return -ERR_SYSTEM;
	}
	*out = identity;
	return 0;
}

void dtls_identity_put(struct dtls_identity *identity)
{
	if (!identity || --identity->references)
		return;
	SSL_CTX_free(identity->context);
	X509_free(identity->certificate);
	BIO_meth_free(identity->method);
	free(identity);
}

int dtls_identities_create(uint64_t now_ms, struct dtls_identities **out)
{
	struct dtls_identities *identities = calloc(1, sizeof(*identities));
	if (!identities)
		return -ERR_NO_MEMORY;
	int err = dtls_identity_create(&identities->current);
	if (err) {
		free(identities);
		return err;
	}
	identities->made_ms = now_ms;
	*out = identities;
	return 0;
}

void dtls_identities_destroy(struct dtls_identities *identities)
{
	if (!identities)
		return;
	dtls_identity_put(identities->current);
	free(identities);
}

struct dtls_identity *dtls_identity_get(struct dtls_identities *identities, uint64_t now_ms)
{
	struct dtls_identity *fresh;

	if (now_ms - identities->made_ms >= ROTATE_MS && dtls_identity_create(&fresh) == 0) {
		dtls_identity_put(identities->current);
		identities->current = fresh;
		identities->made_ms = now_ms;
	}
	identities->current->references++;
	return identities->current;
}

int dtls_identity_fingerprint(const struct dtls_identity *identity, enum fingerprint_hash hash,
			      struct fingerprint *out)
{
	const EVP_MD *digests[] = {[FINGERPRINT_SHA256] = EVP_sha256(),
				   [FINGERPRINT_SHA384] = EVP_sha384(),
				   [FINGERPRINT_SHA512] = EVP_sha512()};
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(identity->certificate, digests[hash], bytes, &len) != 1 ||
	    len != fingerprint_len(hash))
		return -ERR_SYSTEM;
	*out = (struct fingerprint){.hash = (uint8_t)hash, .len = (uint8_t)len};
	memcpy(out->bytes, bytes, len);
	return 0;
}
