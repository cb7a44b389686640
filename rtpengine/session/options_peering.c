/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/options_peering.h"

#include "control/ng/value.h"

/* clang-format off */
static const struct {
	const char *name;
	unsigned bits;
} words[] = {
	{ "ice-remove", PEERING_ICE_REMOVE },
	{ "ice-force", PEERING_ICE_FORCE },
	{ "ice-force-relay", PEERING_ICE_FORCE }, /* we are the relay: no candidate leads past us */
	{ "ice-default", 0 },
	{ "ice-optional", PEERING_ICE_FORCE },
	{ "reject-ice", PEERING_ICE_REJECT },
	{ "reset", PEERING_ICE_RESET },
	{ "ice-lite-forward", PEERING_LITE_FORWARD },
	{ "ice-lite-backward", PEERING_LITE_BACKWARD },
	{ "ice-lite-both", PEERING_LITE_FORWARD | PEERING_LITE_BACKWARD },
	{ "ice-lite-off", 0 },
	{ "trickle-ice", PEERING_TRICKLE },
	{ "fragment", PEERING_FRAGMENT },
	{ "dtls-off", PEERING_DTLS_OFF },
	{ "dtls-no", PEERING_DTLS_OFF },
	{ "dtls-disable", PEERING_DTLS_OFF },
	{ "dtls-passive", PEERING_DTLS_PASSIVE },
	{ "dtls-active", PEERING_DTLS_ACTIVE },
	{ "dtls-reverse-off", PEERING_REVERSE_OFF },
	{ "dtls-reverse-no", PEERING_REVERSE_OFF },
	{ "dtls-reverse-disable", PEERING_REVERSE_OFF },
	{ "dtls-reverse-passive", PEERING_REVERSE_PASSIVE },
	{ "dtls-reverse-active", PEERING_REVERSE_ACTIVE },
	{ "no-tls-id", PEERING_NO_TLS_ID },
	{ "bundle-offer", PEERING_BUNDLE_OFFER },
	{ "bundle-accept", PEERING_BUNDLE_ACCEPT },
	{ "bundle-require", PEERING_BUNDLE_OFFER | PEERING_BUNDLE_REQUIRE },
	{ "bundle-strict", PEERING_BUNDLE_OFFER }, /* a port each in a first offer: always so */
	{ "bundle-reject", PEERING_BUNDLE_REJECT },
	{ "generate-mid", PEERING_GENERATE_MID },
	{ "strip-extmap", PEERING_STRIP_EXTMAP },
	{ "webrtc", PEERING_WEBRTC },
};
/* clang-format on */

bool options_peering_flag(struct options_peering *options, struct slice word)
{
	static const char hash[] = "dtls-fingerprint-";
	size_t len = sizeof(hash) - 1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (ng_name_is(word, words[i].name)) {
			options->bits |= words[i].bits;
			return true;
		}
	}
	return word.len > len && ng_name_is(slice_sub(word, 0, len), hash) &&
	       fingerprint_hash_read(slice_sub(word, len, word.len), &options->fingerprint) == 0;
}

void options_peering_settle(struct options_peering *options)
{
	if (options->bits & PEERING_WEBRTC)
		options->bits |= PEERING_ICE_FORCE | PEERING_GENERATE_MID;
}
