/* peering.c - the life of a peering, and what the rest of the session asks of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/peering.h"

#include <stdlib.h>
#include "rtpengine/session/peering_private.h"

int peering_ensure(struct stream *stream, int side, struct peering **out)
{
	struct side *at = &stream->sides[side];

	if (!at->peering) {
		struct peering *peering = calloc(1, sizeof(*peering));
		if (!peering)
			return -ERR_NO_MEMORY;
		peering->stream = stream;
		peering->side = (uint8_t)side;
		for (unsigned i = 0; i < 2; i++)
			peering->ice[i].peering = peering;
		for (unsigned i = 0; i < ICE_COMPONENTS; i++) {
			peering->dtls[i].peering = peering;
			peering->dtls[i].component = (uint8_t)(i + 1);
		}
		random_fill(peering_sessions(peering)->random, peering->mark,
			    sizeof(peering->mark));
		at->peering = peering;
	}
	*out = at->peering;
	return 0;
}

void peering_destroy(struct peering *peering)
{
	if (!peering)
		return;
	peering_side(peering)->peering = NULL;
	peering_dtls_close(peering);
	peering_ice_close(peering);
	dtls_identity_put(peering->identity);
	explicit_bzero(peering, sizeof(*peering));
	free(peering);
}

int peering_read(struct stream *stream, int side, const struct sdp_media *media,
		 const struct options *options, const char **why)
{
	struct peering_sdp said;
	struct peering *peering;

	int err = peering_sdp_read(media, &said, why);
	if (err || (!stream->sides[side].peering && !peering_sdp_matters(&said)))
		return err;
	err = peering_ensure(stream, side, &peering);
	if (err)
		return err;
	peering->offered = said;
	peering->is_offered = true;
	peering->bits = options->peering.bits;
	return 0;
}

int peering_prepare(struct stream *stream, int side, bool wants_ice, bool wants_dtls,
		    const struct options *options, uint64_t now_ms)
{
	struct peering *peering;

	if (!stream->sides[side].peering && !wants_ice && !wants_dtls)
		return 0;
	int err = peering_ensure(stream, side, &peering);
	if (err)
		return err;
	peering->told_ice = wants_ice;
	peering->told_dtls = wants_dtls;
	bool is_reset = options->peering.bits & PEERING_ICE_RESET;
	if (wants_ice && !peering_newest(peering))
		alternate_open(stream, side, now_ms, NULL);
	if (wants_ice && (is_reset || !peering_newest(peering))) {
		peering->is_lite = options->peering.bits & PEERING_LITE_FORWARD;
		err = peering_ice_create(peering, !peering->is_lite, now_ms);
	}
	if (!err && wants_dtls)
		err = peering_dtls_promise(peering, options, now_ms);
	return err;
}

/* Another stream's serves this one. What an offer of ours promised is kept: the next branch that
 * answers it may not share. */
static void rest(struct peering *peering, bool is_offerer)
{
	const struct ice *ice = peering_newest(peering);

	if (is_offerer)
		peering->told_ice = peering->told_dtls = false;
	if (is_offerer || (ice && ice_has_remote(ice)))
		peering_ice_close(peering);
	peering_dtls_close(peering);
	peering->uses_ice = peering->uses_dtls = false;
}

/* Without memory, or when OpenSSL refuses, the side stays shut: nothing goes out unprotected. */
void peering_apply(struct stream *stream, int side, bool is_offerer, const struct options *options,
		   uint64_t now_ms)
{
	struct peering *peering = stream->sides[side].peering;

	if (!peering)
		return;
	if (peering->is_offered) {
		peering->said = peering->offered;
		peering->is_offered = false;
	}
	if (side_is_carried(stream, side)) {
		rest(peering, is_offerer);
		if (!peering->told_ice)
			alternate_close(stream, side, now_ms);
		return;
	}
	if (is_offerer) {
		/* What its offer said of the way back, and its answer of the way on. */
		const unsigned back = peering->bits, on = options->peering.bits;
		bool is_lite = (back & PEERING_LITE_BACKWARD) || (on & PEERING_LITE_FORWARD);
		peering->told_ice = peering->said.has_ice && !peering->said.is_mismatched &&
				    !(back & PEERING_ICE_REJECT) && !(on & PEERING_ICE_REMOVE);
		peering->told_dtls = peering->said.has_dtls && !(back & PEERING_REVERSE_OFF) &&
				     !(on & PEERING_DTLS_OFF);
		if (!peering_newest(peering)) /* the full one controls; a lite one answers */
			peering->is_lite = is_lite && !peering->said.is_lite;
	}
	peering->uses_dtls = peering->told_dtls && peering->said.has_dtls;
	int err = peering_ice_apply(peering, is_offerer, now_ms);
	if (!err)
		err = peering_dtls_apply(peering, is_offerer, options, now_ms);
	if (err)
		log_error(peering_sessions(peering)->log, "peering.failed",
			  "call=%s stream=%u side=%d reason=\"%s\"",
			  stream->dialog->session->call_id, stream->index, side, err_text(err));
}

bool peering_has_ice(const struct peering *peering)
{
	return peering && peering->uses_ice;
}

bool peering_has_dtls(const struct peering *peering)
{
	return peering && peering->uses_dtls;
}

