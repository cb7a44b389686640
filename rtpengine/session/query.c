/* query.c - the state of a call in the words NG clients know (tags, medias, streams, SSRC, totals),
 * and what they do not ask but a person does: loss, jitter, drops by reason, strangers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/connect.h"
#include "rtpengine/session/subscription_private.h"

#include <inttypes.h>
#include <stdio.h>

struct report {
	const struct session *session;
	struct arena *arena;
	uint64_t now_ms;
	struct ng_value *tags, *ssrcs;
	uint64_t rtp_packets, rtp_bytes, rtp_errors, rtcp_packets, rtcp_bytes, rtcp_errors;
};

/* The session may be gone before the reply is encoded, so every text is copied. */
static struct slice copy(const struct report *r, const char *text)
{
	return arena_copy(r->arena, slice_from(text ? text : ""));
}

static void add_text(const struct report *r, struct ng_value *dict, const char *key,
		     const char *text)
{
	ng_dict_add_string(r->arena, dict, key, copy(r, text));
}

static void add_number(const struct report *r, struct ng_value *dict, const char *key,
		       uint64_t value)
{
	ng_dict_add_integer(r->arena, dict, key, (int64_t)value);
}

static void add_address(const struct report *r, struct ng_value *dict, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];

	add_text(r, dict, "family", addr->family == AF_INET6 ? "IPv6" : "IPv4");
	add_text(r, dict, "address", addr_ip_text(addr, text));
	add_number(r, dict, "port", addr->port);
}

static void add_drops(const struct report *r, struct ng_value *stream,
		      const struct flow_stats *stats, uint64_t *errors)
{
	struct ng_value *drops = NULL;

	for (unsigned why = 0; why < DROP_COUNT; why++) {
		if (!stats->drops[why])
			continue;
		if (!drops)
			drops = ng_dict_add_dict(r->arena, stream, "drops");
		add_number(r, drops, drop_key((enum drop)why), stats->drops[why]);
		*errors += stats->drops[why];
	}
}

/* Those that stand for a moment, at_ms, tell it. */
static void fill_sample(const struct report *r, struct ng_value *mos,
			const struct flow_quality_sample *sample)
{
	add_number(r, mos, "MOS", sample->mos);
	add_number(r, mos, "packet loss", sample->loss_percent);
	add_number(r, mos, "jitter", sample->jitter_ms);
	add_number(r, mos, "round-trip time", sample->round_trip_us);
	add_number(r, mos, "round-trip time leg", sample->round_trip_us);
	if (sample->at_ms)
		add_number(r, mos, "reported at",
			   session_wall_us(r->session->all, sample->at_ms) / 1000000);
}

static struct ng_value *add_sample(const struct report *r, struct ng_value *ssrc, const char *name,
				   const struct flow_quality_sample *sample)
{
	struct ng_value *mos = ng_dict_add_dict(r->arena, ssrc, name);

	fill_sample(r, mos, sample);
	return mos;
}

static void add_progression(const struct report *r, struct ng_value *ssrc,
			    const struct flow_quality *quality)
{
	struct ng_value *progression = ng_dict_add_dict(r->arena, ssrc, "MOS progression");

	add_number(r, progression, "interval", quality->progress_step * (FLOW_SAMPLE_MS / 1000));
	struct ng_value *entries = ng_dict_add_list(r->arena, progression, "entries");
	for (unsigned i = 0; i < quality->progress_count; i++)
		fill_sample(r, ng_list_add(entries, ng_dict_create(r->arena)),
			    &quality->progress[i]);
}

static void add_quality(const struct report *r, struct ng_value *ssrc,
			const struct flow_quality *quality)
{
	if (!quality->samples)
		return;
	struct ng_value *mos = add_sample(r, ssrc, "average MOS", &quality->average);
	add_number(r, mos, "samples", quality->samples);
	add_sample(r, ssrc, "lowest MOS", &quality->lowest);
	add_sample(r, ssrc, "highest MOS", &quality->highest);
	add_progression(r, ssrc, quality);
}

static void add_last(const struct report *r, struct ng_value *ssrc, const struct flow_stats *stats)
{
	add_number(r, ssrc, "last RTP timestamp", stats->timestamp);
	add_number(r, ssrc, "last RTP seq", stats->sequence);
}

