/* header.h - the headers of digest authentication taken apart (RFC 7616 3.3, 3.4; RFC 8760):
 * challenges and credentials have one form. Slices of the input; linear, bounded.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/digest.h"

struct auth_fields { /* without their quotes; empty = not there */
	struct slice username;
	struct slice realm;
	struct slice nonce;
	struct slice uri;
	struct slice response;
	struct slice cnonce;
	struct slice opaque;
	struct slice qop; /* a challenge's is a list */
	struct slice nc;
	struct slice algorithm;
	struct slice stale;
	struct slice userhash;
};

/* -ERR_UNSUPPORTED: another scheme than Digest. -ERR_MALFORMED: no such header, a parameter twice,
 * a quote that does not end. */
MUST_CHECK int auth_fields_parse(struct slice value, struct auth_fields *out);
/* What "algorithm" names, MD5 when it is not there; `session`: with "-sess" behind it.
 * -ERR_UNSUPPORTED. */
MUST_CHECK int auth_algorithm(struct slice text, enum digest_algorithm *out, bool *session);
/* Is this word in a list ("auth,auth-int")? */
bool auth_list_has(struct slice list, struct slice word);
/* May it stand between quotes as it is? */
bool auth_is_quotable(struct slice value);
