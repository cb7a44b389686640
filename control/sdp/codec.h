/* codec.h - which codecs an m= section names, and in which order: filters and preferences of a
 * policy, told by encoding name. No transcoding: nothing is added that was not there.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/media.h"

#define SDP_CODEC_NAMES_MAX 32

/* Names of encodings: "PCMA", "opus/48000", "opus/48000/2", in any case; "all" stands for each. */
struct sdp_codec_names {
	struct slice names[SDP_CODEC_NAMES_MAX];
	unsigned count;
};

struct sdp_codec_rules {
	struct sdp_codec_names strip;  /* taken off ... */
	struct sdp_codec_names except; /* ... but for these */
	struct sdp_codec_names offer;  /* ... and for these, which come first, in this order */
};

/* `names` is full: -ERR_TOO_MANY. */
MUST_CHECK int sdp_codec_names_add(struct sdp_codec_names *names, struct slice name);
/* Formats that go take their a=rtpmap, a=fmtp, a=rtcp-fb and retransmission (RFC 4588 apt=) along.
 * -ERR_NOT_FOUND: none would be left, and the media is as it was. Media without RTP has no codecs:
 * 0. */
MUST_CHECK int sdp_media_filter_codecs(struct sdp_media *media,
				       const struct sdp_codec_rules *rules);
