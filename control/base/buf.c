/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_CAP 256

void buf_init(struct buf *buf)
{
	*buf = (struct buf){0};
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf_init(buf);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

bool buf_failed(const struct buf *buf)
{
	return buf->failed;
}

struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->data ? buf->data : "", buf->len};
}

char *buf_reserve(struct buf *buf, size_t more)
{
	if (buf->failed)
		return NULL;
	if (more < buf->cap - buf->len) /* one byte stays for the NUL */
		return buf->data + buf->len;

	size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAP;
	if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4)
		goto fail;
	while (cap <= buf->len + more)
		cap *= 2;
	char *data = realloc(buf->data, cap);
	if (!data)
		goto fail;
	buf->data = data;
	buf->cap = cap;
	buf->data[buf->len] = '\0';
	return buf->data + buf->len;
fail:
	buf->failed = true;
	return NULL;
}

void buf_add(struct buf *buf, struct slice s)
{
	char *at = buf_reserve(buf, s.len);
	if (!at)
		return;
	if (s.len)
		memcpy(at, s.data, s.len);
	buf->len += s.len;
	buf->data[buf->len] = '\0';
}

void buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, slice_from(text));
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, (struct slice){&c, 1});
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(buf, (struct slice){digits + at, sizeof(digits) - at});
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;

	char *at = buf_reserve(buf, 0);
	if (!at)
		return;
	va_start(args, format);
	va_copy(again, args);
	size_t room = buf->cap - buf->len;
	int len = vsnprintf(at, room, format, args);
	if (len < 0) {
		buf->failed = true;
	} else if ((size_t)len < room) {
		buf->len += (size_t)len;
	} else {
		at = buf_reserve(buf, (size_t)len);
		if (at && vsnprintf(at, (size_t)len + 1, format, again) == len)
			buf->len += (size_t)len;
		else
			buf->failed = true;
	}
	buf->data[buf->len] = '\0';
	va_end(again);
	va_end(args);
}

void buf_consume(struct buf *buf, size_t n)
{
	if (n > buf->len)
		n = buf->len;
	if (n == 0)
		return;
	buf->len -= n;
	memmove(buf->data, buf->data + n, buf->len);
	buf->data[buf->len] = '\0';
}
