/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/keep_io.h"

#include <stdlib.h>

#define VARINT_MAX 4 /* bytes: 28 bits, above every limit */
#define NUMBER_MAX 8

void keep_fail(struct keep_io *io, int err)
{
	if (!io->err)
		io->err = err;
}

static size_t varint_write(size_t value, char *out)
{
	size_t n = 0;

	do {
		uint8_t byte = value & 0x7f;
		value >>= 7;
		out[n++] = (char)(value ? byte | 0x80 : byte);
	} while (value);
	return n;
}

static void header_add(struct keep_io *io, uint16_t number, size_t len)
{
	char header[16];
	size_t n = varint_write(number, header);

	n += varint_write(len, header + n);
	buf_add(io->out, (struct slice){header, n});
}

static void field_add(struct keep_io *io, uint16_t number, struct slice bytes)
{
	header_add(io, number, bytes.len);
	buf_add(io->out, bytes);
}

static bool varint_read(struct slice *from, uint32_t *out)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < VARINT_MAX && i < from->len; i++) {
		uint8_t byte = (uint8_t)from->data[i];
		value |= (uint32_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		if (i && byte == 0)
			return false;
		*from = slice_sub(*from, i + 1, SIZE_MAX);
		*out = value;
		return true;
	}
	return false;
}

/* The next field, if it is this one; lower numbers are not known to us. */
static bool field_take(struct keep_io *io, uint16_t wanted, struct slice *out)
{
	while (!io->err && io->in.len) {
		struct slice rest = io->in;
		uint32_t number, len;
		if (!varint_read(&rest, &number) || !varint_read(&rest, &len) || len > rest.len ||
		    number == 0) {
			keep_fail(io, -ERR_MALFORMED);
			return false;
		}
		if (number > wanted)
			return false;
		io->in = slice_sub(rest, len, SIZE_MAX);
		*out = slice_sub(rest, 0, len);
		if (number == wanted)
			return true;
	}
	return false;
}

uint64_t keep_number(struct keep_io *io, uint16_t number, uint64_t value, uint64_t max)
{
	char bytes[NUMBER_MAX];
	struct slice read;
	size_t n = 0;

	if (io->err)
		return value;
	if (!keep_reads(io)) {
		for (int shift = 56; shift >= 0; shift -= 8)
			if (n || value >> shift)
				bytes[n++] = (char)(value >> shift);
		if (n)
			field_add(io, number, (struct slice){bytes, n});
		return value;
	}
	if (!field_take(io, number, &read))
		return value;
	uint64_t found = 0;
	for (size_t i = 0; i < read.len && i < NUMBER_MAX; i++)
		found = found << 8 | (uint8_t)read.data[i];
	if (read.len == 0 || read.len > NUMBER_MAX || read.data[0] == 0 || found > max) {
		keep_fail(io, -ERR_MALFORMED);
		return value;
	}
	return found;
}

void keep_addr(struct keep_io *io, uint16_t number, struct addr *addr)
{
	char bytes[18];
	struct slice read;

	if (io->err)
		return;
	if (!keep_reads(io)) {
		if (!addr->family)
			return;
		size_t n = addr->family == AF_INET ? 4 : 16;
		memcpy(bytes, addr->bytes, n);
		bytes[n] = (char)(addr->port >> 8);
		bytes[n + 1] = (char)addr->port;
		field_add(io, number, (struct slice){bytes, n + 2});
		return;
	}
	if (!field_take(io, number, &read))
		return;
	if (read.len != 4 + 2 && read.len != 16 + 2) {
		keep_fail(io, -ERR_MALFORMED);
		return;
	}
	size_t n = read.len - 2;
	*addr = (struct addr){.family = n == 4 ? AF_INET : AF_INET6};
	memcpy(addr->bytes, read.data, n);
	addr->port = (uint16_t)((uint8_t)read.data[n] << 8 | (uint8_t)read.data[n + 1]);
}

/* It is kept as a C string. */
static bool text_take(struct keep_io *io, uint16_t number, size_t limit, struct slice *out)
{
	if (!field_take(io, number, out))
		return false;
	if (out->len > 0 && out->len <= limit && !memchr(out->data, 0, out->len))
		return true;
	keep_fail(io, -ERR_MALFORMED);
	return false;
}

void keep_chars(struct keep_io *io, uint16_t number, char *text, size_t size)
{
	struct slice read;

	if (io->err)
		return;
	if (!keep_reads(io)) {
		if (text[0])
			field_add(io, number, slice_from(text));
	} else if (text_take(io, number, size - 1, &read)) {
		slice_copy(read, text, size);
	}
}

void keep_text(struct keep_io *io, uint16_t number, char **text, size_t limit)
{
	struct slice read;

	if (io->err)
		return;
	if (!keep_reads(io)) {
		if (*text && (*text)[0])
			field_add(io, number, slice_from(*text));
	} else if (text_take(io, number, limit, &read)) {
		free(*text);
		*text = slice_dup(read);
		if (!*text)
			keep_fail(io, -ERR_NO_MEMORY);
	}
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return !any;
}

void keep_bytes(struct keep_io *io, uint16_t number, void *bytes, size_t len)
{
	struct slice read;

	if (io->err)
		return;
	if (!keep_reads(io)) {
		if (!is_zero(bytes, len))
			field_add(io, number, (struct slice){bytes, len});
	} else if (field_take(io, number, &read)) {
		if (read.len != len)
			keep_fail(io, -ERR_MALFORMED);
		else
			memcpy(bytes, read.data, len);
	}
}

bool keep_open(struct keep_io *io, uint16_t number, struct keep_nest *nest)
{
	struct slice inside;

	if (io->err)
		return false;
	if (!keep_reads(io)) {
		nest->start = io->out->len;
		return true;
	}
	if (!field_take(io, number, &inside))
		return false;
	nest->rest = io->in;
	io->in = inside;
	return true;
}

/* Its length is known once it is written: then it moves up to make room for its header. */
void keep_close(struct keep_io *io, uint16_t number, struct keep_nest *nest)
{
	char header[16];

	if (keep_reads(io)) {
		io->in = nest->rest;
		return;
	}
	size_t len = io->out->len - nest->start;
	header_add(io, number, len);
	if (buf_failed(io->out)) {
		keep_fail(io, -ERR_NO_MEMORY);
		return;
	}
	size_t header_len = io->out->len - nest->start - len;
	memcpy(header, io->out->data + nest->start + len, header_len);
	memmove(io->out->data + nest->start + header_len, io->out->data + nest->start, len);
	memcpy(io->out->data + nest->start, header, header_len);
}
