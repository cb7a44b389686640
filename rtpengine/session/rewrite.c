/* rewrite.c - an SDP on its way from one side to the other: our addresses and ports instead of the
 * sender's, and nothing left that would lead media past us. What we do not understand is passed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "rtpengine/session/bundle.h"

struct rewriting {
	struct dialog *dialog;
	struct party *party; /* who gets it */
	int to;
	struct sdp *sdp;
	const struct options *options;
	bool is_answer;
};

/* ICE would go around us, DTLS end at us, BUNDLE put all media on one port; source-filter (RFC
 * 4570) names the sender's address. */
static const char *const stripped[] = {
	"candidate",   "remote-candidates", "ice-ufrag",     "ice-pwd", "ice-options",
	"ice-lite",    "ice-mismatch",      "ice-pacing",    "ice2",    "end-of-candidates",
	"bundle-only", "fingerprint",       "setup",         "tls-id",  "dtls-id",
	"connection",  "source-filter",     "rtcp-mux-only", "crypto",
};

static bool is_stripped(void *owner, const struct sdp_line *line)
{
	(void)owner;
	if (line->type != 'a')
		return false;
	if (slice_equal(line->name, SLICE("group")))
		return slice_starts_nocase(line->argument, SLICE("BUNDLE"));
	for (size_t i = 0; i < sizeof(stripped) / sizeof(stripped[0]); i++) {
		if (slice_equal(line->name, slice_from(stripped[i])))
			return true;
	}
	return false;
}

static struct addr zero_address(uint8_t family)
{
	return (struct addr){.family = family};
}

static const struct sdp_connection *own_connection(const struct sdp_section *section)
{
	const struct sdp_line *line = sdp_line_find(section, 'c');
	return line ? line->connection : NULL;
}

/* 0.0.0.0 is how RFC 2543 says "hold": it goes on saying so, unless asked otherwise. */
static struct addr connection_address(const struct rewriting *r, const struct sdp_connection *was,
				      struct addr ours)
{
	if (was && was->addr.family && addr_is_any(&was->addr) &&
	    !option(r->options, OPTION_REPLACE_ZERO))
		return zero_address(r->party->family);
	return ours;
}

static int rewrite_mux(const struct rewriting *r, struct side *side, struct sdp_media *media)
{
	bool offered = sdp_media_has_rtcp_mux(media);
	bool tell;

	if (r->is_answer)
		tell = side->mux;
	else if (side->bundle_told) /* RFC 9143 9.3: they share one port, so each does */
		tell = true;
	else if (option(r->options, OPTION_MUX_OFFER | OPTION_MUX_REQUIRE))
		tell = true;
	else if (option(r->options, OPTION_MUX_DEMUX | OPTION_MUX_REJECT))
		tell = false;
	else
		tell = offered;
	side->mux_told = tell;
	if (!tell)
		sdp_attribute_remove(&media->section, "rtcp-mux");
	else if (!offered)
		return sdp_attribute_add(r->sdp, &media->section, "rtcp-mux", SLICE_NONE);
	return 0;
}

/* Ours is always the next port, so a=rtcp says nothing new; it is kept for who wrote one. */
static int rewrite_rtcp(const struct rewriting *r, const struct side *side, struct sdp_media *media,
			struct addr local)
{
	bool full = option(r->options, OPTION_FULL_RTCP_ATTRIBUTE);
	bool wanted = sdp_media_attribute(media, "rtcp") || full;

	sdp_attribute_remove(&media->section, "rtcp");
	if (!wanted || option(r->options, OPTION_NO_RTCP_ATTRIBUTE))
		return 0;
	if (!(r->is_answer && side->mux) && !side->is_bundled)
		local.port++;
	return sdp_media_set_rtcp(media, &local, full);
}

static bool is_feedback(void *owner, const struct sdp_line *line)
{
	(void)owner;
	return line->type == 'a' && slice_equal(line->name, SLICE("rtcp-fb"));
}

/* The offer goes out under the protocol asked for; the answer under the one of the offer. */
static int rewrite_protocol(const struct rewriting *r, const struct side *side,
			    struct sdp_media *media)
{
	struct slice wanted = r->is_answer ? slice_from(side->now.protocol) : r->options->transport;

	if (slice_is_empty(wanted) || !sdp_media_is_rtp(media) ||
	    slice_equal(wanted, media->protocol))
		return 0;
	if (!slice_ends(wanted, SLICE("F"))) /* feedback is AVPF's (RFC 4585 4) */
		sdp_line_remove_if(&media->section, is_feedback, NULL);
	return sdp_media_set_protocol(media, wanted);
}

