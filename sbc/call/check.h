/* check.h - what every request and every INVITE must be before anything is done about it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "sbc/message/message.h"

/* 0, or the status to refuse with; `headers` gets the lines that belong to it. 483, 416, 420. */
unsigned int check_request(const struct message *request, struct buf *headers);
/* 400 for a bad Contact, 415 for a body we do not know. */
unsigned int check_invite(const struct message *request, struct buf *headers);
