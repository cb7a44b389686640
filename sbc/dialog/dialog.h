/* dialog.h - what RFC 3261 12 keeps of a dialog: identifiers, sequence numbers, route set, remote
 * target. Each side of a call has one of its own and knows nothing of the other's.
 * Embedded in its holder, which frees it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/builder.h"
#include "sbc/message/message.h"

enum { DIALOG_ROUTES_MAX = 32 };

struct dialog { /* all texts owned */
	struct slice call_id;
	struct slice local_tag;
	struct slice remote_tag;
	struct slice local_display; /* raw, may be empty */
	struct slice local_uri;
	struct slice remote_display;
	struct slice remote_uri;
	struct slice remote_target; /* URI of the peer's Contact */
	struct slice local_contact; /* URI of ours */
	struct slice *routes;       /* as they stand in a Route header: "<sip:p;lr>" */
	size_t route_count;
	uint32_t local_cseq;  /* of the last request we sent */
	uint32_t remote_cseq; /* of the last one received */
	bool has_remote_cseq;
	bool is_confirmed;
};

void dialog_free(struct dialog *dialog);
/* Into a zeroed one. -ERR_NO_MEMORY: what was copied is the caller's to free. */
MUST_CHECK int dialog_copy(struct dialog *dialog, const struct dialog *from);
/* Record-Route of the message that makes the dialog: in order on the UAS side (12.1.1), reversed on
 * the UAC side (12.1.2). -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int dialog_set_routes(struct dialog *dialog, const struct message *message,
				 bool reversed);
/* A route set that is known before there is a dialog (RFC 3327 5.3, RFC 3608 6): a list as it
 * stands in a header. An empty one clears it. */
MUST_CHECK int dialog_preset_routes(struct dialog *dialog, struct slice list);
/* The remote target of a message with Contact; without one nothing changes. */
MUST_CHECK int dialog_set_target(struct dialog *dialog, const struct message *message);
/* Is this in-dialog request for us (12.2.2)? */
bool dialog_matches(const struct dialog *dialog, const struct message *request);
/* A request's CSeq: false when it is older than what was seen (12.2.2: answer 500). */
bool dialog_accept_cseq(struct dialog *dialog, uint32_t cseq);
/* Start line, Max-Forwards, From, To, Call-ID, CSeq and Route of a request in the dialog
 * (12.2.1.1); a strict router first in the set is served too. */
void dialog_write_request(const struct dialog *dialog, struct slice method, uint32_t cseq,
			  int max_forwards, struct buf *out);
/* What stands in the start line of its requests. */
struct slice dialog_request_uri(const struct dialog *dialog);
/* The URI a request of this dialog is sent to. */
struct slice dialog_next_hop(const struct dialog *dialog);
