/* bundle.c - BUNDLE (RFC 9143) and mid (RFC 5888) of a dialog. The rest of the session knows two
 * things of it: what a side's carrier is, and that a carried side's own port is closed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/bundle.h"

#include <stdio.h>
#include "rtpengine/session/connect.h"
#include "rtpengine/session/peering_private.h"

_Static_assert(PEERING_MID_MAX == FLOW_MID_MAX, "the datapath compares them whole");
_Static_assert(SDP_MAX_MEDIA <= FLOW_BUNDLE_MAX, "all m= lines may share");

/* What is said once for the whole group (RFC 9143 7.1.3, 8859: TRANSPORT and IDENTICAL). */
static const char *const shared_names[] = {"ice-ufrag", "ice-pwd", "ice-options", "fingerprint",
					   "setup",     "tls-id",  "rtcp-mux"};

static int copy_lines(struct sdp_media *to, const struct sdp_media *from, const char *name)
{
	const struct sdp_line *line =
		sdp_media_attribute_effective(to, name) ? NULL : sdp_media_attribute(from, name);
	int err = 0;

	for (; line && !err; line = sdp_attribute_next(line))
		err = sdp_attribute_add(to->sdp, &to->section, name, line->argument);
	return err;
}

static int share(struct sdp_media *media, const struct sdp_media *tagged)
{
	const struct sdp_connection *connection = sdp_media_connection(tagged);
	int err = 0;

	if (media->port == 0) { /* bundle-only */
		media->port = tagged->port;
		if (connection && connection->addr.family)
			err = sdp_media_set_connection(media, &connection->addr);
	}
	for (size_t i = 0; i < sizeof(shared_names) / sizeof(shared_names[0]) && !err; i++)
		err = copy_lines(media, tagged, shared_names[i]);
	return err;
}

static struct sdp_media *media_of_mid(const struct sdp *sdp, struct slice mid)
{
	for (unsigned i = 0; i < sdp->media_count; i++) {
		const struct sdp_line *line = sdp_media_attribute(&sdp->media[i], "mid");
		if (line && slice_equal(line->argument, mid))
			return &sdp->media[i];
	}
	return NULL;
}

int bundle_read(struct sdp *sdp)
{
	const struct sdp_line *line = sdp_attribute(&sdp->section, "group");
	int err = 0;

	for (; line && !err; line = sdp_attribute_next(line)) {
		struct slice text = line->argument, word;
		const struct sdp_media *tagged = NULL;
		if (!slice_next_word(&text, &word) || !slice_equal(word, SLICE("BUNDLE")))
			continue;
		while (!err && slice_next_word(&text, &word)) {
			struct sdp_media *media = media_of_mid(sdp, word);
			if (!media || sdp_media_is_rejected(media))
				continue;
			if (tagged)
				err = share(media, tagged);
			else if (media->port)
				tagged = media;
		}
	}
	return err;
}

uint8_t bundle_mid_id(const struct sdp_media *media)
{
	const struct sdp_line *line = sdp_media_attribute_effective(media, "extmap");

	for (; line; line = sdp_attribute_next(line)) {
		struct slice text = line->argument, number, uri;
		uint32_t id;
		if (!slice_next_word(&text, &number) || !slice_next_word(&text, &uri) ||
		    !slice_equal(uri, SLICE("urn:ietf:params:rtp-hdrext:sdes:mid")))
			continue;
		number = slice_sub(number, 0, slice_find(number, '/'));
		return slice_to_u32(number, 255, &id) == 0 ? (uint8_t)id : 0;
	}
	return 0;
}

static const struct peering_sdp *newest(const struct peering *peering)
{
	return peering->is_offered ? &peering->offered : &peering->said;
}

/* Keys of SDES are an m= section's own: such streams keep to their ports. */
static bool is_shared(const struct stream *stream, int side, bool is_offerer,
		      const struct options *options)
{
	const struct side *at = &stream->sides[side];
	const struct peering *peering = at->peering;

	if (!peering || !stream_is_live(stream) || !stream->kind.is_rtp || !at->now.has_mux)
		return false;
	bool is_secure = strstr(at->now.protocol, "SAVP") || sdes_is_offered(at->sdes, NULL);
	if (is_secure && !newest(peering)->has_dtls)
		return false;
	if (!is_offerer) /* what was offered on one port cannot be taken apart again (7.3.3) */
		return at->bundle_told && at->mux_told &&
		       (newest(peering)->group || side_is_carried(stream, side));
	return newest(peering)->group && at->mux_policy != MUX_REJECT &&
	       !((peering->bits | options->peering.bits) & PEERING_BUNDLE_REJECT);
}

