/* multipart.h - bodies of several parts (RFC 5621, RFC 2046 5.1): walk them, find the session
 * description, put another one in its place. What is not replaced stays as it is, byte by byte.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

enum { MULTIPART_PARTS_MAX = 16, MULTIPART_DEPTH_MAX = 3 };

struct multipart {
	struct slice boundary; /* without the dashes */
	struct slice body;     /* whole */
	size_t at;             /* where the next part's delimiter is looked for */
	unsigned int count;
};

struct part {
	struct slice type; /* value of Content-Type; empty = text/plain */
	struct slice
		encoding;     /* of Content-Transfer-Encoding, Content-Encoding; empty = as it is */
	struct slice headers; /* its lines, each with its end, without the empty one */
	struct slice content;
	size_t start; /* of the headers in the whole body */
	size_t end;   /* of the content */
};

/* Is this "multipart/..." with a usable boundary? */
bool multipart_open(struct slice content_type, struct slice body, struct multipart *out);
/* False = no more, or malformed from here on. */
bool multipart_next(struct multipart *multipart, struct part *out);
/* "application/sdp; charset=x" is of type "application/sdp", whatever its case. */
bool content_type_is(struct slice content_type, struct slice type);

/* The first application/sdp in a body, which may be the body itself or stand in nested parts;
 * empty = none. */
struct slice multipart_sdp(struct slice content_type, struct slice body);
/* The body with `sdp` in place of what multipart_sdp() found. -ERR_NOT_FOUND, -ERR_NO_MEMORY. */
MUST_CHECK int multipart_set_sdp(struct slice content_type, struct slice body, struct slice sdp,
				 struct buf *out);
/* A part as it was, with other content; a Content-Length among its headers is brought up to date.
 */
void multipart_write_part(const struct part *part, struct slice content, struct buf *out);
