/* bodies.h - bodies other than SDP that hold addresses, as the other side may see them: who is in a
 * dialog (RFC 4235), who is registered where (RFC 3680), presence (RFC 3863) and lists of it (RFC
 * 4662), pieces of messages (RFC 3420), message summaries (RFC 3842), and any of them inside
 * multipart (RFC 5621). A type that is not known goes as it is, byte by byte.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/topology/policy.h"

/* How the two ends of a dialog are told apart (RFC 3261 12). */
struct dialog_name {
	struct slice call_id;
	struct slice local_tag;
	struct slice remote_tag;
};

/* Who knows the dialogs and contacts that are hidden. Any of them may be NULL. */
struct body_names {
	void *owner;
	/* The dialog by the names that the other side knows; true = `out` has them. Its texts are
	 * kept in `texts`, which the caller frees. */
	bool (*dialog)(void *owner, const struct dialog_name *name, struct buf *texts,
		       struct dialog_name *out);
	/* A URI with a contact of ours, as its holder wrote it; true = it was one. */
	bool (*contact)(void *owner, struct slice uri, struct buf *out);
};

struct body_rules {
	struct crossing crossing; /* with its way */
	struct body_names names;
};

/* -ERR_MALFORMED: of a known type, and not to be understood; -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int bodies_rewrite(const struct body_rules *rules, struct slice content_type,
			      struct slice content_encoding, struct slice body, struct buf *out);
/* A URI that stands in a body or header: true when it was changed. */
bool bodies_map_uri(const struct body_rules *rules, struct slice uri, struct buf *out);
