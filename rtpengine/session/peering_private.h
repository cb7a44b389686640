/* peering_private.h - what peering*.c share. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/peering.h"
#include "rtpengine/session/session.h"

#define TLS_ID_LEN 32 /* RFC 8842 4: at least 20 */

struct ice_slot {
	struct peering *peering;
	struct ice *ice; /* NULL = none */
};

#define DTLS_FAILURES_MAX 16
struct dtls_slot {
	struct peering *peering;
	uint8_t component;
	struct dtls *dtls; /* NULL = none */
	uint8_t failures;
	bool has_keys; /* of this association, or of the one before while it is under way */
	struct flow_srtp in, out;
	bool is_resumed; /* its keys are of an association that was another process's */
};

/* A ClientHello that came before the answer said who may send one: it would come again only after a
 * second, and the call would be silent for so long. The last few are kept; strangers can at most
 * push it out. */
#define EARLY_HELLOS 4
struct early_hello {
	struct addr from;
	uint8_t component; /* 0 = empty */
	uint16_t len;
	uint8_t data[PUNT_MAX];
};

struct peering {
	struct stream *stream;
	uint8_t side;
	uint8_t mark[FLOW_ICE_MARK];
	struct peering_sdp said;
	struct peering_sdp offered; /* waits for its answer */
	struct peering_sdp met;     /* with whom the DTLS associations were made */
	bool is_offered;
	unsigned bits;            /* enum peering_bit, of its last offer: the words that mean it */
	bool told_ice, told_dtls; /* our last SDP for this side promises it */
	bool uses_ice, uses_dtls;
	bool is_lite;
	bool is_mux;
	struct ice_slot ice[2]; /* the other one is a restart's, until it has selected */
	unsigned current;
	bool is_mute;    /* consent is over */
	bool has_failed; /* ICE found no way */
	struct dtls_slot dtls[ICE_COMPONENTS];
	struct early_hello *early; /* EARLY_HELLOS of them; NULL = none came */
	unsigned early_next;
	struct dtls_identity *identity; /* what our fingerprint promises */
	struct fingerprint fingerprint;
	char tls_id[TLS_ID_LEN + 1];
	bool has_role;
	enum dtls_role role;
};

static inline struct sessions *peering_sessions(const struct peering *peering)
{
	return peering->stream->dialog->session->all;
}

static inline struct side *peering_side(const struct peering *peering)
{
	return &peering->stream->sides[peering->side];
}

/* The flow of a component that speaks the family of `to`. */
static inline struct flow_id peering_flow(const struct peering *peering, unsigned component,
					  const struct addr *to)
{
	const struct side *side = peering_side(peering);
	if (alternate_has(side, to->family))
		return component == 1 ? side->alternate->rtp.id : side->alternate->rtcp.id;
	return component == 1 ? side->rtp.id : side->rtcp.id;
}

/* The agent that SDP speaks of: that of a restart, if there is one. */
static inline struct ice *peering_newest(const struct peering *peering)
{
	struct ice *next = peering->ice[1 - peering->current].ice;
	return next ? next : peering->ice[peering->current].ice;
}

/* peering.c */
MUST_CHECK int peering_ensure(struct stream *stream, int side, struct peering **out);
/* peering_ice.c */
MUST_CHECK int peering_ice_create(struct peering *peering, bool is_controlling, uint64_t now_ms);
/* The agent of a session that comes back; after its ports are open. */
MUST_CHECK int peering_ice_restore(struct peering *peering, const struct ice_state *state,
				   uint64_t now_ms);
void peering_ice_close(struct peering *peering);
MUST_CHECK int peering_ice_apply(struct peering *peering, bool is_offerer, uint64_t now_ms);
void peering_ice_candidate(struct peering *peering, struct ice *ice,
			   const struct ice_candidate *candidate, uint64_t now_ms);
bool peering_ice_selected(const struct peering *peering, unsigned component, struct addr *out);
/* One a=candidate into `out`; `is_unknown`: it was passed over. */
MUST_CHECK int peering_candidate_read(struct peering_sdp *out, struct slice text, bool *is_unknown);
/* peering_dtls.c */
MUST_CHECK int peering_dtls_promise(struct peering *peering, const struct options *options,
				    uint64_t now_ms);
MUST_CHECK int peering_dtls_apply(struct peering *peering, bool is_offerer,
				  const struct options *options, uint64_t now_ms);
void peering_dtls_close(struct peering *peering);
void peering_dtls_receive(struct peering *peering, unsigned component, const struct addr *from,
			  const uint8_t *data, size_t len, uint64_t now_ms);
/* The way to the peer is known, or another one. */
void peering_dtls_path(struct peering *peering, unsigned component, const struct addr *to,
		       uint64_t now_ms);
