/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/dtls/fingerprint.h"

static const struct {
	const char *name;
	uint8_t len;
} hashes[] = {
	[FINGERPRINT_SHA256] = {"sha-256", 32},
	[FINGERPRINT_SHA384] = {"sha-384", 48},
	[FINGERPRINT_SHA512] = {"sha-512", 64},
};

uint8_t fingerprint_len(enum fingerprint_hash hash)
{
	return hashes[hash].len;
}

int fingerprint_hash_read(struct slice name, enum fingerprint_hash *out)
{
	for (unsigned i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (slice_equal_nocase(name, slice_from(hashes[i].name))) {
			*out = (enum fingerprint_hash)i;
			return 0;
		}
	}
	return -ERR_UNSUPPORTED;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int fingerprint_read(struct slice text, struct fingerprint *out)
{
	struct fingerprint read = {0};
	enum fingerprint_hash hash;
	struct slice name, hex;

	if (!slice_next_word(&text, &name) || !slice_next_word(&text, &hex))
		return -ERR_MALFORMED;
	int err = fingerprint_hash_read(name, &hash);
	if (err)
		return err;
	read.hash = (uint8_t)hash;
	read.len = hashes[hash].len;
	if (hex.len != read.len * 3u - 1)
		return -ERR_MALFORMED;
	for (unsigned i = 0; i < read.len; i++) {
		int high = digit(hex.data[3 * i]), low = digit(hex.data[3 * i + 1]);
		if (high < 0 || low < 0 || (i && hex.data[3 * i - 1] != ':'))
			return -ERR_MALFORMED;
		read.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = read;
	return 0;
}

void fingerprint_write(const struct fingerprint *fingerprint, struct buf *out)
{
	buf_add_text(out, hashes[fingerprint->hash].name);
	for (unsigned i = 0; i < fingerprint->len; i++)
		buf_printf(out, "%c%02X", i ? ':' : ' ', fingerprint->bytes[i]);
}

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
	return a->hash == b->hash && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}
