/* keep_keys.c - the secret fields of a media record: SDES, DTLS-SRTP, ICE. They leave the process
 * only for a sealed store. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/keep_private.h"

#include <stdlib.h>
#include "rtpengine/session/sdes_private.h"

static void line_fields(struct keep_io *io, struct sdes_line *line)
{
	KEEP(io, 1, line->tag, 999999999);
	KEEP(io, 2, line->suite, FLOW_SRTP_SUITES - 1);
	keep_bytes(io, 3, line->key, sizeof(line->key));
	keep_bytes(io, 4, line->salt, sizeof(line->salt));
	KEEP(io, 5, line->mki_len, FLOW_SRTP_MKI_MAX);
	keep_bytes(io, 6, line->mki, line->mki_len);
}

static void lines_fields(struct keep_io *io, uint16_t number, struct sdes_list *list)
{
	struct keep_nest nest;
	struct sdes_line read[SDES_LINES] = {0};
	unsigned count = 0;

	for (unsigned i = 0; keep_reads(io) || i < list->count; i++) {
		if (!keep_open(io, number, &nest))
			break;
		if (i == SDES_LINES) {
			keep_fail(io, -ERR_TOO_MANY);
			break;
		}
		line_fields(io, keep_reads(io) ? &read[i] : &list->lines[i]);
		keep_close(io, number, &nest);
		count = i + 1;
	}
	if (keep_reads(io) && sdes_list_set(list, read, count) != 0)
		keep_fail(io, -ERR_NO_MEMORY);
	explicit_bzero(read, sizeof(read));
}

static void one_line(struct keep_io *io, uint16_t number, struct sdes_line *line)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	line_fields(io, line);
	keep_close(io, number, &nest);
}

void keep_sdes_fields(struct keep_io *io, uint16_t number, struct sdes **at)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	if (!*at)
		*at = calloc(1, sizeof(**at));
	struct sdes *sdes = *at;
	if (!sdes) {
		keep_fail(io, -ERR_NO_MEMORY);
		return;
	}
	KEEP(io, 1, sdes->is_offered, 1);
	KEEP(io, 2, sdes->is_required, 1);
	KEEP(io, 3, sdes->is_used, 1);
	lines_fields(io, 4, &sdes->offered);
	lines_fields(io, 5, &sdes->said);
	lines_fields(io, 6, &sdes->told);
	one_line(io, 7, &sdes->in);
	one_line(io, 8, &sdes->out);
	if (sdes->is_used && (!sdes->in.suite || !sdes->out.suite))
		keep_fail(io, -ERR_MALFORMED);
	keep_close(io, number, &nest);
}

static void fingerprint_fields(struct keep_io *io, uint16_t number, struct fingerprint *print)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	KEEP(io, 1, print->hash, FINGERPRINT_SHA512);
	KEEP(io, 2, print->len, FINGERPRINT_MAX);
	keep_bytes(io, 3, print->bytes, print->len);
	if (print->len && print->len != fingerprint_len((enum fingerprint_hash)print->hash))
		keep_fail(io, -ERR_MALFORMED);
	keep_close(io, number, &nest);
}

static void candidate_fields(struct keep_io *io, struct ice_candidate *candidate)
{
	keep_addr(io, 1, &candidate->addr);
	KEEP(io, 2, candidate->priority, INT32_MAX);
	KEEP(io, 3, candidate->component, ICE_COMPONENTS);
	KEEP(io, 4, candidate->type, ICE_RELAY);
	if (keep_reads(io) && (!candidate->addr.family || !candidate->component))
		keep_fail(io, -ERR_MALFORMED);
}

static void candidates_fields(struct keep_io *io, uint16_t number, struct ice_candidate *list,
			      unsigned *count, unsigned max)
{
	struct keep_nest nest;

	for (unsigned i = 0; keep_reads(io) || i < *count; i++) {
		if (!keep_open(io, number, &nest))
			return;
		if (i == max) {
			keep_fail(io, -ERR_TOO_MANY);
			return;
		}
		candidate_fields(io, &list[i]);
		keep_close(io, number, &nest);
		if (keep_reads(io))
			*count = i + 1;
	}
}

static void said_fields(struct keep_io *io, uint16_t number, struct peering_sdp *said)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	KEEP(io, 1, said->has_ice, 1);
	KEEP(io, 2, said->is_lite, 1);
	KEEP(io, 3, said->is_trickle, 1);
	KEEP(io, 4, said->is_ended, 1);
	KEEP(io, 5, said->is_mismatched, 1);
	KEEP(io, 6, said->has_dtls, 1);
	KEEP(io, 7, said->setup, SETUP_PASSIVE);
	keep_chars(io, 8, said->ufrag, sizeof(said->ufrag));
	keep_chars(io, 9, said->pwd, sizeof(said->pwd));
	keep_chars(io, 10, said->tls_id, sizeof(said->tls_id));
	keep_chars(io, 11, said->mid, sizeof(said->mid));
	KEEP(io, 12, said->group, UINT8_MAX);
	KEEP(io, 13, said->rank, UINT8_MAX);
	for (unsigned i = 0; keep_reads(io) ? i < DTLS_FINGERPRINTS : i < said->fingerprint_count;
	     i++) {
		fingerprint_fields(io, (uint16_t)(16 + i), &said->fingerprints[i]);
		if (keep_reads(io) && said->fingerprints[i].len)
			said->fingerprint_count = i + 1;
	}
	candidates_fields(io, 24, said->candidates, &said->candidate_count, ICE_PAIRS_MAX);
	keep_close(io, number, &nest);
}

static void srtp_fields(struct keep_io *io, uint16_t number, struct flow_srtp *srtp)
{
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	KEEP(io, 1, srtp->suite, FLOW_SRTP_SUITES - 1);
	keep_bytes(io, 2, srtp->key, sizeof(srtp->key));
	keep_bytes(io, 3, srtp->salt, sizeof(srtp->salt));
	keep_close(io, number, &nest);
}

static void slot_fields(struct keep_io *io, uint16_t number, struct dtls_slot *slot)
{
	struct keep_nest nest;

	if ((!keep_reads(io) && !slot->has_keys) || !keep_open(io, number, &nest))
		return;
	srtp_fields(io, 1, &slot->in);
	srtp_fields(io, 2, &slot->out);
	if (!slot->in.suite || !slot->out.suite)
		keep_fail(io, -ERR_MALFORMED);
	slot->has_keys = true;
	slot->is_resumed = keep_reads(io);
	keep_close(io, number, &nest);
}

static void ice_fields(struct keep_io *io, uint16_t number, struct side_resume *resume)
{
	struct ice_state *ice = &resume->ice;
	unsigned count = ice->selected_count;
	struct keep_nest nest;

	if ((!keep_reads(io) && !resume->has_ice) || !keep_open(io, number, &nest))
		return;
	resume->has_ice = true;
	keep_chars(io, 1, ice->ufrag, sizeof(ice->ufrag));
	keep_chars(io, 2, ice->pwd, sizeof(ice->pwd));
	KEEP(io, 3, ice->is_controlling, 1);
	KEEP(io, 4, ice->has_remote, 1);
	KEEP(io, 5, ice->remote_is_lite, 1);
	KEEP(io, 6, ice->is_ended, 1);
	KEEP(io, 7, ice->tie_breaker, UINT64_MAX);
	keep_chars(io, 8, ice->remote_ufrag, sizeof(ice->remote_ufrag));
	keep_chars(io, 9, ice->remote_pwd, sizeof(ice->remote_pwd));
	candidates_fields(io, 10, ice->selected, &count, ICE_COMPONENTS);
	ice->selected_count = (uint8_t)count;
	if (keep_reads(io) &&
	    (strlen(ice->ufrag) != ICE_UFRAG_LEN || strlen(ice->pwd) != ICE_PWD_LEN))
		keep_fail(io, -ERR_MALFORMED);
	keep_close(io, number, &nest);
}

void keep_peering_fields(struct keep_io *io, uint16_t number, struct stream *stream, int side,
			 struct side_resume *resume)
{
	struct peering *peering;
	struct keep_nest nest;

	if (!keep_open(io, number, &nest))
		return;
	if (peering_ensure(stream, side, &peering) != 0) {
		keep_fail(io, -ERR_NO_MEMORY);
		return;
	}
	const struct ice *ice = peering->ice[peering->current].ice;
	if (!keep_reads(io) && ice) {
		ice_save(ice, &resume->ice);
		resume->has_ice = true;
	}
	keep_bytes(io, 1, peering->mark, sizeof(peering->mark));
	said_fields(io, 2, &peering->said);
	said_fields(io, 3, &peering->offered);
	said_fields(io, 4, &peering->met);
	KEEP(io, 5, peering->is_offered, 1);
	KEEP(io, 6, peering->bits, UINT32_MAX);
	KEEP(io, 7, peering->told_ice, 1);
	KEEP(io, 8, peering->told_dtls, 1);
	KEEP(io, 9, peering->uses_ice, 1);
	KEEP(io, 10, peering->uses_dtls, 1);
	KEEP(io, 11, peering->is_lite, 1);
	KEEP(io, 12, peering->is_mux, 1);
	KEEP(io, 13, peering->has_role, 1);
	KEEP(io, 14, peering->role, DTLS_CLIENT);
	fingerprint_fields(io, 15, &peering->fingerprint);
	keep_chars(io, 16, peering->tls_id, sizeof(peering->tls_id));
	slot_fields(io, 17, &peering->dtls[0]);
	slot_fields(io, 18, &peering->dtls[1]);
	ice_fields(io, 19, resume);
	keep_close(io, number, &nest);
}

bool keep_has_srtp(const struct session *session)
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2; side++) {
				const struct side *at = &dialog->streams[i]->sides[side];
				if (sdes_suite_text(at->sdes) || peering_has_dtls(at->peering))
					return true;
			}
	return false;
}

bool keep_has_secrets(const struct session *session)
{
	if (keep_has_srtp(session))
		return true;
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2; side++)
				if (peering_has_ice(dialog->streams[i]->sides[side].peering))
					return true;
	return false;
}
