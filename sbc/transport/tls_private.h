/* tls_private.h - what the tls*.c files share: tls_context.c (certificates and trust), tls_link.c
 * (a connection), tls_verify.c (who the peer is), tls_session.c (resumption as client), tls_roots.c
 * (whom the system trusts). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "sbc/transport/tls.h"

struct side {
	SSL_CTX **servers; /* one for each certificate */
	size_t count;
	SSL_CTX *client;
	bool verify_server;
	bool has_roots; /* trusts whom the system does: tls_roots_wait() first */
};

struct tls_roots;

struct tls {
	_Atomic unsigned int owners;
	struct tls_roots *roots; /* NULL = no side has them */
	struct side *sides;
	size_t count;
};

struct tls_key { /* of a remembered session */
	size_t side;
	struct addr remote;
	char name[256];
};

struct tls_link {
	SSL *ssl;
	bool verify; /* as client: the peer's name */
	struct tls_sessions *sessions;
	uint32_t generation; /* of sessions, when it was opened */
	struct tls_key *key; /* as client */
	char *failure;
};

/* --- tls_roots.c --- */
int tls_roots_create(struct tls_roots **out);
void tls_roots_wait(struct tls_roots *roots);
void tls_roots_use(struct tls_roots *roots, SSL_CTX *context);
void tls_roots_free(struct tls_roots *roots);

/* --- tls_verify.c --- */
bool certificate_names(X509 *certificate, const char *name, const struct addr *addr);

/* --- tls_session.c --- */
int session_on_new(SSL *ssl, SSL_SESSION *session);
void session_use(struct tls_link *link);
