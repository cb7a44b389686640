/* Fuzz the bencode reader and the stream scanner: what is read is written the same and read again;
 * the scanner sees the same end, however the bytes come. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/bencode.h"
#include <stdlib.h>

static int scan(struct slice text, size_t *len)
{
	struct bencode_scanner scanner = {.at = 0};

	return bencode_scan_more(&scanner, text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct arena *arena, const struct ng_value *value, struct slice text)
{
	struct ng_value *again;
	struct buf buf;

	buf_init(&buf);
	bencode_write(&buf, value);
	/* The grammar has one spelling for each value. */
	if (!slice_starts(text, buf_slice(&buf)))
		abort();
	if (bencode_read(arena, buf_slice(&buf), &again))
		abort();
	buf_free(&buf);
}

static void check_scanner(struct slice text, bool readable)
{
	struct bencode_scanner scanner = {.at = 0};
	size_t whole_len = 0;
	size_t len = 0;
	int whole = scan(text, &whole_len);
	int err = -ERR_AGAIN;

	if (readable && (whole || whole_len > text.len))
		abort();
	for (size_t i = 0; i <= text.len && err == -ERR_AGAIN; i += 1 + i / 64)
		err = bencode_scan_more(&scanner, slice_sub(text, 0, i), &len);
	if (err == -ERR_AGAIN)
		err = bencode_scan_more(&scanner, text, &len);
	if (err != whole || (err == 0 && len != whole_len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct ng_value *value;
	struct arena *arena;

	if (arena_create(16384, 16 << 20, &arena))
		abort();
	bool readable = bencode_read(arena, text, &value) == 0;
	if (readable) {
		int64_t number;

		check_round_trip(arena, value, text);
		(void)ng_get_string(value, "call-id");
		(void)!ng_get_integer(value, "since", &number);
		(void)ng_list_has(value, "flags", "trust-address");
	}
	check_scanner(text, readable);
	arena_destroy(arena);
	return 0;
}
