/* keep_fields.c - the layout of a media record, decided for good: each number means what it means
 * here and is never used again.
 *
 *   body    = 0xCC, version, field*           (fields: keep_io.h)
 *   record  = 1 instance, 2 written, 3 call-id, 4 partial,
 *             8 created, 9 blocks, 10 hijacks, 11 affinity, 16 dialog*
 *
 * Times are Unix microseconds: another process has another clock. Keys stand in fields of their own
 * (keep_keys.c), which are left out where others could read them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/keep_private.h"

#include <stdlib.h>

#define TEXT_MAX 1024 /* of names that SDP brought */

static uint64_t to_monotonic(const struct sessions *sessions, uint64_t wall_us)
{
	return wall_us > sessions->wall_us ? (wall_us - sessions->wall_us) / 1000 : 0;
}

static void time_field(struct keep_io *io, uint16_t number, const struct sessions *sessions,
		       uint64_t *at_ms)
{
	uint64_t wall_us = keep_number(io, number, session_wall_us(sessions, *at_ms), UINT64_MAX);

	if (keep_reads(io))
		*at_ms = to_monotonic(sessions, wall_us);
}

void keep_head_fields(struct keep_io *io, struct keep_head *head)
{
	keep_chars(io, 1, head->instance, sizeof(head->instance));
	KEEP(io, 2, head->written_us, UINT64_MAX);
	keep_text(io, 3, &head->call_id, SESSION_MAX_TEXT);
	KEEP(io, 4, head->is_partial, 1);
	if (keep_reads(io) && (!head->instance[0] || !head->call_id))
		keep_fail(io, -ERR_MALFORMED);
}

static void policing_fields(struct keep_io *io, struct policing *policing)
{
	KEEP(io, 16, policing->limit.packets_per_s, UINT32_MAX);
	KEEP(io, 17, policing->limit.bytes_per_s, UINT32_MAX);
	KEEP(io, 18, policing->payload_types[0], UINT64_MAX);
	KEEP(io, 19, policing->payload_types[1], UINT64_MAX);
}

static void media_fields(struct keep_io *io, uint16_t number, struct side_media *media)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	if (keep_reads(io))
		*media = (struct side_media){.pcma_type = TYPE_NONE, .pcmu_type = TYPE_NONE};
	KEEP(io, 1, media->is_known, 1);
	KEEP(io, 2, media->is_rejected, 1);
	KEEP(io, 3, media->is_zero, 1);
	KEEP(io, 4, media->has_mux, 1);
	KEEP(io, 5, media->is_natted, 1);
	KEEP(io, 6, media->direction, SDP_SENDRECV);
	keep_addr(io, 7, &media->rtp);
	keep_addr(io, 8, &media->rtcp);
	keep_addr(io, 9, &media->received);
	KEEP(io, 10, media->clock_hz, UINT32_MAX);
	KEEP(io, 11, media->event_type, 127);
	/* one more than the type: 0 is PCMU, and what is left out is "none" */
	media->pcma_type = (uint8_t)(keep_number(io, 12, (uint8_t)(media->pcma_type + 1), 128) - 1);
	media->pcmu_type = (uint8_t)(keep_number(io, 13, (uint8_t)(media->pcmu_type + 1), 128) - 1);
	KEEP(io, 14, media->bits, UINT32_MAX);
	KEEP(io, 15, media->mid_id, UINT8_MAX);
	policing_fields(io, &media->policing);
	keep_chars(io, 20, media->protocol, sizeof(media->protocol));
	keep_close(io, number, &nest);
}

static void index_fields(struct keep_io *io, uint16_t number, struct flow_srtp_index *list,
			 unsigned *count)
{
	struct keep_nest nest;

	for (unsigned i = 0; keep_reads(io) ? true : i < *count; i++) {
		if (!keep_open(io, number, &nest))
			return;
		if (i == FLOW_SRTP_INITIAL_MAX) {
			keep_fail(io, -ERR_TOO_MANY);
			return;
		}
		KEEP(io, 1, list[i].ssrc, UINT32_MAX);
		KEEP(io, 2, list[i].rtp, 0xffffffffffff);
		KEEP(io, 3, list[i].rtcp, INT32_MAX);
		keep_close(io, number, &nest);
		if (keep_reads(io))
			*count = i + 1;
	}
}

static void flow_fields(struct keep_io *io, uint16_t number, struct flow_resume *flow)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	keep_addr(io, 1, &flow->source);
	index_fields(io, 2, flow->in, &flow->in_count);
	index_fields(io, 3, flow->out, &flow->out_count);
	keep_close(io, number, &nest);
}

void resume_rule(const struct flow_resume *resume, struct flow_rule *rule)
{
	rule->srtp_in.initial_count = (uint8_t)resume->in_count;
	memcpy(rule->srtp_in.initial, resume->in, sizeof(resume->in));
	rule->srtp_out.initial_count = (uint8_t)resume->out_count;
	memcpy(rule->srtp_out.initial, resume->out, sizeof(resume->out));
}

