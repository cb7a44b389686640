/* server.h - digest authentication asked of others (RFC 3261 22, RFC 7616, RFC 8760). One per
 * worker. Nothing is kept of a request that was challenged; whether a subscriber exists shows
 * neither in what is answered nor in how long that takes.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/auth/directory.h"
#include "sbc/auth/nonce.h"
#include "sbc/message/message.h"

struct auth_server {
	struct nonce_table nonces;
	struct directory_reader reader;
	struct random *random;
	uint8_t secret[32]; /* of the digests of those who do not exist */
};

enum auth_verdict {
	AUTH_ACCEPTED,
	AUTH_ABSENT, /* no credentials for this realm */
	AUTH_STALE,  /* the right ones, on a nonce that is over */
	AUTH_REFUSED /* wrong ones */
};

struct auth_question {
	struct slice realm;                      /* the domain, lower case */
	const enum digest_algorithm *algorithms; /* in order of preference */
	size_t algorithm_count;
	bool is_proxy; /* 407 and Proxy-Authorization; else 401 and Authorization */
};

/* `directory` NULL: nobody is ever accepted. */
MUST_CHECK int auth_server_init(struct auth_server *server, struct directory *directory,
				struct random *random);
void auth_server_free(struct auth_server *server);
/* `user`: whose credentials were right (of the message); set with AUTH_ACCEPTED and AUTH_STALE. */
enum auth_verdict auth_server_check(struct auth_server *server,
				    const struct auth_question *question,
				    const struct message *request, uint64_t now_ms,
				    struct slice *user);
/* The challenge's header lines, one an algorithm. */
void auth_server_challenge(struct auth_server *server, const struct auth_question *question,
			   bool is_stale, uint64_t now_ms, struct buf *out);
/* Is a digest's username the user part of this URI, escapes decoded? */
bool auth_user_is(struct slice username, struct slice uri);
