/* options_flags.c - one row per word. What is refused is what would change the meaning of the call
 * if it were left undone (transcoding, encryption, recording); hints are passed over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/options_flags.h"

/* clang-format off */
static const struct option_flag flags[] = {
	{ "replace-origin", OPTION_REPLACE_ORIGIN, OPTION_SETS },
	{ "replace-origin-full", OPTION_REPLACE_ORIGIN_FULL, OPTION_SETS },
	{ "replace-username", OPTION_REPLACE_USERNAME, OPTION_SETS },
	{ "replace-session-name", OPTION_REPLACE_SESSION_NAME, OPTION_SETS },
	{ "replace-sdp-version", OPTION_REPLACE_VERSION, OPTION_SETS },
	{ "replace-force-increment-sdp-ver", OPTION_REPLACE_VERSION | OPTION_FORCE_INCREMENT, OPTION_SETS },
	{ "replace-force-increment", OPTION_REPLACE_VERSION | OPTION_FORCE_INCREMENT, OPTION_SETS },
	{ "force-increment-sdp-ver", OPTION_REPLACE_VERSION | OPTION_FORCE_INCREMENT, OPTION_SETS },
	{ "replace-zero-address", OPTION_REPLACE_ZERO, OPTION_SETS },
	{ "replace-session-connection", 0, OPTION_PASSED_OVER }, /* always done */
	{ "sip-source-address", OPTION_SIP_SOURCE, OPTION_SETS },
	{ "trust-address", 0, OPTION_PASSED_OVER },
	{ "asymmetric", OPTION_ASYMMETRIC, OPTION_SETS },
	{ "symmetric", 0, OPTION_PASSED_OVER },
	{ "strict-source", OPTION_STRICT_SOURCE, OPTION_SETS },
	{ "media-handover", 0, OPTION_PASSED_OVER }, /* the source rule says when a source may move */
	{ "endpoint-learning-off", OPTION_ASYMMETRIC | OPTION_STRICT_SOURCE, OPTION_SETS },
	{ "endpoint-learning-immediate", 0, OPTION_PASSED_OVER },
	{ "endpoint-learning-delayed", 0, OPTION_PASSED_OVER },
	{ "endpoint-learning-heuristic", 0, OPTION_PASSED_OVER },
	{ "port-latching", 0, OPTION_PASSED_OVER }, /* always done */
	{ "no-port-latching", OPTION_NO_LATCHING, OPTION_SETS },
	{ "no-rtcp-attribute", OPTION_NO_RTCP_ATTRIBUTE, OPTION_SETS },
	{ "full-rtcp-attribute", OPTION_FULL_RTCP_ATTRIBUTE, OPTION_SETS },
	{ "rtcp-mux-offer", OPTION_MUX_OFFER, OPTION_SETS },
	{ "rtcp-mux-require", OPTION_MUX_REQUIRE, OPTION_SETS },
	{ "rtcp-mux-demux", OPTION_MUX_DEMUX, OPTION_SETS },
	{ "rtcp-mux-accept", OPTION_MUX_ACCEPT, OPTION_SETS },
	{ "rtcp-mux-reject", OPTION_MUX_REJECT, OPTION_SETS },
	{ "to-tag", OPTION_TO_TAG, OPTION_SETS },
	{ "fatal", OPTION_FATAL, OPTION_SETS },
	{ "fast", OPTION_FAST, OPTION_SETS },
	{ "all", OPTION_ALL, OPTION_SETS },
	{ "new-branch", OPTION_NEW_BRANCH, OPTION_SETS },
	{ "recrypt", 0, OPTION_PASSED_OVER }, /* always done */
	{ "generate-rtcp", 0, OPTION_REFUSED },
	{ "rtcp-mirror", 0, OPTION_REFUSED },
	{ "allow-transcoding", 0, OPTION_PASSED_OVER },
	{ "always-transcode", 0, OPTION_REFUSED },
	{ "force-transcoding", 0, OPTION_REFUSED },
	{ "record-call", OPTION_RECORD, OPTION_SETS },
	{ "record-call-on", OPTION_RECORD, OPTION_SETS },
	{ "record-call-yes", OPTION_RECORD, OPTION_SETS },
	{ "record-call-off", 0, OPTION_PASSED_OVER },
	{ "record-call-no", 0, OPTION_PASSED_OVER },
	{ "pause", OPTION_PAUSE, OPTION_SETS },
	{ "siprec", OPTION_SIPREC, OPTION_SETS },
	{ "inactive", OPTION_INACTIVE, OPTION_SETS },
	{ "audio-player", 0, OPTION_REFUSED },
	{ "block-dtmf", 0, OPTION_REFUSED },
	{ "inject-dtmf", 0, OPTION_REFUSED },
	{ "detect-dtmf", 0, OPTION_REFUSED },
	{ "early-media", 0, OPTION_PASSED_OVER },
	{ "provisional", 0, OPTION_PASSED_OVER },
	{ "original-sendrecv", 0, OPTION_PASSED_OVER }, /* directions are passed as they are */
	{ "unidirectional", 0, OPTION_PASSED_OVER },
	{ "bidirectional", 0, OPTION_PASSED_OVER },
	{ "directional", OPTION_DIRECTIONAL, OPTION_SETS },
	{ "allow-asymmetric-codecs", 0, OPTION_PASSED_OVER },
	{ "asymmetric-codecs", 0, OPTION_PASSED_OVER },
	{ "symmetric-codecs", 0, OPTION_PASSED_OVER },
	{ "reuse-codecs", 0, OPTION_PASSED_OVER },
	{ "reorder-codecs", 0, OPTION_PASSED_OVER },
	{ "allow-no-codec-media", 0, OPTION_PASSED_OVER },
	{ "single-codec", OPTION_SINGLE_CODEC, OPTION_SETS },
	{ "loop-protect", OPTION_LOOP_PROTECT, OPTION_SETS },
	{ "pierce-nat", OPTION_PIERCE_NAT, OPTION_SETS },
	{ "nat-wait", OPTION_NAT_WAIT, OPTION_SETS },
	{ "no-redis-update", 0, OPTION_PASSED_OVER },
	{ "no-jitter-buffer", 0, OPTION_PASSED_OVER },
	{ "no-passthrough", 0, OPTION_PASSED_OVER },
	{ "passthrough", 0, OPTION_PASSED_OVER },
	{ "no-player", 0, OPTION_PASSED_OVER },
	{ "debug", 0, OPTION_PASSED_OVER },
	{ "discard-recording", OPTION_DISCARD, OPTION_SETS },
	{ "exclude-recording", 0, OPTION_PASSED_OVER },
	{ "skip-recording-db", 0, OPTION_PASSED_OVER },
	{ "auto-detect-rtp", 0, OPTION_PASSED_OVER },
	{ "block-egress", 0, OPTION_REFUSED },
	{ "egress", 0, OPTION_REFUSED },
	{ "mix", 0, OPTION_REFUSED },
	{ "recording-vsc", 0, OPTION_REFUSED },
	{ "recording-announcement", 0, OPTION_REFUSED },
	{ "block-short", 0, OPTION_PASSED_OVER },
	{ "static-codecs", 0, OPTION_PASSED_OVER },
	{ "unsubscribe", 0, OPTION_PASSED_OVER },
};
/* clang-format on */

/* Words that begin so are refused whatever follows: each needs what this relay cannot do. */
static const char *const refused_prefixes[] = {
	"transcode-",
	"codec-transcode-",
	"t38-",
	"t.38-",
};

bool option_word_starts(struct slice word, const char *prefix)
{
	size_t len = strlen(prefix);

	return word.len >= len && ng_name_is(slice_sub(word, 0, len), prefix);
}

enum option_verdict option_flag(struct slice word, uint64_t *bits)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!ng_name_is(word, flags[i].name))
			continue;
		*bits |= flags[i].bit;
		return flags[i].verdict;
	}
	for (size_t i = 0; i < sizeof(refused_prefixes) / sizeof(refused_prefixes[0]); i++)
		if (option_word_starts(word, refused_prefixes[i]))
			return OPTION_REFUSED;
	/* the same as the key of that name, which only commands read */
	return option_word_starts(word, "from-tags-") ? OPTION_PASSED_OVER : OPTION_UNKNOWN;
}
