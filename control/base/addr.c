/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "control/base/table.h"

static size_t addr_bytes(const struct addr *addr)
{
	return addr->family == AF_INET ? 4 : addr->family == AF_INET6 ? 16 : 0;
}

/* One form for one host: ::ffff:a.b.c.d is a.b.c.d. */
static void addr_set_v6(struct addr *addr, const struct in6_addr *v6)
{
	if (IN6_IS_ADDR_V4MAPPED(v6)) {
		addr->family = AF_INET;
		memcpy(addr->bytes, v6->s6_addr + 12, 4);
	} else {
		addr->family = AF_INET6;
		addr->v6 = *v6;
	}
}

int addr_parse_ip(struct slice text, struct addr *out)
{
	char copy[INET6_ADDRSTRLEN];
	struct addr addr;
	struct in6_addr v6;
	bool bracketed = text.len >= 2 && text.data[0] == '[';

	if (bracketed) {
		if (text.data[text.len - 1] != ']')
			return -ERR_MALFORMED;
		text = slice_sub(text, 1, text.len - 2);
	}
	/* inet_pton() stops at a NUL, which must not be a way to smuggle a tail in. */
	if (text.len >= sizeof(copy) || slice_find(text, '\0') < text.len)
		return -ERR_MALFORMED;
	slice_copy(text, copy, sizeof(copy));

	memset(&addr, 0, sizeof(addr));
	if (!bracketed && inet_pton(AF_INET, copy, &addr.v4) == 1)
		addr.family = AF_INET;
	else if (inet_pton(AF_INET6, copy, &v6) == 1)
		addr_set_v6(&addr, &v6);
	else
		return -ERR_MALFORMED;
	*out = addr;
	return 0;
}

int addr_parse(struct slice text, uint16_t default_port, struct addr *out)
{
	struct slice host = text, port = SLICE_NONE;
	size_t colon;

	if (text.len && text.data[0] == '[') {
		size_t end = slice_find(text, ']');
		if (end == text.len)
			return -ERR_MALFORMED;
		host = slice_sub(text, 0, end + 1);
		port = slice_sub(text, end + 1, text.len);
	} else if ((colon = slice_find(text, ':')) < text.len) {
		port = slice_sub(text, colon, text.len);
		if (slice_find(slice_sub(port, 1, port.len), ':') < port.len - 1)
			port = SLICE_NONE; /* two colons: IPv6 without port */
		else
			host = slice_sub(text, 0, colon);
	}

	uint32_t number = default_port;
	if (port.len &&
	    (port.data[0] != ':' || slice_to_u32(slice_sub(port, 1, port.len), 65535, &number)))
		return -ERR_MALFORMED;
	int err = addr_parse_ip(host, out);
	if (err)
		return err;
	out->port = (uint16_t)number;
	return 0;
}

void addr_from_sockaddr(const struct sockaddr *sa, struct addr *out)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		out->family = AF_INET;
		out->v4 = sin.sin_addr;
		out->port = ntohs(sin.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		addr_set_v6(out, &sin6.sin6_addr);
		out->port = ntohs(sin6.sin6_port);
	}
}

socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (addr->family == AF_INET) {
		struct sockaddr_in sin = {
			.sin_family = AF_INET,
			.sin_port = htons(addr->port),
			.sin_addr = addr->v4,
		};
		memcpy(out, &sin, sizeof(sin));
		return sizeof(sin);
	}
	if (addr->family == AF_INET6) {
		struct sockaddr_in6 sin6 = {
			.sin6_family = AF_INET6,
			.sin6_port = htons(addr->port),
			.sin6_addr = addr->v6,
		};
		memcpy(out, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	return 0;
}

bool addr_is_set(const struct addr *addr)
{
	return addr->family != 0;
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, addr_bytes(a)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_equal_ip(a, b);
}

bool addr_is_any(const struct addr *addr)
{
	static const uint8_t zero[16];
	return addr_is_set(addr) && memcmp(addr->bytes, zero, addr_bytes(addr)) == 0;
}

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(bytes, prefix, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

bool addr_is_private(const struct addr *addr)
{
	static const struct {
		uint8_t family;
		uint8_t bits;
		uint8_t prefix[16];
	} ranges[] = {
		{AF_INET, 8, {10}},                                                /* RFC 1918 */
		{AF_INET, 12, {172, 16}},                                          /* RFC 1918 */
		{AF_INET, 16, {192, 168}},                                         /* RFC 1918 */
		{AF_INET, 10, {100, 64}},                                          /* RFC 6598 */
		{AF_INET, 16, {169, 254}},                                         /* RFC 3927 */
		{AF_INET, 8, {127}},                                               /* RFC 1122 */
		{AF_INET6, 7, {0xfc}},                                             /* RFC 4193 */
		{AF_INET6, 10, {0xfe, 0x80}},                                      /* RFC 4291 */
		{AF_INET6, 128, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, /* ::1 */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (ranges[i].family == addr->family &&
		    has_prefix(addr->bytes, ranges[i].prefix, ranges[i].bits))
			return true;
	}
	return false;
}

bool addr_is_multicast(const struct addr *addr)
{
	if (addr->family == AF_INET)
		return addr->bytes[0] >> 4 == 0xe;
	return addr->family == AF_INET6 && addr->bytes[0] == 0xff;
}

uint64_t addr_hash(const struct addr *addr, const uint64_t key[2])
{
	char bytes[3 + 16];
	size_t len = addr_bytes(addr);

	bytes[0] = (char)addr->family;
	memcpy(bytes + 1, &addr->port, 2);
	memcpy(bytes + 3, addr->bytes, len);
	return siphash((struct slice){bytes, 3 + len}, key);
}

const char *addr_ip_text(const struct addr *addr, char *out)
{
	if (!addr_is_set(addr) || !inet_ntop(addr->family, addr->bytes, out, ADDR_TEXT_SIZE))
		slice_copy(SLICE("-"), out, ADDR_TEXT_SIZE);
	return out;
}

const char *addr_text(const struct addr *addr, char *out)
{
	char ip[ADDR_TEXT_SIZE];

	addr_ip_text(addr, ip);
	snprintf(out, ADDR_TEXT_SIZE, addr->family == AF_INET6 ? "[%.45s]:%u" : "%.45s:%u", ip,
		 addr->port);
	return out;
}

void addr_add_ip(struct buf *buf, const struct addr *addr)
{
	char ip[ADDR_TEXT_SIZE];
	buf_add_text(buf, addr_ip_text(addr, ip));
}

void addr_add_host(struct buf *buf, const struct addr *addr)
{
	bool brackets = addr->family == AF_INET6;

	if (brackets)
		buf_add_char(buf, '[');
	addr_add_ip(buf, addr);
	if (brackets)
		buf_add_char(buf, ']');
}

int cidr_parse(struct slice text, struct cidr *out)
{
	struct cidr cidr;
	struct slice host = slice_sub(text, 0, slice_find(text, '/'));
	int err = addr_parse_ip(host, &cidr.network);
	if (err)
		return err;

	uint32_t width = (uint32_t)addr_bytes(&cidr.network) * 8;
	uint32_t mapped = 0; /* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
	if (width == 32 && slice_find(host, ':') < host.len)
		mapped = 96;
	uint32_t bits = width + mapped;
	if (host.len < text.len) {
		struct slice number = slice_sub(text, host.len + 1, text.len);
		if (slice_to_u32(number, width + mapped, &bits) || bits < mapped)
			return -ERR_MALFORMED;
	}
	cidr.bits = (uint8_t)(bits - mapped);

	for (uint32_t bit = cidr.bits; bit < width; bit++)
		cidr.network.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	*out = cidr;
	return 0;
}

bool cidr_contains(const struct cidr *cidr, const struct addr *addr)
{
	return addr_is_set(addr) && addr->family == cidr->network.family &&
	       has_prefix(addr->bytes, cidr->network.bytes, cidr->bits);
}
