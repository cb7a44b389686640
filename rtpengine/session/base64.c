/* base64.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct slice without_padding(struct slice text)
{
	if (text.len % 4 == 0)
		for (unsigned i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++)
			text.len--;
	return text;
}

size_t base64_size(struct slice text)
{
	return without_padding(text).len * 6 / 8;
}

int base64_read(struct slice text, uint8_t *out, size_t len)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t at = 0;

	text = without_padding(text);
	if (text.len != (len * 8 + 5) / 6)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		const char *c = memchr(alphabet, text.data[i], sizeof(alphabet) - 1);
		if (!c)
			return -ERR_MALFORMED;
		bits = bits << 6 | (uint32_t)(c - alphabet);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[at++] = (uint8_t)(bits >> have);
	}
	return 0;
}

void base64_write(const uint8_t *data, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)data[i] << 16;
		char text[4];
		if (i + 1 < len)
			bits |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < len)
			bits |= data[i + 2];
		for (unsigned k = 0; k < 4; k++)
			text[k] = alphabet[bits >> (18 - 6 * k) & 63];
		if (i + 2 >= len)
			text[3] = '=';
		if (i + 1 >= len)
			text[2] = '=';
		buf_add(out, (struct slice){text, 4});
	}
}
