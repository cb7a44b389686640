/* SPDX-License-Identifier: Apache-2.0 */
#include "config/effective.h"

#include <limits.h>
#include <stdio.h>

#include "config/raw.h"
#include "config/types.h"

#define ORIGIN_COLUMN 48
#define PATH_SIZE     96

struct printer {
	const struct loaded *loaded;
	struct buf *out;
	struct buf line;
};

static void line_end(struct printer *printer, const char *origin)
{
	size_t width = 0;

	buf_add(printer->out, buf_slice(&printer->line));
	for (size_t i = 0; i < printer->line.len; i++)
		width += ((unsigned char)printer->line.data[i] & 0xc0) != 0x80;
	if (origin && *origin) {
		while (width++ < ORIGIN_COLUMN)
			buf_add_char(printer->out, ' ');
		buf_printf(printer->out, " # %s", origin);
	}
	buf_add_char(printer->out, '\n');
	buf_clear(&printer->line);
}

/* Where the value at this address comes from. */
static void origin_text(const struct printer *printer, const struct schema_key *key,
			const void *value, bool trusted, bool has_roles, char *out, size_t size)
{
	const struct origin *origin = value ? origin_of(printer->loaded, value) : NULL;
	unsigned line, column;

	if (origin && origin->type == ORIGIN_FILE) {
		findings_position(&printer->loaded->findings, origin->place, &line, &column);
		(void)snprintf(out, size, "%s:%u", printer->loaded->findings.path, line);
	} else if (origin && origin->type == ORIGIN_HOST) {
		slice_copy(SLICE("this machine"), out, size);
	} else if (key->inherits) {
		origin_text(printer,
			    schema_find(schema_section(SCHEMA_INTERFACES), slice_from(key->path)),
			    NULL, trusted, true, out, size);
	} else if (has_roles && key->trusted && key->untrusted &&
		   strcmp(key->trusted, key->untrusted) != 0) {
		(void)snprintf(out, size, "role %s", trusted ? "trusted" : "untrusted");
	} else {
		slice_copy(SLICE("default"), out, size);
	}
}

void value_text(const struct loaded *loaded, const struct schema_key *key, const char *base,
		struct buf *out)
{
	const char *value = base + key->offset;
	size_t count;

	if (!key->count_offset) {
		key->type->print(loaded, key, value, out);
		return;
	}
	memcpy(&count, base + key->count_offset, sizeof(count));
	const char *values;
	memcpy(&values, value, sizeof(values));
	buf_add_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_add_text(out, ", ");
		key->type->print(loaded, key, values + i * key->type->size, out);
	}
	buf_add_char(out, ']');
}

/* Left out in the file, and nothing took its place. */
static bool is_set(const struct printer *printer, const struct schema_key *key, const char *base)
{
	size_t count = 1;

	if (key->count_offset)
		memcpy(&count, base + key->count_offset, sizeof(count));
	return count > 0 || origin_of(printer->loaded, base + key->offset);
}

static void indent(struct printer *printer, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		buf_add_text(&printer->line, "  ");
}

/* Print the groups that `path` enters and `before` was not in; returns its last word. */
static const char *enter_groups(struct printer *printer, const char *before, const char *path,
				size_t *depth)
{
	const char *word = path, *dot;
	bool same = true;

	while ((dot = strchr(word, '.'))) {
		size_t length = (size_t)(dot - path) + 1;
		same = same && strncmp(before, path, length) == 0;
		if (!same) {
			indent(printer, *depth);
			buf_printf(&printer->line, "%.*s:", (int)(dot - word), word);
			line_end(printer, NULL);
		}
		++*depth;
		word = dot + 1;
	}
	return word;
}

static void element_print(struct printer *printer, const struct schema_section *section,
			  const void *element, size_t depth, bool trusted, bool implicit)
{
	const char *base = element, *before = "";
	bool has_roles = section->shape == SCHEMA_MAP, dash = section->shape == SCHEMA_LIST;
	char origin[PATH_MAX + 32];

	for (size_t i = 0; i < section->key_count; i++) {
		const struct schema_key *key = &section->keys[i];
		size_t at = depth;
		const char *word = enter_groups(printer, before, key->path, &at);
		before = key->path;
		indent(printer, at);
		if (dash && at > 0)
			memcpy(printer->line.data + printer->line.len - 2, "- ", 2);
		dash = false;
		size_t start = printer->line.len;
		buf_printf(&printer->line, "%s: ", word);
		size_t empty = printer->line.len;
		value_text(printer->loaded, key, base, &printer->line);
		if (printer->line.len == empty || !is_set(printer, key, base)) {
			printer->line.len = start;
			buf_printf(&printer->line, "# %s: %s", word,
				   key->otherwise ? key->otherwise : "none");
			line_end(printer, NULL);
			continue;
		}
		origin_text(printer, key, base + key->offset, trusted, has_roles, origin,
			    sizeof(origin));
		line_end(printer,
			 implicit ? "default: neither phones nor routes are written" : origin);
	}
}

static void section_title(struct printer *printer, enum schema_section_id id, size_t count)
{
	buf_printf(&printer->line, "%s:%s", schema_section(id)->path, count ? "" : " []");
	line_end(printer, NULL);
}

static void name_line(struct printer *printer, const char *name)
{
	buf_printf(&printer->line, "  %s:", name);
	line_end(printer, NULL);
}

void effective_show(const struct loaded *loaded, struct buf *out)
{
	struct printer printer = {.loaded = loaded, .out = out};

	buf_init(&printer.line);
	section_title(&printer, SCHEMA_INTERFACES, loaded->interface_count);
	for (size_t i = 0; i < loaded->interface_count; i++) {
		if (loaded->interfaces[i].public.retired)
			continue;
		name_line(&printer, loaded->interfaces[i].public.name);
		element_print(&printer, schema_section(SCHEMA_INTERFACES), &loaded->interfaces[i],
			      2, loaded->interfaces[i].public.trusted, false);
	}
	if (loaded->peer_count)
		section_title(&printer, SCHEMA_PEERS, loaded->peer_count);
	for (size_t i = 0; i < loaded->peer_count; i++) {
		const struct raw_peer *peer = &loaded->peers[i];
		if (peer->public.retired)
			continue;
		name_line(&printer, peer->public.name);
		element_print(&printer, schema_section(SCHEMA_PEERS), peer, 2,
			      loaded->interfaces[peer->public.interface].public.trusted, false);
	}
	if (loaded->domain_count)
		section_title(&printer, SCHEMA_DOMAINS, loaded->domain_count);
	for (size_t i = 0; i < loaded->domain_count; i++) {
		name_line(&printer, loaded->domains[i].public.name);
		element_print(&printer, schema_section(SCHEMA_DOMAINS), &loaded->domains[i], 2,
			      false, false);
	}
	section_title(&printer, SCHEMA_PHONES, loaded->phones_count);
	for (size_t i = 0; i < loaded->phones_count; i++)
		element_print(&printer, schema_section(SCHEMA_PHONES), &loaded->phones[i], 2, false,
			      loaded->phones[i].public.implicit);
	section_title(&printer, SCHEMA_ROUTES, loaded->route_count);
	for (size_t i = 0; i < loaded->route_count; i++)
		element_print(&printer, schema_section(SCHEMA_ROUTES), &loaded->routes[i], 2, false,
			      loaded->routes[i].public.implicit);
	element_print(&printer, schema_section(SCHEMA_FILE), &loaded->file, 0, false, false);
	buf_free(&printer.line);
}

void config_show_effective(const struct config *config, struct buf *out)
{
	effective_show((const struct loaded *)(const void *)config, out);
}
