/* srtp_suite.c - the SRTP suites there are: RFC 4568 section 6.2, RFC 6188, RFC 7714.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/flow.h"

/* RFC 5764 4.1.2 and RFC 7714 14.2 name four of them for DTLS. */
static const struct flow_srtp_info suites[FLOW_SRTP_SUITES] = {
	[FLOW_SRTP_NONE] = {.name = ""},
	[FLOW_SRTP_AES_CM_128_HMAC_SHA1_80] = {"AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10, 1, false},
	[FLOW_SRTP_AES_CM_128_HMAC_SHA1_32] = {"AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10, 2, false},
	[FLOW_SRTP_AES_192_CM_HMAC_SHA1_80] = {"AES_192_CM_HMAC_SHA1_80", 24, 14, 10, 10, 0, false},
	[FLOW_SRTP_AES_192_CM_HMAC_SHA1_32] = {"AES_192_CM_HMAC_SHA1_32", 24, 14, 4, 10, 0, false},
	[FLOW_SRTP_AES_256_CM_HMAC_SHA1_80] = {"AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10, 0, false},
	[FLOW_SRTP_AES_256_CM_HMAC_SHA1_32] = {"AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10, 0, false},
	[FLOW_SRTP_AEAD_AES_128_GCM] = {"AEAD_AES_128_GCM", 16, 12, 16, 16, 7, true},
	[FLOW_SRTP_AEAD_AES_256_GCM] = {"AEAD_AES_256_GCM", 32, 12, 16, 16, 8, true},
};

const struct flow_srtp_info *flow_srtp_info(enum flow_srtp_suite suite)
{
	return &suites[suite < FLOW_SRTP_SUITES ? suite : FLOW_SRTP_NONE];
}
