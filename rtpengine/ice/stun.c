/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/stun.h"

#include "rtpengine/ice/hmac.h"

enum {
	MAPPED_ADDRESS = 0x0001,
	USERNAME = 0x0006,
	MESSAGE_INTEGRITY = 0x0008,
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	REALM = 0x0014,
	NONCE = 0x0015,
	XOR_MAPPED_ADDRESS = 0x0020,
	PRIORITY = 0x0024,
	USE_CANDIDATE = 0x0025,
	FINGERPRINT = 0x8028,
	ICE_CONTROLLED = 0x8029,
	ICE_CONTROLLING = 0x802a,
};

#define USERNAME_MAX           513 /* RFC 8489 14.3: less than that */
#define FINGERPRINT_XOR        0x5354554eu
#define COMPREHENSION_OPTIONAL 0x8000

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

/* CRC-32 of ITU V.42, a nibble at a time: messages are short and few. */
static uint32_t crc32(const uint8_t *data, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc = table[(crc ^ data[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ (uint32_t)(data[i] >> 4)) & 15] ^ crc >> 4;
	}
	return ~crc;
}

/* The length field of the header says `body` while hashing: up to and with the attribute that the
 * hash is for (RFC 8489 14.5, 14.7). */
static void header_with_length(const uint8_t *data, size_t body, uint8_t out[STUN_HEADER])
{
	memcpy(out, data, STUN_HEADER);
	put16(out + 2, (uint16_t)body);
}

/* XOR-MAPPED-ADDRESS, RFC 8489 14.2. */
static int read_mapped(const uint8_t *value, size_t len, const uint8_t *header, struct addr *out)
{
	struct addr addr = {0};
	size_t bytes = len >= 2 && value[1] == 1 ? 4 : 16;

	if (len != 4 + bytes || (value[1] != 1 && value[1] != 2))
		return -ERR_MALFORMED;
	addr.family = value[1] == 1 ? AF_INET : AF_INET6;
	addr.port = (uint16_t)(get16(value + 2) ^ STUN_COOKIE >> 16);
	/* cookie and transaction id stand side by side in the header */
	for (size_t i = 0; i < bytes; i++)
		addr.bytes[i] = value[4 + i] ^ header[4 + i];
	*out = addr;
	return 0;
}

static int read_attribute(struct stun_message *m, uint16_t type, const uint8_t *value, size_t len)
{
	switch (type) {
	case USERNAME:
		if (len == 0 || len >= USERNAME_MAX)
			return -ERR_MALFORMED;
		if (!m->username.data)
			m->username = (struct slice){(const char *)value, len};
		return 0;
	case PRIORITY:
		if (len != 4)
			return -ERR_MALFORMED;
		m->priority = get32(value);
		return 0;
	case USE_CANDIDATE:
		m->use_candidate = true;
		return len == 0 ? 0 : -ERR_MALFORMED;
	case ICE_CONTROLLED:
	case ICE_CONTROLLING:
		if (len != 8 || m->role != STUN_NO_ROLE)
			return -ERR_MALFORMED;
		m->role = type == ICE_CONTROLLING ? STUN_CONTROLLING : STUN_CONTROLLED;
		m->tie_breaker = get64(value);
		return 0;
	case XOR_MAPPED_ADDRESS:
		return read_mapped(value, len, m->data, &m->mapped);
	case ERROR_CODE:
		if (len < 4 || (value[2] & 7) < 3 || (value[2] & 7) > 6 || value[3] > 99)
			return -ERR_MALFORMED;
		m->error = (uint16_t)((value[2] & 7) * 100 + value[3]);
		return 0;
	case MAPPED_ADDRESS:
	case REALM:
	case NONCE:
	case UNKNOWN_ATTRIBUTES:
		return 0;
	default:
		if (!(type & COMPREHENSION_OPTIONAL) && m->unknown_count < STUN_UNKNOWNS)
			m->unknown[m->unknown_count++] = type;
		return 0;
	}
}

static bool fingerprint_is_right(const uint8_t *data, size_t at)
{
	/* it is the last, so the length in the header is the one hashed */
	return get32(data + at + 4) == (crc32(data, at) ^ FINGERPRINT_XOR);
}

static int read_attributes(struct stun_message *m, size_t len)
{
	unsigned count = 0;

	for (size_t at = STUN_HEADER; at < len;) {
		if (len - at < 4 || ++count > STUN_MAX_ATTRS || m->has_fingerprint)
			return -ERR_MALFORMED; /* FINGERPRINT is the last */
		uint16_t type = get16(m->data + at);
		size_t size = get16(m->data + at + 2);
		const uint8_t *value = m->data + at + 4;
		size_t padded = (size + 3) & ~(size_t)3;
		if (padded > len - at - 4)
			return -ERR_MALFORMED;
		int err = 0;
		if (type == FINGERPRINT) {
			if (size != 4 || !fingerprint_is_right(m->data, at))
				return -ERR_MALFORMED;
			m->has_fingerprint = true;
		} else if (m->integrity_at) {
			; /* not covered: as if it were not there */
		} else if (type == MESSAGE_INTEGRITY) {
			if (size != HMAC_SHA1_LEN)
				return -ERR_MALFORMED;
			m->integrity_at = at;
		} else {
			err = read_attribute(m, type, value, size);
		}
		if (err)
			return err;
		at += 4 + padded;
	}
	return 0;
}

