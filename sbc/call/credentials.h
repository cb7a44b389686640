/* credentials.h - a peer that challenges our requests gets the credentials that are configured for
 * it (RFC 3261 22); nobody else ever does, neither another peer that the call goes on to, nor a
 * phone: what one side's user has is never given to the other side.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/auth/client.h"
#include "sbc/call/call.h"

struct leg_request;

struct credentials {
	struct auth_client client;
	int peer; /* that challenged */
};

void credentials_free(struct credentials *credentials); /* NULL is fine */
/* A 401 or 407 came on this leg: true when the request may be sent again. `answered`: it had our
 * credentials already. */
bool credentials_challenged(struct call *call, uint8_t leg, const struct message *response,
			    bool answered);
/* The same of a request that is sent again but once: whatever it had is answered anew. */
bool credentials_asked(struct call *call, uint8_t leg, const struct message *response);
/* The line for a request of the leg, when its peer has challenged one. */
void credentials_write(const struct call *call, uint8_t leg, struct slice method, struct slice uri,
		       struct slice body, struct buf *out);
/* May this answer's challenge go on to the other side? A phone has nobody to ask. */
bool credentials_may_cross(const struct call *call, uint8_t from, unsigned int status);
