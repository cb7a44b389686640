/* chars.h - the character classes of RFC 3261 25.1, one bit per ASCII character. Private to
 * message. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

struct chars {
	uint64_t set[2];
};

/* alnum - . ! % * _ + ` ' ~ */
#define CHARS_TOKEN ((struct chars){{0x03ff6ca200000000ull, 0x47ffffff87fffffeull}})
/* unreserved, escapes, & = + $ , ; ? /, and # which dialled codes hold */
#define CHARS_USER     ((struct chars){{0xabfffffa00000000ull, 0x47fffffe87fffffeull}})
#define CHARS_PASSWORD ((struct chars){{0x23ff7ff200000000ull, 0x47fffffe87fffffeull}})
/* alnum - . and _ which names in use hold */
#define CHARS_HOSTNAME ((struct chars){{0x03ff600000000000ull, 0x07fffffe87fffffeull}})
/* param-unreserved, unreserved, escapes */
#define CHARS_PARAMETER ((struct chars){{0x07ffeff200000000ull, 0x47fffffeaffffffeull}})
/* whatever may stand in an absolute URI */
#define CHARS_URI ((struct chars){{0xaffffffa00000000ull, 0x47fffffeafffffffull}})
/* word of Call-ID */
#define CHARS_WORD ((struct chars){{0xd7ffefa600000000ull, 0x6fffffffbfffffffull}})
/* visible but " ; , < > : the value of a header parameter */
#define CHARS_VALUE ((struct chars){{0xa7ffeffa00000000ull, 0x7fffffffffffffffull}})
/* letters, digits, mark: never needs an escape */
#define CHARS_UNRESERVED ((struct chars){{0x03ff678200000000ull, 0x47fffffe87fffffeull}})

static inline bool chars_has(struct chars chars, char c)
{
	unsigned char u = (unsigned char)c;
	return u < 128 && (chars.set[u >> 6] >> (u & 63) & 1);
}

static inline bool chars_all(struct chars chars, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!chars_has(chars, s.data[i]))
			return false;
	}
	return true;
}

static inline bool char_is_space(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline int char_hex(char c)
{
	if (char_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Every % is followed by two hexadecimal digits. */
static inline bool escapes_are_good(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '%' &&
		    (i + 2 >= s.len || char_hex(s.data[i + 1]) < 0 || char_hex(s.data[i + 2]) < 0))
			return false;
	}
	return true;
}

/* Cut spaces and tabs from the front. */
static inline void skip_space(struct slice *s)
{
	size_t n = 0;
	while (n < s->len && char_is_space(s->data[n]))
		n++;
	*s = slice_sub(*s, n, s->len - n);
}

/* A hostname, an IPv4 address, or (bracketed = true) what stands between [ and ]. */
bool host_is_good(struct slice host, bool bracketed);
/* Cuts host and optional port off the front: "[::1]:5060", "a.example" ... */
MUST_CHECK int host_port_cut(struct slice *text, struct slice *host, uint16_t *port);
/* An address that may have the extra colon of RFC 5118 4.10. */
MUST_CHECK int host_addr(struct slice host, struct addr *out);
