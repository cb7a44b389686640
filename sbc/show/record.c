/* record.c - `show record ID`: what the store holds of a call.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record.h"
#include "control/state/record_head.h"
#include "sbc/show/part.h"

enum { ARENA_CHUNK = 65536, ARENA_LIMIT = 4 * 1024 * 1024 };

static json_t *decoded(struct slice bytes)
{
	struct arena *arena;
	struct call_record *record;
	struct record_head head;
	struct slice body;
	struct buf text;
	json_t *value = NULL;

	if (arena_create(ARENA_CHUNK, ARENA_LIMIT, &arena) != 0)
		return NULL;
	buf_init(&text);
	int err = record_head_split(bytes, &head, &body);
	if (!err)
		err = record_decode(arena, body, &record);
	if (!err) {
		record->epoch = head.epoch; /* a take-over changes it there alone */
		record_json(record, &text);
		if (!buf_failed(&text))
			value = json_loadb(text.data, text.len, 0, NULL);
	} else {
		value = json_pack("{ss}", "error", err_text(err));
	}
	if (value)
		json_put_number(value, "record_bytes", bytes.len);
	buf_free(&text);
	arena_destroy(arena);
	return value;
}

static void on_record(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct part *part = owner;
	(void)handle;

	part_done(part, reply->err ? NULL : decoded(reply->value));
}

void part_record(struct part *part, struct core *core)
{
	struct buf key;

	buf_init(&key);
	if (record_key(part->args, &key) == 0 && !buf_failed(&key))
		store_get(core->store, buf_slice(&key), on_record, part, 0);
	else
		part_done(part, NULL);
	buf_free(&key);
}
