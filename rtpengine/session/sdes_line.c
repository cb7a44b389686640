/* sdes_line.c - one a=crypto line (RFC 4568 section 9.2), read and written.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/sdes.h"

#include "rtpengine/session/base64.h"

#define KEY_SALT_MAX  (FLOW_SRTP_KEY_MAX + FLOW_SRTP_SALT_MAX)
#define TAG_MAX       999999999
#define LIFETIME_BITS 48

static int read_suite(struct slice name, enum flow_srtp_suite *out)
{
	for (unsigned i = 1; i < FLOW_SRTP_SUITES; i++) {
		if (slice_equal_nocase(name, slice_from(flow_srtp_info(i)->name))) {
			*out = (enum flow_srtp_suite)i;
			return 0;
		}
	}
	return -ERR_UNSUPPORTED;
}

/* "2^20", or a number. How long the key may serve; ours to read, the sender's to keep. */
static int read_lifetime(struct slice text)
{
	uint64_t value;

	if (slice_starts(text, SLICE("2^")))
		return slice_to_u64(slice_sub(text, 2, text.len), LIFETIME_BITS, &value);
	return slice_to_u64(text, 1ull << LIFETIME_BITS, &value);
}

/* "value:length": the value as a number of that many bytes. */
static int read_mki(struct slice text, struct sdes_line *out)
{
	struct slice value = slice_cut(&text, ':');
	uint64_t number;
	uint32_t len;

	if (slice_to_u32(text, FLOW_SRTP_MKI_MAX, &len) != 0 || len == 0)
		return -ERR_MALFORMED;
	if (slice_to_u64(value, UINT64_MAX, &number) != 0)
		return -ERR_UNSUPPORTED;
	if (len < 8 && number >> 8 * len)
		return -ERR_MALFORMED;
	out->mki_len = (uint8_t)len;
	memset(out->mki, 0, sizeof(out->mki));
	for (uint32_t i = 0; i < len && i < 8; i++)
		out->mki[len - 1 - i] = (uint8_t)(number >> 8 * i);
	return 0;
}

static int read_key(struct slice text, struct sdes_line *out)
{
	const struct flow_srtp_info *suite = flow_srtp_info(out->suite);
	uint8_t bytes[KEY_SALT_MAX];

	if (slice_find(text, ';') < text.len) /* several keys: which one is for the sender to say */
		return -ERR_UNSUPPORTED;
	if (!slice_starts_nocase(text, SLICE("inline:")))
		return -ERR_UNSUPPORTED;
	text = slice_sub(text, strlen("inline:"), text.len);
	struct slice key = slice_cut(&text, '|');
	if (base64_read(key, bytes, (size_t)suite->key_len + suite->salt_len) != 0)
		return -ERR_MALFORMED;
	memcpy(out->key, bytes, suite->key_len);
	memcpy(out->salt, bytes + suite->key_len, suite->salt_len);
	explicit_bzero(bytes, sizeof(bytes));
	for (unsigned i = 0; text.len; i++) {
		struct slice part = slice_cut(&text, '|');
		bool is_mki = slice_find(part, ':') < part.len;
		int err = is_mki   ? read_mki(part, out)
			  : i == 0 ? read_lifetime(part)
				   : -ERR_MALFORMED;
		if (err)
			return err;
	}
	return 0;
}

/* RFC 4568 6.3. What weakens or changes the transform is not for us, what is only a hint is passed
 * over, and so is an unknown one that says it may be ("-"). */
static int check_parameter(struct slice word)
{
	uint64_t rate;

	if (slice_starts_nocase(word, SLICE("KDR=")))
		return slice_to_u64(slice_sub(word, 4, word.len), 24, &rate) != 0 ? -ERR_MALFORMED
		       : rate                                                     ? -ERR_UNSUPPORTED
										  : 0;
	if (slice_starts_nocase(word, SLICE("WSH=")) || slice_starts(word, SLICE("-")))
		return 0;
	return -ERR_UNSUPPORTED;
}

int sdes_line_read(struct slice argument, struct sdes_line *out)
{
	struct sdes_line line = {.tag = 0};
	struct slice tag, suite, key, word;

	if (!slice_next_word(&argument, &tag) || !slice_next_word(&argument, &suite) ||
	    !slice_next_word(&argument, &key) || slice_to_u32(tag, TAG_MAX, &line.tag) != 0)
		return -ERR_MALFORMED;
	int err = read_suite(suite, &line.suite);
	if (!err)
		err = read_key(key, &line);
	while (!err && slice_next_word(&argument, &word))
		err = check_parameter(word);
	if (!err)
		*out = line;
	explicit_bzero(&line, sizeof(line));
	return err;
}

void sdes_line_write(const struct sdes_line *line, struct buf *out)
{
	const struct flow_srtp_info *suite = flow_srtp_info(line->suite);
	uint8_t bytes[KEY_SALT_MAX];

	memcpy(bytes, line->key, suite->key_len);
	memcpy(bytes + suite->key_len, line->salt, suite->salt_len);
	buf_printf(out, "%u %s inline:", line->tag, suite->name);
	base64_write(bytes, (size_t)suite->key_len + suite->salt_len, out);
	explicit_bzero(bytes, sizeof(bytes));
}
