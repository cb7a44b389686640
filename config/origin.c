/* Where values come from, by their address. Values without an entry are defaults.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

static struct origin **origin_bucket(const struct loaded *loaded, const void *value)
{
	uintptr_t at = (uintptr_t)value;
	size_t count = sizeof(loaded->origins) / sizeof(loaded->origins[0]);

	return (struct origin **)&loaded->origins[(at / 4 ^ at / 4096) % count];
}

void origin_set(struct loaded *loaded, const void *value, enum origin_type type, struct place place)
{
	struct origin *origin = arena_zalloc(loaded->arena, sizeof(*origin));

	if (!origin) {
		loaded->findings.failed = true;
		return;
	}
	struct origin **bucket = origin_bucket(loaded, value);
	*origin = (struct origin){*bucket, value, type, place};
	*bucket = origin;
}

const struct origin *origin_of(const struct loaded *loaded, const void *value)
{
	for (const struct origin *o = *origin_bucket(loaded, value); o; o = o->next)
		if (o->value == value)
			return o;
	return NULL;
}

struct place value_place(const struct loaded *loaded, const void *value,
			 const struct yaml_node *element)
{
	const struct origin *origin = value ? origin_of(loaded, value) : NULL;

	if (origin && origin->type == ORIGIN_FILE)
		return origin->place;
	if (!element)
		return PLACE_NONE;
	return element->key.len ? element->key_place : element->place;
}
