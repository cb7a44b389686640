/* scan.h - the strict pre-scanner: one linear pass over a message before anything else looks at it.
 * It finds every header, refuses what must be refused with the right answer, and gives what the
 * guard, the shard rule and the transaction table need without a parse.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/method.h"
#include "sbc/message/uri.h"

enum {
	SCAN_HEADERS_MAX = 200,
	SCAN_MEMBERS_MAX = 64,          /* list members in all headers of one name */
	SCAN_PARAMETERS_MAX = 64,       /* parameters of one member */
	SCAN_LIST_PARAMETERS_MAX = 256, /* in all headers of one name */
};

struct header {
	enum header_id id;  /* HEADER_OTHER = unknown, look at the name */
	struct slice name;  /* as received, without spaces */
	struct slice value; /* trimmed; folds have become spaces */
};

struct via {
	struct slice raw;       /* the whole via-parm */
	struct slice transport; /* "UDP" */
	struct slice host;      /* IPv6 without brackets */
	uint16_t port;          /* 0 = none */
	struct slice parameters;
	struct slice branch; /* with its magic cookie; empty = none */
	bool rport;          /* asked for (RFC 3581) */
};

enum scan_verdict { SCAN_ACCEPT, SCAN_REPLY, SCAN_DROP };

/* Why a message was dropped without an answer: name and text for counters. */
#define FOREACH_SCAN_DROP(X)                                                                       \
	X(KEEPALIVE, "keep-alive")                                                                 \
	X(NOT_SIP, "not SIP")                                                                      \
	X(BAD_RESPONSE, "malformed response")                                                      \
	X(BAD_ACK, "malformed ACK")                                                                \
	X(NO_RETURN, "malformed beyond an answer")

enum scan_drop {
	SCAN_DROP_NONE,
#define X(name, text) SCAN_DROP_##name,
	FOREACH_SCAN_DROP(X)
#undef X
		SCAN_DROP_COUNT
};

const char *scan_drop_text(enum scan_drop drop);

struct scan_limits {
	size_t message_max; /* bytes */
	bool stream;        /* came framed by Content-Length (RFC 3261 18.3) */
	bool truncated;     /* the datagram was longer than the buffer */
};

struct scan {
	struct slice message; /* start line to end of body; what follows in a datagram is cut off */
	bool is_request;
	enum method method; /* of the request, or of CSeq in a response */
	struct slice method_text;
	struct slice request_uri;
	uint16_t status; /* responses: 100 to 699 */
	struct slice reason;
	struct via via; /* the top one; of a response: ours */
	struct slice call_id;
	uint32_t cseq;
	struct name_addr from, to;
	struct slice from_tag, to_tag; /* empty = none */
	int max_forwards;              /* -1 = none */
	struct slice body;
	uint16_t header_count;
	struct header headers[SCAN_HEADERS_MAX]; /* in the order received */

	/* The verdict. */
	uint16_t reply_code; /* with SCAN_REPLY */
	const char *reply_reason;
	enum scan_drop drop; /* with SCAN_DROP */
	bool close;          /* a stream that cannot be trusted any more: close after the answer */
};

/* Scan in place: folds are overwritten by spaces, nothing else changes. The slices point into
 * `data`. With SCAN_REPLY the fields needed by builder_reply() are set as far as they were found.
 */
enum scan_verdict scan_message(char *data, size_t len, const struct scan_limits *limits,
			       struct scan *out);

/* The index of the first header with this id after `after` (-1 = from the start), or -1. */
int scan_header(const struct scan *scan, enum header_id id, int after);
/* Value of the only or first one; empty slice when there is none. */
struct slice scan_value(const struct scan *scan, enum header_id id);
/* The option tags of all `id` headers (Require, Proxy-Require) not in `known`, comma separated;
 * true when there is one: answer 420 with Unsupported. */
bool scan_unknown_options(const struct scan *scan, enum header_id id, const struct slice *known,
			  size_t known_count, struct buf *unsupported);
/* One via-parm. -ERR_MALFORMED. */
MUST_CHECK int via_parse(struct slice member, struct via *out);
bool branch_is_rfc3261(struct slice branch); /* the cookie and something behind it */