int stun_read(const uint8_t *data, size_t len, struct stun_message *out)
{
	struct stun_message m = {.data = data};

	if (len < STUN_HEADER || len > STUN_MAX || data[0] & 0xc0 ||
	    get32(data + 4) != STUN_COOKIE || get16(data + 2) != len - STUN_HEADER || len & 3)
		return -ERR_MALFORMED;
	uint16_t type = get16(data);
	/* RFC 8489 5: the two class bits stand among those of the method */
	m.class = (enum stun_class)(type & 0x110);
	m.method = (uint16_t)((type & 0xf) | (type & 0xe0) >> 1 | (type & 0x3e00) >> 2);
	m.id = data + 8;
	int err = read_attributes(&m, len);
	if (!err)
		*out = m;
	return err;
}

bool stun_is_authentic(const struct stun_message *message, struct slice key)
{
	uint8_t header[STUN_HEADER], sum[HMAC_SHA1_LEN];
	size_t at = message->integrity_at;

	if (!at || slice_is_empty(key))
		return false;
	header_with_length(message->data, at + 4 + HMAC_SHA1_LEN - STUN_HEADER, header);
	const struct hmac_part parts[] = {{header, sizeof(header)},
					  {message->data + STUN_HEADER, at - STUN_HEADER}};
	return hmac_sha1(key, parts, 2, sum) &&
	       hmac_equal(sum, message->data + at + 4, HMAC_SHA1_LEN);
}

void stun_begin(struct stun_writer *writer, enum stun_class class, const uint8_t id[STUN_ID])
{
	writer->failed = false;
	writer->len = STUN_HEADER;
	put16(writer->data, (uint16_t)(STUN_BINDING | (unsigned)class));
	put16(writer->data + 2, 0);
	put32(writer->data + 4, STUN_COOKIE);
	memcpy(writer->data + 8, id, STUN_ID);
}

/* Room for a value of `len` bytes, padded with zeros; NULL = does not fit. */
static uint8_t *add(struct stun_writer *writer, uint16_t type, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	uint8_t *at = writer->data + writer->len;

	if (writer->failed || len > 0xffff || padded + 4 > STUN_MAX - writer->len) {
		writer->failed = true;
		return NULL;
	}
	put16(at, type);
	put16(at + 2, (uint16_t)len);
	memset(at + 4, 0, padded);
	writer->len += 4 + padded;
	put16(writer->data + 2, (uint16_t)(writer->len - STUN_HEADER));
	return at + 4;
}

void stun_add_username(struct stun_writer *writer, struct slice username)
{
	uint8_t *at = add(writer, USERNAME, username.len);
	if (at && username.len)
		memcpy(at, username.data, username.len);
}

void stun_add_priority(struct stun_writer *writer, uint32_t priority)
{
	uint8_t *at = add(writer, PRIORITY, 4);
	if (at)
		put32(at, priority);
}

void stun_add_use_candidate(struct stun_writer *writer)
{
	(void)add(writer, USE_CANDIDATE, 0);
}

void stun_add_role(struct stun_writer *writer, enum stun_role role, uint64_t tie_breaker)
{
	uint8_t *at = add(writer, role == STUN_CONTROLLING ? ICE_CONTROLLING : ICE_CONTROLLED, 8);
	if (at) {
		put32(at, (uint32_t)(tie_breaker >> 32));
		put32(at + 4, (uint32_t)tie_breaker);
	}
}

void stun_add_mapped(struct stun_writer *writer, const struct addr *addr)
{
	size_t bytes = addr->family == AF_INET ? 4 : 16;
	uint8_t *at = add(writer, XOR_MAPPED_ADDRESS, 4 + bytes);
	if (!at)
		return;
	at[1] = addr->family == AF_INET ? 1 : 2;
	put16(at + 2, (uint16_t)(addr->port ^ STUN_COOKIE >> 16));
	for (size_t i = 0; i < bytes; i++)
		at[4 + i] = addr->bytes[i] ^ writer->data[4 + i];
}

void stun_add_error(struct stun_writer *writer, uint16_t code, struct slice reason)
{
	uint8_t *at = add(writer, ERROR_CODE, 4 + reason.len);
	if (!at)
		return;
	at[2] = (uint8_t)(code / 100);
	at[3] = (uint8_t)(code % 100);
	if (reason.len)
		memcpy(at + 4, reason.data, reason.len);
}

void stun_add_unknown(struct stun_writer *writer, const uint16_t *types, unsigned count)
{
	uint8_t *at = add(writer, UNKNOWN_ATTRIBUTES, 2 * (size_t)count);
	for (unsigned i = 0; at && i < count; i++)
		put16(at + 2 * i, types[i]);
}

int stun_end(struct stun_writer *writer, struct slice key)
{
	if (!slice_is_empty(key)) {
		uint8_t *at = add(writer, MESSAGE_INTEGRITY, HMAC_SHA1_LEN);
		struct hmac_part part = {writer->data, writer->len - 4 - HMAC_SHA1_LEN};
		if (at && !hmac_sha1(key, &part, 1, at))
			return -ERR_NO_MEMORY;
	}
	uint8_t *at = add(writer, FINGERPRINT, 4);
	if (at) /* over all before it, with a length that counts it */
		put32(at, crc32(writer->data, writer->len - 8) ^ FINGERPRINT_XOR);
	return writer->failed ? -ERR_TOO_LARGE : 0;
}
