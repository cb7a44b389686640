/* edits.c - edits of a body on request. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/edits.h"

#include <string.h>

int edits_add_codec(struct edits *edits, struct slice verb, struct slice name)
{
	static const char *const of_transcoding[] = {"transcode", "mask", "consume", "set"};

	if (ng_name_equal(verb, SLICE("strip")))
		return sdp_codec_names_add(&edits->codecs.strip, name);
	if (ng_name_equal(verb, SLICE("except")))
		return sdp_codec_names_add(&edits->codecs.except, name);
	if (ng_name_equal(verb, SLICE("offer")))
		return sdp_codec_names_add(&edits->codecs.offer, name);
	if (ng_name_equal(verb, SLICE("accept")))
		return sdp_codec_names_add(&edits->accepted, name);
	if (ng_name_equal(verb, SLICE("ignore")))
		return 0; /* only the transcoder would look at it */
	for (size_t i = 0; i < sizeof(of_transcoding) / sizeof(of_transcoding[0]); i++)
		if (ng_name_is(verb, of_transcoding[i]))
			return -ERR_UNSUPPORTED;
	return -ERR_INVALID;
}

static int read_verb(struct slice text, enum edit_verb *out)
{
	if (ng_name_equal(text, SLICE("add")))
		*out = EDIT_ADD;
	else if (ng_name_equal(text, SLICE("remove")))
		*out = EDIT_REMOVE;
	else if (ng_name_equal(text, SLICE("substitute")))
		*out = EDIT_SUBSTITUTE;
	else
		return -ERR_INVALID;
	return 0;
}

/* A line of one attribute: "name" or "name:anything". */
static bool is_attribute(struct slice text)
{
	return sdp_is_token(slice_sub(text, 0, slice_find(text, ':'))) &&
	       !memchr(text.data, '\r', text.len) && !memchr(text.data, '\n', text.len) &&
	       !memchr(text.data, 0, text.len);
}

static int add(struct edits *edits, const struct attribute_edit *edit)
{
	if (!is_attribute(edit->value) ||
	    (edit->verb == EDIT_SUBSTITUTE && !is_attribute(edit->by)))
		return -ERR_INVALID;
	if (edits->attribute_count == EDITS_MAX)
		return -ERR_TOO_MANY;
	edits->attributes[edits->attribute_count++] = *edit;
	return 0;
}

/* A flag cannot hold "=" and spaces everywhere: "--" and ".." stand for them. */
static int unescape(struct arena *arena, struct slice text, struct slice *out)
{
	char *to = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	if (!to)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_pair = (c == '-' || c == '.') && i + 1 < text.len && text.data[i + 1] == c;

		to[len++] = !is_pair ? c : c == '-' ? '=' : ' ';
		i += is_pair;
	}
	*out = (struct slice){to, len};
	return 0;
}

int edits_add_attribute_flag(struct edits *edits, struct arena *arena, struct slice word)
{
	struct attribute_edit edit = {.value = SLICE_NONE};
	size_t verb_end = slice_find(word, '-');
	struct slice rest = slice_sub(word, verb_end + 1, word.len);
	size_t scope_end = slice_find(rest, '-');
	struct slice value = slice_sub(rest, scope_end + 1, rest.len);

	if (verb_end >= word.len || scope_end >= rest.len ||
	    read_verb(slice_sub(word, 0, verb_end), &edit.verb) != 0)
		return -ERR_INVALID;
	edit.scope = slice_sub(rest, 0, scope_end);
	int err = unescape(arena, value, &value);
	if (err)
		return err;
	edit.value = value;
	if (edit.verb == EDIT_SUBSTITUTE) {
		size_t at = slice_find(value, '>');

		edit.value = slice_sub(value, 0, at);
		edit.by = slice_sub(value, at + 1, value.len);
	}
	return add(edits, &edit);
}

/* ["from", "to"], or a list of such pairs. */
static int add_substitutes(struct edits *edits, struct attribute_edit *edit,
			   const struct ng_value *list)
{
	const struct ng_value *first = ng_first(list);
	const struct ng_value *second = first ? first->next : NULL;

	if (first && first->type == NG_LIST) {
		for (const struct ng_value *pair = first; pair; pair = pair->next) {
			int err = pair->type == NG_LIST && ng_first(pair) &&
						  ng_first(pair)->type == NG_STRING
					  ? add_substitutes(edits, edit, pair)
					  : -ERR_INVALID;
			if (err)
				return err;
		}
		return 0;
	}
	if (!second || first->type != NG_STRING || second->type != NG_STRING)
		return -ERR_INVALID;
	edit->value = first->string;
	edit->by = second->string;
	return add(edits, edit);
}

