/* SPDX-License-Identifier: Apache-2.0 */
#include "config/certificate.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static BIO *open_text(struct slice pem)
{
	return pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
}

/* A key with a passphrase cannot be asked for one. */
static int no_passphrase(char *buffer, int size, int writing, void *owner)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)owner;
	return -1;
}

static X509 *first_certificate(struct slice pem)
{
	BIO *bio = open_text(pem);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return certificate;
}

static EVP_PKEY *private_key(struct slice pem)
{
	BIO *bio = open_text(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

const char *certificate_check_chain(struct slice pem)
{
	X509 *certificate = first_certificate(pem);

	if (!certificate)
		return "holds no certificate (PEM: -----BEGIN CERTIFICATE-----)";
	X509_free(certificate);
	return NULL;
}

const char *certificate_check_key(struct slice pem)
{
	EVP_PKEY *key = private_key(pem);

	if (!key)
		return "holds no private key (PEM, without a passphrase)";
	EVP_PKEY_free(key);
	return NULL;
}

bool certificate_has_key(struct slice chain, struct slice key)
{
	X509 *certificate = first_certificate(chain);
	EVP_PKEY *private = private_key(key);
	bool fits = certificate && private && X509_check_private_key(certificate, private) == 1;

	X509_free(certificate);
	EVP_PKEY_free(private);
	ERR_clear_error();
	return fits;
}

int64_t certificate_lifetime_s(struct slice chain, int64_t now_s)
{
	X509 *certificate = first_certificate(chain);
	ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)now_s);
	int days = 0, seconds = 0;

	/* A time that cannot be read is one that has passed. */
	if (!certificate || !now ||
	    ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(certificate)) != 1)
		days = -1;
	ASN1_TIME_free(now);
	X509_free(certificate);
	ERR_clear_error();
	return (int64_t)days * 86400 + seconds;
}