static int rewrite_media(const struct rewriting *r, struct stream *stream, struct sdp_media *media,
			 const struct addr *session_address)
{
	struct side *side = &stream->sides[r->to];
	const struct sdp_connection *own = own_connection(&media->section);

	bool is_rtp = sdp_media_is_rtp(media);

	if (media->port == 0 || stream_kind_of(media).is_refused || !side->range) {
		sdp_media_reject(media);
		return 0;
	}
	sdp_line_remove_if(&media->section, is_stripped, NULL);
	struct addr local = side_local(stream, r->to);
	media->port = local.port;
	media->port_count = 1;
	struct addr address = connection_address(r, sdp_media_connection(media), local);
	int err = 0;
	if (own || !session_address || !addr_equal_ip(&address, session_address))
		err = sdp_media_set_connection(media, &address);
	if (!err)
		err = rewrite_protocol(r, side, media);
	if (r->is_answer && option(r->options, OPTION_SINGLE_CODEC))
		edits_keep_first_codec(media);
	if (!err && is_rtp)
		err = rewrite_mux(r, side, media);
	if (!err && is_rtp)
		err = rewrite_rtcp(r, side, media, local);
	if (!err && is_rtp)
		err = peering_write(stream, r->to, media, r->options, r->is_answer);
	if (!err && is_rtp)
		err = sdes_write(side->sdes, media, r->is_answer);
	return err;
}

static int keep(char **at, struct slice text)
{
	if (*at)
		return 0;
	*at = slice_dup(text);
	return *at ? 0 : -ERR_NO_MEMORY;
}

/* What this party saw first is what "replace" goes on showing it. */
static int remember_origin(struct party *party, const struct sdp *sdp)
{
	if (keep(&party->origin_username, sdp->origin.username) != 0 ||
	    keep(&party->origin_session_id, sdp->origin.session_id) != 0 ||
	    keep(&party->session_name, sdp->session_name) != 0)
		return -ERR_NO_MEMORY;
	return 0;
}

static int rewrite_origin(const struct rewriting *r, struct addr ours)
{
	const struct options *o = r->options;
	struct party *party = r->party;
	int err = remember_origin(party, r->sdp);

	if (!err && option(o, OPTION_REPLACE_ORIGIN | OPTION_REPLACE_ORIGIN_FULL))
		err = sdp_set_origin_address(r->sdp, &ours);
	struct sdp_origin origin = {.username = SLICE_NONE};
	if (option(o, OPTION_REPLACE_USERNAME | OPTION_REPLACE_ORIGIN_FULL))
		origin.username = slice_from(party->origin_username);
	if (option(o, OPTION_REPLACE_ORIGIN_FULL))
		origin.session_id = slice_from(party->origin_session_id);
	if (!err)
		err = sdp_set_origin(r->sdp, &origin);
	if (!err && option(o, OPTION_REPLACE_SESSION_NAME))
		err = sdp_set_session_name(r->sdp, slice_from(party->session_name));
	return err;
}

static int set_version(struct sdp *sdp, uint64_t version)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, version);
	struct sdp_origin origin = {.session_version = {text, (size_t)len}};

	return sdp_set_origin(sdp, &origin);
}

/* RFC 3264 8: the version grows by one when, and only when, the body changes. */
static int rewrite_version(const struct rewriting *r, struct buf *out)
{
	struct party *party = r->party;
	uint64_t version = sdp_origin_version(&r->sdp->origin);
	int err = set_version(r->sdp, 0);

	if (err)
		return err;
	buf_clear(out);
	sdp_write(r->sdp, out);
	uint64_t hash = siphash(buf_slice(out), r->dialog->session->all->hash_key);
	if (!party->origin_version)
		party->origin_version = version && version < UINT64_MAX / 2 ? version : 1;
	else if (hash != party->body_hash || option(r->options, OPTION_FORCE_INCREMENT))
		party->origin_version++;
	party->body_hash = hash;
	return set_version(r->sdp, party->origin_version);
}

int rewrite(struct dialog *dialog, int to, struct sdp *sdp, const struct options *options,
	    bool is_answer, struct buf *out)
{
	struct rewriting r = {.dialog = dialog,
			      .party = &dialog->parties[to],
			      .to = to,
			      .sdp = sdp,
			      .options = options,
			      .is_answer = is_answer};
	struct addr ours = party_sdp_address(dialog, to);
	int err = rewrite_origin(&r, ours);
	if (err)
		return err;

	sdp_line_remove_if(&sdp->section, is_stripped, NULL);
	sdp_attribute_remove(&sdp->section, "rtcp");
	const struct sdp_connection *own = own_connection(&sdp->section);
	const struct addr *session_address = NULL;
	struct addr address;
	if (own) {
		address = connection_address(&r, own, ours);
		session_address = &address;
		err = sdp_set_connection(sdp, &sdp->section, &address);
	}
	if (!err)
		err = bundle_prepare(dialog, to, sdp, options, is_answer);
	for (unsigned i = 0; i < sdp->media_count && !err; i++)
		err = rewrite_media(&r, dialog->streams[i], &sdp->media[i], session_address);
	if (!err)
		err = bundle_write(dialog, to, sdp, options, is_answer);
	if (!err && option(options, OPTION_LOOP_PROTECT))
		err = sdp_attribute_set(sdp, &sdp->section, LOOP_ATTRIBUTE,
					slice_from(dialog->session->all->instance));
	if (!err)
		err = edits_apply_attributes(&options->edits, sdp);
	if (!err && option(options, OPTION_REPLACE_VERSION))
		err = rewrite_version(&r, out);
	if (err)
		return err;
	buf_clear(out);
	sdp_write(sdp, out);
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
