/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/xml.h"
#include <expat.h>

enum { NAME_MAX_LEN = 64, TEXT_LIMIT = 2048 };

struct open_element {
	char name[NAME_MAX_LEN];
	size_t content; /* where its start tag ended */
	bool has_children;
};

struct rewriting {
	XML_Parser parser;
	const struct xml_visitor *visitor;
	struct slice document;
	size_t copied; /* of the document, into out */
	struct buf *out;
	struct buf text; /* of the innermost element */
	bool is_long;    /* more text than a value can be */
	struct open_element open[XML_DEPTH_MAX];
	int depth;
	int err;
};

static void stop(struct rewriting *rewriting, int err)
{
	if (!rewriting->err)
		rewriting->err = err;
	XML_StopParser(rewriting->parser, XML_FALSE);
}

static size_t position(const struct rewriting *rewriting)
{
	XML_Index index = XML_GetCurrentByteIndex(rewriting->parser);
	return index < 0 ? 0 : (size_t)index;
}

static size_t event_end(const struct rewriting *rewriting)
{
	return position(rewriting) + (size_t)XML_GetCurrentByteCount(rewriting->parser);
}

static void copy_until(struct rewriting *rewriting, size_t end)
{
	if (end <= rewriting->copied)
		return;
	buf_add(rewriting->out,
		slice_sub(rewriting->document, rewriting->copied, end - rewriting->copied));
	rewriting->copied = end;
}

static void add_escaped(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '&':
			buf_add_text(out, "&amp;");
			break;
		case '<':
			buf_add_text(out, "&lt;");
			break;
		case '>':
			buf_add_text(out, "&gt;");
			break;
		case '"':
			buf_add_text(out, "&quot;");
			break;
		case '\'':
			buf_add_text(out, "&apos;");
			break;
		default:
			buf_add_char(out, text.data[i]);
		}
	}
}

static void replace(struct rewriting *rewriting, size_t start, size_t end, struct slice with)
{
	copy_until(rewriting, start);
	add_escaped(rewriting->out, with);
	rewriting->copied = end;
}

static struct slice local_name(const char *name)
{
	struct slice all = slice_from(name);
	size_t colon = slice_find(all, ':');
	return colon < all.len ? slice_sub(all, colon + 1, all.len) : all;
}

/* Between which bytes the next attribute's value stands; expat has found the tag well formed. */
static bool next_value(struct slice document, size_t *at, size_t end, size_t *start,
		       size_t *stop_at)
{
	while (*at < end && document.data[*at] != '"' && document.data[*at] != '\'')
		(*at)++;
	if (*at >= end)
		return false;
	char quote = document.data[(*at)++];
	*start = *at;
	while (*at < end && document.data[*at] != quote)
		(*at)++;
	*stop_at = (*at)++;
	return true;
}

static void write_attributes(struct rewriting *rewriting, struct xml_attribute *attributes,
			     size_t count)
{
	size_t at = position(rewriting), end = event_end(rewriting), start, stop_at;

	for (size_t i = 0; i < count; i++) {
		if (!next_value(rewriting->document, &at, end, &start, &stop_at))
			break;
		if (attributes[i].is_changed)
			replace(rewriting, start, stop_at, buf_slice(&attributes[i].changed));
		if (buf_failed(&attributes[i].changed))
			rewriting->out->failed = true;
	}
}

static void XMLCALL on_start(void *owner, const XML_Char *name, const XML_Char **atts)
{
	struct rewriting *rewriting = owner;
	struct xml_attribute attributes[XML_ATTRIBUTES_MAX];
	size_t count = 0;

	if (rewriting->depth == XML_DEPTH_MAX) {
		stop(rewriting, -ERR_TOO_MANY);
		return;
	}
	for (; atts[2 * count]; count++) {
		if (count == XML_ATTRIBUTES_MAX) {
			stop(rewriting, -ERR_TOO_MANY);
			return;
		}
		attributes[count] =
			(struct xml_attribute){.name = local_name(atts[2 * count]),
					       .value = slice_from(atts[2 * count + 1])};
		buf_init(&attributes[count].changed);
	}
	if (rewriting->depth > 0)
		rewriting->open[rewriting->depth - 1].has_children = true;
	struct open_element *open = &rewriting->open[rewriting->depth++];
	*open = (struct open_element){.content = event_end(rewriting)};
	slice_copy(local_name(name), open->name, sizeof(open->name));
	buf_clear(&rewriting->text);
	rewriting->is_long = false;
	rewriting->visitor->element(rewriting->visitor->owner, slice_from(open->name), attributes,
				    count);
	write_attributes(rewriting, attributes, count);
	for (size_t i = 0; i < count; i++)
		buf_free(&attributes[i].changed);
}

