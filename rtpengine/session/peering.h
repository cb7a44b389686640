/* peering.h - how one side of a stream is reached where plain RTP is not enough: its ICE agents and
 * its DTLS associations, and what becomes of them in SDP and in the rules of its flows. A side
 * without either has none. Owned by the side; ends when its ports do.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/media.h"
#include "rtpengine/dtls/dtls.h"
#include "rtpengine/flow.h"
#include "rtpengine/ice/ice.h"

struct options;
struct peering;
struct stream;
struct sessions;

#define PEERING_TLS_ID_MAX 128
#define PEERING_MID_MAX    32

/* a=setup (RFC 4145, RFC 8842). */
enum peering_setup { SETUP_NONE, SETUP_ACTPASS, SETUP_ACTIVE, SETUP_PASSIVE };

/* What the SDP of that side says. */
struct peering_sdp {
	bool has_ice, is_lite, is_trickle, is_ended;
	bool is_mismatched; /* its c= is none of its candidates: somebody rewrote it */
	bool has_dtls;
	uint8_t setup; /* enum peering_setup */
	char ufrag[ICE_TEXT_MAX + 1], pwd[ICE_TEXT_MAX + 1];
	char tls_id[PEERING_TLS_ID_MAX + 1];
	char mid[PEERING_MID_MAX + 1];
	uint8_t group; /* the BUNDLE group of its SDP it is in, from 1; 0 = none */
	uint8_t rank;  /* in that group, from 0 */
	unsigned fingerprint_count;
	struct fingerprint fingerprints[DTLS_FINGERPRINTS];
	unsigned candidate_count;
	struct ice_candidate candidates[ICE_PAIRS_MAX];
};

/* peering_sdp.c */
/* Read one m= section. -ERR_MALFORMED: `why` says what is wrong with it. */
MUST_CHECK int peering_sdp_read(const struct sdp_media *media, struct peering_sdp *out,
				const char **why);
/* Whether there is anything in it: otherwise the side needs no peering. */
bool peering_sdp_matters(const struct peering_sdp *said);

/* Take in what the SDP of `side` says; it waits for its answer. Makes the peering when needed.
 * -ERR_MALFORMED with `why`, -ERR_NO_MEMORY. */
MUST_CHECK int peering_read(struct stream *stream, int side, const struct sdp_media *media,
			    const struct options *options, const char **why);
/* Before an offer or answer is written to `side`: make what its SDP will promise. */
MUST_CHECK int peering_prepare(struct stream *stream, int side, bool wants_ice, bool wants_dtls,
			       const struct options *options, uint64_t now_ms);
/* The exchange is complete: what both sides said takes effect. Call peering_set_mux() before. */
void peering_apply(struct stream *stream, int side, bool is_offerer, const struct options *options,
		   uint64_t now_ms);
void peering_destroy(struct peering *peering); /* NULL is fine */

/* a= lines of our own for `side`; everything of that kind was taken out before. */
MUST_CHECK int peering_write(const struct stream *stream, int side, struct sdp_media *media,
			     const struct options *options, bool is_answer);

/* What the flow of a component gets beside what plain RTP needs. */
/* The same before the answer; false: nothing may come yet. */
bool peering_early_rule(const struct peering *peering, struct flow_rule *rule);
void peering_rule(const struct peering *peering, unsigned component, struct flow_rule *rule);
/* The flows follow what ICE has selected; after their rules are published. */
void peering_lock(const struct peering *peering);
bool peering_has_ice(const struct peering *peering);
/* Where ICE has found it, of RTP; false: not yet, or no ICE. */
bool peering_selected(const struct peering *peering, struct addr *out);
bool peering_said_ice(const struct peering *peering); /* its SDP, the newest */
bool peering_said_dtls(const struct peering *peering);
bool peering_told_dtls(const struct peering *peering); /* what we last wrote to it */
bool peering_has_dtls(const struct peering *peering);  /* it ends here: nothing passes sealed */
/* It does not consent to our packets any more (RFC 7675). */
bool peering_is_mute(const struct peering *peering);
/* RTP and RTCP share the first component. */
void peering_set_mux(struct peering *peering, bool mux);

/* A STUN or DTLS datagram for the flow of that component. */
void peering_receive(struct peering *peering, unsigned component, const struct addr *from,
		     bool is_stun, const uint8_t *data, size_t len, uint64_t now_ms);
/* Candidates that came later (RFC 8838). */
MUST_CHECK int peering_trickle(struct stream *stream, int side, const struct peering_sdp *more,
			       uint64_t now_ms);
/* For people: "completed", "checking", ...; NULL = none. */
const char *peering_ice_text(const struct peering *peering);
const char *peering_dtls_text(const struct peering *peering);
const char *peering_suite_text(const struct peering *peering); /* NULL = no keys by DTLS yet */