/* A source that is the SDP's own needs no word: its next packet locks it. */
static void ask_flow(const struct sessions *sessions, struct flow_id id,
		     const struct addr *expected, struct flow_resume *out)
{
	struct flow_stats stats;

	if (!flow_id_is_set(id) || datapath_flow_stats(sessions->datapath, id, &stats) != 0)
		return;
	if (stats.source_is_locked && !addr_equal(&stats.source, expected))
		out->source = stats.source;
	out->in_count = (unsigned)datapath_flow_srtp(sessions->datapath, id, false, out->in,
						     FLOW_SRTP_INITIAL_MAX);
	out->out_count = (unsigned)datapath_flow_srtp(sessions->datapath, id, true, out->out,
						      FLOW_SRTP_INITIAL_MAX);
}

void resume_ask(const struct stream *stream, int side, struct side_resume *out)
{
	const struct side *at = &stream->sides[side];
	const struct sessions *sessions = stream->dialog->session->all;

	*out = (struct side_resume){0};
	if (!at->range)
		return;
	out->local = *port_range_address(at->range);
	out->local.port = at->port;
	if (at->alternate) {
		out->alternate = *port_range_address(at->alternate->range);
		out->alternate.port = at->alternate->port;
	}
	ask_flow(sessions, at->rtp.id, &at->now.rtp, &out->flows[0]);
	ask_flow(sessions, at->rtcp.id, &at->now.rtcp, &out->flows[1]);
}

/* What waits for its answer. */
static void offered_fields(struct keep_io *io, uint16_t number, struct side *at)
{
	struct side_media read = {0};

	if (!keep_reads(io)) {
		if (side_has_offered(at))
			media_fields(io, number, at->offered);
		return;
	}
	media_fields(io, number, &read);
	if (!read.is_known)
		return;
	at->offered = calloc(1, sizeof(*at->offered));
	if (at->offered)
		*at->offered = read;
	else
		keep_fail(io, -ERR_NO_MEMORY);
}

static void side_fields(struct keep_io *io, uint16_t number, struct stream *stream, int side,
			bool has_secrets)
{
	struct side *at = &stream->sides[side];
	struct side_resume now, *resume = &now;
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	if (keep_reads(io)) {
		free(at->resume);
		at->resume = resume = calloc(1, sizeof(*resume));
		if (!resume) {
			keep_fail(io, -ERR_NO_MEMORY);
			return;
		}
	} else {
		resume_ask(stream, side, &now);
	}
	keep_addr(io, 1, &resume->local);
	KEEP(io, 2, at->mux_policy, MUX_REJECT);
	KEEP(io, 3, at->mux_told, 1);
	KEEP(io, 4, at->mux, 1);
	KEEP(io, 5, at->epoch, UINT32_MAX);
	at->carrier = (uint8_t)(keep_number(io, 6, at->carrier + 1u, SDP_MAX_MEDIA) - 1);
	KEEP(io, 7, at->is_bundled, 1);
	KEEP(io, 8, at->bundle_told, 1);
	media_fields(io, 9, &at->now);
	offered_fields(io, 10, at);
	flow_fields(io, 16, &resume->flows[0]);
	flow_fields(io, 17, &resume->flows[1]);
	keep_addr(io, 18, &resume->alternate);
	if (keep_reads(io) || (has_secrets && at->sdes))
		keep_sdes_fields(io, 20, &at->sdes);
	if (keep_reads(io) || (has_secrets && at->peering))
		keep_peering_fields(io, 21, stream, side, resume);
	keep_close(io, number, &nest);
	explicit_bzero(&now, sizeof(now));
}

static void kind_fields(struct keep_io *io, uint16_t number, struct stream_kind *kind)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	keep_chars(io, 1, kind->type, sizeof(kind->type));
	KEEP(io, 2, kind->is_rtp, 1);
	KEEP(io, 3, kind->is_refused, 1);
	keep_close(io, number, &nest);
}

static void stream_fields(struct keep_io *io, struct stream *stream, bool has_secrets)
{
	kind_fields(io, 1, &stream->kind);
	kind_fields(io, 2, &stream->offered);
	side_fields(io, 8, stream, 0, has_secrets);
	side_fields(io, 9, stream, 1, has_secrets);
}

static void streams_fields(struct keep_io *io, uint16_t number, struct dialog *dialog,
			   bool has_secrets)
{
	struct keep_nest nest;

	for (unsigned i = 0; keep_reads(io) || i < dialog->stream_count; i++) {
		if (!keep_open(io, number, &nest))
			return;
		if (keep_reads(io)) {
			const struct sdp_media media = {.index = i};
			int err = i < SDP_MAX_MEDIA
					  ? stream_create(dialog, &media, &dialog->streams[i])
					  : -ERR_TOO_MANY;
			if (err) {
				keep_fail(io, err);
				return;
			}
			dialog->stream_count = i + 1;
		}
		stream_fields(io, dialog->streams[i], has_secrets);
		keep_close(io, number, &nest);
	}
}

