/* Certificates, keys and trust of each interface, as contexts that connections are made from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/tls_private.h"

#include <stdlib.h>

/* Forward secrecy and authenticated encryption only (RFC 9325); TLS 1.3 has no others. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static int no_password(char *out, int size, int writing, void *owner)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)owner;
	return -1; /* nobody is there to type one */
}

static int explain(struct buf *why, const struct tls_side *side, const char *file, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (why)
		buf_printf(why, "tls of interface %s: %s: %s%s%s", side->name,
			   file ? file : "certificate", what, reason ? ": " : "",
			   reason ? reason : "");
	ERR_clear_error();
	return -ERR_INVALID;
}

static int use_chain(SSL_CTX *context, const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *certificate = bio ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;
	int err = certificate && SSL_CTX_use_certificate(context, certificate) == 1
			  ? 0
			  : -ERR_MALFORMED;

	X509_free(certificate);
	while (!err && (certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
			X509_free(certificate);
			err = -ERR_MALFORMED;
		}
	}
	if (!err)
		ERR_clear_error(); /* the end of the text is an error too */
	BIO_free(bio);
	return err;
}

static int use_key(SSL_CTX *context, const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	int err = key && SSL_CTX_use_PrivateKey(context, key) == 1 ? 0 : -ERR_MALFORMED;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return err;
}

static int use_roots(struct tls *tls, SSL_CTX *context)
{
	int err = tls->roots ? 0 : tls_roots_create(&tls->roots);

	if (!err)
		tls_roots_use(tls->roots, context);
	return err;
}

static int use_trust(struct tls *tls, SSL_CTX *context, struct side *out,
		     const struct tls_side *side)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509 *certificate;
	size_t count = 0;

	if (!side->ca) {
		out->has_roots = true;
		return use_roots(tls, context);
	}
	BIO *bio = BIO_new_mem_buf(side->ca, -1);
	if (!bio)
		return -ERR_NO_MEMORY;
	while ((certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		count += X509_STORE_add_cert(store, certificate) == 1;
		SSL_CTX_add_client_CA(context, certificate); /* whom we ask clients for */
		X509_free(certificate);
	}
	BIO_free(bio);
	if (count)
		ERR_clear_error();
	return count ? 0 : -ERR_MALFORMED;
}

static SSL_CTX *make_context(const SSL_METHOD *method, const struct tls_side *side)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	SSL_CTX_set_min_proto_version(context,
				      side->only_tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	/* Messages say themselves where they end: a peer that hangs up without a word is no attack,
	 * and its session is still good. */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Idle connections hold no buffers; a record that is no data ends a read, so that nobody
	 * keeps us busy with them. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	if (SSL_CTX_set_cipher_list(context, CIPHERS) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static int use_certificate(SSL_CTX *context, const struct tls_side *side,
			   const struct tls_certificate *certificate, struct buf *why)
{
	if (use_chain(context, certificate->chain))
		return explain(why, side, certificate->name, "no certificate can be read from it");
	if (use_key(context, certificate->key))
		return explain(why, side, certificate->name, "its key cannot be used");
	if (SSL_CTX_check_private_key(context) != 1)
		return explain(why, side, certificate->name, "its key belongs to another one");
	return 0;
}

/* SNI (RFC 6066 3): the certificate that names the host asked for; the first for all others. */
static int on_server_name(SSL *ssl, int *alert, void *owner)
{
	const struct side *side = owner;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;

	for (size_t i = 0; name && i < side->count; i++) {
		X509 *certificate = SSL_CTX_get0_certificate(side->servers[i]);
		if (X509_check_host(certificate, name, 0, 0, NULL) != 1)
			continue;
		SSL_set_SSL_CTX(ssl, side->servers[i]);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int make_server(struct tls *tls, struct side *side, const struct tls_side *from,
		       size_t index, struct buf *why)
{
	SSL_CTX *context = make_context(TLS_server_method(), from);

	if (!context)
		return -ERR_NO_MEMORY;
	side->servers[side->count++] = context;
	int err = use_certificate(context, from, &from->certificates[index], why);
	if (err)
		return err;
	/* Sessions live in tickets: nothing is kept here for who may come back. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"postern", 7);
	if (from->verify_client != TLS_VERIFY_NEVER) {
		if (use_trust(tls, context, side, from))
			return explain(why, from, from->ca_name, "no certificate of a CA in it");
		SSL_CTX_set_verify(context,
				   SSL_VERIFY_PEER | (from->verify_client == TLS_VERIFY_REQUIRE
							      ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
							      : 0),
				   NULL);
	}
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(context, side);
	return 0;
}

static int make_client(struct tls *tls, struct side *side, const struct tls_side *from,
		       struct buf *why)
{
	SSL_CTX *context = make_context(TLS_client_method(), from);

	if (!context)
		return -ERR_NO_MEMORY;
	side->client = context;
	side->verify_server = from->verify_server;
	if (from->certificate_count) {
		int err = use_certificate(context, from, &from->certificates[0], why);
		if (err)
			return err;
	}
	if (from->verify_server) {
		if (use_trust(tls, context, side, from))
			return explain(why, from, from->ca_name, "no certificate of a CA in it");
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	}
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, session_on_new);
	return 0;
}

static int make_side(struct tls *tls, struct side *side, const struct tls_side *from,
		     struct buf *why)
{
	int err = 0;

	side->servers = calloc(from->certificate_count + 1, sizeof(SSL_CTX *));
	if (!side->servers)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < from->certificate_count; i++)
		err = make_server(tls, side, from, i, why);
	return err ? err : make_client(tls, side, from, why);
}

int tls_create(const struct tls_side *sides, size_t count, struct buf *why, struct tls **out)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return -ERR_NO_MEMORY;
	atomic_init(&tls->owners, 1);
	tls->sides = calloc(count + 1, sizeof(*tls->sides));
	int err = tls->sides ? 0 : -ERR_NO_MEMORY;
	tls->count = tls->sides ? count : 0;
	for (size_t i = 0; !err && i < count; i++)
		err = make_side(tls, &tls->sides[i], &sides[i], why);
	if (err) {
		tls_release(tls);
		return err;
	}
	*out = tls;
	return 0;
}

struct tls *tls_share(struct tls *tls)
{
	atomic_fetch_add(&tls->owners, 1);
	return tls;
}

void tls_release(struct tls *tls)
{
	if (!tls || atomic_fetch_sub(&tls->owners, 1) != 1)
		return;
	for (size_t i = 0; i < tls->count; i++) {
		struct side *side = &tls->sides[i];
		for (size_t k = 0; k < side->count; k++)
			SSL_CTX_free(side->servers[k]);
		SSL_CTX_free(side->client);
		free(side->servers);
	}
	tls_roots_free(tls->roots);
	free(tls->sides);
	free(tls);
}
