/* media.h - what one m= section means: effective connection, direction, RTCP, formats; and what
 * offer/answer (RFC 3264) asks of it. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/attribute.h"

enum sdp_direction { /* bit 0: sends, bit 1: receives, as the writer of the SDP sees it */
		     SDP_INACTIVE = 0,
		     SDP_SENDONLY = 1,
		     SDP_RECVONLY = 2,
		     SDP_SENDRECV = 3,
};

/* "a=rtpmap:96 opus/48000/2", or the static assignments of RFC 3551 when there is no line. */
struct sdp_rtpmap {
	uint8_t payload_type;
	struct slice encoding; /* "opus" */
	uint32_t clock_rate;
	uint32_t channels; /* 1 when not written */
};

/* The media's own c= (the first of several), else the session's; NULL = neither has one. */
const struct sdp_connection *sdp_media_connection(const struct sdp_media *media);
/* Where the writer wants RTP: connection and port. -ERR_NOT_FOUND without c=, -ERR_UNSUPPORTED when
 * it is a name. */
MUST_CHECK int sdp_media_rtp_addr(const struct sdp_media *media, struct addr *out);
/* Where it wants RTCP: a=rtcp (RFC 3605), else RTP port + 1; the RTP address with a=rtcp-mux. */
MUST_CHECK int sdp_media_rtcp_addr(const struct sdp_media *media, struct addr *out);
/* "49172" or "49172 IN IP4 192.0.2.1"; addr set or port 0 on nothing. */
MUST_CHECK int sdp_media_set_rtcp(struct sdp_media *media, const struct addr *addr,
				  bool full_address);

enum sdp_direction sdp_media_direction(
	const struct sdp_media *media); /* media, session, sendrecv */
const char *sdp_direction_text(enum sdp_direction direction);
enum sdp_direction sdp_direction_reverse(enum sdp_direction direction);
/* Replaces whatever direction line the media had. */
MUST_CHECK int sdp_media_set_direction(struct sdp_media *media, enum sdp_direction direction);

bool sdp_media_is_rtp(const struct sdp_media *media);    /* RTP/..., UDP/TLS/RTP/... */
bool sdp_media_is_secure(const struct sdp_media *media); /* RTP/SAVP(F), UDP/TLS/RTP/SAVP(F) */
bool sdp_media_has_rtcp_mux(const struct sdp_media *media);
bool sdp_media_is_rejected(const struct sdp_media *media); /* port 0 and no a=bundle-only */
/* RFC 3264 8.4 (sendonly, inactive) and RFC 2543 (address 0.0.0.0 or ::). */
bool sdp_media_is_hold(const struct sdp_media *media);
/* Every media that is not rejected is on hold, and there is one. */
bool sdp_is_hold(const struct sdp *sdp);

uint32_t sdp_media_ptime_ms(const struct sdp_media *media); /* 0 = none */
/* How a format of this media is encoded; -ERR_NOT_FOUND (dynamic and no a=rtpmap). */
MUST_CHECK int sdp_media_rtpmap(const struct sdp_media *media, struct slice format,
				struct sdp_rtpmap *out);
/* First format with this encoding name (case-insensitive) and clock rate (0 = any). */
MUST_CHECK int sdp_media_find_encoding(const struct sdp_media *media, struct slice encoding,
				       uint32_t clock_rate, struct sdp_rtpmap *out);
bool sdp_media_has_format(const struct sdp_media *media, struct slice format);
/* Argument of a=fmtp for this format without the format; data NULL = none. */
struct slice sdp_media_fmtp(const struct sdp_media *media, struct slice format);
/* Take a format off the m= line with its a=rtpmap, a=fmtp and a=rtcp-fb; false = not there. The
 * last format is not taken: reject the media instead. */
bool sdp_media_remove_format(struct sdp_media *media, struct slice format);
MUST_CHECK int sdp_media_set_protocol(struct sdp_media *media, struct slice protocol);

/* Refuse it (RFC 3264 6): port 0, all but the m= line goes. */
void sdp_media_reject(struct sdp_media *media);
/* An answer must have the m= lines of its offer: as many, same types, in the same order; and a
 * stream refused in the offer stays refused. -ERR_MALFORMED with the reason. */
MUST_CHECK int sdp_answer_check(const struct sdp *offer, const struct sdp *answer,
				const char **reason);
/* What the answerer may say to this offer when it wants `wanted` (RFC 3264 6.1). */
enum sdp_direction sdp_direction_answer(enum sdp_direction offered, enum sdp_direction wanted);