static void alias_fields(struct keep_io *io, uint16_t number, struct party *party)
{
	struct tag_alias **at = &party->aliases;

	for (unsigned i = 0; i <= SESSION_MAX_ALIASES; i++) {
		char *tag = keep_reads(io) || !*at ? NULL : (*at)->tag;
		keep_text(io, number, &tag, SESSION_MAX_TEXT);
		if (!tag)
			return;
		if (keep_reads(io)) {
			*at = i < SESSION_MAX_ALIASES ? calloc(1, sizeof(**at)) : NULL;
			if (!*at) {
				free(tag);
				keep_fail(io, -ERR_TOO_MANY);
				return;
			}
			(*at)->tag = tag;
			party->alias_count++;
		}
		at = &(*at)->next;
	}
}

/* A body with keys in it, which were offered and not taken. */
static bool is_secret(const char *sdp)
{
	struct slice body = slice_from(sdp);

	return slice_find_slice(body, SLICE("a=crypto:")) < body.len ||
	       slice_find_slice(body, SLICE("a=ice-pwd:")) < body.len;
}

static void party_fields(struct keep_io *io, uint16_t number, struct dialog *dialog, int side,
			 bool has_secrets)
{
	struct sessions *sessions = dialog->session->all;
	struct party *party = &dialog->parties[side];
	struct keep_nest nest;
	char *interface = NULL;

	if (!keep_open(io, number, &nest))
		return;
	keep_text(io, 1, &party->tag, SESSION_MAX_TEXT);
	alias_fields(io, 2, party);
	if (!keep_reads(io))
		interface = sessions->interfaces[party->interface].name;
	keep_text(io, 3, &interface, TEXT_MAX);
	if (keep_reads(io) && !io->err &&
	    (!interface || !interface_find(sessions, slice_from(interface), &party->interface)))
		keep_fail(io, -ERR_NOT_FOUND);
	if (keep_reads(io))
		free(interface);
	bool is_v6 = keep_number(io, 4, party->family == AF_INET6, 1);
	if (keep_reads(io))
		party->family = is_v6 ? AF_INET6 : AF_INET;
	keep_addr(io, 5, &party->media_address);
	party->dscp = (int)keep_number(io, 6, (uint64_t)(party->dscp + 1), 64) - 1;
	keep_text(io, 7, &party->label, SESSION_MAX_TEXT);
	if (keep_reads(io) || has_secrets || !is_secret(party->sdp))
		keep_text(io, 8, &party->sdp, SDP_MAX_BYTES);
	KEEP(io, 9, party->blocks, BLOCK_MEDIA | BLOCK_TO_SILENCE | BLOCK_DTMF);
	time_field(io, 10, sessions, &party->created_ms);
	keep_text(io, 11, &party->origin_username, TEXT_MAX);
	keep_text(io, 12, &party->origin_session_id, TEXT_MAX);
	keep_text(io, 13, &party->session_name, SDP_MAX_BYTES);
	KEEP(io, 14, party->origin_version, UINT64_MAX);
	keep_text(io, 15, &party->connected_call, SESSION_MAX_TEXT);
	keep_text(io, 16, &party->connected_tag, SESSION_MAX_TEXT);
	if (keep_reads(io) && !party->connected_call != !party->connected_tag)
		keep_fail(io, -ERR_MALFORMED);
	keep_close(io, number, &nest);
}

static void dialog_fields(struct keep_io *io, struct dialog *dialog, bool has_secrets)
{
	keep_text(io, 1, &dialog->via_branch, SESSION_MAX_TEXT);
	dialog->offerer = (int)keep_number(io, 2, (uint64_t)(dialog->offerer + 1), 2) - 1;
	KEEP(io, 3, dialog->is_answered, 1);
	KEEP(io, 4, dialog->is_published, 1);
	party_fields(io, 8, dialog, 0, has_secrets);
	party_fields(io, 9, dialog, 1, has_secrets);
	streams_fields(io, 16, dialog, has_secrets);
}

static void dialogs_fields(struct keep_io *io, uint16_t number, struct session *session,
			   bool has_secrets)
{
	struct dialog *dialog = session->dialogs;
	struct keep_nest nest;

	while (keep_reads(io) || dialog) {
		if (!keep_open(io, number, &nest))
			return;
		if (keep_reads(io)) {
			int err = session->dialog_count < SESSION_MAX_DIALOGS
					  ? dialog_create(session, 0, &dialog)
					  : -ERR_TOO_MANY;
			if (err) {
				keep_fail(io, err);
				return;
			}
		}
		dialog_fields(io, dialog, has_secrets);
		keep_close(io, number, &nest);
		dialog = dialog->next;
	}
}

void keep_session_fields(struct keep_io *io, struct session *session, bool has_secrets)
{
	time_field(io, 8, session->all, &session->created_ms);
	KEEP(io, 9, session->blocks, BLOCK_MEDIA | BLOCK_TO_SILENCE | BLOCK_DTMF);
	KEEP(io, 10, session->hijack_attempts, UINT64_MAX);
	keep_text(io, 11, &session->affinity_of, SESSION_MAX_TEXT);
	dialogs_fields(io, 16, session, has_secrets);
}
