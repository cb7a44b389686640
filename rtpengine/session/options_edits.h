/* options_edits.h - what an NG request says of changes to the body: codecs, attributes, header
 * extensions, whole media. For options.c alone. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/options.h"

struct reader { /* of one request */
	const struct log *log;
	struct arena *arena;
	struct options *options;
	const char *list; /* prefix of the words of the list being read; NULL = "flags" */
};

/* The request is refused for this word of a list (NULL: a flag). */
void options_refuse(struct options *options, const char *list, struct slice word);

/* "codec-strip-PCMU", "sdp-attr-remove-audio-ssrc:"; false: it is no edit. */
bool option_edit_flag(struct reader *reader, struct slice word);
void option_removed_media(struct reader *reader, const struct ng_value *value);
void option_attributes(struct reader *reader, const struct ng_value *value);
void option_extmap(struct reader *reader, const struct ng_value *value);
void option_codecs(struct reader *reader, const struct ng_value *value);
