/* SIV in small: the MAC of the value is also what hides it, so one value has one text and no
 * counter or nonce is needed. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/token.h"

#include "control/base/table.h"

enum { RAW = 16 }; /* mac, then the hidden value */

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 base 32 */

void token_key_random(struct random *random, struct token_key *out)
{
	random_fill(random, out, sizeof(*out));
}

static uint64_t mac_of(const struct token_key *key, enum token_kind kind, uint64_t value)
{
	uint8_t text[9] = {(uint8_t)kind};
	memcpy(text + 1, &value, sizeof(value));
	return siphash((struct slice){(const char *)text, sizeof(text)}, key->mac);
}

static uint64_t mask_of(const struct token_key *key, uint64_t mac)
{
	return siphash((struct slice){(const char *)&mac, sizeof(mac)}, key->cipher);
}

void token_make(const struct token_key *key, enum token_kind kind, const struct token *token,
		char out[TOKEN_LENGTH])
{
	uint64_t value = (uint64_t)token->node << 48 | (uint64_t)token->worker << 40 |
			 (token->id & TOKEN_ID_MAX);
	uint64_t mac = mac_of(key, kind, value);
	uint64_t hidden = value ^ mask_of(key, mac);
	uint8_t raw[RAW + 1] = {0};

	memcpy(raw, &mac, 8);
	memcpy(raw + 8, &hidden, 8);
	for (size_t i = 0; i < TOKEN_LENGTH; i++) {
		size_t bit = i * 5;
		unsigned int pair = (unsigned int)raw[bit / 8] << 8 | raw[bit / 8 + 1];
		out[i] = alphabet[pair >> (11 - bit % 8) & 31];
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

int token_read(const struct token_key *key, enum token_kind kind, struct slice text,
	       struct token *out)
{
	uint8_t raw[RAW + 1] = {0};
	uint64_t mac, hidden;

	if (text.len != TOKEN_LENGTH)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < TOKEN_LENGTH; i++) {
		int digit = digit_of(text.data[i]);
		size_t bit = i * 5;
		if (digit < 0)
			return -ERR_MALFORMED;
		unsigned int pair = (unsigned int)digit << (11 - bit % 8);
		raw[bit / 8] |= (uint8_t)(pair >> 8);
		raw[bit / 8 + 1] |= (uint8_t)pair;
	}
	if (raw[RAW]) /* the two bits that are left over: one value has one text */
		return -ERR_MALFORMED;
	memcpy(&mac, raw, 8);
	memcpy(&hidden, raw + 8, 8);
	uint64_t value = hidden ^ mask_of(key, mac);
	if (mac_of(key, kind, value) != mac)
		return -ERR_MALFORMED;
	*out = (struct token){.node = (uint16_t)(value >> 48),
			      .worker = (uint8_t)(value >> 40),
			      .id = value & TOKEN_ID_MAX};
	return 0;
}
