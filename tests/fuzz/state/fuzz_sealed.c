/* What stands in the store for a sealed record: the head is read or refused, nothing opens that was
 * not closed with the key, and what was closed opens again. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "control/state/record_head.h"
#include "control/state/seal.h"

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void fill(struct random *random, void *out, size_t len)
{
	(void)random;
	memset(out, 7, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct log log = {.level = LOG_ERROR, .fd = -1, .program = "fuzz"};
	struct slice value = {(const char *)data, size}, body;
	struct random random = {.fill = fill};
	struct record_head head;
	struct seal *seal = NULL;
	struct buf closed, opened;

	check(seal_create("a key", &random, &log, &seal) == 0);
	buf_init(&closed);
	buf_init(&opened);
	bool has_head = record_head_split(value, &head, &body) == 0 && body.len != value.len;
	check(seal_open(seal, value, &opened) != 0 || !has_head);
	buf_clear(&opened);
	if (has_head) {
		check(seal_close(seal, value, &closed) == 0);
		check(seal_open(seal, buf_slice(&closed), &opened) == 0);
		check(opened.len == value.len);
		check(memcmp(opened.data + RECORD_HEAD_SIZE, body.data, body.len) == 0);
	}
	buf_free(&closed);
	buf_free(&opened);
	seal_destroy(seal);
	return 0;
}
