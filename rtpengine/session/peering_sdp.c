/* peering_sdp.c - ICE and DTLS attributes of SDP, read and written (RFC 8839, RFC 8842, RFC 9143).
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/bundle.h"
#include "rtpengine/session/peering_private.h"

/* RFC 8839 5.4: ice-char. */
static bool is_ice_text(struct slice s, size_t least)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '+' || c == '/'))
			return false;
	}
	return s.len >= least && s.len <= ICE_TEXT_MAX;
}

static struct slice effective(const struct sdp_media *media, const char *name)
{
	const struct sdp_line *line = sdp_media_attribute_effective(media, name);
	return line ? line->argument : SLICE_NONE;
}

static bool has_word(struct slice text, struct slice wanted)
{
	struct slice word;
	while (slice_next_word(&text, &word)) {
		if (slice_equal(word, wanted))
			return true;
	}
	return false;
}

int peering_candidate_read(struct peering_sdp *out, struct slice text, bool *is_unknown)
{
	struct ice_candidate candidate;
	int err = ice_candidate_read(text, &candidate);

	*is_unknown = err == -ERR_UNSUPPORTED;
	if (err == -ERR_UNSUPPORTED)
		return 0; /* TCP, a name: RFC 8839 5.1 says pass over */
	if (!err && out->candidate_count < ICE_PAIRS_MAX)
		out->candidates[out->candidate_count++] = candidate;
	return err;
}

/* RFC 8839 4.2.5: the default destination must be among the candidates. Trickling ones and those
 * that say names may have it elsewhere (RFC 8840 4.1.1). */
static bool is_mismatched(const struct sdp_media *media, const struct peering_sdp *said,
			  bool has_unknown)
{
	struct addr addr;

	if (!said->candidate_count || said->is_trickle || has_unknown || media->port <= 9 ||
	    sdp_media_rtp_addr(media, &addr) != 0)
		return false;
	for (unsigned i = 0; i < said->candidate_count; i++)
		if (addr_equal(&said->candidates[i].addr, &addr))
			return false;
	return true;
}

static int read_ice(const struct sdp_media *media, struct peering_sdp *out, const char **why)
{
	struct slice ufrag = effective(media, "ice-ufrag");
	struct slice pwd = effective(media, "ice-pwd");
	const struct sdp_line *line = sdp_media_attribute(media, "candidate");
	bool has_unknown = false, is_unknown;

	if (!ufrag.data && !pwd.data)
		return 0; /* candidates of nobody */
	*why = "bad a=ice-ufrag or a=ice-pwd";
	if (!is_ice_text(ufrag, 4) || !is_ice_text(pwd, 22))
		return -ERR_MALFORMED;
	*why = "bad a=candidate";
	for (; line; line = sdp_attribute_next(line)) {
		if (peering_candidate_read(out, line->argument, &is_unknown) != 0)
			return -ERR_MALFORMED;
		has_unknown = has_unknown || is_unknown;
	}
	out->has_ice = true;
	slice_copy(ufrag, out->ufrag, sizeof(out->ufrag));
	slice_copy(pwd, out->pwd, sizeof(out->pwd));
	out->is_lite = sdp_attribute(&media->sdp->section, "ice-lite") != NULL;
	out->is_trickle = has_word(effective(media, "ice-options"), SLICE("trickle"));
	out->is_ended = sdp_media_attribute_effective(media, "end-of-candidates") != NULL;
	out->is_mismatched = is_mismatched(media, out, has_unknown);
	return 0;
}

static enum peering_setup read_setup(struct slice text)
{
	if (slice_equal_nocase(text, SLICE("actpass")))
		return SETUP_ACTPASS;
	if (slice_equal_nocase(text, SLICE("active")))
		return SETUP_ACTIVE;
	if (slice_equal_nocase(text, SLICE("passive")))
		return SETUP_PASSIVE;
	return SETUP_NONE; /* holdconn and what is none (RFC 5763 5 forbids it) */
}

