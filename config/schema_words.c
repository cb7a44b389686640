/* Words that interfaces and peers both use. SPDX-License-Identifier: Apache-2.0 */
#include "config/schema_words.h"

const struct schema_choice schema_sources[] = {
	{"sdp-only", CONFIG_SOURCE_SDP_ONLY, "only from the address and port that SDP names"},
	{"learn-once", CONFIG_SOURCE_LEARN_ONCE,
	 "from where SDP says, or confirmed once from the signalling source (NAT), then locked"},
	{"ice", CONFIG_SOURCE_ICE, "only from where ICE has confirmed"},
	{"secure", CONFIG_SOURCE_SECURE, "only what SRTP has authenticated"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_srtp[] = {
	{"never", CONFIG_SRTP_NEVER, "RTP only"},
	{"allow", CONFIG_SRTP_ALLOW, "RTP is offered, SRTP is taken"},
	{"prefer", CONFIG_SRTP_PREFER, "SRTP is offered so that RTP may be chosen (RFC 8643)"},
	{"require", CONFIG_SRTP_REQUIRE, "SRTP only"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_keyings[] = {
	{"dtls", CONFIG_KEYING_DTLS, "by a handshake on the media path (RFC 5764)"},
	{"sdes", CONFIG_KEYING_SDES, "in SDP (RFC 4568): as secret as the signalling is"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_ice[] = {
	{"never", CONFIG_ICE_NEVER, "candidates are taken out"},
	{"lite", CONFIG_ICE_LITE, "we answer checks"},
	{"full", CONFIG_ICE_FULL, "we make checks too"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_muxes[] = {
	{"accept", CONFIG_MUX_ACCEPT, "when the other side offers it"},
	{"offer", CONFIG_MUX_OFFER, "offered, and taken back when refused"},
	{"require", CONFIG_MUX_REQUIRE, "offered as the only way"},
	{"never", CONFIG_MUX_NEVER, "neither offered nor accepted"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_reliable[] = {
	{"auto", CONFIG_RELIABLE_AUTO, "as either side asks; interworked when one cannot"},
	{"require", CONFIG_RELIABLE_REQUIRE, "asked for with Require"},
	{"never", CONFIG_RELIABLE_NEVER, "never offered"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_transfers[] = {
	{"pass", CONFIG_TRANSFER_PASS, "goes to the other side, with our dialogs in place of its"},
	{"local", CONFIG_TRANSFER_LOCAL,
	 "ends here: we make the new call ourselves, and join it with the side that remains; 491 "
	 "before there is an answer, 403 outside a call"},
	{"refuse", CONFIG_TRANSFER_REFUSE, "603"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_redirects[] = {
	{"follow", CONFIG_REDIRECTS_FOLLOW, "we try the contacts, through the routes"},
	{"pass", CONFIG_REDIRECTS_PASS, "the caller gets it"},
	{NULL, 0, NULL},
};
const struct schema_choice schema_privacy[] = {
	{"apply", CONFIG_PRIVACY_APPLY, "identities are withheld as it asks"},
	{"pass", CONFIG_PRIVACY_PASS, "the far end withholds them"},
	{NULL, 0, NULL},
};
