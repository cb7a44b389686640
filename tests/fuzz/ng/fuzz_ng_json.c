/* Fuzz the JSON reader and writer of NG: what is read is written as JSON that reads the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/bencode.h"
#include "control/ng/json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* jansson does not read a key with a NUL, though \u0000 is valid JSON. */
static bool has_nul_key(const struct ng_value *value)
{
	for (const struct ng_value *member = value->first; member; member = member->next)
		if ((member->key.len && memchr(member->key.data, '\0', member->key.len)) ||
		    has_nul_key(member))
			return true;
	return false;
}

static void read_back(struct arena *arena, const struct ng_value *value, bool exact)
{
	struct ng_value *again;
	struct buf json;
	struct buf back;

	buf_init(&json);
	buf_init(&back);
	ng_json_write(&json, value);
	if (json.len <= NG_MAX_BYTES) {
		if (ng_json_read(arena, buf_slice(&json), &again))
			abort();
		ng_json_write(&back, again);
		if (exact && !slice_equal(buf_slice(&json), buf_slice(&back)))
			abort();
	}
	buf_free(&json);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct ng_value *value;
	struct arena *arena;

	if (arena_create(16384, 32 << 20, &arena))
		abort();
	if (ng_json_read(arena, text, &value) == 0)
		read_back(arena, value, true);
	/* Any bytes from bencode must become valid JSON; keys that differ in bad bytes alone may
	 * become one. A document is a list or a dict. */
	else if (bencode_read(arena, text, &value) == 0 &&
		 (value->type == NG_DICT || value->type == NG_LIST) && !has_nul_key(value))
		read_back(arena, value, false);
	arena_destroy(arena);
	return 0;
}
