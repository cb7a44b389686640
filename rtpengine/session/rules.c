/* rules.c - the rules of a stream's flows, as the datapath gets them: made of what both sides
 * said, what commands ask for, and whatever protects it. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/bundle.h"
#include "rtpengine/session/connect.h"
#include "rtpengine/session/dtmf.h"
#include "rtpengine/session/keep.h"
#include "rtpengine/session/subscription.h"

#include <assert.h>

static struct flow_source side_source(const struct stream *stream, int side, struct addr expected)
{
	const struct side *at = &stream->sides[side];
	const struct dialog *dialog = stream->dialog;
	enum session_source asked = party_source(dialog, side);
	uint32_t idle_ms = party_idle_ms(dialog, side);
	bool exact = asked == SESSION_SOURCE_SDP_ONLY || (at->now.bits & OPTION_STRICT_SOURCE);
	struct flow_source source = {
		.mode = exact ? FLOW_SOURCE_EXACT : FLOW_SOURCE_LEARN,
		.epoch = at->epoch,
		/* A side that has not spoken for so long has ended its call by then. */
		.window_ms = idle_ms ? idle_ms : SESSIONS_LEARN_MS,
	};

	source.expected[0] = at->now.is_natted ? at->now.received : expected;
	if (!source.expected[0].family ||
	    (asked == SESSION_SOURCE_ICE && !peering_has_ice(at->peering)))
		source.mode = FLOW_SOURCE_CLOSED;
	return source;
}

static void publish(struct stream *stream, struct flow_ref *ref, const struct flow_rule *rule)
{
	struct sessions *sessions = stream->dialog->session->all;
	int err = datapath_flow_set(sessions->datapath, ref->id, rule);

	if (err)
		log_error(sessions->log, "flow.refused", "call=%s stream=%u side=%u reason=\"%s\"",
			  stream->dialog->session->call_id, stream->index, ref->side,
			  err_text(err));
}

static struct flow_rule side_rule(const struct stream *stream, int side, struct addr peer)
{
	const struct side *at = &stream->sides[side];
	const struct party *party = &stream->dialog->parties[side];
	const struct local_interface *local =
		&stream->dialog->session->all->interfaces[party->interface];
	struct flow_rule rule = {
		.source = side_source(stream, side, peer),
		.symmetric = !(at->now.bits & OPTION_ASYMMETRIC),
		.dscp = party->dscp >= 0 ? (uint8_t)party->dscp : local->dscp,
		.clock_hz = at->now.clock_hz,
	};

	/* who has to speak first opens its NAT by that */
	if (!at->now.is_natted && !(rule.symmetric && at->now.bits & OPTION_NAT_WAIT))
		rule.remote = peer;
	return rule;
}

static const struct side *hearing_side(const struct stream *stream, int side)
{
	struct hearer hearer = stream_hearer(stream, side);
	return hearer.stream ? &hearer.stream->sides[hearer.side] : NULL;
}

/* What commands ask to be done to what this side sends. */
static struct flow_alter side_alter(const struct stream *stream, int side)
{
	const struct dialog *dialog = stream->dialog;
	const struct side *hearer = hearing_side(stream, side);
	bool is_drowned = hearer && hearer->player;
	unsigned blocks = dialog->session->blocks | dialog->parties[side].blocks;
	struct flow_alter alter = {
		.media = blocks & BLOCK_MEDIA || is_drowned ? FLOW_MEDIA_BLOCK
			 : blocks & BLOCK_TO_SILENCE        ? FLOW_MEDIA_SILENCE
							    : FLOW_MEDIA_PASS,
		.blocks_events = blocks & BLOCK_DTMF,
		.event_types = {stream->sides[side].now.event_type,
				hearer ? hearer->now.event_type : 0},
		.play = dtmf_play(stream, side),
		.forwarding = stream->sides[side].forwarding,
		.recording = dialog->session->recording_is_paused ? 0 : dialog->session->recording,
	};

	subscriptions_copies(stream, side, alter.copies);
	return alter;
}

/* By ICE, DTLS-SRTP or SDES, where one of them is agreed. What says SRTP and has no keys yet, or
 * none at all, is closed. */
static void protect(const struct stream *stream, int side, unsigned component,
		    struct flow_rule *rule)
{
	const struct side *at = &stream->sides[side];

	rule->needs_srtp = party_source(stream->dialog, side) == SESSION_SOURCE_SECURE ||
			   strstr(at->now.protocol, "SAVP") != NULL;
	peering_rule(at->peering, component, rule);
	sdes_rule(at->sdes, rule);
	if (at->resume)
		resume_rule(&at->resume->flows[component - 1], rule);
}

static void wipe(struct flow_rule *rule)
{
	explicit_bzero(&rule->srtp_in, sizeof(rule->srtp_in));
	explicit_bzero(&rule->srtp_out, sizeof(rule->srtp_out));
}

