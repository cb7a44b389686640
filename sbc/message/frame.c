/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/frame.h"

#include "sbc/message/chars.h"
#include "sbc/message/method.h"

#define NO_LENGTH SIZE_MAX

/* The header at the front with its folds, cut off. */
static struct slice cut_header(struct slice *head)
{
	size_t end = 0;
	for (;;) {
		end += slice_find(slice_sub(*head, end, head->len), '\n');
		if (end >= head->len)
			break;
		end++;
		if (end >= head->len || !char_is_space(head->data[end]))
			break;
	}
	struct slice header = slice_sub(*head, 0, end);
	*head = slice_sub(*head, end, head->len);
	return header;
}

/* The only Content-Length of a head; NO_LENGTH: none, two, or no number. */
static size_t content_length(struct slice head)
{
	size_t length = NO_LENGTH;
	while (head.len) {
		struct slice value = cut_header(&head);
		struct slice name = slice_trim(slice_cut(&value, ':'));
		uint32_t number;
		if (header_parse(name) != HEADER_CONTENT_LENGTH)
			continue;
		if (length != NO_LENGTH || slice_to_u32(slice_trim(value), INT32_MAX, &number))
			return NO_LENGTH;
		length = number;
	}
	return length;
}

static enum frame_result find_head(struct frame *frame, struct slice data, size_t max,
				   size_t *length)
{
	static const char mark[] = "\r\n\r\n";
	/* The mark may have begun in what was seen already. */
	size_t from = frame->seen > 3 ? frame->seen - 3 : 0;
	struct slice fresh = slice_sub(data, from, data.len);
	size_t at = slice_find_slice(fresh, (struct slice){mark, 4});

	frame->seen = data.len;
	if (at == fresh.len || from + at + 4 > max) {
		*length = data.len < max ? data.len : max;
		return data.len >= max ? FRAME_LARGE : FRAME_MORE;
	}
	frame->head = from + at + 4;
	size_t body = content_length(slice_sub(data, 0, frame->head));
	*length = frame->head;
	if (body == NO_LENGTH)
		return FRAME_BROKEN;
	if (body > max - frame->head)
		return FRAME_LARGE;
	frame->total = frame->head + body;
	return FRAME_MESSAGE;
}

enum frame_result frame_next(struct frame *frame, struct slice data, size_t max, size_t *length)
{
	if (frame->seen == 0) {
		if (slice_starts(data, SLICE("\r\n\r\n"))) {
			*length = 4;
			return FRAME_PING;
		}
		if (slice_starts(data, SLICE("\r\n"))) {
			*length = 2;
			return FRAME_PONG;
		}
		if (data.len == 0 || (data.len == 1 && data.data[0] == '\r'))
			return FRAME_MORE;
	}
	if (frame->head == 0) {
		enum frame_result result = find_head(frame, data, max, length);
		if (result != FRAME_MESSAGE)
			return result;
	}
	if (data.len < frame->total)
		return FRAME_MORE;
	*length = frame->total;
	return FRAME_MESSAGE;
}