/* Who carries the group of `stream`: who does already, else the first of it that is shared. */
static unsigned carrier_of(const struct stream *stream, int side, const bool shared[SDP_MAX_MEDIA])
{
	const struct dialog *dialog = stream->dialog;
	const struct peering_sdp *said = newest(stream->sides[side].peering);
	unsigned found = stream->index, rank = UINT8_MAX + 1;

	for (unsigned i = 0; i < dialog->stream_count; i++) {
		const struct side *at = &dialog->streams[i]->sides[side];
		if (!shared[i] || newest(at->peering)->group != said->group)
			continue;
		if (at->is_bundled && dialog->streams[at->carrier]->sides[side].range)
			return at->carrier;
		if (newest(at->peering)->rank < rank) {
			rank = newest(at->peering)->rank;
			found = i;
		}
	}
	return found;
}

void bundle_agree(struct dialog *dialog, int side, bool is_offerer, const struct options *options)
{
	bool shared[SDP_MAX_MEDIA];
	uint8_t carriers[SDP_MAX_MEDIA];

	for (unsigned i = 0; i < dialog->stream_count; i++)
		shared[i] = is_shared(dialog->streams[i], side, is_offerer, options);
	for (unsigned i = 0; i < dialog->stream_count; i++)
		carriers[i] =
			(uint8_t)(shared[i] ? carrier_of(dialog->streams[i], side, shared) : i);
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		dialog->streams[i]->sides[side].carrier = carriers[i];
		dialog->streams[i]->sides[side].is_bundled = shared[i];
	}
}

/* a=extmap (and extmap-allow-mixed) that is not to cross. */
static bool is_feature(void *owner, const struct sdp_line *line)
{
	const struct options *options = owner;
	struct slice text = line->argument, number, uri;

	if (line->type != 'a' || !slice_starts(line->name, SLICE("extmap")))
		return false;
	if (options->peering.bits & PEERING_STRIP_EXTMAP)
		return true;
	if (!slice_next_word(&text, &number) || !slice_next_word(&text, &uri))
		return false;
	for (const struct ng_value *one = ng_first(options->stripped_extmaps); one; one = one->next)
		if (one->type == NG_STRING && slice_equal(one->string, uri))
			return true;
	return false;
}

/* One that no section of the body has. */
static int generate_mid(struct sdp *sdp, struct sdp_media *media)
{
	for (unsigned n = media->index;; n += SDP_MAX_MEDIA) {
		char mid[16];
		int len = snprintf(mid, sizeof(mid), "%u", n);
		struct slice text = {mid, (size_t)len};
		if (!media_of_mid(sdp, text))
			return sdp_attribute_add(sdp, &media->section, "mid", text);
	}
}

/* It may share a port in our offer: RTP in clear or with DTLS. */
static bool may_share(const struct stream *stream, int to, const struct sdp_media *media,
		      const struct options *options)
{
	struct slice protocol = options->transport.len ? options->transport : media->protocol;
	bool is_tls = slice_find_slice(protocol, SLICE("TLS")) < protocol.len;
	bool is_secure = slice_find_slice(protocol, SLICE("SAVP")) < protocol.len;

	return media->port && stream->sides[to].range && sdp_media_is_rtp(media) &&
	       (is_tls || (!is_secure && !options->sdes.osrtp_offer));
}

static int prepare_media(struct stream *stream, int to, struct sdp_media *media,
			 const struct options *options)
{
	struct side *at = &stream->sides[to];
	const unsigned bits = options->peering.bits;
	const char *said = at->peering ? at->peering->said.mid : "";
	bool is_wanted = (bits & (PEERING_BUNDLE_OFFER | PEERING_WEBRTC)) || at->is_bundled;

	at->bundle_told = is_wanted && may_share(stream, to, media, options);
	if (said[0]) /* the names this side gave */
		return sdp_attribute_set(media->sdp, &media->section, "mid", slice_from(said));
	bool is_named = (bits & PEERING_GENERATE_MID) || at->bundle_told;
	if (!is_named || !media->port || sdp_media_attribute(media, "mid"))
		return 0;
	return generate_mid(media->sdp, media);
}

int bundle_prepare(struct dialog *dialog, int to, struct sdp *sdp, const struct options *options,
		   bool is_answer)
{
	bool strips = (options->peering.bits & PEERING_STRIP_EXTMAP) || options->stripped_extmaps;
	void *owner = (void *)(uintptr_t)options; /* it is only read */
	int err = 0;

	if (strips)
		sdp_line_remove_if(&sdp->section, is_feature, owner);
	for (unsigned i = 0; i < sdp->media_count && !err; i++) {
		struct sdp_media *media = &sdp->media[i];
		if (strips)
			sdp_line_remove_if(&media->section, is_feature, owner);
		if (!is_answer)
			err = prepare_media(dialog->streams[i], to, media, options);
	}
	return err;
}

