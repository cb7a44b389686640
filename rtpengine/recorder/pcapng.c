/* pcapng.c - blocks of a capture file. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/recorder/pcapng.h"

#include <string.h>

enum {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	ENHANCED_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_RAW = 101,
	OPTION_TSRESOL = 9,
	NANOSECONDS = 9,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	UDP_LEN = 8,
	HOP_LIMIT = 64,
	UDP = 17,
};

/* In our own byte order: the reader sees which it is. */
static void add(struct buf *out, const void *bytes, size_t len)
{
	buf_add(out, (struct slice){bytes, len});
}

static void add_u32(struct buf *out, uint32_t value)
{
	add(out, &value, sizeof(value));
}

static void add_u16(struct buf *out, uint16_t value)
{
	add(out, &value, sizeof(value));
}

static void add_be16(struct buf *out, uint16_t value)
{
	const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	add(out, bytes, sizeof(bytes));
}

void pcapng_start(struct buf *out)
{
	add_u32(out, SECTION_HEADER);
	add_u32(out, 28);
	add_u32(out, BYTE_ORDER_MAGIC);
	add_u16(out, 1);
	add_u16(out, 0);
	add_u32(out, UINT32_MAX); /* length of the section: not known */
	add_u32(out, UINT32_MAX);
	add_u32(out, 28);
	add_u32(out, INTERFACE_DESCRIPTION);
	add_u32(out, 32);
	add_u16(out, LINKTYPE_RAW);
	add_u16(out, 0);
	add_u32(out, 0); /* packets are whole */
	add_u16(out, OPTION_TSRESOL);
	add_u16(out, 1);
	add_u32(out, NANOSECONDS);
	add_u32(out, 0); /* end of options */
	add_u32(out, 32);
}

static void add_ipv4(struct buf *out, const struct addr *from, const struct addr *to, uint16_t len)
{
	uint8_t header[IPV4_LEN] = {0x45};
	uint32_t sum = 0;

	header[2] = (uint8_t)((IPV4_LEN + len) >> 8);
	header[3] = (uint8_t)(IPV4_LEN + len);
	header[8] = HOP_LIMIT;
	header[9] = UDP;
	memcpy(header + 12, &from->v4, 4);
	memcpy(header + 16, &to->v4, 4);
	for (unsigned i = 0; i < IPV4_LEN; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
	add(out, header, sizeof(header));
}

static void add_ipv6(struct buf *out, const struct addr *from, const struct addr *to, uint16_t len)
{
	uint8_t header[IPV6_LEN] = {0x60};

	header[4] = (uint8_t)(len >> 8);
	header[5] = (uint8_t)len;
	header[6] = UDP;
	header[7] = HOP_LIMIT;
	memcpy(header + 8, &from->v6, 16);
	memcpy(header + 24, &to->v6, 16);
	add(out, header, sizeof(header));
}

void pcapng_add(struct buf *out, uint64_t unix_ns, const struct addr *from, const struct addr *to,
		struct slice payload)
{
	static const char padding[4];
	bool v4 = from->family == AF_INET;
	uint16_t udp_len = (uint16_t)(UDP_LEN + payload.len);
	uint32_t packet_len = (uint32_t)(v4 ? IPV4_LEN : IPV6_LEN) + udp_len;
	uint32_t padded_len = (packet_len + 3) & ~3u;

	add_u32(out, ENHANCED_PACKET);
	add_u32(out, 32 + padded_len);
	add_u32(out, 0); /* interface */
	add_u32(out, (uint32_t)(unix_ns >> 32));
	add_u32(out, (uint32_t)unix_ns);
	add_u32(out, packet_len);
	add_u32(out, packet_len);
	if (v4)
		add_ipv4(out, from, to, udp_len);
	else
		add_ipv6(out, from, to, udp_len);
	add_be16(out, from->port);
	add_be16(out, to->port);
	add_be16(out, udp_len);
	add_be16(out, 0); /* no checksum: over IPv6 readers warn, and read on */
	buf_add(out, payload);
	add(out, padding, padded_len - packet_len);
	add_u32(out, 32 + padded_len);
}