static int read_fingerprints(const struct sdp_section *section, struct peering_sdp *out)
{
	const struct sdp_line *line = sdp_attribute(section, "fingerprint");

	for (; line; line = sdp_attribute_next(line)) {
		if (out->fingerprint_count >= DTLS_FINGERPRINTS)
			break;
		int err = fingerprint_read(line->argument,
					   &out->fingerprints[out->fingerprint_count]);
		if (!err)
			out->fingerprint_count++;
		else if (err != -ERR_UNSUPPORTED) /* SHA-1: another may stand beside it */
			return err;
	}
	return 0;
}

static int read_dtls(const struct sdp_media *media, struct peering_sdp *out, const char **why)
{
	bool is_tls = slice_find_slice(media->protocol, SLICE("TLS")) < media->protocol.len;
	bool has_sdes = sdp_media_attribute(media, "crypto") != NULL;

	if (!sdp_media_is_secure(media) || (!is_tls && has_sdes))
		return 0;
	*why = "bad a=fingerprint";
	if (read_fingerprints(&media->section, out) != 0 ||
	    (!sdp_media_attribute(media, "fingerprint") &&
	     read_fingerprints(&media->sdp->section, out) != 0))
		return -ERR_MALFORMED;
	*why = "DTLS-SRTP without a=fingerprint of SHA-256 or better";
	if (is_tls && !out->fingerprint_count && media->port)
		return -ERR_MALFORMED;
	out->has_dtls = out->fingerprint_count > 0;
	out->setup = (uint8_t)read_setup(effective(media, "setup"));
	slice_copy(effective(media, "tls-id"), out->tls_id, sizeof(out->tls_id));
	return 0;
}

/* Which a=group:BUNDLE of the session names this mid, and where (RFC 9143). */
static void read_group(const struct sdp *sdp, struct slice mid, struct peering_sdp *out)
{
	const struct sdp_line *line = sdp_attribute(&sdp->section, "group");
	struct slice word;

	for (uint8_t group = 1; line && mid.len; line = sdp_attribute_next(line), group++) {
		struct slice text = line->argument;
		if (!slice_next_word(&text, &word) || !slice_equal(word, SLICE("BUNDLE")))
			continue;
		for (uint8_t rank = 0; slice_next_word(&text, &word); rank++) {
			if (!slice_equal(word, mid))
				continue;
			out->group = group;
			out->rank = rank;
			return;
		}
	}
}

int peering_sdp_read(const struct sdp_media *media, struct peering_sdp *out, const char **why)
{
	struct slice mid = effective(media, "mid");

	memset(out, 0, sizeof(*out));
	if (!sdp_media_is_rtp(media) || (media->port == 0 && sdp_media_is_rejected(media)))
		return 0;
	if (mid.len <= PEERING_MID_MAX) {
		slice_copy(mid, out->mid, sizeof(out->mid));
		read_group(media->sdp, mid, out);
	}
	int err = read_ice(media, out, why);
	return err ? err : read_dtls(media, out, why);
}

bool peering_sdp_matters(const struct peering_sdp *said)
{
	return said->has_ice || said->has_dtls || said->group;
}

static int add(struct sdp_media *media, const char *name, const char *text)
{
	return sdp_attribute_add(media->sdp, &media->section, name, slice_from(text));
}

