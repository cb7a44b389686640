/* check.h - what every request and every INVITE must be before anything is done about it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "sbc/message/message.h"

/* sips: every hop is secured, or the call is not made (RFC 3261 26.2.2, RFC 5630 3). */
bool check_is_secure(struct slice uri);
/* 0, or the status to refuse with; `headers` gets the lines that belong to it. 483, 416, 420. */
unsigned int check_request(const struct message *request, struct buf *headers);
/* 400 for a bad Contact, 415 for a body we do not know. */
unsigned int check_invite(const struct message *request, struct buf *headers);