static void add_ssrc(struct report *r, struct ng_value *media, const struct flow_stats *stats)
{
	struct ng_value *list = ng_dict_add_list(r->arena, media, "ingress SSRCs");
	if (!stats->packets)
		return;
	struct ng_value *one = ng_list_add(list, ng_dict_create(r->arena));
	add_number(r, one, "SSRC", stats->ssrc);
	add_number(r, one, "bytes", stats->bytes);
	add_number(r, one, "packets", stats->packets);
	add_last(r, one, stats);

	char *key = arena_printf(r->arena, "%" PRIu32, stats->ssrc);
	struct ng_value *ssrc = ng_dict_create(r->arena);
	if (!key || !ssrc || ng_dict_get_exact(r->ssrcs, slice_from(key)))
		return;
	ng_dict_add(r->ssrcs, slice_from(key), ssrc);
	add_number(r, ssrc, "bytes", stats->bytes);
	add_number(r, ssrc, "packets", stats->packets);
	add_last(r, ssrc, stats);
	add_number(r, ssrc, "cumulative loss", stats->lost);
	add_quality(r, ssrc, &stats->quality);
}

/* What leaves towards a side is what arrives from whom it hears, under its SSRC. */
static void add_egress(struct report *r, struct ng_value *media, const struct stream *stream,
		       int side, const struct flow_stats *own)
{
	struct ng_value *list = ng_dict_add_list(r->arena, media, "egress SSRCs");
	struct hearer heard = stream_hearer(stream, side); /* they hear each other */
	struct flow_stats stats;

	if (!heard.stream ||
	    datapath_flow_stats(r->session->all->datapath, heard.stream->sides[heard.side].rtp.id,
				&stats) != 0 ||
	    !stats.packets)
		return;
	/* where RTP alone leaves through the flow, it has counted it */
	bool is_counted = !stream->sides[side].mux && !side_is_carried(stream, side);
	struct ng_value *one = ng_list_add(list, ng_dict_create(r->arena));
	add_number(r, one, "SSRC", stats.ssrc);
	add_number(r, one, "bytes", is_counted ? own->sent_bytes : stats.bytes);
	add_number(r, one, "packets", is_counted ? own->sent_packets : stats.packets);
	add_last(r, one, &stats);
}

static void add_receive(const struct report *r, struct ng_value *stream,
			const struct flow_stats *stats)
{
	struct ng_value *receive = ng_dict_add_dict(r->arena, stream, "receive");

	add_number(r, receive, "lost", stats->lost);
	add_number(r, receive, "reordered", stats->reordered);
	add_number(r, receive, "duplicate", stats->duplicate);
	add_number(r, receive, "jitter us", stats->jitter_us);
	add_number(r, receive, "payload type", stats->payload_type);
	add_number(r, receive, "hijack attempts", stats->hijack_attempts);
	add_text(r, receive, "source", stats->source_is_locked ? "confirmed" : "open");
}

static uint64_t last_packet_s(const struct report *r, uint64_t last_ms)
{
	return last_ms ? session_wall_us(r->session->all, last_ms) / 1000000 : 0;
}

static const char *side_suite(const struct side *at)
{
	const char *suite = peering_suite_text(at->peering);
	return suite ? suite : sdes_suite_text(at->sdes);
}

