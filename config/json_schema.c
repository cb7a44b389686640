/* JSON Schema (draft 2020-12) from the table, for editors: keys, words and shapes. What one value
 * means beside another is `postern check`'s affair. SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"
#include "config/types.h"

static void string_add(struct buf *out, const char *text)
{
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

static void scalar_add(struct buf *out, const struct schema_key *key)
{
	if (key->choices) {
		const char *separator = "";
		buf_add_text(out, "{\"enum\": [");
		for (const struct schema_choice *c = key->choices; c->name; c++) {
			buf_add_text(out, separator);
			string_add(out, c->name);
			separator = ", ";
		}
		buf_add_text(out, "]}");
	} else if (key->type == &type_bool) {
		buf_add_text(out, "{\"type\": \"boolean\"}");
	} else if (key->type == &type_number) {
		buf_printf(out, "{\"type\": \"integer\", \"minimum\": %llu, \"maximum\": %llu}",
			   (unsigned long long)key->min, (unsigned long long)key->max);
	} else {
		/* 112 and 46 are numbers to YAML, texts to us. */
		buf_add_text(out, key->type->takes_map
					  ? "{\"type\": [\"string\", \"number\", \"object\"]"
					  : "{\"type\": [\"string\", \"number\"]");
		if (key->type->pattern) {
			buf_add_text(out, ", \"pattern\": ");
			string_add(out, key->type->pattern);
		}
		buf_add_char(out, '}');
	}
}

static void key_add(struct buf *out, const struct schema_key *key)
{
	buf_add_text(out, "{\"description\": ");
	string_add(out, key->doc);
	if (key->untrusted && !key->count_offset) {
		buf_add_text(out, ", \"default\": ");
		string_add(out, key->untrusted);
	}
	buf_add_text(out, key->count_offset ? ", \"anyOf\": [" : ", \"allOf\": [");
	scalar_add(out, key);
	if (key->count_offset) {
		buf_add_text(out, ", {\"type\": \"array\", \"items\": ");
		scalar_add(out, key);
		buf_add_char(out, '}');
	}
	buf_add_text(out, "]}");
}

/* The keys under `prefix` ("media."), as the properties of one object. */
static void object_add(struct buf *out, const struct schema_section *section, struct slice prefix,
		       bool open)
{
	struct slice last_group = SLICE_NONE;
	const char *separator = "";

	buf_add_text(out,
		     "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {");
	for (size_t i = 0; i < section->key_count; i++) {
		const struct schema_key *key = &section->keys[i];
		struct slice path = slice_from(key->path);
		if (!slice_starts(path, prefix))
			continue;
		struct slice word = slice_sub(path, prefix.len, path.len);
		size_t dot = slice_find(word, '.');
		struct slice group = slice_sub(path, 0, prefix.len + dot + 1);
		if (dot < word.len && slice_equal(group, last_group))
			continue;
		buf_printf(out, "%s\n\"%.*s\": ", separator, (int)dot, word.data);
		separator = ",";
		if (dot < word.len) {
			object_add(out, section, group, false);
			last_group = group;
		} else {
			key_add(out, key);
		}
	}
	if (open) /* the caller adds more properties */
		return;
	buf_add_char(out, '}');
	bool any = false;
	for (size_t i = 0; i < section->key_count && prefix.len == 0; i++) {
		if (!section->keys[i].is_required)
			continue;
		buf_add_text(out, any ? ", " : ", \"required\": [");
		string_add(out, section->keys[i].path);
		any = true;
	}
	buf_add_text(out, any ? "]}" : "}");
}

static void section_add(struct buf *out, const struct schema_section *section)
{
	buf_printf(out, ",\n\"%s\": {\"description\": ", section->path);
	string_add(out, section->doc);
	buf_add_text(out, section->shape == SCHEMA_MAP
				  ? ", \"type\": \"object\", \"additionalProperties\": "
				  : ", \"type\": \"array\", \"items\": ");
	object_add(out, section, SLICE_NONE, false);
	buf_add_char(out, '}');
}

void schema_json(struct buf *out)
{
	struct buf root;

	buf_init(&root);
	object_add(&root, schema_section(SCHEMA_FILE), SLICE_NONE, true);
	buf_add_text(out,
		     "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
		     "\"title\": \"Postern configuration\", \"required\": [\"interfaces\"],\n");
	/* The root's own opening brace is the one above. */
	struct slice rest = slice_sub(buf_slice(&root), 1, root.len);
	buf_add(out, rest);
	for (int id = SCHEMA_INTERFACES; id < SCHEMA_SECTIONS; id++)
		section_add(out, schema_section((enum schema_section_id)id));
	buf_add_text(out, "}}\n");
	if (buf_failed(&root))
		out->failed = true;
	buf_free(&root);
}
