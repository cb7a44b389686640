/* headers.h - what of a message's headers goes on to the other side: read from one message, written
 * as lines for another that is built from nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "sbc/message/message.h"
#include "sbc/topology/policy.h"

/* Appends whole lines ("Subject: x\r\n"), in the order received. */
void headers_copy(const struct message *message, const struct crossing *crossing, struct buf *out);
/* Does its sender want privacy that is ours to give (RFC 3323 4.1: user, header)? Then From shows
 * nobody: HEADERS_ANONYMOUS, */
bool headers_want_privacy(const struct message *message);
/* ... and is it given here? */
bool headers_hide_user(const struct message *message, const struct crossing *crossing);
#define HEADERS_ANONYMOUS         "sip:anonymous@anonymous.invalid"
#define HEADERS_ANONYMOUS_DISPLAY "\"Anonymous\""
/* Reason without its text parameters, which may name a product (RFC 3326). */
void headers_reason(struct slice value, struct buf *out);
/* Supported or Require with those of its option tags that are between the two ends. */
void headers_options(const struct message *message, enum header_id id, struct buf *out);
/* Require and Proxy-Require of a request that is passed on: true = `unsupported` has what neither
 * the two ends have between them nor we know. */
bool headers_unsupported(const struct message *request, struct buf *unsupported);