/* One port: RTP (is_rtcp false), or RTCP. */
static void add_stream(struct report *r, struct ng_value *streams, const struct stream *stream,
		       int side, bool is_rtcp, struct flow_stats *stats)
{
	const struct side *at = &stream->sides[side];
	struct flow_id id = is_rtcp ? at->rtcp.id : at->rtp.id;
	const struct addr *signalled = is_rtcp ? &at->now.rtcp : &at->now.rtp;
	const struct side *via = side_transport(stream, side); /* another's port, when bundled */
	struct addr local = *port_range_address(at->range);
	struct ng_value *one = ng_list_add(streams, ng_dict_create(r->arena));
	char text[ADDR_TEXT_SIZE];
	uint64_t errors = 0;

	memset(stats, 0, sizeof(*stats));
	if (datapath_flow_stats(r->session->all->datapath, id, stats) != 0)
		return;
	add_number(r, one, "local port", via->port + (is_rtcp ? 1u : 0u));
	add_text(r, one, "local address", addr_ip_text(&local, text));
	add_text(r, one, "family", local.family == AF_INET6 ? "IPv6" : "IPv4");
	add_address(r, ng_dict_add_dict(r->arena, one, "endpoint"),
		    stats->source_is_locked ? &stats->source : signalled);
	add_address(r, ng_dict_add_dict(r->arena, one, "advertised endpoint"), signalled);
	uint64_t last_ms = is_rtcp ? stats->last_rtcp_ms : stats->last_packet_ms;
	const char *suite = side_suite(via);
	if (suite)
		add_text(r, one, "crypto suite", suite);
	add_number(r, one, "last packet", last_packet_s(r, last_ms));
	add_number(r, one, "last kernel packet", 0);
	add_number(r, one, "last user packet", last_packet_s(r, last_ms));
	add_number(r, one, "SSRC", stats->ssrc);
	struct ng_value *flags = ng_dict_add_list(r->arena, one, "flags");
	ng_list_add_string(r->arena, flags, is_rtcp ? SLICE("RTCP") : SLICE("RTP"));
	if (at->mux)
		ng_list_add_string(r->arena, flags, SLICE("rtcp-mux"));
	if (via != at)
		ng_list_add_string(r->arena, flags, SLICE("bundled"));
	if (stats->source_is_locked)
		ng_list_add_string(r->arena, flags, SLICE("confirmed"));
	add_drops(r, one, stats, &errors);
	struct ng_value *numbers = ng_dict_add_dict(r->arena, one, "stats");
	add_number(r, numbers, "packets", is_rtcp ? stats->rtcp_packets : stats->packets);
	add_number(r, numbers, "bytes", is_rtcp ? stats->rtcp_bytes : stats->bytes);
	add_number(r, numbers, "errors", errors);
	add_number(r, numbers, "sent packets", stats->sent_packets);
	add_receive(r, one, stats);
	r->rtp_packets += stats->packets;
	r->rtp_bytes += stats->bytes;
	r->rtcp_packets += stats->rtcp_packets;
	r->rtcp_bytes += stats->rtcp_bytes;
	*(is_rtcp ? &r->rtcp_errors : &r->rtp_errors) += errors;
}

/* The first codec of its SDP, as "PCMA/8000". */
static void add_codec(const struct report *r, struct ng_value *media, const struct stream *stream,
		      const struct sdp *said)
{
	const struct sdp_media *section =
		said && stream->index < said->media_count ? &said->media[stream->index] : NULL;
	struct sdp_rtpmap map;

	if (!section || !section->format_count ||
	    sdp_media_rtpmap(section, section->formats[0], &map) != 0)
		return;
	const char *text = map.channels > 1 ? arena_printf(r->arena, "%.*s/%" PRIu32 "/%" PRIu32,
							   SLICE_ARG(map.encoding), map.clock_rate,
							   map.channels)
					    : arena_printf(r->arena, "%.*s/%" PRIu32,
							   SLICE_ARG(map.encoding), map.clock_rate);
	add_text(r, media, "codec", text);
}

static void add_flags(const struct report *r, struct ng_value *media, const struct side *at)
{
	const struct {
		bool is_so;
		const char *name;
	} flags[] = {
		{at->now.is_known, "initialized"},
		{at->now.direction & SDP_SENDONLY, "send"},
		{at->now.direction & SDP_RECVONLY, "recv"},
		{at->mux, "rtcp-mux"},
		{sdes_suite_text(at->sdes) != NULL, "SDES"},
		{peering_has_dtls(at->peering), "DTLS-SRTP"},
		{peering_has_ice(at->peering), "ICE"},
		{at->now.is_natted, "SIP source address"},
	};
	struct ng_value *list = ng_dict_add_list(r->arena, media, "flags");

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].is_so)
			ng_list_add_string(r->arena, list, slice_from(flags[i].name));
}

static void add_media(struct report *r, struct ng_value *medias, const struct stream *stream,
		      int side, const struct sdp *said)
{
	const struct side *at = &stream->sides[side];
	struct ng_value *media = ng_list_add(medias, ng_dict_create(r->arena));
	struct flow_stats stats, rtcp_stats;

	add_number(r, media, "index", stream->index + 1);
	add_text(r, media, "type", stream->kind.type);
	add_text(r, media, "protocol", at->now.protocol);
	add_codec(r, media, stream, said);
	add_flags(r, media, at);
	struct ng_value *streams = ng_dict_add_list(r->arena, media, "streams");
	if (!at->range)
		return;
	add_stream(r, streams, stream, side, false, &stats);
	if (stream->kind.is_rtp) {
		add_stream(r, streams, stream, side, true, &rtcp_stats);
		add_ssrc(r, media, &stats);
		add_egress(r, media, stream, side, &stats);
	}
}

