/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/slice.h"

#include <stdlib.h>

static unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20u) : u;
}

static bool equal_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

static struct slice slice_drop(struct slice s, size_t n)
{
	/* NULL + 0 is undefined for the sanitizer, hence the test. */
	return n ? (struct slice){s.data + n, s.len - n} : s;
}

struct slice slice_sub(struct slice s, size_t from, size_t len)
{
	if (from > s.len)
		from = s.len;
	s = slice_drop(s, from);
	if (s.len > len)
		s.len = len;
	return s;
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && equal_nocase(a.data, b.data, a.len);
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_equal(slice_sub(s, 0, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && equal_nocase(s.data, prefix.data, prefix.len);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	       slice_equal(slice_sub(s, s.len - suffix.len, suffix.len), suffix);
}

size_t slice_find(struct slice s, char c)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;
	return at ? (size_t)(at - s.data) : s.len;
}

size_t slice_find_slice(struct slice s, struct slice needle)
{
	if (needle.len == 0)
		return 0;
	const char *at = s.len ? memmem(s.data, s.len, needle.data, needle.len) : NULL;
	return at ? (size_t)(at - s.data) : s.len;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_space(s.data[0]))
		s = slice_drop(s, 1);
	while (s.len && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

struct slice slice_cut(struct slice *s, char c)
{
	size_t at = slice_find(*s, c);
	struct slice before = slice_sub(*s, 0, at);
	*s = slice_drop(*s, at < s->len ? at + 1 : at);
	return before;
}

bool slice_next_line(struct slice *s, struct slice *line)
{
	if (s->len == 0)
		return false;
	struct slice found = slice_cut(s, '\n');
	if (found.len && found.data[found.len - 1] == '\r')
		found.len--;
	*line = found;
	return true;
}

bool slice_next_word(struct slice *s, struct slice *word)
{
	size_t start = 0;
	while (start < s->len && (s->data[start] == ' ' || s->data[start] == '\t'))
		start++;
	size_t end = start;
	while (end < s->len && s->data[end] != ' ' && s->data[end] != '\t')
		end++;
	struct slice found = slice_sub(*s, start, end - start);
	*s = slice_drop(*s, end);
	if (found.len == 0)
		return false;
	*word = found;
	return true;
}

int slice_to_u64(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.data[i] - '0';
		if (digit > 9 || value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit)
			return -ERR_MALFORMED;
		value = value * 10 + digit;
	}
	if (value > max)
		return -ERR_MALFORMED;
	*out = value;
	return 0;
}

int slice_to_u32(struct slice s, uint32_t max, uint32_t *out)
{
	uint64_t value;
	int err = slice_to_u64(s, max, &value);
	if (err)
		return err;
	*out = (uint32_t)value;
	return 0;
}

size_t slice_copy(struct slice s, char *out, size_t size)
{
	if (size == 0)
		return 0;
	size_t len = s.len < size - 1 ? s.len : size - 1;
	if (len)
		memcpy(out, s.data, len);
	out[len] = '\0';
	return len;
}

char *slice_dup(struct slice s)
{
	if (s.len == SIZE_MAX)
		return NULL;
	char *copy = malloc(s.len + 1);
	if (copy)
		slice_copy(s, copy, s.len + 1);
	return copy;
}
