/* An HTTP request and frames behind it, cut into pieces. The first byte says how long these are;
 * every cut must lead to the same messages. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/transport/upgrade.h"
#include "sbc/transport/websocket.h"

enum { MESSAGE_MAX = 4096 };

/* What came out, as one text. */
static void read_frames(struct slice input, size_t step, struct buf *out)
{
	struct websocket *websocket;
	enum websocket_event event = WEBSOCKET_MORE;

	if (websocket_create(MESSAGE_MAX, &websocket))
		abort();
	while (input.len && event < WEBSOCKET_CLOSE) {
		struct slice part = slice_sub(input, 0, step), payload;
		uint16_t status;
		input = slice_sub(input, part.len, input.len);
		do {
			event = websocket_next(websocket, &part, &payload, &status);
			if (payload.len > MESSAGE_MAX)
				abort();
			if (event != WEBSOCKET_MORE) {
				buf_add_char(out, (char)event);
				buf_add_u64(out, status);
				buf_add(out, payload);
			}
		} while (event != WEBSOCKET_MORE && event < WEBSOCKET_CLOSE);
		if (event == WEBSOCKET_MORE && part.len)
			abort(); /* everything is taken */
	}
	websocket_destroy(websocket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const origins[] = {"https://a.example"};
	struct upgrade_policy policy = {origins, 1};
	struct slice input = {(const char *)data + 1, size - 1};
	struct buf answer, whole, cut;
	size_t used = 0;

	if (!size || size > 100000)
		return 0;
	policy.origin_count = data[0] & 1;
	size_t step = (data[0] >> 1) + 1u;
	buf_init(&answer);
	buf_init(&whole);
	buf_init(&cut);
	int err = upgrade_read(&policy, input, &used, &answer);
	if ((err == -ERR_AGAIN) != (answer.len == 0) || used > input.len || used > UPGRADE_MAX)
		abort();
	if (!err)
		input = slice_sub(input, used, input.len);
	read_frames(input, SIZE_MAX, &whole);
	read_frames(input, step, &cut);
	if (!slice_equal(buf_slice(&whole), buf_slice(&cut)))
		abort();
	buf_free(&answer);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
