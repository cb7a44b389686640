/* edits.h - what an NG request asks to be changed in a body beside addresses: codecs taken off or
 * put first, a= lines added, removed, substituted, whole media refused. Read with the options,
 * applied by rewrite.c. Texts point into the request. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/err.h"
#include "control/ng/value.h"
#include "control/sdp/codec.h"

#define EDITS_MAX       32
#define EDITS_MEDIA_MAX 8

enum edit_verb { EDIT_ADD, EDIT_REMOVE, EDIT_SUBSTITUTE };

struct attribute_edit {
	enum edit_verb verb;
	struct slice scope; /* "none" or "global": the session part; else a media type */
	struct slice value; /* what stands after "a=" */
	struct slice by;    /* EDIT_SUBSTITUTE: the new text */
};

struct edits {
	struct sdp_codec_rules codecs;
	struct sdp_codec_names accepted; /* of what is published; "any" = and any other */
	struct attribute_edit attributes[EDITS_MAX];
	unsigned attribute_count;
	struct slice removed_media[EDITS_MEDIA_MAX]; /* types */
	unsigned removed_media_count;
};

/* One word of the list `verb` ("strip", "offer", "except", "accept") of the key `codec`.
 * -ERR_UNSUPPORTED: the verb asks for transcoding; -ERR_INVALID: it is unknown; -ERR_TOO_MANY. */
MUST_CHECK int edits_add_codec(struct edits *edits, struct slice verb, struct slice name);
/* "remove-audio-ssrc:", "substitute-none-sendrecv>sendonly": what follows "sdp-attr-" in a flag,
 * with "--" for "=" and ".." for a space. -ERR_INVALID, -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int edits_add_attribute_flag(struct edits *edits, struct arena *arena,
					struct slice word);
/* The dictionary of the key `sdp-attr`: scope -> verb -> texts (pairs of them to substitute). */
MUST_CHECK int edits_add_attributes(struct edits *edits, const struct ng_value *dict);
MUST_CHECK int edits_add_removed_media(struct edits *edits, struct slice type);

/* Whether media of this type shall be refused. */
bool edits_remove_media(const struct edits *edits, struct slice type);
MUST_CHECK int edits_apply_codecs(const struct edits *edits, struct sdp_media *media);
/* The first codec, and telephone-event, are left. */
void edits_keep_first_codec(struct sdp_media *media);
MUST_CHECK int edits_apply_attributes(const struct edits *edits, struct sdp *sdp);