bool bundle_is_tagged(const struct stream *stream, int side, const struct sdp_media *media)
{
	for (unsigned i = 0; i < media->index; i++) {
		const struct side *at = &stream->dialog->streams[i]->sides[side];
		if (media->sdp->media[i].port && at->is_bundled &&
		    at->carrier == stream->sides[side].carrier)
			return false;
	}
	return true;
}

/* RFC 9143 6: alive in its bundle or not at all. */
static int make_bundle_only(struct sdp_media *media)
{
	for (size_t i = 0; i + 1 < sizeof(shared_names) / sizeof(shared_names[0]); i++)
		sdp_attribute_remove(&media->section, shared_names[i]);
	sdp_attribute_remove(&media->section, "candidate");
	sdp_attribute_remove(&media->section, "end-of-candidates");
	media->port = 0;
	return sdp_attribute_add(media->sdp, &media->section, "bundle-only", SLICE_NONE);
}

/* In one group: what one stream carries; and in an offer all that is offered. */
static bool is_in_group(const struct side *at, const struct side *first, bool is_answer)
{
	if (is_answer || (at->is_bundled && first->is_bundled))
		return at->is_bundled && at->carrier == first->carrier;
	return at->bundle_told;
}

static int write_group(const struct dialog *dialog, int to, struct sdp *sdp, unsigned first,
		       bool is_answer, bool is_required, bool written[SDP_MAX_MEDIA])
{
	const struct side *begins = &dialog->streams[first]->sides[to];
	struct buf text;
	int err = 0;

	buf_init(&text);
	buf_printf(&text, "BUNDLE");
	for (unsigned i = first; i < sdp->media_count && !err; i++) {
		const struct side *at = &dialog->streams[i]->sides[to];
		const struct sdp_line *mid = sdp_media_attribute(&sdp->media[i], "mid");
		if (!sdp->media[i].port || !mid || !is_in_group(at, begins, is_answer))
			continue;
		written[i] = true;
		buf_printf(&text, " %.*s", SLICE_ARG(mid->argument));
		if (is_required && i > first && !at->is_bundled)
			err = make_bundle_only(&sdp->media[i]);
	}
	if (!err)
		err = buf_failed(&text)
			      ? -ERR_NO_MEMORY
			      : sdp_attribute_add(sdp, &sdp->section, "group", buf_slice(&text));
	buf_free(&text);
	return err;
}

int bundle_write(const struct dialog *dialog, int to, struct sdp *sdp,
		 const struct options *options, bool is_answer)
{
	bool is_required = !is_answer && (options->peering.bits & PEERING_BUNDLE_REQUIRE);
	bool written[SDP_MAX_MEDIA] = {false};
	bool is_lite = false;
	int err = 0;

	for (unsigned i = 0; i < sdp->media_count; i++) {
		const struct peering *peering = side_transport(dialog->streams[i], to)->peering;
		is_lite = is_lite || (peering && peering->told_ice && peering->is_lite);
	}
	if (is_lite)
		err = sdp_attribute_add(sdp, &sdp->section, "ice-lite", SLICE_NONE);
	for (unsigned i = 0; i < sdp->media_count && !err; i++) {
		const struct side *at = &dialog->streams[i]->sides[to];
		bool is_first = !written[i] && (is_answer ? at->is_bundled : at->bundle_told);
		if (is_first && sdp->media[i].port && sdp_media_attribute(&sdp->media[i], "mid"))
			err = write_group(dialog, to, sdp, i, is_answer, is_required, written);
	}
	return err;
}

const struct stream *bundle_first(const struct stream *carrier, int side)
{
	const struct dialog *dialog = carrier->dialog;

	for (unsigned i = 0; i < dialog->stream_count; i++) {
		const struct stream *stream = dialog->streams[i];
		if (stream != carrier && stream->sides[side].carrier == carrier->index &&
		    stream_is_live(stream))
			return stream;
	}
	return NULL;
}

bool bundle_members(const struct stream *carrier, int side, struct flow_bundle *out)
{
	const struct dialog *dialog = carrier->dialog;

	memset(out, 0, sizeof(*out));
	if (!bundle_first(carrier, side))
		return false;
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		const struct stream *stream = dialog->streams[i];
		const struct side *at = &stream->sides[side];
		struct flow_member *member = &out->members[out->count];
		struct flow_rule rule = {.kind = FLOW_MUX};
		if (!at->is_bundled || at->carrier != carrier->index || !stream_is_live(stream))
			continue;
		struct hearer hearer = stream_hearer(stream, side);
		const struct side *other = hearer.stream ? &hearer.stream->sides[hearer.side] : at;
		policing_rule(&at->now.policing, &other->now.policing, &rule);
		member->flow = at->rtp.id;
		memcpy(member->payload_types, rule.payload_types, sizeof(rule.payload_types));
		memcpy(member->mid, at->peering->said.mid, sizeof(member->mid));
		if (!out->mid_id)
			out->mid_id = at->now.mid_id;
		out->count++;
	}
	return true;
}
