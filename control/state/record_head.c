/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_head.h"

void record_head_take(char *value, uint16_t node, uint64_t epoch)
{
	value[RECORD_HEAD_NODE_AT] = (char)(node >> 8);
	value[RECORD_HEAD_NODE_AT + 1] = (char)node;
	for (int i = 0; i < 8; i++)
		value[RECORD_HEAD_EPOCH_AT + i] = (char)(epoch >> (56 - 8 * i));
}

void record_head_write(const struct record_head *head, struct buf *out)
{
	char bytes[RECORD_HEAD_SIZE] = {(char)RECORD_HEAD_MAGIC, RECORD_HEAD_CLEAR};

	record_head_take(bytes, head->node, head->epoch);
	bytes[RECORD_HEAD_WORKER_AT] = (char)head->worker;
	bytes[RECORD_HEAD_WORKER_AT + 1] = (char)head->state;
	buf_add(out, (struct slice){bytes, sizeof(bytes)});
}

int record_head_read(struct slice value, struct record_head *out)
{
	const uint8_t *bytes = (const void *)value.data;

	if (value.len < RECORD_HEAD_SIZE || bytes[0] != RECORD_HEAD_MAGIC)
		return -ERR_MALFORMED;
	if (bytes[1] != RECORD_HEAD_CLEAR && bytes[1] != RECORD_HEAD_SEALED)
		return -ERR_VERSION;
	struct record_head head = {
		.node = (uint16_t)(bytes[RECORD_HEAD_NODE_AT] << 8 |
				   bytes[RECORD_HEAD_NODE_AT + 1]),
		.worker = bytes[RECORD_HEAD_WORKER_AT],
		.state = bytes[RECORD_HEAD_WORKER_AT + 1],
	};
	for (int i = 0; i < 8; i++)
		head.epoch = head.epoch << 8 | bytes[RECORD_HEAD_EPOCH_AT + i];
	*out = head;
	return 0;
}

int record_head_split(struct slice value, struct record_head *out, struct slice *body)
{
	bool has_head = value.len > 0 && (uint8_t)value.data[0] == RECORD_HEAD_MAGIC;
	int err = has_head ? record_head_read(value, out) : 0;

	if (err)
		return err;
	if (!has_head)
		*out = (struct record_head){0};
	*body = has_head ? slice_sub(value, RECORD_HEAD_SIZE, SIZE_MAX) : value;
	return 0;
}

bool record_head_may_replace(const struct record_head *stored, const struct record_head *head)
{
	return stored->epoch < head->epoch ||
	       (stored->epoch == head->epoch && stored->node == head->node);
}
