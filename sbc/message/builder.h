/* builder.h - write a request or a response straight into a buffer, from parts. Order of calls is
 * order of output. Every text given is checked for CR, LF and NUL: a bad one makes the buffer
 * `failed`, so that nothing can be injected. Via is written by the transaction layer
 * (transaction.h), which knows branch and transport.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "sbc/message/scan.h"

void builder_request_line(struct buf *buf, struct slice method, struct slice uri);
void builder_status_line(struct buf *buf, unsigned int status, struct slice reason);
/* "Via: SIP/2.0/UDP sent_by;branch=...;rport" */
void builder_via(struct buf *buf, struct slice transport, struct slice sent_by, struct slice branch,
		 bool alias);
void builder_header(struct buf *buf, enum header_id id, struct slice value);
void builder_header_text(struct buf *buf, struct slice name, struct slice value);
void builder_header_number(struct buf *buf, enum header_id id, uint64_t value);
/* From, To, Contact...: `display` (raw, may be empty) <uri>;tag=tag and further parameters
 * (";a=b" or empty). */
void builder_address(struct buf *buf, enum header_id id, struct slice display, struct slice uri,
		     struct slice tag, struct slice parameters);
void builder_cseq(struct buf *buf, uint32_t cseq, struct slice method);
/* Content-Type (when there is a body), Content-Length, the empty line, the body. Ends a message. */
void builder_body(struct buf *buf, struct slice content_type, struct slice body);

/* What every response copies from its request (RFC 3261 8.2.6.2): all Via values in order, the top
 * one with received and rport of `source` (18.2.1, RFC 3581), From, Call-ID, CSeq, and as the last
 * line To, with `to_tag` if it has none and to_tag is not empty. Headers missing in a malformed
 * request are left out. */
void builder_reply_head(struct buf *buf, const struct scan *request, const struct addr *source,
			struct slice to_tag);

struct reply {
	unsigned int status;
	struct slice reason;       /* empty = the RFC's */
	struct slice to_tag;       /* empty = one is made, unless the request's To had one */
	struct slice headers;      /* whole lines with CRLF, or empty */
	struct slice content_type; /* with body */
	struct slice body;
};
/* A whole response, without a transaction. */
void builder_reply(struct buf *buf, const struct scan *request, const struct addr *source,
		   const struct reply *reply);