static void XMLCALL on_text(void *owner, const XML_Char *text, int len)
{
	struct rewriting *rewriting = owner;

	if (rewriting->text.len + (size_t)len > TEXT_LIMIT)
		rewriting->is_long = true; /* a note, no URI */
	else
		buf_add(&rewriting->text, (struct slice){text, (size_t)len});
}

static void XMLCALL on_end(void *owner, const XML_Char *name)
{
	struct rewriting *rewriting = owner;
	struct open_element *open = &rewriting->open[--rewriting->depth];
	struct slice text = slice_trim(buf_slice(&rewriting->text));
	struct buf changed;
	(void)name;

	if (open->has_children || rewriting->is_long || text.len == 0)
		return;
	buf_init(&changed);
	if (rewriting->visitor->text(rewriting->visitor->owner, slice_from(open->name), text,
				     &changed)) {
		if (buf_failed(&changed))
			rewriting->out->failed = true;
		replace(rewriting, open->content, position(rewriting), buf_slice(&changed));
	}
	buf_free(&changed);
}

static void leave_out(struct rewriting *rewriting)
{
	/* Between two halves of one value: nobody writes that in good faith. */
	if (rewriting->depth > 0 && !rewriting->open[rewriting->depth - 1].has_children &&
	    slice_trim(buf_slice(&rewriting->text)).len > 0) {
		stop(rewriting, -ERR_MALFORMED);
		return;
	}
	copy_until(rewriting, position(rewriting));
	if (event_end(rewriting) > rewriting->copied)
		rewriting->copied = event_end(rewriting);
}

static void XMLCALL on_comment(void *owner, const XML_Char *text)
{
	(void)text;
	leave_out(owner);
}

static void XMLCALL on_instruction(void *owner, const XML_Char *target, const XML_Char *data)
{
	(void)target, (void)data;
	leave_out(owner);
}

static void XMLCALL on_doctype(void *owner, const XML_Char *name, const XML_Char *system_id,
			       const XML_Char *public_id, int has_internal)
{
	(void)name, (void)system_id, (void)public_id, (void)has_internal;
	stop(owner, -ERR_MALFORMED);
}

/* Before expat stores them all: a tag with more attributes than any of ours has. */
static bool has_wide_tag(struct slice document)
{
	const char *at = document.data, *end = at + document.len;

	while (at < end && (at = memchr(at, '<', (size_t)(end - at)))) {
		unsigned int count = 0;
		char quote = '\0';
		if (++at < end && (*at == '!' || *at == '?'))
			continue;
		for (; at < end && (quote || *at != '>'); at++) {
			if (quote)
				quote = *at == quote ? '\0' : quote;
			else if (*at == '"' || *at == '\'')
				quote = *at;
			else if (*at == '=' && ++count > XML_ATTRIBUTES_MAX)
				return true;
		}
	}
	return false;
}

int xml_rewrite(struct slice document, const struct xml_visitor *visitor, struct buf *out)
{
	struct rewriting rewriting = {.visitor = visitor, .document = document, .out = out};
	size_t start = out->len;

	if (document.len == 0 || document.len > INT32_MAX)
		return -ERR_MALFORMED;
	if (has_wide_tag(document))
		return -ERR_TOO_MANY;
	/* Whatever the document says of its encoding: positions are bytes of UTF-8. */
	rewriting.parser = XML_ParserCreate("UTF-8");
	if (!rewriting.parser)
		return -ERR_NO_MEMORY;
	buf_init(&rewriting.text);
	XML_SetUserData(rewriting.parser, &rewriting);
	XML_SetElementHandler(rewriting.parser, on_start, on_end);
	XML_SetCharacterDataHandler(rewriting.parser, on_text);
	XML_SetCommentHandler(rewriting.parser, on_comment);
	XML_SetProcessingInstructionHandler(rewriting.parser, on_instruction);
	XML_SetStartDoctypeDeclHandler(rewriting.parser, on_doctype);
	bool is_good =
		XML_Parse(rewriting.parser, document.data, (int)document.len, 1) == XML_STATUS_OK;
	bool no_memory = XML_GetErrorCode(rewriting.parser) == XML_ERROR_NO_MEMORY;
	XML_ParserFree(rewriting.parser);
	copy_until(&rewriting, document.len);
	int err = rewriting.err ? rewriting.err : is_good ? 0 : -ERR_MALFORMED;
	if (no_memory || buf_failed(out) || buf_failed(&rewriting.text))
		err = -ERR_NO_MEMORY;
	buf_free(&rewriting.text);
	if (err)
		out->len = start;
	return err;
}
