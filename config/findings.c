/* SPDX-License-Identifier: Apache-2.0 */
#include "config/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A screenful that nobody reads to the end helps nobody. */
#define FINDINGS_SHOWN  100
#define FINDINGS_KEPT   1000
#define FINDING_MESSAGE 512
/* Of a long line, so many characters around the place. */
#define LINE_SHOWN 160

struct note {
	struct note *next;
	struct place place;
	const char *text;
};

struct finding {
	struct finding *next;
	unsigned order;
	bool is_error;
	struct place place;
	const char *text;
	struct note *notes;
	struct note **last_note;
};

static const char *format_text(struct arena *arena, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static void finding_add(struct findings *findings, bool is_error, struct place place,
			const char *format, va_list arguments)
	__attribute__((format(printf, 4, 0)));

void findings_init(struct findings *findings, struct arena *arena, const char *path,
		   struct slice source)
{
	memset(findings, 0, sizeof(*findings));
	findings->arena = arena;
	findings->path = path;
	findings->source = source;
}

void findings_free(struct findings *findings)
{
	free(findings->secrets);
	findings->secrets = NULL;
	findings->secret_count = 0;
}

bool findings_are_many(const struct findings *findings)
{
	return findings->errors + findings->warnings >= FINDINGS_SHOWN;
}

void findings_hide(struct findings *findings, struct place place)
{
	struct place *grown =
		realloc(findings->secrets, (findings->secret_count + 1) * sizeof(*grown));

	if (!grown) {
		findings->failed = true;
		return;
	}
	findings->secrets = grown;
	grown[findings->secret_count++] = place;
}

static const char *format_text(struct arena *arena, const char *format, va_list arguments)
{
	char text[FINDING_MESSAGE];

	/* A long name from the file is cut, never the place. */
	(void)vsnprintf(text, sizeof(text), format, arguments);
	return arena_text(arena, slice_from(text));
}

static void finding_add(struct findings *findings, bool is_error, struct place place,
			const char *format, va_list arguments)
{
	unsigned order = findings->errors + findings->warnings;

	if (is_error)
		findings->errors++;
	else
		findings->warnings++;
	if (order >= FINDINGS_KEPT)
		return;
	struct finding *finding = arena_zalloc(findings->arena, sizeof(*finding));
	const char *text = format_text(findings->arena, format, arguments);
	if (!finding || !text) {
		findings->failed = true;
		return;
	}
	finding->order = order;
	finding->is_error = is_error;
	finding->place = place;
	finding->text = text;
	finding->last_note = &finding->notes;
	finding->next = findings->list;
	findings->list = finding;
}

void finding_error(struct findings *findings, struct place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finding_add(findings, true, place, format, arguments);
	va_end(arguments);
}

void finding_warn(struct findings *findings, struct place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finding_add(findings, false, place, format, arguments);
	va_end(arguments);
}

void finding_note(struct findings *findings, struct place place, const char *format, ...)
{
	struct finding *finding = findings->list;
	va_list arguments;

	/* Beyond FINDINGS_KEPT the newest one in the list is another's. */
	if (!finding || findings->errors + findings->warnings > FINDINGS_KEPT)
		return;
	struct note *note = arena_zalloc(findings->arena, sizeof(*note));
	va_start(arguments, format);
	const char *text = format_text(findings->arena, format, arguments);
	va_end(arguments);
	if (!note || !text) {
		findings->failed = true;
		return;
	}
	note->place = place;
	note->text = text;
	*finding->last_note = note;
	finding->last_note = &note->next;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80; /* UTF-8, RFC 3629 */
}

static size_t line_start(struct slice source, size_t offset)
{
	while (offset > 0 && source.data[offset - 1] != '\n')
		offset--;
	return offset;
}

static size_t clamp_offset(const struct findings *findings, struct place place)
{
	return place.offset < findings->source.len ? place.offset : findings->source.len;
}

void findings_position(const struct findings *findings, struct place place, unsigned *line,
		       unsigned *column)
{
	size_t offset = clamp_offset(findings, place);
	size_t start = line_start(findings->source, offset);

	*line = 1;
	*column = 1;
	for (size_t i = 0; i < start; i++)
		*line += findings->source.data[i] == '\n';
	for (size_t i = start; i < offset; i++)
		*column += !is_continuation(findings->source.data[i]);
}

static bool is_hidden(const struct findings *findings, size_t offset)
{
	for (size_t i = 0; i < findings->secret_count; i++) {
		struct place secret = findings->secrets[i];
		if (offset >= secret.offset && offset - secret.offset < secret.length)
			return true;
	}
	return false;
}

/* Where the value of a `password:` in this line begins, for files too broken to have a tree. */
static size_t password_start(struct slice line)
{
	size_t at = slice_find_slice(line, SLICE("password"));

	if (at == line.len)
		return line.len;
	at += sizeof("password") - 1;
	while (at < line.len && (line.data[at] == ':' || line.data[at] == ' ' ||
				 line.data[at] == '"' || line.data[at] == '\''))
		at++;
	return at < line.len && line.data[at] == '!' ? line.len : at;
}

/* What could move the terminal's cursor is not shown (hostile-edge A30). */
static char shown(const struct findings *findings, unsigned char c)
{
	if (c < 0x20 || c == 0x7f)
		return ' ';
	return c >= 0x80 && findings->not_utf8 ? '?' : (char)c;
}

/* The line of the place and a caret under it: "   12 | text". */
static void show_line(const struct findings *findings, struct place place, unsigned number,
		      struct buf *out)
{
	struct slice source = findings->source;
	size_t offset = clamp_offset(findings, place);
	size_t start = line_start(source, offset);
	struct slice line = slice_sub(source, start, source.len);
	line.len = slice_find(line, '\n');
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;

	size_t from = offset - start > LINE_SHOWN / 2 ? offset - start - LINE_SHOWN / 2 : 0;
	while (from < line.len && from > 0 && is_continuation(line.data[from]))
		from--;
	size_t to = line.len - from > LINE_SHOWN ? from + LINE_SHOWN : line.len;
	while (to < line.len && is_continuation(line.data[to]))
		to++;
	size_t password = password_start(line);

	buf_printf(out, "%5u | ", number);
	for (size_t i = from; i < to; i++) {
		unsigned char c = (unsigned char)line.data[i];
		bool secret =
			is_hidden(findings, start + i) || (i >= password && c != ',' && c != '}');
		if (i >= password && (c == ',' || c == '}'))
			password = line.len;
		buf_add_char(out, secret ? '*' : shown(findings, c));
	}
	buf_add_text(out, "\n      | ");
	for (size_t i = from; i < offset - start && i < to; i++)
		if (!is_continuation(line.data[i]))
			buf_add_char(out, ' ');
	buf_add_char(out, '^');
	for (size_t i = offset - start + 1; i < to && i - (offset - start) < place.length; i++)
		if (!is_continuation(line.data[i]))
			buf_add_char(out, '~');
	buf_add_char(out, '\n');
}

static void show_place(const struct findings *findings, struct place place, const char *kind,
		       const char *text, struct buf *out)
{
	unsigned line, column;

	if (place.offset == PLACE_NOWHERE) {
		buf_printf(out, "%s: %s%s\n", findings->path, kind, text);
		return;
	}
	findings_position(findings, place, &line, &column);
	buf_printf(out, "%s:%u:%u: %s%s\n", findings->path, line, column, kind, text);
	show_line(findings, place, line, out);
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *first = *(const struct finding *const *)a;
	const struct finding *second = *(const struct finding *const *)b;

	if (first->place.offset != second->place.offset)
		return first->place.offset < second->place.offset ? -1 : 1;
	return first->order < second->order ? -1 : 1;
}

void findings_show(const struct findings *findings, struct buf *out)
{
	unsigned all = findings->errors + findings->warnings, count = 0;

	if (!all)
		return;
	struct finding **sorted =
		arena_alloc(findings->arena, FINDINGS_KEPT * sizeof(struct finding *));
	if (!sorted) {
		buf_printf(out, "%s: out of memory\n", findings->path);
		return;
	}
	for (struct finding *f = findings->list; f && count < FINDINGS_KEPT; f = f->next)
		sorted[count++] = f;
	qsort(sorted, count, sizeof(struct finding *), compare_findings);
	for (unsigned i = 0; i < count && i < FINDINGS_SHOWN; i++) {
		show_place(findings, sorted[i]->place,
			   sorted[i]->is_error ? "" : "warning: ", sorted[i]->text, out);
		for (const struct note *note = sorted[i]->notes; note; note = note->next) {
			if (note->place.offset == PLACE_NOWHERE)
				buf_printf(out, "      = %s\n", note->text);
			else
				show_place(findings, note->place, "note: ", note->text, out);
		}
	}
	if (all > FINDINGS_SHOWN)
		buf_printf(out, "%s: and %u more\n", findings->path, all - FINDINGS_SHOWN);
}
