/* lines.h - inside control/sdp only: where a line belongs, and the checks of single lines.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/sdp.h"

/* Place of a line type in a section, RFC 8866 section 9: i u e p c b t/r/z k a. Both kinds of
 * section agree in the order of the types they share. */
#define SDP_RANKS        9
#define SDP_RANK_UNKNOWN 255
unsigned sdp_line_rank(char type);

/* Put a line behind `after`; NULL = first. */
void sdp_line_link(struct sdp_section *section, struct sdp_line *after, struct sdp_line *line);

bool sdp_is_digits(struct slice s);
/* Of an m= line's protocol: RTP/AVP, RTP/SAVPF, UDP/TLS/RTP/SAVP ... */
bool sdp_protocol_is_rtp(struct slice protocol);

/* Where in a line something is wrong. */
struct sdp_fault {
	const char *at; /* in the text */
	const char *reason;
};

/* Each takes what follows "x=" and gives 0 or a negative code with `fault` filled. */
MUST_CHECK int sdp_read_origin(struct slice value, struct sdp_origin *out, struct sdp_fault *fault);
MUST_CHECK int sdp_read_connection(struct slice value, struct sdp_connection *out,
				   struct sdp_fault *fault);
/* Fills type, port, port_count, protocol and formats (in the arena). */
MUST_CHECK int sdp_read_media(struct arena *arena, struct slice value, struct sdp_media *out,
			      struct sdp_fault *fault);
MUST_CHECK int sdp_read_attribute(struct slice value, struct sdp_line *out,
				  struct sdp_fault *fault);
MUST_CHECK int sdp_check_bandwidth(struct slice value, struct sdp_fault *fault);
MUST_CHECK int sdp_check_time(struct slice value, struct sdp_fault *fault);
/* Numbers in the attributes that steer media: rtpmap, rtcp. */
MUST_CHECK int sdp_check_media_attribute(const struct sdp_media *media, const struct sdp_line *line,
					 struct sdp_fault *fault);
/* "96 opus/48000/2"; clock_rate 0 when not written. */
MUST_CHECK int sdp_read_rtpmap(struct slice argument, uint8_t *payload_type, struct slice *encoding,
			       uint32_t *clock_rate, uint32_t *channels, struct sdp_fault *fault);
/* "49172" or "49172 IN IP4 192.0.2.1"; addr family 0 without address or with a name. */
MUST_CHECK int sdp_read_rtcp(struct slice argument, uint32_t *port, struct addr *addr,
			     struct sdp_fault *fault);