static int write_candidates(const struct peering *peering, struct sdp_media *media,
			    unsigned components)
{
	const struct ice *ice = peering_newest(peering);
	const struct addr addresses[] = {side_local(peering->stream, peering->side),
					 side_local_alternate(peering->stream, peering->side)};
	struct buf text;
	int err = 0;

	buf_init(&text);
	for (unsigned i = 0; i < 2 && addresses[i].family; i++) {
		struct ice_candidate candidate = {
			.addr = addresses[i], .type = ICE_HOST, .foundation = (uint8_t)(i + 1)};
		uint16_t preference = ice_preference(ice, candidate.addr.family);
		for (uint8_t component = 1; component <= components && !err; component++) {
			candidate.component = component;
			candidate.priority = ice_priority(ICE_HOST, preference, component);
			buf_clear(&text);
			ice_candidate_write(&candidate, &text);
			err = buf_failed(&text) ? -ERR_NO_MEMORY
						: sdp_attribute_add(media->sdp, &media->section,
								    "candidate", buf_slice(&text));
			candidate.addr.port++;
		}
	}
	buf_free(&text);
	return err;
}

static int write_ice(const struct peering *peering, struct sdp_media *media, unsigned components)
{
	const struct ice *ice = peering_newest(peering);

	if (!ice || !peering->told_ice)
		return 0;
	int err = add(media, "ice-ufrag", ice_ufrag(ice));
	if (!err)
		err = add(media, "ice-pwd", ice_pwd(ice));
	if (!err)
		err = add(media, "ice-options", "ice2");
	if (!err)
		err = write_candidates(peering, media, components);
	if (!err) /* all there will ever be */
		err = sdp_attribute_add(media->sdp, &media->section, "end-of-candidates",
					SLICE_NONE);
	return err;
}

static const char *our_setup(const struct peering *peering, const struct options *options,
			     bool is_answer)
{
	const unsigned bits = options->peering.bits;

	if (is_answer)
		return peering->role == DTLS_CLIENT ? "active" : "passive";
	if (bits & PEERING_DTLS_ACTIVE)
		return "active";
	return bits & PEERING_DTLS_PASSIVE ? "passive" : "actpass";
}

static int write_dtls(const struct peering *peering, struct sdp_media *media,
		      const struct options *options, bool is_answer)
{
	struct buf text;

	if (!peering->told_dtls)
		return 0;
	buf_init(&text);
	fingerprint_write(&peering->fingerprint, &text);
	int err = buf_failed(&text) ? -ERR_NO_MEMORY : add(media, "fingerprint", text.data);
	buf_free(&text);
	if (!err)
		err = add(media, "setup", our_setup(peering, options, is_answer));
	/* RFC 8842 5.3: an answer has one when the offer had */
	bool has_id = is_answer ? peering->said.tls_id[0] != 0
				: !(options->peering.bits & PEERING_NO_TLS_ID);
	return !err && has_id ? add(media, "tls-id", peering->tls_id) : err;
}

/* An answer has the mid of its offer (RFC 5888 9.1), whatever the other side made of it. */
static int write_mid(const struct peering *peering, struct sdp_media *media)
{
	sdp_attribute_remove(&media->section, "mid");
	return peering->said.mid[0] ? add(media, "mid", peering->said.mid) : 0;
}

int peering_write(const struct stream *stream, int side, struct sdp_media *media,
		  const struct options *options, bool is_answer)
{
	const struct side *at = &stream->sides[side];
	const struct peering *peering = at->peering;
	bool is_shared = is_answer ? at->mux : (options->bits & OPTION_MUX_REQUIRE) && at->mux_told;

	if (!peering)
		return 0;
	bool has_mid = peering->told_ice || peering->told_dtls || at->is_bundled;
	int err = is_answer && has_mid ? write_mid(peering, media) : 0;
	if (!err && is_answer && peering->said.is_mismatched)
		err = sdp_attribute_add(media->sdp, &media->section, "ice-mismatch", SLICE_NONE);
	if (at->is_bundled) { /* RFC 9143 7.1.3: said once, where the group begins */
		if (err || !bundle_is_tagged(stream, side, media))
			return err;
		peering = side_transport(stream, side)->peering;
		is_shared = true;
	}
	if (!err)
		err = write_ice(peering, media, is_shared ? 1 : 2);
	return err ? err : write_dtls(peering, media, options, is_answer);
}
