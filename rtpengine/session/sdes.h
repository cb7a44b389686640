/* sdes.h - SRTP keys in SDP: a=crypto (RFC 4568, 6188, 7714), also beside RTP/AVP (OSRTP, RFC
 * 8643). What one side of a stream was told, what it said, and what follows for the rules of its
 * flows. A side without SDES has none. Owned by the side; wiped when its ports go.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"
#include "control/sdp/media.h"
#include "rtpengine/flow.h"

#define SDES_LINES 8 /* of one m= section that are looked at, or written */

/* One a=crypto line. */
struct sdes_line {
	uint32_t tag; /* at most 9 digits (RFC 4568 9.1) */
	enum flow_srtp_suite suite;
	uint8_t key[FLOW_SRTP_KEY_MAX];
	uint8_t salt[FLOW_SRTP_SALT_MAX];
	uint8_t mki_len;
	uint8_t mki[FLOW_SRTP_MKI_MAX];
};

/* What NG's words ask for: suites by bit, in an order. */
struct options_sdes {
	bool is_off;
	bool has_no_new; /* nothing that the offerer did not offer */
	uint16_t never;  /* a bit for each enum flow_srtp_suite */
	uint16_t only;   /* 0 = no such restriction */
	uint8_t order_count, preferred_count;
	uint8_t order[FLOW_SRTP_SUITES];     /* of what we offer */
	uint8_t preferred[FLOW_SRTP_SUITES]; /* when we choose from an offer */
	bool osrtp_offer, osrtp_accept;
};
/* One word, as a flag or as "list-word"; -ERR_NOT_FOUND: it is none of these; -ERR_UNSUPPORTED. */
MUST_CHECK int sdes_option(struct options_sdes *options, struct slice word);

/* The argument of one a=crypto. -ERR_MALFORMED; -ERR_UNSUPPORTED: a suite or parameter that we
 * must not choose. */
MUST_CHECK int sdes_line_read(struct slice argument, struct sdes_line *out);
void sdes_line_write(const struct sdes_line *line, struct buf *out);

struct sdes;
void sdes_destroy(struct sdes *sdes); /* NULL is fine; wipes */

/* Take in what the SDP of a side says; it waits for its answer. `is_open`: lines count beside
 * RTP/AVP as well (OSRTP). -ERR_NO_MEMORY. */
MUST_CHECK int sdes_read(struct sdes **sdes, const struct sdp_media *media, bool is_open);
/* Before an offer is written to a side: the lines it will have, `like` those of the offerer's SDP
 * (NULL = it has none). Lines told before stay as they are. -ERR_UNSUPPORTED: none is left. */
MUST_CHECK int sdes_promise(struct sdes **sdes, const struct sdes *like,
			    const struct options_sdes *options, bool is_required,
			    struct random *random);
void sdes_promise_none(struct sdes *sdes); /* the same, when there will be none */
/* An SDP of that side, the newest: is there a line that may be chosen? */
bool sdes_is_offered(const struct sdes *sdes, const struct options_sdes *options);
/* Its answer, the newest, takes one of the lines it was promised; or must do so. */
bool sdes_is_accepted(const struct sdes *sdes);
bool sdes_is_required(const struct sdes *sdes);
/* The exchange is complete. */
void sdes_apply(struct sdes *sdes, bool is_offerer, const struct options_sdes *options,
		struct random *random);
/* a=crypto of our own; everything of that kind was taken out before. */
MUST_CHECK int sdes_write(const struct sdes *sdes, struct sdp_media *media, bool is_answer);
const char *sdes_suite_text(const struct sdes *sdes); /* NULL = not used */
void sdes_rule(const struct sdes *sdes, struct flow_rule *rule);
