/* The only includer of libfyaml. Its event parser is used, not its documents: events come one by
 * one, so every limit is applied before anything grows. SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>

struct yaml_reader {
	struct findings *findings;
	struct fy_parser *parser;
	uint32_t nodes;
};

/* --- before the parser sees a byte ------------------------------------------------------------ */

/* Length of the UTF-8 sequence at s, 0 when it is none (RFC 3629 section 4). */
static size_t utf8_length(struct slice s)
{
	const unsigned char *b = (const unsigned char *)s.data;
	size_t length = b[0] < 0x80                   ? 1
			: b[0] >= 0xc2 && b[0] < 0xe0 ? 2
			: b[0] >= 0xe0 && b[0] < 0xf0 ? 3
			: b[0] >= 0xf0 && b[0] < 0xf5 ? 4
						      : 0;

	if (!length || length > s.len)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
	    (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
		return 0;
	return length;
}

/* libfyaml looks ahead to the end of all brackets that are open: a megabyte of them takes it half a
 * second and 350 MB. So they are counted first, wherever they stand, and bounded more widely than
 * YAML_MAX_DEPTH, because those in texts and comments count as well. */
#define MAX_OPEN_BRACKETS 64

static int check_brackets(struct findings *findings)
{
	struct slice source = findings->source;
	unsigned open = 0;

	for (size_t i = 0; i < source.len; i++) {
		char c = source.data[i];
		if (c == '[' || c == '{')
			open++;
		else if ((c == ']' || c == '}') && open)
			open--;
		if (open > MAX_OPEN_BRACKETS) {
			finding_error(findings, (struct place){(uint32_t)i, 1},
				      "nested too deep: 64 brackets are open here");
			return -ERR_MALFORMED;
		}
	}
	return 0;
}

/* Bytes that no configuration holds, and tabs where YAML wants spaces. */
static int check_bytes(struct findings *findings)
{
	struct slice source = findings->source;
	bool in_indent = true;

	for (size_t i = 0; i < source.len;) {
		unsigned char c = (unsigned char)source.data[i];
		struct place place = {(uint32_t)i, 1};
		size_t length = utf8_length(slice_sub(source, i, 4));
		if (length == 0) {
			findings->not_utf8 = true;
			finding_error(findings, place, "byte 0x%02x is not UTF-8 text", c);
			return -ERR_MALFORMED;
		}
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
			finding_error(findings, place, "byte 0x%02x has no place in a text file",
				      c);
			return -ERR_MALFORMED;
		}
		if (c == '\t' && in_indent) {
			finding_error(findings, place, "a tab is no indentation: use spaces");
			return -ERR_MALFORMED;
		}
		in_indent = c == '\n' || (in_indent && c == ' ');
		i += length;
	}
	return 0;
}

/* --- the tree ----------------------------------------------------------------------------------
 */

static struct place event_place(const struct yaml_reader *reader, struct fy_event *event)
{
	const struct fy_mark *start = fy_event_start_mark(event);
	const struct fy_mark *end = fy_event_end_mark(event);
	struct place place = PLACE_NONE;

	if (!start || start->line < 0 || start->input_pos > reader->findings->source.len)
		return place; /* an empty value: the caller takes the key's place */
	place.offset = (uint32_t)start->input_pos;
	place.length = 1;
	if (event->type == FYET_SCALAR && end && end->input_pos > start->input_pos)
		place.length = (uint32_t)(end->input_pos - start->input_pos);
	return place;
}

static struct slice token_text(struct yaml_reader *reader, struct fy_token *token)
{
	size_t length = 0;
	const char *text = token ? fy_token_get_text(token, &length) : NULL;

	if (!text || !length)
		return SLICE_NONE;
	struct slice copy = arena_copy(reader->findings->arena, (struct slice){text, length});
	if (!copy.data)
		reader->findings->failed = true;
	return copy;
}

/* What the parser itself found wrong, in its own words and at its own place. */
static void report_parser(struct findings *findings, struct fy_diag *diag)
{
	struct fy_diag_error *error;
	void *at = NULL;
	bool any = false;

	while ((error = fy_diag_errors_iterate(diag, &at))) {
		struct place place = {(uint32_t)findings->source.len, 1};
		size_t offset = 0;
		for (int line = 1; line < error->line && offset < findings->source.len; line++) {
			struct slice rest = slice_sub(findings->source, offset, SIZE_MAX);
			offset += slice_find(rest, '\n') + 1;
		}
		if (offset < findings->source.len && error->column > 0)
			place.offset = (uint32_t)(offset + (size_t)error->column - 1);
		else if (place.offset > 0) /* at the end: show the last line, not nothing */
			place.offset--;
		finding_error(findings, place, "not YAML: %s", error->msg);
		any = true;
	}
	if (!any)
		finding_error(findings, PLACE_NONE, "not YAML");
}

