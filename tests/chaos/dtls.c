/* dtls.c - the crowd's WAN ends as DTLS-SRTP peers (RFC 5763, 5764), over OpenSSL's memory buffers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"
#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct dtls {
	SSL *ssl;
	bool is_client, is_done;
};

static int trust_anybody(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

void dtls_init(struct crowd *crowd)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	unsigned char digest[32];
	unsigned len = 0;

	if (!ctx || !key || !x)
		exit(1);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"crowd", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	X509_digest(x, EVP_sha256(), digest, &len);
	for (unsigned i = 0; i < len; i++)
		snprintf(crowd->fingerprint + 3 * i, 4, "%02X%s", digest[i],
			 i + 1 < len ? ":" : "");
	SSL_CTX_use_certificate(ctx, x);
	SSL_CTX_use_PrivateKey(ctx, key);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, trust_anybody);
	if (SSL_CTX_set_tlsext_use_srtp(ctx, "SRTP_AES128_CM_SHA1_80"))
		exit(1);
	X509_free(x);
	EVP_PKEY_free(key);
	crowd->tls = ctx;
}

static void push(struct crowd *crowd, struct party *party)
{
	struct dtls *dtls = party->dtls;
	uint8_t out[4096];
	int n;

	if (!dtls->is_done) {
		SSL_do_handshake(dtls->ssl);
		if (SSL_is_init_finished(dtls->ssl)) {
			/* RFC 5764 4.2: client key, server key, client salt, server salt */
			uint8_t made[60], key[2][30];
			dtls->is_done = true;
			if (SSL_export_keying_material(dtls->ssl, made, 60, "EXTRACTOR-dtls_srtp",
						       19, NULL, 0, 0) != 1)
				exit(1);
			for (int i = 0; i < 2; i++) {
				memcpy(key[i], made + 16 * i, 16);
				memcpy(key[i] + 16, made + 32 + 14 * i, 14);
			}
			media_keys(party, key[!dtls->is_client], key[dtls->is_client]);
		}
	}
	/* one record a datagram: the buffer keeps no borders, the record's head says its length */
	while ((n = BIO_read(SSL_get_wbio(dtls->ssl), out, 13)) == 13) {
		int rest = out[11] << 8 | out[12];
		if (rest > (int)sizeof(out) - 13 ||
		    BIO_read(SSL_get_wbio(dtls->ssl), out + 13, rest) != rest)
			exit(1);
		sendto(crowd->side[WAN].rtp_fd, out, (size_t)(13 + rest), 0,
		       (const void *)&party->relay, sizeof(party->relay));
	}
}

void dtls_begin(struct crowd *crowd, struct party *party, bool is_client)
{
	struct dtls *dtls = calloc(1, sizeof(*dtls));

	if (!dtls)
		exit(1);
	dtls->ssl = SSL_new(crowd->tls);
	dtls->is_client = is_client;
	SSL_set_bio(dtls->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_options(dtls->ssl, SSL_OP_NO_QUERY_MTU);
	DTLS_set_link_mtu(dtls->ssl, 1200);
	is_client ? SSL_set_connect_state(dtls->ssl) : SSL_set_accept_state(dtls->ssl);
	party->dtls = dtls;
	if (is_client)
		push(crowd, party);
}

void dtls_receive(struct crowd *crowd, struct party *party, const uint8_t *data, size_t len)
{
	uint8_t none[256];

	BIO_write(SSL_get_rbio(party->dtls->ssl), data, (int)len);
	push(crowd, party);
	if (party->dtls->is_done) { /* a repeated flight is answered within */
		SSL_read(party->dtls->ssl, none, sizeof(none));
		push(crowd, party);
	}
}

void dtls_timer(struct crowd *crowd, struct party *party)
{
	struct timeval left;

	if (party->dtls->is_done || !DTLSv1_get_timeout(party->dtls->ssl, &left) || left.tv_sec ||
	    left.tv_usec)
		return;
	DTLSv1_handle_timeout(party->dtls->ssl);
	push(crowd, party);
}

bool dtls_is_client(const struct party *party)
{
	return party->dtls && party->dtls->is_client;
}

void dtls_forget(struct party *party)
{
	if (!party->dtls)
		return;
	SSL_free(party->dtls->ssl);
	free(party->dtls);
	party->dtls = NULL;
}