static void publish_side(struct stream *stream, int side)
{
	struct side *at = &stream->sides[side];
	struct hearer hearer = stream_hearer(stream, side);
	const struct side *other = hearer.stream ? &hearer.stream->sides[hearer.side] : at;
	const struct side *out = hearer.stream ? side_transport(hearer.stream, hearer.side) : NULL;
	bool is_carried = side_is_carried(stream, side);
	bool is_mute = !out || peering_is_mute(out->peering);
	bool is_relayed = side_may_send(stream, side) && !is_mute;
	struct flow_id rtcp_to = is_mute ? FLOW_NONE : out->mux ? out->rtp.id : out->rtcp.id;
	struct flow_bundle bundle;
	struct flow_rule rule = side_rule(stream, side, at->now.rtp);

	rule.kind = !stream->kind.is_rtp ? FLOW_OTHER : at->mux ? FLOW_MUX : FLOW_RTP;
	rule.rtp_to = is_relayed ? out->rtp.id : FLOW_NONE;
	if (rule.kind == FLOW_MUX)
		rule.rtcp_to = rtcp_to;
	if (rule.kind != FLOW_OTHER)
		rule.alter = side_alter(stream, side);
	policing_rule(&at->now.policing, &other->now.policing, &rule);
	if (is_carried) /* packets come to it from the flow of its carrier, and leave there */
		rule.source.mode = FLOW_SOURCE_CLOSED;
	else if (rule.kind != FLOW_OTHER)
		protect(stream, side, 1, &rule);
	if (!is_carried && bundle_members(stream, side, &bundle))
		rule.bundle = &bundle;
	publish(stream, &at->rtp, &rule);
	wipe(&rule);

	rule = side_rule(stream, side, at->now.rtcp);
	rule.clock_hz = 0;
	if (at->mux || is_carried || !stream->kind.is_rtp)
		rule.source.mode = FLOW_SOURCE_CLOSED;
	rule.kind = FLOW_RTCP;
	rule.rtcp_to = rtcp_to;
	rule.rtp_of = at->rtp.id;
	policing_rule(&at->now.policing, &other->now.policing, &rule);
	if (rule.source.mode != FLOW_SOURCE_CLOSED)
		protect(stream, side, 2, &rule);
	publish(stream, &at->rtcp, &rule);
	wipe(&rule);
	if (at->peering && !is_carried)
		peering_lock(at->peering);
	alternate_publish(stream, side);
}

/* Its m= line is refused, but others go on using its port (RFC 9143 7.5.2). */
static void publish_transport(struct stream *stream, int side)
{
	struct side *at = &stream->sides[side];
	struct flow_bundle bundle;

	if (!bundle_members(stream, side, &bundle))
		return;
	const struct stream *member = bundle_first(stream, side);
	struct flow_rule rule = side_rule(member, side, member->sides[side].now.rtp);
	rule.kind = FLOW_MUX;
	rule.bundle = &bundle;
	rule.rtp_to = rule.rtcp_to = FLOW_NONE;
	protect(stream, side, 1, &rule);
	publish(stream, &at->rtp, &rule);
	wipe(&rule);
	if (at->peering)
		peering_lock(at->peering);
}

/* The stream was refused or taken off: its flows stay, and let nobody in. */
static void publish_closed(struct stream *stream)
{
	static const struct flow_rule closed = {.source.mode = FLOW_SOURCE_CLOSED};

	for (int side = 0; side < 2; side++) {
		struct side *at = &stream->sides[side];
		if (bundle_first(stream, side)) {
			publish_transport(stream, side);
			continue;
		}
		if (flow_id_is_set(at->rtp.id))
			publish(stream, &at->rtp, &closed);
		if (flow_id_is_set(at->rtcp.id))
			publish(stream, &at->rtcp, &closed);
	}
}

/* Before the answer no media is taken, but whoever got our offer may begin with ICE and DTLS. */
static void publish_early(struct stream *stream, int side)
{
	struct side *at = &stream->sides[side];
	struct flow_rule rule = {.kind = FLOW_MUX, .source.mode = FLOW_SOURCE_CLOSED};

	if (!peering_early_rule(at->peering, &rule))
		return;
	if (flow_id_is_set(at->rtp.id))
		publish(stream, &at->rtp, &rule);
	if (flow_id_is_set(at->rtcp.id))
		publish(stream, &at->rtcp, &rule);
	alternate_publish(stream, side);
}

void stream_publish_early(struct stream *stream)
{
	if (stream->is_live) {
		stream_publish(stream); /* as it is; a restart has begun */
		return;
	}
	publish_early(stream, 0);
	publish_early(stream, 1);
}

static void publish_one(struct stream *stream)
{
	bool was_live = stream->is_live;

	stream->is_live = stream_is_live(stream);
	if (!stream->is_live) {
		if (was_live || bundle_first(stream, 0) || bundle_first(stream, 1))
			publish_closed(stream);
		return;
	}
	for (int side = 0; side < 2; side++) {
		if (side && stream->dialog->is_published)
			return;
		assert(flow_id_is_set(stream->sides[side].rtp.id));
		publish_side(stream, side);
	}
}

/* Who hears it in another dialog points at flows that may be others now. */
static void publish_hearers(const struct stream *stream)
{
	for (int side = 0; side < 2; side++) {
		struct hearer hearer = stream_hearer(stream, side);
		if (hearer.stream && hearer.stream->dialog != stream->dialog)
			publish_one(hearer.stream);
	}
}

void stream_publish(struct stream *stream)
{
	const struct dialog *dialog = stream->dialog;

	publish_one(stream);
	publish_hearers(stream);
	keep_soon(dialog->session);
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		struct stream *carried = dialog->streams[i];
		if (carried != stream && (carried->sides[0].carrier == stream->index ||
					  carried->sides[1].carrier == stream->index))
			publish_one(carried);
	}
}
