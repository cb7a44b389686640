/* A stream in two ways, in one piece and in pieces of a few bytes: the same messages must come out.
 * The first byte says how long a piece is. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/message/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 2000, ENDS = 4096 };

/* Where each message ended; pings are told by no end, since CRLF CRLF may come as two CRLF. */
struct cut {
	size_t ends[ENDS];
	size_t count;
	enum frame_result last;
	size_t at;
};

static void cut(struct slice stream, size_t piece, struct cut *out)
{
	struct frame frame = {0};
	size_t have = piece < stream.len ? piece : stream.len, length = 0;

	out->count = 0;
	out->at = 0;
	for (;;) {
		struct slice seen = slice_sub(stream, out->at, have - out->at);
		out->last = frame_next(&frame, seen, MAX, &length);
		if (out->last == FRAME_MORE) {
			if (have == stream.len)
				return;
			have = have + piece < stream.len ? have + piece : stream.len;
			continue;
		}
		if (length == 0 || length > seen.len)
			abort();
		if (out->last == FRAME_BROKEN || out->last == FRAME_LARGE)
			return;
		out->at += length;
		frame = (struct frame){0};
		if (out->last == FRAME_MESSAGE && out->count < ENDS)
			out->ends[out->count++] = out->at;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cut whole, pieces;

	if (size < 2)
		return 0;
	struct slice stream = {(const char *)data + 1, size - 1};
	cut(stream, stream.len, &whole);
	cut(stream, data[0] % 16u + 1, &pieces);
	if (whole.count != pieces.count ||
	    memcmp(whole.ends, pieces.ends, whole.count * sizeof(whole.ends[0])) != 0)
		abort();
	if ((whole.last == FRAME_BROKEN) != (pieces.last == FRAME_BROKEN) ||
	    (whole.last == FRAME_LARGE) != (pieces.last == FRAME_LARGE))
		abort();
	return 0;
}