static int refuse(struct yaml_reader *reader, struct place place, const char *why)
{
	finding_error(reader->findings, place, "%s", why);
	return -ERR_MALFORMED;
}

/* libfyaml's place is behind the star. */
static int refuse_alias(struct yaml_reader *reader, struct place place)
{
	if (place.offset != PLACE_NOWHERE && place.offset > 0)
		place.offset--;
	return refuse(reader, place, "aliases are not used here: write the value out");
}

static int compare_keys(const void *a, const void *b)
{
	const struct yaml_node *first = *(const struct yaml_node *const *)a;
	const struct yaml_node *second = *(const struct yaml_node *const *)b;
	size_t shorter = first->key.len < second->key.len ? first->key.len : second->key.len;
	int order = shorter ? memcmp(first->key.data, second->key.data, shorter) : 0;

	if (order)
		return order;
	if (first->key.len != second->key.len)
		return first->key.len < second->key.len ? -1 : 1;
	return first->key_place.offset < second->key_place.offset ? -1 : 1;
}

static int check_duplicates(struct yaml_reader *reader, const struct yaml_node *map)
{
	struct findings *findings = reader->findings;
	size_t count = 0;

	if (map->count < 2)
		return 0;
	const struct yaml_node **keys = calloc(map->count, sizeof(const struct yaml_node *));
	if (!keys)
		return -ERR_NO_MEMORY;
	for (const struct yaml_node *child = map->first; child; child = child->next)
		keys[count++] = child;
	qsort(keys, count, sizeof(const struct yaml_node *), compare_keys);
	for (size_t i = 1; i < count; i++) {
		if (!slice_equal(keys[i - 1]->key, keys[i]->key))
			continue;
		finding_error(findings, keys[i]->key_place, "\"%.*s\" is here a second time",
			      SLICE_ARG(keys[i]->key));
		finding_note(findings, keys[i - 1]->key_place, "first here");
	}
	free(keys);
	return 0;
}

static int read_node(struct yaml_reader *reader, struct fy_event *event, unsigned depth,
		     struct yaml_node **out);

static struct fy_token *event_anchor(const struct fy_event *event)
{
	return event->type == FYET_SCALAR          ? event->scalar.anchor
	       : event->type == FYET_MAPPING_START ? event->mapping_start.anchor
						   : event->sequence_start.anchor;
}

static struct fy_token *event_tag(const struct fy_event *event)
{
	return event->type == FYET_SCALAR          ? event->scalar.tag
	       : event->type == FYET_MAPPING_START ? event->mapping_start.tag
						   : event->sequence_start.tag;
}

/* A key of a map: plain text. */
static int read_key(struct yaml_reader *reader, struct fy_event *event, struct slice *key,
		    struct place *place)
{
	*place = event_place(reader, event);
	if (event->type == FYET_ALIAS)
		return refuse_alias(reader, *place);
	if (event->type != FYET_SCALAR)
		return refuse(reader, *place, "a key must be a word, not a list or a map");
	*key = token_text(reader, event->scalar.value);
	if (key->len == 0)
		return refuse(reader, *place, "a key is missing before this colon");
	return 0;
}

static int read_children(struct yaml_reader *reader, struct yaml_node *node, unsigned depth)
{
	bool is_map = node->type == YAML_MAP;
	struct yaml_node **link = &node->first;
	struct fy_event *event;
	int err = 0;

	while (!err && (event = fy_parser_parse(reader->parser))) {
		struct yaml_node *child = NULL;
		struct slice key = SLICE_NONE;
		struct place key_place = PLACE_NONE;

		if (event->type == (is_map ? FYET_MAPPING_END : FYET_SEQUENCE_END)) {
			fy_parser_event_free(reader->parser, event);
			return is_map ? check_duplicates(reader, node) : 0;
		}
		if (is_map) {
			err = read_key(reader, event, &key, &key_place);
			fy_parser_event_free(reader->parser, event);
			if (err)
				return err;
			event = fy_parser_parse(reader->parser);
			if (!event)
				return -ERR_AGAIN;
		}
		err = read_node(reader, event, depth + 1, &child);
		fy_parser_event_free(reader->parser, event);
		if (err)
			return err;
		child->key = key;
		child->key_place = key_place;
		if (child->place.offset == PLACE_NOWHERE)
			child->place = key_place.offset == PLACE_NOWHERE ? node->place : key_place;
		*link = child;
		link = &child->next;
		node->count++;
	}
	return err ? err : -ERR_AGAIN; /* the parser's own error: report_parser() has the words */
}