bool peering_said_ice(const struct peering *peering)
{
	return peering && (peering->is_offered ? peering->offered.has_ice : peering->said.has_ice);
}

bool peering_said_dtls(const struct peering *peering)
{
	return peering &&
	       (peering->is_offered ? peering->offered.has_dtls : peering->said.has_dtls);
}

bool peering_told_dtls(const struct peering *peering)
{
	return peering && peering->told_dtls;
}

bool peering_is_mute(const struct peering *peering)
{
	return peering && peering->uses_ice && peering->is_mute;
}

void peering_set_mux(struct peering *peering, bool mux)
{
	if (peering)
		peering->is_mux = mux;
}

static void name_sessions(const struct peering *peering, struct flow_rule *rule)
{
	rule->has_ice = true;
	memcpy(rule->ice.mark, peering->mark, sizeof(rule->ice.mark));
	for (unsigned i = 0; i < FLOW_ICE_SESSIONS; i++)
		if (peering->ice[i].ice)
			memcpy(rule->ice.ufrags[i], ice_ufrag(peering->ice[i].ice), FLOW_ICE_UFRAG);
}

bool peering_early_rule(const struct peering *peering, struct flow_rule *rule)
{
	if (!peering || (!peering->told_ice && !peering->told_dtls))
		return false;
	if (peering->told_ice)
		name_sessions(peering, rule);
	rule->has_dtls = peering->told_dtls;
	return true;
}

static void ice_rule(const struct peering *peering, struct flow_rule *rule)
{
	name_sessions(peering, rule);
	/* Only where ICE has found the peer is anybody sent anything, or believed. */
	rule->source.mode = FLOW_SOURCE_ICE;
	memset(rule->source.expected, 0, sizeof(rule->source.expected));
	rule->remote = (struct addr){0};
	rule->symmetric = true;
}

void peering_rule(const struct peering *peering, unsigned component, struct flow_rule *rule)
{
	if (!peering)
		return;
	const struct dtls_slot *dtls = &peering->dtls[component - 1];
	if (peering->uses_ice)
		ice_rule(peering, rule);
	if (!peering->uses_dtls)
		return;
	rule->has_dtls = true;
	rule->needs_srtp = true;
	if (!dtls->has_keys)
		return;
	rule->srtp_in = dtls->in;
	rule->srtp_out = dtls->out;
	if (!peering->uses_ice && rule->source.mode == FLOW_SOURCE_LEARN)
		rule->source.mode = FLOW_SOURCE_SECURE; /* whoever has the keys is the peer */
}

void peering_receive(struct peering *peering, unsigned component, const struct addr *from,
		     bool is_stun, const uint8_t *data, size_t len, uint64_t now_ms)
{
	struct sessions_counters *counters = &peering_sessions(peering)->counters;

	if (!is_stun) {
		peering_dtls_receive(peering, component, from, data, len, now_ms);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct ice *ice = peering->ice[i].ice;
		if (!ice || !ice_is_for(ice, data, len))
			continue;
		if (ice_receive(ice, component, from, data, len, now_ms) == ICE_UNAUTHENTIC)
			counters->ice_unauthentic++;
		return;
	}
}

int peering_trickle(struct stream *stream, int side, const struct peering_sdp *more,
		    uint64_t now_ms)
{
	struct peering *peering = stream->sides[side].peering;

	if (!peering)
		return -ERR_NOT_FOUND;
	struct peering_sdp *said = peering->is_offered ? &peering->offered : &peering->said;
	struct ice *ice = peering_newest(peering);
	bool is_new = more->ufrag[0] && strcmp(more->ufrag, said->ufrag) != 0;
	if (!said->has_ice || is_new)
		return -ERR_NOT_FOUND; /* of a session that is over, or not agreed yet */
	for (unsigned i = 0; i < more->candidate_count; i++) {
		if (said->candidate_count < ICE_PAIRS_MAX)
			said->candidates[said->candidate_count++] = more->candidates[i];
		if (ice && !peering->is_offered)
			peering_ice_candidate(peering, ice, &more->candidates[i], now_ms);
	}
	said->is_ended = said->is_ended || more->is_ended;
	if (more->is_ended && ice && !peering->is_offered)
		ice_end_of_candidates(ice, now_ms);
	return 0;
}

const char *peering_ice_text(const struct peering *peering)
{
	if (!peering_has_ice(peering))
		return NULL;
	if (peering->is_mute)
		return "no consent";
	if (peering->has_failed)
		return "failed";
	return ice_is_completed(peering->ice[peering->current].ice) ? "completed" : "checking";
}

const char *peering_dtls_text(const struct peering *peering)
{
	static const char *const texts[] = {
		[DTLS_WAITING] = "waiting", [DTLS_HANDSHAKE] = "handshake", [DTLS_DONE] = "done",
		[DTLS_FAILED] = "failed",   [DTLS_CLOSED] = "closed",
	};

	if (!peering_has_dtls(peering) || !peering->dtls[0].dtls)
		return NULL;
	return texts[dtls_state(peering->dtls[0].dtls)];
}

const char *peering_suite_text(const struct peering *peering)
{
	if (!peering_has_dtls(peering) || !peering->dtls[0].has_keys)
		return NULL;
	return flow_srtp_info(peering->dtls[0].in.suite)->name;
}
