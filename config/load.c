/* The file's tree into the raw structs, by the schema's table. Every value is read, wrong ones are
 * reported and left out, so that one reading finds everything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"

#include <stdio.h>

#include "config/nearest.h"
#include "config/types.h"

#define PATH_SIZE    96
#define MAX_VALUES   4096 /* of a list, unless its key says fewer */
#define MAX_DEFAULTS 32

/* --- one value -----------------------------------------------------------------------------------
 */

static bool is_null(const struct yaml_node *node)
{
	return node->type == YAML_SCALAR && !node->is_quoted && !node->tag.len &&
	       (node->text.len == 0 || slice_equal(node->text, SLICE("~")) ||
		slice_equal(node->text, SLICE("null")));
}

static bool scalar_read(struct element *element, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct findings *findings = &element->loaded->findings;

	if (node->type == YAML_MAP && !key->type->takes_map) {
		finding_error(findings, node->place, "%s takes no keys of its own: write %s",
			      key->path, key->type->write);
		return false;
	}
	if (node->type == YAML_LIST) {
		finding_error(findings, node->place, "%s takes no list%s", key->path,
			      key->count_offset ? " inside a list" : ": write one value");
		return false;
	}
	if (node->tag.len && !key->type->takes_tag) {
		finding_error(findings, node->place, "%.*s has no use here: %s takes %s",
			      SLICE_ARG(node->tag), key->path, key->type->write);
		return false;
	}
	if (is_null(node)) {
		finding_error(findings, node->place, "%s has no value: write %s", key->path,
			      key->type->write);
		return false;
	}
	return key->type->read(element->loaded, key, node, out);
}

/* A list, or one value standing for a list of one. */
static void list_read(struct element *element, const struct schema_key *key,
		      const struct yaml_node *node)
{
	struct loaded *loaded = element->loaded;
	bool is_list = node->type == YAML_LIST;
	size_t size = key->type->size, room = is_list ? node->count : 1, count = 0;

	size_t most = key->max_values ? key->max_values : MAX_VALUES;

	if (room > most) {
		finding_error(&loaded->findings, node->place,
			      "%s holds at most %zu values, not %zu", key->path, most, room);
		return;
	}
	if (room == 0 && key->is_required) {
		finding_error(&loaded->findings, node->place, "%s is empty: write %s", key->path,
			      key->type->write);
		return;
	}
	char *values = arena_zalloc(loaded->arena, room ? room * size : 1);
	if (!values) {
		loaded->findings.failed = true;
		return;
	}
	for (const struct yaml_node *item = is_list ? node->first : node; item;
	     item = is_list ? item->next : NULL) {
		char *value = values + count * size;
		if (!scalar_read(element, key, item, value))
			continue;
		if (item->place.offset != PLACE_NOWHERE)
			origin_set(loaded, value, ORIGIN_FILE, item->place);
		count++;
	}
	memcpy(element->base + key->offset, &(void *){values}, sizeof(void *));
	memcpy(element->base + key->count_offset, &count, sizeof(count));
}

static void value_read(struct element *element, const struct schema_key *key,
		       const struct yaml_node *node)
{
	struct loaded *loaded = element->loaded;
	char *value = element->base + key->offset;

	origin_set(loaded, value, ORIGIN_FILE, node->place);
	if (key->count_offset)
		list_read(element, key, node);
	else
		(void)scalar_read(element, key, node, value); /* it has said what is wrong */
}

/* --- the keys of one struct ----------------------------------------------------------------------
 */

/* The last word of `path` when it lies directly under `prefix`, NUL-terminated into `out`. */
static bool direct_child(const char *path, struct slice prefix, char *out, size_t size)
{
	struct slice rest = slice_from(path);

	if (prefix.len) {
		if (rest.len <= prefix.len || !slice_starts(rest, prefix) ||
		    rest.data[prefix.len] != '.')
			return false;
		rest = slice_sub(rest, prefix.len + 1, rest.len);
	}
	slice_copy(slice_cut(&rest, '.'), out, size);
	return true;
}

static void unknown_key(struct element *element, const struct yaml_node *node, struct slice prefix)
{
	struct findings *findings = &element->loaded->findings;
	const struct schema_section *section = element->section;
	struct nearest nearest;
	const char *elsewhere = NULL;
	char name[PATH_SIZE];

	nearest_start(&nearest, node->key);
	for (size_t i = 0; i < section->key_count && !findings_are_many(findings); i++) {
		struct slice path = slice_from(section->keys[i].path);
		if (direct_child(section->keys[i].path, prefix, name, sizeof(name))) {
			char *kept = type_text(element->loaded, slice_from(name));
			if (kept)
				nearest_offer(&nearest, kept);
		}
		if (path.len > node->key.len && slice_ends(path, node->key) &&
		    path.data[path.len - node->key.len - 1] == '.')
			elsewhere = section->keys[i].path;
	}
	if (section->shape == SCHEMA_ROOT && prefix.len == 0)
		for (int id = SCHEMA_INTERFACES; id < SCHEMA_SECTIONS; id++)
			nearest_offer(&nearest, schema_section((enum schema_section_id)id)->path);

	const char *best = nearest.name && nearest.distance < 2 ? nearest.name
			   : elsewhere                          ? elsewhere
								: nearest.name;
	/* A misspelled key is not missing as well. */
	char path[PATH_SIZE];
	int length = snprintf(path, sizeof(path), "%.*s%s%s", SLICE_ARG(prefix),
			      prefix.len ? "." : "", nearest.name ? nearest.name : "");
	const struct schema_key *meant = schema_find(
		section, slice_sub(slice_from(path), 0, length > 0 ? (size_t)length : 0));
	if (meant && meant->is_required)
		origin_set(element->loaded, element->base + meant->offset, ORIGIN_FILE,
			   node->place);
	finding_error(findings, node->key_place, "%s has no key \"%.*s%s%.*s\"%s%s%s",
		      element->title, SLICE_ARG(prefix), prefix.len ? "." : "",
		      SLICE_ARG(node->key), best ? " (did you mean \"" : "", best ? best : "",
		      best ? "\"?)" : "");
}