static int add_texts(struct edits *edits, struct attribute_edit *edit, const struct ng_value *list)
{
	for (const struct ng_value *text = ng_first(list); text; text = text->next) {
		if (text->type != NG_STRING)
			return -ERR_INVALID;
		edit->value = text->string;
		int err = add(edits, edit);
		if (err)
			return err;
	}
	return 0;
}

int edits_add_attributes(struct edits *edits, const struct ng_value *dict)
{
	if (dict->type != NG_DICT)
		return -ERR_INVALID;
	for (const struct ng_value *scope = ng_first(dict); scope; scope = scope->next) {
		if (scope->type != NG_DICT)
			return -ERR_INVALID;
		for (const struct ng_value *verb = ng_first(scope); verb; verb = verb->next) {
			struct attribute_edit edit = {.scope = scope->key};
			int err = verb->type == NG_LIST ? read_verb(verb->key, &edit.verb)
							: -ERR_INVALID;

			if (!err)
				err = edit.verb == EDIT_SUBSTITUTE
					      ? add_substitutes(edits, &edit, verb)
					      : add_texts(edits, &edit, verb);
			if (err)
				return err;
		}
	}
	return 0;
}

int edits_add_removed_media(struct edits *edits, struct slice type)
{
	if (edits->removed_media_count == EDITS_MEDIA_MAX)
		return -ERR_TOO_MANY;
	edits->removed_media[edits->removed_media_count++] = type;
	return 0;
}

bool edits_remove_media(const struct edits *edits, struct slice type)
{
	for (unsigned i = 0; i < edits->removed_media_count; i++)
		if (slice_equal_nocase(edits->removed_media[i], type))
			return true;
	return false;
}

void edits_keep_first_codec(struct sdp_media *media)
{
	if (!sdp_media_is_rtp(media))
		return;
	for (unsigned i = 1; i < media->format_count;) {
		struct slice format = media->formats[i];
		struct sdp_rtpmap map;
		bool stays = sdp_media_rtpmap(media, format, &map) == 0 &&
			     slice_equal_nocase(map.encoding, SLICE("telephone-event"));

		if (stays || !sdp_media_remove_format(media, format))
			i++;
	}
}

int edits_apply_codecs(const struct edits *edits, struct sdp_media *media)
{
	int err = sdp_media_filter_codecs(media, &edits->codecs);

	return err == -ERR_NOT_FOUND ? 0 : err; /* NG has it so: then all stay */
}

struct match {
	struct slice value;
};

/* "ssrc:" and "ssrc:123" stand for every line that begins so; otherwise the whole line counts. */
static bool is_matched(void *owner, const struct sdp_line *line)
{
	const struct match *match = owner;

	return line->type == 'a' && (slice_equal(line->value, match->value) ||
				     (slice_find(match->value, ':') < match->value.len &&
				      slice_starts(line->value, match->value) &&
				      (match->value.data[match->value.len - 1] == ':' ||
				       line->value.data[match->value.len] == ' ')));
}

static int apply_to_section(const struct attribute_edit *edit, struct sdp *sdp,
			    struct sdp_section *section)
{
	struct match match = {.value = edit->value};

	if (edit->verb == EDIT_ADD) {
		for (const struct sdp_line *line = section->lines; line; line = line->next)
			if (line->type == 'a' && slice_equal(line->value, edit->value))
				return 0;
		return sdp_line_add(sdp, section, 'a', edit->value);
	}
	if (!sdp_line_remove_if(section, is_matched, &match) || edit->verb == EDIT_REMOVE)
		return 0;
	return sdp_line_add(sdp, section, 'a', edit->by);
}

int edits_apply_attributes(const struct edits *edits, struct sdp *sdp)
{
	int err = 0;

	for (unsigned i = 0; i < edits->attribute_count && !err; i++) {
		const struct attribute_edit *edit = &edits->attributes[i];

		if (ng_name_equal(edit->scope, SLICE("none")) ||
		    ng_name_equal(edit->scope, SLICE("global"))) {
			err = apply_to_section(edit, sdp, &sdp->section);
			continue;
		}
		for (unsigned m = 0; m < sdp->media_count && !err; m++)
			if (slice_equal_nocase(sdp->media[m].type, edit->scope))
				err = apply_to_section(edit, sdp, &sdp->media[m].section);
	}
	return err;
}
