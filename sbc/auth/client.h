/* client.h - answering a challenge with our own credentials (RFC 3261 22, RFC 7616 3.4, RFC 8760):
 * those of a peer, to that peer alone. Who may be answered is the caller's to decide; here only the
 * realm is looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"
#include "sbc/message/message.h"

struct auth_identity {
	struct slice user;
	struct slice password;
	struct slice realm; /* empty = whatever realm the peer names */
};

/* What is remembered between requests to one peer: the challenge that was answered last. */
struct auth_client {
	struct slice challenge; /* owned; the header's value */
	uint32_t count;         /* nc of the last request */
	bool is_proxy;
};

struct auth_request {
	struct slice method;
	struct slice uri;
	struct slice body;
};

void auth_client_free(struct auth_client *client);
/* A 401 or 407 came: is there a challenge in it that may be answered? The best algorithm of them
 * is kept. -ERR_NOT_FOUND: none for us. -ERR_DENIED: the credentials were wrong: the same realm
 * challenges again what was answered (`answered`), and does not say that it was stale. */
MUST_CHECK int auth_client_challenged(struct auth_client *client,
				      const struct auth_identity *identity,
				      const struct message *response, bool answered);
/* Has it a challenge to answer? */
bool auth_client_is_ready(const struct auth_client *client);
/* The Authorization or Proxy-Authorization line of one more request. */
MUST_CHECK int auth_client_write(struct auth_client *client, const struct auth_identity *identity,
				 const struct auth_request *request, struct random *random,
				 struct buf *out);
