/* dtls.h - DTLS-SRTP (RFC 5763, 5764) for one flow: a handshake over datagrams that others carry,
 * and the SRTP keys it ends with. OpenSSL behind this folder; runs on the control thread, never on
 * the packet path. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/wheel.h"
#include "rtpengine/dtls/fingerprint.h"

/* Our certificate: self-signed ECDSA P-256, a new one each day. Sessions keep the one that their
 * SDP promised. */
struct dtls_identity;
struct dtls_identities; /* gives out the one of today */

MUST_CHECK int dtls_identities_create(uint64_t now_ms, struct dtls_identities **out);
void dtls_identities_destroy(struct dtls_identities *identities); /* NULL is fine */
/* Takes a reference. When a new one cannot be made the old one goes on. */
struct dtls_identity *dtls_identity_get(struct dtls_identities *identities, uint64_t now_ms);
void dtls_identity_put(struct dtls_identity *identity); /* NULL is fine */
/* -ERR_SYSTEM when OpenSSL refuses. */
MUST_CHECK int dtls_identity_fingerprint(const struct dtls_identity *identity,
					 enum fingerprint_hash hash, struct fingerprint *out);

/* RFC 5764 4.2; lengths by the profile. */
struct dtls_keys {
	uint16_t profile; /* RFC 5764 4.1.2, 7714 14.2 */
	uint8_t key_len, salt_len;
	uint8_t our_key[32], our_salt[14];
	uint8_t their_key[32], their_salt[14];
};

struct dtls_events {
	void (*send)(void *owner, const struct addr *to, const uint8_t *data, size_t len);
	void (*done)(void *owner, const struct dtls_keys *keys); /* the peer is who SDP says */
	void (*failed)(void *owner, const char *reason);
	void (*closed)(void *owner); /* the peer said close_notify */
};

enum dtls_role { DTLS_SERVER, DTLS_CLIENT };
#define DTLS_FINGERPRINTS 4
#define DTLS_MTU          1200 /* of UDP payload: fits through every tunnel of the internet */
#define DTLS_PATIENCE_MS  30000

struct dtls_config {
	struct wheel *wheel;
	struct dtls_identity *identity; /* kept by a reference */
	enum dtls_role role;
	/* Server: the first ClientHello is answered with a HelloVerifyRequest, and nothing is kept
	 * of its sender until its cookie comes back (RFC 6347 4.2.1). Not needed behind ICE. */
	bool asks_cookie;
	uint64_t cookie_key[2];
	struct fingerprint fingerprints[DTLS_FINGERPRINTS]; /* one of these is the peer's */
	unsigned fingerprint_count;
	const struct dtls_events *events;
	void *owner;
};

struct dtls;

MUST_CHECK int dtls_create(const struct dtls_config *config, struct dtls **out);
void dtls_destroy(struct dtls *dtls); /* NULL is fine; not inside its events */
/* Client: say hello there. Server: this is where the peer is now. */
void dtls_start(struct dtls *dtls, const struct addr *peer, uint64_t now_ms);
void dtls_receive(struct dtls *dtls, const struct addr *from, const uint8_t *data, size_t len,
		  uint64_t now_ms);
void dtls_close(struct dtls *dtls); /* say close_notify, if there is somebody to say it to */

enum dtls_state { DTLS_WAITING, DTLS_HANDSHAKE, DTLS_DONE, DTLS_FAILED, DTLS_CLOSED };
enum dtls_state dtls_state(const struct dtls *dtls);
bool dtls_peer(const struct dtls *dtls, struct addr *out); /* false: nobody yet */
