/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/stun/stun.h"

#include <arpa/inet.h>

#define COOKIE    0x2112a442u
#define CRC_XOR   0x5354554eu /* RFC 8489 14.7 */
#define CRC32_BIT 0xedb88320u

enum { HEADER = 20, BINDING_REQUEST = 0x0001, BINDING_SUCCESS = 0x0101, BINDING_ERROR = 0x0111 };

enum attribute {
	MAPPED_ADDRESS = 0x0001,
	RESPONSE_ADDRESS = 0x0002, /* RFC 3489: would send the answer to a third party */
	CHANGE_REQUEST = 0x0003,
	USERNAME = 0x0006,
	PASSWORD = 0x0007,
	MESSAGE_INTEGRITY = 0x0008,
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	REALM = 0x0014,
	NONCE = 0x0015,
	MESSAGE_INTEGRITY_SHA256 = 0x001c,
	PASSWORD_ALGORITHM = 0x001d,
	USERHASH = 0x001e,
	XOR_MAPPED_ADDRESS = 0x0020,
	FINGERPRINT = 0x8028,
};
enum { UNKNOWN_MAX = 8 }; /* that an answer names */

struct request {
	bool is_old; /* RFC 3489: no cookie */
	bool has_fingerprint;
	uint16_t unknown[UNKNOWN_MAX];
	size_t unknown_count;
};

struct answer {
	uint8_t *data;
	size_t len;
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(struct answer *answer, unsigned int value)
{
	answer->data[answer->len++] = (uint8_t)(value >> 8);
	answer->data[answer->len++] = (uint8_t)value;
}

static uint32_t fingerprint_of(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32_BIT : 0);
	}
	return ~crc ^ CRC_XOR;
}

bool stun_is(struct slice datagram)
{
	return datagram.len >= HEADER && (uint8_t)datagram.data[0] < 4;
}

/* Those a server without credentials understands and may pass over (RFC 8489 9.1.3, 9.2.4). */
static bool is_known(uint16_t type)
{
	static const uint16_t known[] = {USERNAME,
					 PASSWORD,
					 MESSAGE_INTEGRITY,
					 REALM,
					 NONCE,
					 MESSAGE_INTEGRITY_SHA256,
					 USERHASH,
					 PASSWORD_ALGORITHM};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == type)
			return true;
	return type >= 0x8000; /* optional to understand */
}

static void add_unknown(struct request *request, uint16_t type)
{
	if (request->unknown_count < UNKNOWN_MAX)
		request->unknown[request->unknown_count++] = type;
}

/* One attribute with its value; `offset` is where it begins. */
static int take_attribute(struct request *request, const uint8_t *data, size_t offset, size_t len,
			  size_t end)
{
	uint16_t type = get16(data + offset);

	if (request->has_fingerprint)
		return -ERR_MALFORMED; /* it is the last one */
	if (type == FINGERPRINT && !request->is_old) {
		if (len != 4 || offset + 8 != end ||
		    get32(data + offset + 4) != fingerprint_of(data, offset))
			return -ERR_MALFORMED;
		request->has_fingerprint = true;
	} else if (type == CHANGE_REQUEST && request->is_old && len == 4) {
		if (get32(data + offset + 4)) /* there is no other address to answer from */
			add_unknown(request, type);
	} else if (!is_known(type)) {
		add_unknown(request, type);
	}
	return 0;
}

static int read_request(const uint8_t *data, size_t len, struct request *out)
{
	struct request request = {.is_old = get32(data + 4) != COOKIE};
	size_t offset = HEADER;

	if (get16(data) & 0xc000 || get16(data + 2) % 4 || HEADER + (size_t)get16(data + 2) != len)
		return -ERR_MALFORMED;
	if (get16(data) != BINDING_REQUEST)
		return -ERR_UNSUPPORTED; /* indications, answers, other methods */
	while (offset < len) {
		size_t value = get16(data + offset + 2); /* all are multiples of 4: it is there */
		size_t padded = (value + 3) & ~(size_t)3;
		if (padded > len - offset - 4)
			return -ERR_MALFORMED;
		int err = take_attribute(&request, data, offset, value, len);
		if (err)
			return err;
		offset += 4 + padded;
	}
	*out = request;
	return 0;
}

static void write_address(struct answer *answer, const struct request *request,
			  const struct addr *source)
{
	size_t len = source->family == AF_INET ? 4 : 16;
	const uint8_t *mask = answer->data + 4; /* cookie and transaction id */

	put16(answer, request->is_old ? MAPPED_ADDRESS : XOR_MAPPED_ADDRESS);
	put16(answer, (unsigned int)len + 4);
	put16(answer, source->family == AF_INET ? 1 : 2);
	put16(answer, request->is_old ? source->port : source->port ^ (COOKIE >> 16));
	for (size_t i = 0; i < len; i++)
		answer->data[answer->len++] =
			(uint8_t)(source->bytes[i] ^ (request->is_old ? 0 : mask[i]));
}

static void write_unknown(struct answer *answer, const struct request *request)
{
	size_t count = request->unknown_count;

	put16(answer, ERROR_CODE);
	put16(answer, 4);
	put16(answer, 0);
	put16(answer, 4 << 8 | 20);
	/* RFC 3489 11.2.10 pads by repeating, later ones with anything: repeating serves both. */
	put16(answer, UNKNOWN_ATTRIBUTES);
	put16(answer, (unsigned int)(2 * count));
	for (size_t i = 0; i < count; i++)
		put16(answer, request->unknown[i]);
	if (count % 2)
		put16(answer, request->unknown[count - 1]);
}

static void write_length(struct answer *answer, size_t len)
{
	struct answer at = {answer->data, 2};
	put16(&at, (unsigned int)len);
}

int stun_answer(struct slice datagram, const struct addr *source, char out[STUN_ANSWER_MAX],
		size_t *len)
{
	const uint8_t *data = (const uint8_t *)datagram.data;
	struct answer answer = {(uint8_t *)out, 0};
	struct request request;

	if (!stun_is(datagram))
		return -ERR_MALFORMED;
	int err = read_request(data, datagram.len, &request);
	if (err)
		return err;
	put16(&answer, request.unknown_count ? BINDING_ERROR : BINDING_SUCCESS);
	put16(&answer, 0);
	memcpy(answer.data + 4, data + 4, 16); /* cookie and transaction id come back */
	answer.len = HEADER;
	if (request.unknown_count)
		write_unknown(&answer, &request);
	else
		write_address(&answer, &request, source);
	if (request.has_fingerprint) {
		write_length(&answer, answer.len - HEADER + 8);
		uint32_t crc = fingerprint_of(answer.data, answer.len);
		put16(&answer, FINGERPRINT);
		put16(&answer, 4);
		put16(&answer, crc >> 16);
		put16(&answer, crc & 0xffff);
	}
	write_length(&answer, answer.len - HEADER);
	*len = answer.len;
	return 0;
}