static int read_node(struct yaml_reader *reader, struct fy_event *event, unsigned depth,
		     struct yaml_node **out)
{
	struct place place = event_place(reader, event);

	if (event->type == FYET_ALIAS)
		return refuse_alias(reader, place);
	if (event->type != FYET_SCALAR && event->type != FYET_MAPPING_START &&
	    event->type != FYET_SEQUENCE_START)
		return refuse(reader, place, "a value is missing");
	if (event_anchor(event))
		return refuse(reader, place, "anchors (&name) are not used here");
	if (depth > YAML_MAX_DEPTH)
		return refuse(reader, place, "nested too deep (more than 16 levels)");
	if (++reader->nodes > YAML_MAX_NODES)
		return refuse(reader, place, "too many values (more than 65,536)");

	struct yaml_node *node = arena_zalloc(reader->findings->arena, sizeof(*node));
	if (!node)
		return -ERR_NO_MEMORY;
	node->place = place;
	node->tag = token_text(reader, event_tag(event));
	if (event->type == FYET_SCALAR) {
		node->type = YAML_SCALAR;
		node->is_quoted = fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN;
		node->text = token_text(reader, event->scalar.value);
	} else {
		node->type = event->type == FYET_MAPPING_START ? YAML_MAP : YAML_LIST;
		int err = read_children(reader, node, depth);
		if (err)
			return err;
	}
	*out = node;
	return 0;
}

/* stream start, document start, one node, document end, stream end */
static int read_stream(struct yaml_reader *reader, struct yaml_node **out)
{
	struct fy_event *event;
	int documents = 0;

	while ((event = fy_parser_parse(reader->parser))) {
		int err = 0;
		enum fy_event_type type = event->type;

		if (type == FYET_DOCUMENT_START && documents++ > 0)
			err = refuse(reader, event_place(reader, event),
				     "a second document begins here: one file, one document");
		else if (type == FYET_SCALAR || type == FYET_MAPPING_START ||
			 type == FYET_SEQUENCE_START || type == FYET_ALIAS)
			err = read_node(reader, event, 1, out);
		fy_parser_event_free(reader->parser, event);
		if (err || type == FYET_STREAM_END)
			return err;
	}
	return -ERR_AGAIN;
}

int yaml_parse(struct findings *findings, struct yaml_node **out)
{
	struct fy_diag_cfg diag_config;
	struct fy_parse_cfg parse_config = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2,
	};
	struct yaml_reader reader = {.findings = findings};
	struct yaml_node *root = NULL;
	int err;

	if (findings->source.len > YAML_MAX_BYTES) {
		finding_error(findings, PLACE_NONE, "the file is larger than 1 MiB");
		return -ERR_MALFORMED;
	}
	err = check_bytes(findings);
	if (!err)
		err = check_brackets(findings);
	if (err)
		return err;

	fy_diag_cfg_default(&diag_config);
	diag_config.level = FYET_ERROR;
	parse_config.diag = fy_diag_create(&diag_config);
	if (!parse_config.diag)
		return -ERR_NO_MEMORY;
	fy_diag_set_collect_errors(parse_config.diag, true);
	err = -ERR_NO_MEMORY;
	reader.parser = fy_parser_create(&parse_config);
	if (!reader.parser)
		goto done;
	if (fy_parser_set_string(reader.parser, findings->source.data ? findings->source.data : "",
				 findings->source.len))
		goto done;
	err = read_stream(&reader, &root);
	if (err == -ERR_AGAIN) {
		report_parser(findings, parse_config.diag);
		err = -ERR_MALFORMED;
	}
	if (!err && findings->failed)
		err = -ERR_NO_MEMORY;
	if (!err && !root) {
		finding_error(findings, PLACE_NONE, "the file is empty");
		err = -ERR_MALFORMED;
	}
	if (!err)
		*out = root;
done:
	fy_parser_destroy(reader.parser);
	fy_diag_destroy(parse_config.diag);
	return err;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, struct slice key)
{
	if (!map || map->type != YAML_MAP)
		return NULL;
	for (const struct yaml_node *child = map->first; child; child = child->next)
		if (slice_equal(child->key, key))
			return child;
	return NULL;
}
