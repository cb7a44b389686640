/* sdp.h - a session description (RFC 8866): parse, check, write. Shared by the signalling half and
 * by the relay. Reads what is valid (and the common harmless slips), refuses the rest with line,
 * column and reason; what nobody touches is written again byte for byte, in the order of RFC 8866.
 * Everything lives in the arena given to sdp_parse(), texts included.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/arena.h"

/* Limits; beyond them -ERR_TOO_LARGE (bytes) or -ERR_TOO_MANY (counts). */
#define SDP_MAX_BYTES      16384
#define SDP_MAX_MEDIA      16
#define SDP_MAX_FORMATS    64  /* in one m= line */
#define SDP_MAX_ATTRIBUTES 200 /* in the whole body */
#define SDP_MAX_LINES      512 /* of any type */

/* c= : "IN IP4 192.0.2.1", "IN IP4 233.252.0.1/127/3", "IN IP6 ::1", "IN IP4 host.example". */
struct sdp_connection {
	struct slice network_type; /* "IN" */
	struct slice address_type; /* "IP4", "IP6" */
	struct slice address;      /* as written, with "/ttl" and "/count" */
	struct slice host;         /* as written, without them */
	struct addr addr;          /* port 0; family 0 when host is a name */
};

/* o= : all as written; the two numbers are digits only. */
struct sdp_origin {
	struct slice username;
	struct slice session_id;
	struct slice session_version;
	struct slice network_type;
	struct slice address_type;
	struct slice address;
};

/* Any line but v=, o=, s= and m=. "a=rtpmap:0 PCMU/8000": type 'a', value "rtpmap:0 PCMU/8000",
 * name "rtpmap", argument "0 PCMU/8000". */
struct sdp_line {
	struct sdp_line *next;
	char type;
	struct slice value;
	struct slice name;                 /* of an attribute; empty for other types */
	struct slice argument;             /* of an attribute; data NULL without ':' */
	struct sdp_connection *connection; /* of a c= line; NULL for other types */
};

/* The session part, or what follows an m= line. */
struct sdp_section {
	struct sdp_line *lines; /* in order, c= included */
};

struct sdp_media {
	struct sdp *sdp;       /* the whole */
	unsigned index;        /* which m= line, from 0 */
	struct slice type;     /* "audio" */
	uint32_t port;         /* 0..65535 */
	uint32_t port_count;   /* "/n" after the port; 1 without **/
	struct slice protocol; /* "RTP/AVP" */
	struct slice *formats; /* "0", "96", "t38", "webrtc-datachannel" */
	unsigned format_count;
	struct sdp_section section;
};

struct sdp {
	struct arena *arena;
	struct sdp_origin origin;
	struct slice session_name;  /* may be empty; then written as "-" */
	struct sdp_section section; /* i= u= e= p= c= b= t= r= z= k= a= and unknown lines */
	struct sdp_media *media;
	unsigned media_count;
};

/* Where and why a text was refused; both count from 1. `reason` is a literal. */
struct sdp_error {
	unsigned line;
	unsigned column;
	const char *reason;
};

/* -ERR_MALFORMED, -ERR_TOO_LARGE, -ERR_TOO_MANY, -ERR_NO_MEMORY; `why` is then filled (may be
 * NULL). The text is copied. A missing s= or t= line and lines in a wrong order are mended. */
MUST_CHECK int sdp_parse(struct arena *arena, struct slice text, struct sdp **out,
			 struct sdp_error *why);
/* CRLF line ends. Failure: buf_failed(). */
void sdp_write(const struct sdp *sdp, struct buf *buf);

/* A new body with o=, s=- , c= and t=0 0 and no media. */
MUST_CHECK int sdp_create(struct arena *arena, const struct sdp_origin *origin,
			  const struct addr *connection, struct sdp **out);
/* Append an m= line; its formats are given in one text, separated by a space ("0 8 101").
 * Pointers to other media of this sdp become invalid. */
MUST_CHECK int sdp_add_media(struct sdp *sdp, struct slice type, uint32_t port,
			     struct slice protocol, struct slice formats, struct sdp_media **out);

bool sdp_is_token(struct slice s); /* RFC 8866 token, such as the name of an attribute; not empty */
/* Session version as a number, UINT64_MAX when it does not fit. */
uint64_t sdp_origin_version(const struct sdp_origin *origin);
/* The same of a text that was parsed before; UINT64_MAX also without an o= line. */
uint64_t sdp_text_version(struct slice text);
/* False: sdp_is_hold() would be. True: perhaps. */
bool sdp_text_may_hold(struct slice text);