void load_keys(struct element *element, const struct yaml_node *map, struct slice prefix)
{
	struct findings *findings = &element->loaded->findings;

	for (const struct yaml_node *node = map->first; node; node = node->next) {
		char text[PATH_SIZE];
		int length = snprintf(text, sizeof(text), "%.*s%s%.*s", SLICE_ARG(prefix),
				      prefix.len ? "." : "", SLICE_ARG(node->key));
		struct slice path = {text, length > 0 ? (size_t)length : 0};
		if (path.len >= sizeof(text)) {
			unknown_key(element, node, prefix);
			continue;
		}
		const struct schema_key *key = schema_find(element->section, path);
		if (key)
			value_read(element, key, node);
		else if (!schema_is_group(element->section, path))
			unknown_key(element, node, prefix);
		else if (node->type == YAML_MAP)
			load_keys(element, node, path);
		else if (!is_null(node)) /* all its keys may be comments */
			finding_error(findings, node->place,
				      "\"%s\" holds keys, not a value: %s: {...}", text, text);
	}
}

/* --- defaults ------------------------------------------------------------------------------------
 */

/* Defaults are written as in a file; so they are read as from one. */
static void default_read(struct element *element, const struct schema_key *key, const char *text)
{
	struct yaml_node values[MAX_DEFAULTS];
	struct yaml_node list = {.type = YAML_LIST, .place = PLACE_NONE};
	struct slice rest = slice_from(strcmp(text, "[]") == 0 ? "" : text);

	memset(values, 0, sizeof(values));
	while (rest.len && list.count < sizeof(values) / sizeof(values[0])) {
		struct yaml_node *value = &values[list.count];
		value->place = PLACE_NONE;
		value->text = key->count_offset ? slice_trim(slice_cut(&rest, ',')) : rest;
		if (list.count)
			values[list.count - 1].next = value;
		else
			list.first = value;
		list.count++;
		if (!key->count_offset)
			break;
	}
	if (key->count_offset)
		list_read(element, key, &list);
	else
		(void)scalar_read(element, key, &values[0], element->base + key->offset);
}

void load_defaults(struct element *element, bool trusted)
{
	struct loaded *loaded = element->loaded;
	const struct schema_section *section = element->section;

	for (size_t i = 0; i < section->key_count; i++) {
		const struct schema_key *key = &section->keys[i];
		const char *text = schema_default(key, trusted);
		if (origin_of(loaded, element->base + key->offset))
			continue;
		if (text)
			default_read(element, key, text);
		else if (key->is_required) {
			finding_error(&loaded->findings, value_place(loaded, NULL, element->node),
				      "%s has no %s", element->title, key->path);
			finding_note(&loaded->findings, PLACE_NONE, "add %s: %s", key->path,
				     key->type->write);
		}
	}
}

/* What the peer does not say, its interface says: the value, and where it comes from. */
void load_inherit(struct element *element, const struct raw_interface *interface)
{
	struct loaded *loaded = element->loaded;
	const struct schema_section *from = schema_section(SCHEMA_INTERFACES);

	for (size_t i = 0; i < element->section->key_count; i++) {
		const struct schema_key *key = &element->section->keys[i];
		char *value = element->base + key->offset;
		if (!key->inherits || origin_of(loaded, value))
			continue;
		const struct schema_key *same = schema_find(from, slice_from(key->path));
		const char *inherited = (const char *)interface + same->offset;
		const struct origin *origin = origin_of(loaded, inherited);
		memcpy(value, inherited, key->count_offset ? sizeof(void *) : key->type->size);
		if (key->count_offset)
			memcpy(element->base + key->count_offset,
			       (const char *)interface + same->count_offset, sizeof(size_t));
		if (origin)
			origin_set(loaded, value, origin->type, origin->place);
	}
}

/* Read one element's keys; false when it is none at all. */
bool load_element(struct element *element)
{
	struct findings *findings = &element->loaded->findings;

	if (!element->title) {
		findings->failed = true;
		return false;
	}
	if (element->node->type != YAML_MAP) {
		finding_error(findings, element->node->place, "%s holds keys, not a value%s",
			      element->title,
			      is_null(element->node) ? " (nothing is indented under it)" : "");
		return false;
	}
	load_keys(element, element->node, SLICE_NONE);
	return true;
}
