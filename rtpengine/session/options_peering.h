/* options_peering.h - the words of NG that say how a side is reached: ICE, DTLS, BUNDLE.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"
#include "rtpengine/dtls/fingerprint.h"

enum peering_bit {
	PEERING_ICE_REMOVE = 1u << 0,
	PEERING_ICE_FORCE = 1u << 1,  /* our candidates, and ours alone, whatever was offered */
	PEERING_ICE_REJECT = 1u << 2, /* no ICE with who sent this */
	PEERING_ICE_RESET = 1u << 3,  /* restart, both sides */
	PEERING_LITE_FORWARD = 1u << 4,
	PEERING_LITE_BACKWARD = 1u << 5,
	PEERING_TRICKLE = 1u << 6,
	PEERING_FRAGMENT = 1u << 7, /* the SDP is a piece of one (RFC 8840 4) */
	PEERING_DTLS_OFF = 1u << 8,
	PEERING_DTLS_PASSIVE = 1u << 9, /* our role towards who gets this */
	PEERING_DTLS_ACTIVE = 1u << 10,
	PEERING_REVERSE_OFF = 1u << 11, /* the same towards who sent it */
	PEERING_REVERSE_PASSIVE = 1u << 12,
	PEERING_REVERSE_ACTIVE = 1u << 13,
	PEERING_NO_TLS_ID = 1u << 14,
	PEERING_BUNDLE_OFFER = 1u << 15,
	PEERING_BUNDLE_ACCEPT = 1u << 16,
	PEERING_BUNDLE_REJECT = 1u << 17,
	PEERING_GENERATE_MID = 1u << 18,
	PEERING_STRIP_EXTMAP = 1u << 19,
	PEERING_BUNDLE_REQUIRE = 1u << 21, /* all but the first are bundle-only */
	PEERING_WEBRTC = 1u << 20,         /* all that a browser wants */
};

struct options_peering {
	unsigned bits;                     /* enum peering_bit */
	enum fingerprint_hash fingerprint; /* of our certificate; SHA-256 unless asked */
};

/* One word, as a flag or as "list-word". False: it is none of these. */
bool options_peering_flag(struct options_peering *options, struct slice word);
/* What follows from the words when all are read. */
void options_peering_settle(struct options_peering *options);
