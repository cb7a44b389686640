/* record_head.h - what stands clear in front of every record in the store, whoever wrote the rest:
 * whose the record is. Scripts in the store compare and change the owner there without reading
 * what follows (which may be sealed). On the wire, 14 bytes:
 *   0xCB, format (1 = what follows is clear, 2 = sealed), node (u16), epoch (u64), worker (u8),
 *   state (u8); numbers in network byte order. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

enum {
	RECORD_HEAD_SIZE = 14,
	RECORD_HEAD_MAGIC = 0xcb,
	RECORD_HEAD_CLEAR = 1,
	RECORD_HEAD_SEALED = 2,
	/* where the script finds the owner */
	RECORD_HEAD_NODE_AT = 2,
	RECORD_HEAD_EPOCH_AT = 4,
	RECORD_HEAD_WORKER_AT = 12
};

struct record_head {
	uint16_t node;  /* owner; 0 = nobody (of the version before, which had no head) */
	uint64_t epoch; /* of the ownership: rises by one with each take-over */
	uint8_t worker; /* of the owner */
	uint8_t state;  /* enum record_state */
};

void record_head_write(const struct record_head *head, struct buf *out);
/* -ERR_MALFORMED: no head; -ERR_VERSION: one of a later version. */
MUST_CHECK int record_head_read(struct slice value, struct record_head *out);
/* The same, and what follows it. A value of the version before has no head: it is all body, and
 * nobody's. */
MUST_CHECK int record_head_split(struct slice value, struct record_head *out, struct slice *body);
/* In place: the first RECORD_HEAD_SIZE bytes of a value become another owner's. */
void record_head_take(char *value, uint16_t node, uint64_t epoch);
/* May `head` be written over `stored`? Not when that one's ownership is later, or as late and
 * another node's. */
bool record_head_may_replace(const struct record_head *stored, const struct record_head *head);
