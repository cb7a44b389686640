/* options_edits.c - the keys and flags that change the body. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/options_edits.h"

#include <stdio.h>
#include "rtpengine/session/options_flags.h"

/* What an edit asks for and cannot have is refused by its name. */
static void check_edit(struct reader *reader, const char *list, struct slice word, int err)
{
	if (err == -ERR_INVALID && !reader->options->refused[0])
		snprintf(reader->options->refused, sizeof(reader->options->refused),
			 "%s: \"%.*s\" is not understood", list,
			 (int)(word.len < 64 ? word.len : 64), word.data ? word.data : "");
	else if (err)
		options_refuse(reader->options, list, word);
}

/* "codec-strip-PCMU", "sdp-attr-remove-audio-ssrc:": edits written as flags. */
bool option_edit_flag(struct reader *reader, struct slice word)
{
	struct edits *edits = &reader->options->edits;

	if (option_word_starts(word, "sdp-attr-")) {
		struct slice rest = slice_sub(word, strlen("sdp-attr-"), word.len);

		check_edit(reader, "sdp-attr", rest,
			   edits_add_attribute_flag(edits, reader->arena, rest));
		return true;
	}
	if (option_word_starts(word, "codec-")) {
		struct slice rest = slice_sub(word, strlen("codec-"), word.len);
		size_t end = slice_find(rest, '-');

		check_edit(reader, "codec", rest,
			   edits_add_codec(edits, slice_sub(rest, 0, end),
					   slice_sub(rest, end + 1, rest.len)));
		return true;
	}
	return false;
}

static void each_removed_media(void *owner, struct slice word)
{
	struct reader *reader = owner;

	check_edit(reader, "sdp-media-remove", word,
		   edits_add_removed_media(&reader->options->edits, word));
}

void option_removed_media(struct reader *reader, const struct ng_value *value)
{
	ng_each_string(value, each_removed_media, reader);
}

void option_attributes(struct reader *reader, const struct ng_value *value)
{
	check_edit(reader, "sdp-attr", SLICE("dictionary"),
		   edits_add_attributes(&reader->options->edits, value));
}

/* "mask" would need another number in each packet. */
void option_extmap(struct reader *reader, const struct ng_value *value)
{
	for (const struct ng_value *verb = ng_first(value); verb; verb = verb->next) {
		if (ng_name_equal(verb->key, SLICE("strip")) && verb->type == NG_LIST)
			reader->options->stripped_extmaps = verb;
		else
			options_refuse(reader->options, "extmap", verb->key);
	}
}

/* Dictionary of lists: verb -> names. */
void option_codecs(struct reader *reader, const struct ng_value *value)
{
	for (const struct ng_value *verb = ng_first(value); verb; verb = verb->next)
		for (const struct ng_value *name = ng_first(verb); name; name = name->next)
			check_edit(reader, "codec", verb->key,
				   name->type == NG_STRING
					   ? edits_add_codec(&reader->options->edits, verb->key,
							     name->string)
					   : -ERR_INVALID);
}
