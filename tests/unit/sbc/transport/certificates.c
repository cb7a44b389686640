/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transport/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
	char *pem;
};

static char *text_of(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	memcpy(text, data, (size_t)len);
	BIO_free(bio);
	return text;
}

static char *pem_of(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	return text_of(bio);
}

static X509 *make(EVP_PKEY *key, const char *name, const X509 *issuer, long from_s, long to_s)
{
	static long serial = 1;
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), to_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
				   -1, 0);
	X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
	X509_set_pubkey(certificate, key);
	return certificate;
}

static void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

struct authority *authority_create(void)
{
	struct authority *authority = calloc(1, sizeof(*authority));

	authority->key = EVP_EC_gen("P-256");
	authority->certificate = make(authority->key, "Test CA", NULL, -3600, 86400);
	extend(authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
	authority->pem = pem_of(authority->certificate);
	return authority;
}

void authority_destroy(struct authority *authority)
{
	EVP_PKEY_free(authority->key);
	X509_free(authority->certificate);
	free(authority->pem);
	free(authority);
}

const char *authority_pem(const struct authority *authority)
{
	return authority->pem;
}

struct credentials authority_sign(const struct authority *authority, const char *name,
				  const char *alternative, long from_s, long to_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = make(key, name, authority->certificate, from_s, to_s);
	BIO *bio = BIO_new(BIO_s_mem());

	if (alternative)
		extend(certificate, NID_subject_alt_name, alternative);
	assert_true(X509_sign(certificate, authority->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	struct credentials out = {.chain = pem_of(certificate), .key = text_of(bio)};
	EVP_PKEY_free(key);
	X509_free(certificate);
	return out;
}

void credentials_free(struct credentials *credentials)
{
	free(credentials->chain);
	free(credentials->key);
}