static void add_peer(const struct report *r, struct ng_value *tag, const char *key,
		     const char *peer, const char *type)
{
	struct ng_value *list = (struct ng_value *)(uintptr_t)ng_get_list(tag, key);
	if (!list)
		list = ng_dict_add_list(r->arena, tag, key);
	for (const struct ng_value *one = ng_first(list); one; one = one->next)
		if (slice_equal(ng_get_string(one, "tag"), slice_from(peer)))
			return;
	struct ng_value *one = ng_list_add(list, ng_dict_create(r->arena));
	add_text(r, one, "tag", peer);
	add_text(r, one, "type", type);
}

/* What one subscriber gets: a stream that leaves, and none that arrives. */
static void add_copy(struct report *r, struct ng_value *medias, const struct source *source,
		     unsigned index)
{
	struct ng_value *media = ng_list_add(medias, ng_dict_create(r->arena));
	struct addr local = *port_range_address(source->range);
	struct flow_stats stats;
	char text[ADDR_TEXT_SIZE];

	add_number(r, media, "index", index);
	add_text(r, media, "type", source->stream ? source->stream->kind.type : "");
	add_text(r, media, "protocol", "RTP/AVP");
	struct ng_value *flags = ng_dict_add_list(r->arena, media, "flags");
	if (source->is_answered)
		ng_list_add_string(r->arena, flags, SLICE("initialized"));
	struct ng_value *streams = ng_dict_add_list(r->arena, media, "streams");
	if (datapath_flow_stats(r->session->all->datapath, source->flow, &stats) != 0)
		return;
	struct ng_value *one = ng_list_add(streams, ng_dict_create(r->arena));
	add_number(r, one, "local port", source->port);
	add_text(r, one, "local address", addr_ip_text(&local, text));
	add_text(r, one, "family", local.family == AF_INET6 ? "IPv6" : "IPv4");
	if (source->is_answered)
		add_address(r, ng_dict_add_dict(r->arena, one, "endpoint"), &source->remote);
	struct ng_value *numbers = ng_dict_add_dict(r->arena, one, "stats");
	add_number(r, numbers, "packets", 0);
	add_number(r, numbers, "bytes", 0);
	add_number(r, numbers, "errors", 0);
	add_number(r, numbers, "sent packets", stats.sent_packets);
}

static void add_subscription(struct report *r, const struct subscription *subscription)
{
	struct slice name = copy(r, subscription->tag);
	struct ng_value *tag = ng_dict_create(r->arena);

	if (!tag || ng_dict_get_exact(r->tags, name))
		return;
	ng_dict_add(r->tags, name, tag);
	add_text(r, tag, "tag", subscription->tag);
	if (subscription->label)
		add_text(r, tag, "label", subscription->label);
	add_number(r, tag, "created",
		   session_wall_us(r->session->all, subscription->created_ms) / 1000000);
	struct ng_value *medias = ng_dict_add_list(r->arena, tag, "medias");
	for (unsigned i = 0; i < subscription->count; i++) {
		const struct source *source = &subscription->sources[i];
		const struct party *party =
			source->stream ? &source->stream->dialog->parties[source->side] : NULL;
		add_copy(r, medias, source, i + 1);
		if (!party || !party->tag)
			continue;
		add_peer(r, tag, "subscriptions", party->tag, "pub/sub");
		struct ng_value *from = (struct ng_value *)(uintptr_t)ng_dict_get_exact(
			r->tags, slice_from(party->tag));
		if (from)
			add_peer(r, from, "subscribers", subscription->tag, "pub/sub");
	}
}

