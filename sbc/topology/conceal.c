/* As a token (sbc/worker/token.c), for a text of any length: the MAC of the text is the nonce of
 * the key stream that hides it. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/conceal.h"
#include "control/base/table.h"

enum { MAC = 8, RAW_MAX = MAC + CONCEAL_MAX, TEXT_MAX = 1 + (RAW_MAX * 8 + 4) / 5 };

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 base 32 */
static const char mark = 'q';

static uint64_t derive(const char *label, const uint64_t key[2])
{
	return siphash(slice_from(label), key);
}

void conceal_key_derive(const uint64_t mac[2], const uint64_t cipher[2], struct conceal_key *out)
{
	out->mac[0] = derive("conceal mac 0", mac);
	out->mac[1] = derive("conceal mac 1", mac);
	out->cipher[0] = derive("conceal cipher 0", cipher);
	out->cipher[1] = derive("conceal cipher 1", cipher);
}

static void apply_stream(const struct conceal_key *key, uint64_t mac, uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += 8) {
		uint64_t block[2] = {mac, at};
		uint64_t stream =
			siphash((struct slice){(const char *)block, sizeof(block)}, key->cipher);
		for (size_t i = 0; i < 8 && at + i < len; i++)
			bytes[at + i] ^= (uint8_t)(stream >> (8 * i));
	}
}

void conceal(const struct conceal_key *key, struct slice text, struct buf *out)
{
	uint8_t raw[RAW_MAX + 1] = {0};

	if (text.len == 0 || text.len > CONCEAL_MAX) {
		out->failed = true;
		return;
	}
	uint64_t mac = siphash(text, key->mac);
	memcpy(raw, &mac, MAC);
	memcpy(raw + MAC, text.data, text.len);
	apply_stream(key, mac, raw + MAC, text.len);
	size_t bits = (MAC + text.len) * 8;
	buf_add_char(out, mark);
	for (size_t bit = 0; bit < bits; bit += 5) {
		unsigned int pair = (unsigned int)raw[bit / 8] << 8 | raw[bit / 8 + 1];
		buf_add_char(out, alphabet[pair >> (11 - bit % 8) & 31]);
	}
}

static int digit_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

int conceal_reveal(const struct conceal_key *key, struct slice text, struct buf *out)
{
	uint8_t raw[RAW_MAX + 2] = {0};
	uint64_t mac;

	if (text.len < 2 || text.len > TEXT_MAX || (text.data[0] | 0x20) != mark)
		return -ERR_MALFORMED;
	text = slice_sub(text, 1, text.len);
	size_t len = text.len * 5 / 8;
	if (len <= MAC || len > RAW_MAX)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		int digit = digit_of(text.data[i]);
		size_t bit = i * 5;
		if (digit < 0)
			return -ERR_MALFORMED;
		unsigned int pair = (unsigned int)digit << (11 - bit % 8);
		raw[bit / 8] |= (uint8_t)(pair >> 8);
		raw[bit / 8 + 1] |= (uint8_t)pair;
	}
	/* The bits that are left over: one text has one form. */
	if (raw[len] || text.len * 5 - len * 8 >= 5)
		return -ERR_MALFORMED;
	memcpy(&mac, raw, MAC);
	apply_stream(key, mac, raw + MAC, len - MAC);
	struct slice plain = {(const char *)raw + MAC, len - MAC};
	if (siphash(plain, key->mac) != mac)
		return -ERR_MALFORMED;
	buf_add(out, plain);
	return 0;
}
