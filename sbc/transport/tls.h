/* tls.h - TLS below a connection (OpenSSL behind the tls*.c files of this folder alone).
 * struct tls is what all connections share: certificates, keys, trust. It is made from texts, never
 * changes, and is shared by all workers; a new one takes its place when certificates do, while
 * connections keep theirs. struct tls_link is one connection's half; it does its own I/O on the
 * socket, never waits, and says what to wait for. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

enum tls_verify { TLS_VERIFY_NEVER, TLS_VERIFY_REQUEST, TLS_VERIFY_REQUIRE };

struct tls_certificate {
	const char *name;  /* of the file, for messages */
	const char *chain; /* PEM text, our own first */
	const char *key;   /* PEM text */
};

struct tls_side { /* of one interface */
	const char *name;
	const struct tls_certificate *certificates; /* SNI picks by name; the first by default */
	size_t certificate_count;
	const char *ca;      /* PEM text of whom we trust; NULL = the system's */
	const char *ca_name; /* of the file */
	bool only_tls_1_3;
	bool verify_server; /* those that we connect to; with their name (RFC 5922 7) */
	enum tls_verify verify_client;
};

struct tls;
struct tls_link;
struct tls_sessions;

/* On failure `why` gets one line that names file and cause. */
MUST_CHECK int tls_create(const struct tls_side *sides, size_t count, struct buf *why,
			  struct tls **out);
struct tls *tls_share(struct tls *tls); /* one owner more */
void tls_release(struct tls *tls);      /* one less; NULL is fine */

/* What a worker remembers of servers, to resume sessions with them (RFC 8446 2.2, RFC 5077). */
MUST_CHECK int tls_sessions_create(struct tls_sessions **out);
/* None is resumed any more, nor what connections of now are yet to bring; they go on. */
void tls_sessions_clear(struct tls_sessions *sessions);
void tls_sessions_destroy(struct tls_sessions *sessions); /* NULL is fine */

enum tls_result {
	TLS_OK,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED, /* by the peer */
	TLS_FAILED, /* tls_failure() says why */
};

/* As server on an accepted socket (not owned). */
MUST_CHECK int tls_accept(struct tls *tls, size_t side, int fd, struct tls_link **out);
/* As client. `name`: whom the certificate must name, NULL = the address itself. */
struct tls_target {
	size_t side;
	const char *name;
	struct addr remote;
};
MUST_CHECK int tls_connect(struct tls *tls, struct tls_sessions *sessions,
			   const struct tls_target *target, int fd, struct tls_link **out);
void tls_link_free(struct tls_link *link); /* NULL is fine; says nothing to the peer */

enum tls_result tls_handshake(struct tls_link *link);
enum tls_result tls_read(struct tls_link *link, char *data, size_t size, size_t *len);
enum tls_result tls_write(struct tls_link *link, const char *data, size_t size, size_t *len);
void tls_shutdown(struct tls_link *link); /* close_notify, if the socket takes it */

/* After TLS_FAILED: one line, also about certificates. Valid until the next call. */
const char *tls_failure(struct tls_link *link);
/* Has the peer shown a certificate that we verified, and does it name this host (or, without a
 * name, this address)? */
bool tls_peer_is(const struct tls_link *link, const char *name, const struct addr *addr);
bool tls_is_resumed(const struct tls_link *link);

enum { WEBSOCKET_KEY_LENGTH = 24, WEBSOCKET_ACCEPT_SIZE = 29 };
/* The answer to a Sec-WebSocket-Key (RFC 6455 4.2.2). -ERR_MALFORMED: not 16 bytes in base64. */
MUST_CHECK int tls_websocket_accept(struct slice key, char out[WEBSOCKET_ACCEPT_SIZE]);