static void add_party(struct report *r, const struct dialog *dialog, int side)
{
	const struct party *party = &dialog->parties[side];
	const struct party *peer = &dialog->parties[1 - side];
	struct slice name = copy(r, party->tag);
	struct ng_value *tag = (struct ng_value *)(uintptr_t)ng_dict_get_exact(r->tags, name);

	if (!tag) {
		tag = ng_dict_add(r->tags, name, ng_dict_create(r->arena));
		add_text(r, tag, "tag", party->tag);
		if (dialog->via_branch)
			add_text(r, tag, "via-branch", dialog->via_branch);
		if (party->label)
			add_text(r, tag, "label", party->label);
		add_number(r, tag, "created",
			   session_wall_us(r->session->all, party->created_ms) / 1000000);
		struct ng_value *aliases = ng_dict_add_list(r->arena, tag, "tag-aliases");
		for (const struct tag_alias *alias = party->aliases; alias; alias = alias->next)
			ng_list_add_string(r->arena, aliases, copy(r, alias->tag));
	}
	if (peer->tag) {
		add_peer(r, tag, "subscriptions", peer->tag, "offer/answer");
		add_peer(r, tag, "subscribers", peer->tag, "offer/answer");
	}
	struct ng_value *medias = (struct ng_value *)(uintptr_t)ng_get_list(tag, "medias");
	if (!medias)
		medias = ng_dict_add_list(r->arena, tag, "medias");
	struct sdp *said = NULL;
	if (party->sdp && sdp_parse(r->arena, slice_from(party->sdp), &said, NULL) != 0)
		said = NULL;
	for (unsigned i = 0; i < dialog->stream_count; i++)
		add_media(r, medias, dialog->streams[i], side, said);
}

/* A tag means its party and whom it hears: clients look for the labels of both. */
static bool is_wanted(const struct dialog *dialog, const struct options *options)
{
	struct slice tag = options->to_tag.len ? options->to_tag : options->from_tag;

	return slice_is_empty(tag) || dialog_side(dialog, tag) >= 0;
}

static void add_totals(struct report *r, struct ng_value *out)
{
	struct ng_value *totals = ng_dict_add_dict(r->arena, out, "totals");
	struct ng_value *rtp = ng_dict_add_dict(r->arena, totals, "RTP");
	struct ng_value *rtcp = ng_dict_add_dict(r->arena, totals, "RTCP");

	add_number(r, rtp, "packets", r->rtp_packets);
	add_number(r, rtp, "bytes", r->rtp_bytes);
	add_number(r, rtp, "errors", r->rtp_errors);
	add_number(r, rtcp, "packets", r->rtcp_packets);
	add_number(r, rtcp, "bytes", r->rtcp_bytes);
	add_number(r, rtcp, "errors", r->rtcp_errors);
}

void session_report(const struct session *session, struct command *command)
{
	struct ng_value *out = command->reply;
	struct report r = {
		.session = session, .arena = command->request->arena, .now_ms = command->now_ms};
	uint64_t created_us = session_wall_us(session->all, session->created_ms);
	bool all = !slice_equal(command->request->command, SLICE("query"));

	add_number(&r, out, "created", created_us / 1000000);
	add_number(&r, out, "created_us", created_us % 1000000);
	add_number(&r, out, "created_ts", created_us);
	add_number(&r, out, "last signal",
		   session_wall_us(session->all, session->signal_ms) / 1000000);
	add_number(&r, out, "last redis update",
		   session->kept_ms ? session_wall_us(session->all, session->kept_ms) / 1000000
				    : 0);
	if (session->recording) {
		struct ng_value *recording = ng_dict_add_dict(r.arena, out, "recording");
		add_number(&r, recording, "call recording", !session->recording_is_paused);
	}
	r.tags = ng_dict_add_dict(r.arena, out, "tags");
	r.ssrcs = ng_dict_add_dict(r.arena, out, "SSRC");
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		if (!all && !is_wanted(dialog, &command->options))
			continue;
		for (int side = 0; side < (dialog->is_published ? 1 : 2); side++)
			add_party(&r, dialog, side);
	}
	for (const struct subscription *at = session->subscriptions; at; at = at->next)
		if (all || slice_is_empty(command->options.from_tag))
			add_subscription(&r, at);
	add_totals(&r, out);
}

void command_query(struct command *command)
{
	if (slice_is_empty(command->options.call_id)) {
		command_error(command, "No call-id in message");
		return;
	}
	struct session *session = session_find(command->sessions, command->options.call_id);
	if (!session) {
		command_error(command, "Unknown call-id");
		return;
	}
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
	session_report(session, command);
}
