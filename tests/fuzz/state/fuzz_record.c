/* What the store returns for a record: decoded or refused, and what was decoded has one encoding
 * and valid JSON. SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include "control/state/record.h"

static void check(bool fact)
{
	if (!fact)
		abort();
}

/* The bytes given may hold fields of a later version, which are dropped: so it is the second
 * encoding that must equal the first. */
static void check_encoding(struct arena *arena, const struct call_record *record)
{
	struct call_record *again = NULL;
	struct buf first, second;
	buf_init(&first);
	buf_init(&second);
	check(record_encode(record, &first) == 0);
	check(record_decode(arena, buf_slice(&first), &again) == 0);
	check(record_encode(again, &second) == 0);
	check(slice_equal(buf_slice(&first), buf_slice(&second)));
	buf_free(&first);
	buf_free(&second);
}

static void check_json(const struct call_record *record)
{
	struct buf text;
	buf_init(&text);
	record_json(record, &text);
	json_t *json = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
	check(json != NULL);
	json_decref(json);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = NULL;
	struct call_record *record = NULL;
	check(arena_create(16 * 1024, 4 * 1024 * 1024, &arena) == 0);
	if (record_decode(arena, (struct slice){(const char *)data, size}, &record) == 0) {
		check_encoding(arena, record);
		check_json(record);
	}
	arena_destroy(arena);
	return 0;
}
