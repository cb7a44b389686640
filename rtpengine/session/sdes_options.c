/* sdes_options.c - the words of NG about SDES and OSRTP. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/value.h"
#include "rtpengine/session/sdes.h"

static unsigned suite_of(struct slice name)
{
	for (unsigned i = 1; i < FLOW_SRTP_SUITES; i++)
		if (slice_equal_nocase(name, slice_from(flow_srtp_info(i)->name)))
			return i;
	return FLOW_SRTP_NONE;
}

/* "A;B;C"; suites that nobody here knows are passed over. */
static uint8_t read_list(struct slice text, uint8_t out[FLOW_SRTP_SUITES])
{
	uint8_t count = 0;

	while (text.len && count < FLOW_SRTP_SUITES) {
		unsigned suite = suite_of(slice_cut(&text, ';'));
		if (suite != FLOW_SRTP_NONE)
			out[count++] = (uint8_t)suite;
	}
	return count;
}

static bool begins(struct slice word, const char *prefix, struct slice *rest)
{
	size_t len = strlen(prefix);

	if (word.len < len || !ng_name_is(slice_sub(word, 0, len), prefix))
		return false;
	*rest = slice_sub(word, len, word.len);
	return true;
}

static bool is_one_of(struct slice word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ng_name_is(word, words[i]))
			return true;
	return false;
}

static int sdes_word(struct options_sdes *options, struct slice word)
{
	/* always so: padding is written, keys stay, SDES stands before DTLS where both are said */
	static const char *const hints[] = {
		"pad",
		"static",
		"prefer",
		"encrypted_srtp",
		"encrypted_srtcp",
		"authenticated_srtp",
	};
	static const char *const off[] = {"off", "no", "disable"};
	struct slice rest;

	if (is_one_of(word, off, sizeof(off) / sizeof(off[0])))
		options->is_off = true;
	else if (ng_name_equal(word, SLICE("nonew")))
		options->has_no_new = true;
	else if (begins(word, "no-", &rest))
		options->never |= (uint16_t)(1u << suite_of(rest));
	else if (begins(word, "only-", &rest) && suite_of(rest) != FLOW_SRTP_NONE)
		options->only |= (uint16_t)(1u << suite_of(rest));
	else if (begins(word, "order:", &rest))
		options->order_count = read_list(rest, options->order);
	else if (begins(word, "offerer_pref:", &rest))
		options->preferred_count = read_list(rest, options->preferred);
	else if (!is_one_of(word, hints, sizeof(hints) / sizeof(hints[0])))
		return -ERR_UNSUPPORTED;
	return 0;
}

static int osrtp_word(struct options_sdes *options, struct slice word)
{
	if (ng_name_equal(word, SLICE("offer")))
		options->osrtp_offer = true;
	else if (ng_name_equal(word, SLICE("accept")))
		options->osrtp_accept = true;
	else if (!ng_name_equal(word, SLICE("accept-legacy")))
		return -ERR_UNSUPPORTED;
	return 0;
}

int sdes_option(struct options_sdes *options, struct slice word)
{
	struct slice rest;

	if (begins(word, "sdes-", &rest))
		return sdes_word(options, rest);
	if (begins(word, "osrtp-", &rest))
		return osrtp_word(options, rest);
	if (ng_name_equal(word, SLICE("pad-crypto")))
		return 0;
	return -ERR_NOT_FOUND;
}
