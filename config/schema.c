/* The sections of the table, and looking up in it. SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

const struct schema_section *schema_section(enum schema_section_id id)
{
	static const struct schema_section *const sections[] = {
		[SCHEMA_FILE] = &schema_of_file,       [SCHEMA_INTERFACES] = &schema_of_interfaces,
		[SCHEMA_DOMAINS] = &schema_of_domains, [SCHEMA_PEERS] = &schema_of_peers,
		[SCHEMA_PHONES] = &schema_of_phones,   [SCHEMA_ROUTES] = &schema_of_routes,
	};

	return sections[id];
}

const struct schema_key *schema_find(const struct schema_section *section, struct slice path)
{
	for (size_t i = 0; i < section->key_count; i++)
		if (slice_equal(path, slice_from(section->keys[i].path)))
			return &section->keys[i];
	return NULL;
}

bool schema_is_group(const struct schema_section *section, struct slice path)
{
	for (size_t i = 0; i < section->key_count; i++) {
		struct slice key = slice_from(section->keys[i].path);
		if (key.len > path.len && key.data[path.len] == '.' && slice_starts(key, path))
			return true;
	}
	return false;
}

const char *schema_default(const struct schema_key *key, bool trusted)
{
	return trusted && key->trusted ? key->trusted : key->untrusted;
}
