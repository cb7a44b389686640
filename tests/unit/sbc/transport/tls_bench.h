/* tls_bench.h - a bench with certificates, and a TLS client that is not ours.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/unit/sbc/transport/bench.h"
#include "tests/unit/sbc/transport/certificates.h"

enum { DAY_S = 86400 };

/* An authority, certificates, and a transport that has them. */
struct tls_bench {
	struct bench bench;
	struct authority *authority;
	struct credentials credentials[2];
	struct tls *tls;
};

struct client {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
};

extern const struct tls_side plain; /* verifies servers */

/* `ca`: NULL = whom the system trusts. */
struct tls *tls_bench_make(struct tls_bench *b, const struct tls_side *as, size_t count,
			   const char *ca);
/* With `alternative` names in the first certificate, good for so long. */
void tls_bench_open_with(struct tls_bench *b, const char *alternative, long to_s,
			 const struct tls_side *side);
void tls_bench_open_usual(struct tls_bench *b);
void tls_bench_close_all(struct tls_bench *b);

struct client client_begin(const struct addr *to, const char *name);
int client_handshake(struct bench *b, struct client *client); /* 1 = done; 0 = refused */
int client_read(struct bench *b, struct client *client, char *out, int size);
void client_close(struct client *client);
void assert_shows(const struct client *client, const char *name);
