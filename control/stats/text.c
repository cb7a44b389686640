/* text.c - the layout of an answer: blocks of names and values, tables, nesting by indent.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/text.h"
#include <stdlib.h>
#include "control/stats/text_value.h"

enum { INDENT = 2, DEPTH_LIMIT = 8, COLUMNS_LIMIT = 64 };

static void block(const json_t *object, unsigned depth, struct buf *out);

static void pad(struct buf *out, size_t n)
{
	while (n--)
		buf_add_char(out, ' ');
}

static bool is_rows(const json_t *value)
{
	return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static bool is_nested(const json_t *value, unsigned depth)
{
	return depth < DEPTH_LIMIT &&
	       (is_rows(value) || (json_is_object(value) && json_object_size(value)));
}

static struct slice string_of(const json_t *value)
{
	return (struct slice){json_string_value(value), json_string_length(value)};
}

static bool is_many_lines(const json_t *value)
{
	struct slice text = string_of(value);
	return json_is_string(value) && slice_find(text, '\n') != text.len;
}

/* --- tables --- */

struct column {
	const char *key;
	size_t width;
	bool is_number; /* aligned right */
};

struct table_layout {
	struct column columns[COLUMNS_LIMIT];
	size_t count;
};

static struct column *column_of(struct table_layout *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->columns[i].key, key) == 0)
			return &table->columns[i];
	}
	if (table->count == COLUMNS_LIMIT)
		return NULL;
	struct column *column = &table->columns[table->count++];
	*column = (struct column){.key = key, .is_number = true};
	return column;
}

/* One cell, or a heading, into `cell`; returns its width. */
static size_t cell_write(const char *key, const json_t *value, struct buf *cell)
{
	buf_clear(cell);
	if (value)
		text_value(key, value, cell);
	else
		text_name(key, cell);
	return text_width(buf_slice(cell));
}

static void width_grow(struct column *column, size_t width)
{
	if (width > column->width)
		column->width = width;
}

static void table_measure(const json_t *rows, struct table_layout *table, struct buf *cell)
{
	const json_t *row, *value;
	const char *key;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)rows, i, row)
	{
		json_object_foreach((json_t *)(uintptr_t)row, key, value)
		{
			struct column *column = column_of(table, key);
			if (!column)
				continue;
			width_grow(column, cell_write(key, value, cell));
			if (!json_is_number(value) && !json_is_null(value))
				column->is_number = false;
		}
	}
	for (i = 0; i < table->count; i++)
		width_grow(&table->columns[i], cell_write(table->columns[i].key, NULL, cell));
}

static void table_row(const struct table_layout *table, const json_t *row, size_t indent,
		      struct buf *cell, struct buf *out)
{
	size_t owed = indent; /* spaces due before the next text: lines do not end in spaces */
	for (size_t i = 0; i < table->count; i++) {
		const struct column *column = &table->columns[i];
		const json_t *value = row ? json_object_get(row, column->key) : NULL;
		size_t width = 0;
		buf_clear(cell);
		if (value || !row)
			width = cell_write(column->key, value, cell);
		size_t space = column->width - width;
		if (width) {
			pad(out, owed + (column->is_number ? space : 0));
			buf_add(out, buf_slice(cell));
			owed = 0;
		}
		owed += (width && column->is_number ? 0 : space) + INDENT;
	}
	buf_add_char(out, '\n');
}

static void rows_write(const json_t *rows, size_t indent, struct buf *out)
{
	struct table_layout *table = calloc(1, sizeof(*table));
	const json_t *row;
	struct buf cell;
	size_t i;
	if (!table) {
		buf_add_text(out, "out of memory\n");
		return;
	}
	buf_init(&cell);
	table_measure(rows, table, &cell);
	table_row(table, NULL, indent, &cell, out);
	json_array_foreach((json_t *)(uintptr_t)rows, i, row)
		table_row(table, row, indent, &cell, out);
	buf_free(&cell);
	free(table);
}

/* --- blocks --- */

static void lines_write(struct slice text, size_t indent, struct buf *out)
{
	struct slice line;
	while (slice_next_line(&text, &line)) {
		pad(out, indent);
		text_escape(line, out);
		buf_add_char(out, '\n');
	}
}

static size_t name_write(const char *key, struct buf *out)
{
	size_t start = out->len;
	text_name(key, out);
	return text_width(slice_sub(buf_slice(out), start, SIZE_MAX));
}

static size_t names_width(const json_t *object, unsigned depth)
{
	const char *key;
	const json_t *value;
	size_t width = 0;
	struct buf name;
	buf_init(&name);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		buf_clear(&name);
		size_t len = name_write(key, &name);
		if (len > width && !is_nested(value, depth) && !is_many_lines(value))
			width = len;
	}
	buf_free(&name);
	return width;
}

static void member(const char *key, const json_t *value, size_t width, unsigned depth,
		   struct buf *out)
{
	size_t inner = ((size_t)depth + 1) * INDENT;
	pad(out, (size_t)depth * INDENT);
	size_t len = name_write(key, out);
	if (is_many_lines(value)) {
		buf_add_char(out, '\n');
		lines_write(string_of(value), inner, out);
	} else if (is_nested(value, depth)) {
		buf_add_char(out, '\n');
		if (json_is_array(value))
			rows_write(value, inner, out);
		else
			block(value, depth + 1, out);
	} else {
		pad(out, width - len + INDENT);
		text_value(key, value, out);
		buf_add_char(out, '\n');
	}
}

static void block(const json_t *object, unsigned depth, struct buf *out)
{
	const char *key;
	const json_t *value;
	size_t width = names_width(object, depth);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		member(key, value, width, depth, out);
}

void stats_text(const json_t *value, struct buf *out)
{
	const json_t *item;
	size_t i;
	if (is_rows(value)) {
		rows_write(value, 0, out);
	} else if (json_object_size(value)) {
		block(value, 0, out);
	} else if (json_array_size(value)) {
		json_array_foreach((json_t *)(uintptr_t)value, i, item)
		{
			text_value("", item, out);
			buf_add_char(out, '\n');
		}
	} else if (json_is_array(value) || json_is_object(value)) {
		buf_add_text(out, "none\n");
	} else {
		text_value("", value, out);
		buf_add_char(out, '\n');
	}
}
