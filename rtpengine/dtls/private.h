/* private.h - inside rtpengine/dtls only. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <openssl/ssl.h>
#include "rtpengine/dtls/dtls.h"

struct dtls_identity {
	unsigned references;
	SSL_CTX *context;
	X509 *certificate;
	BIO_METHOD *method; /* the table of bio.c */
};

struct dtls {
	struct dtls_config config;
	struct timer timer;
	SSL *ssl;
	enum dtls_state state;
	struct addr peer;  /* whom we speak to; family 0 = nobody yet */
	struct addr from;  /* who sent the datagram in hand */
	const uint8_t *in; /* the datagram in hand; NULL = read */
	size_t in_len;
	uint64_t started_ms;
};

int dtls_identity_create(struct dtls_identity **out);
/* bio.c: an end of OpenSSL that hands over datagrams, one read or write each. */
BIO_METHOD *dtls_bio_method(void); /* NULL: no memory */
BIO *dtls_bio(struct dtls *dtls);
struct dtls *dtls_of_ssl(const SSL *ssl);
