/* answer.c - the answer completes the exchange: now both sides are known, and packets may flow.
 * `from-tag` is the offerer's and `to-tag` the answerer's, as in the SIP reply that carried it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/bundle.h"
#include "rtpengine/session/connect.h"
#include "rtpengine/session/piercing.h"

#include <stdlib.h>

struct answer {
	struct command *command;
	struct dialog *dialog;
	int from; /* the answerer */
	int to;
	struct sdp *sdp;
	struct side_media media[SDP_MAX_MEDIA];
};

/* An answer has the m= lines of its offer (RFC 3264 6); one that has fewer refuses the rest. */
static int read_media(struct answer *answer, const struct sdp_media *media)
{
	struct command *command = answer->command;
	struct stream *stream = answer->dialog->streams[media->index];
	const struct side *offerer = &stream->sides[answer->to];
	const struct stream_kind *kind =
		side_has_offered(offerer) ? &stream->offered : &stream->kind;
	const char *why = "";

	if (media->port && !slice_equal(media->type, slice_from(kind->type))) {
		command_error(command, "media %u: answered %.*s to an offer of %s",
			      media->index + 1, SLICE_ARG(media->type), kind->type);
		return -ERR_MALFORMED;
	}
	if (media->port && (sdp_media_is_rtp(media) != kind->is_rtp)) {
		command_error(command, "media %u: answered %.*s to an offer of another protocol",
			      media->index + 1, SLICE_ARG(media->protocol));
		return -ERR_MALFORMED;
	}
	struct side *answerer = &stream->sides[answer->from];
	int err = peering_read(stream, answer->from, media, &command->options, &why);
	if (!err)
		err = sdes_read(&answerer->sdes, media, true);
	if (err) {
		command_error(command, "media %u: %s", media->index + 1, why);
		return err;
	}
	if (media->port && kind->is_rtp && peering_told_dtls(stream->sides[answer->from].peering) &&
	    !peering_said_dtls(stream->sides[answer->from].peering)) {
		command_error(command, "media %u: answered %.*s to an offer of DTLS-SRTP",
			      media->index + 1, SLICE_ARG(media->protocol));
		return -ERR_UNSUPPORTED;
	}
	bool is_keyed = peering_said_dtls(answerer->peering) || sdes_is_accepted(answerer->sdes);
	if (media->port && kind->is_rtp && !is_keyed &&
	    (sdp_media_is_secure(media) || sdes_is_required(answerer->sdes))) {
		command_error(command,
			      "media %u: answered %.*s without an a=crypto that was offered",
			      media->index + 1, SLICE_ARG(media->protocol));
		return -ERR_UNSUPPORTED;
	}
	err = side_read(stream, answer->from, media, &command->options,
			&answer->media[media->index], &why);
	if (err)
		command_error(command, "media %u: %s", media->index + 1, why);
	return err;
}

static bool same_endpoint(const struct side_media *a, const struct side_media *b)
{
	return a->is_known == b->is_known && addr_equal(&a->rtp, &b->rtp) &&
	       addr_equal(&a->rtcp, &b->rtcp) && a->is_natted == b->is_natted &&
	       (!a->is_natted || addr_equal_ip(&a->received, &b->received));
}

/* RFC 5761 5.1.1: shared when both said so, on each side by itself. */
static void agree_mux(struct side *offerer, struct side *answerer)
{
	answerer->mux = answerer->mux_told && answerer->now.has_mux;
	offerer->mux = offerer->now.has_mux && offerer->mux_policy != MUX_REJECT &&
		       (offerer->mux_policy == MUX_ACCEPT || answerer->mux || offerer->is_bundled);
}

/* A source is learned again when its side moved, or begins to send: after a hold its NAT may have
 * forgotten the port. Nothing else unlocks it: who is silent now (held, muted) and only listens
 * would be sent nothing until it spoke. */
static void relearn(struct side *side, const struct side_media *before, bool begins)
{
	if (peering_has_ice(side->peering))
		return; /* ICE says where it is, whatever its SDP does */
	if (begins || !same_endpoint(&side->now, before))
		side->epoch++;
}

/* What both sides said is in effect. */
void side_offer_forget(struct side *side)
{
	free(side->offered);
	side->offered = NULL;
}

static void settle(struct answer *answer, struct stream *stream)
{
	struct side *offerer = &stream->sides[answer->to];
	struct side *answerer = &stream->sides[answer->from];
	const struct side_media before[2] = {stream->sides[0].now, stream->sides[1].now};
	const bool sent[2] = {side_may_send(stream, 0), side_may_send(stream, 1)};
	bool was_rtp = stream->kind.is_rtp;

	answerer->now = answer->media[stream->index];
	if (stream->index >= answer->sdp->media_count)
		answerer->now = (struct side_media){.is_known = true, .is_rejected = true};
	if (side_has_offered(offerer)) {
		offerer->now = *offerer->offered;
		stream->kind = stream->offered;
	}
	side_offer_forget(offerer);
	for (int side = 0; side < 2; side++)
		relearn(&stream->sides[side], &before[side],
			was_rtp != stream->kind.is_rtp ||
				(side_may_send(stream, side) && !sent[side]));
}

static void apply(struct answer *answer, struct stream *stream, uint64_t now_ms)
{
	struct side *offerer = &stream->sides[answer->to];
	struct side *answerer = &stream->sides[answer->from];

	for (int side = 0; side < 2 && offerer->now.is_rejected; side++)
		if (!bundle_first(stream, side)) /* taken off by its offerer: the ports are free */
			side_close(stream, side, now_ms);
	if (stream->kind.is_rtp)
		agree_mux(offerer, answerer);
	for (int side = 0; side < 2 && !answerer->now.is_rejected; side++) {
		struct side *at = &stream->sides[side];
		peering_set_mux(at->peering, at->mux);
		peering_apply(stream, side, at == offerer, &answer->command->options, now_ms);
		sdes_apply(at->sdes, at == offerer, &answer->command->options.sdes,
			   answer->command->sessions->random);
	}
}

static int find_dialog(struct answer *answer)
{
	struct command *command = answer->command;
	struct session *session = session_find(command->sessions, command->options.call_id);

	if (!session) {
		command_error(command, "Unknown call-id");
		return -ERR_NOT_FOUND;
	}
	answer->dialog = session_dialog_for_answer(session, &command->options, &answer->from);
	answer->to = 1 - answer->from;
	if (!answer->dialog) {
		command_error(command, "Unknown from-tag");
		return -ERR_NOT_FOUND;
	}
	return 0;
}

void command_answer(struct command *command)
{
	struct answer answer = {.command = command};
	struct sessions *sessions = command->sessions;

	if (command_check(command, true) != 0)
		return;
	if (command->options.peering.bits & PEERING_FRAGMENT) {
		command_fragment(command, true);
		return;
	}
	if (find_dialog(&answer) != 0 || command_sdp(command, &answer.sdp) != 0)
		return;
	struct dialog *dialog = answer.dialog;
	if (command_answer_loop(command, answer.sdp))
		return;
	if (answer.sdp->media_count > dialog->stream_count) {
		command_error(command, "the answer has %u media, the offer had %u",
			      answer.sdp->media_count, dialog->stream_count);
		return;
	}
	if (bundle_read(answer.sdp) != 0) {
		command_error(command, "out of memory");
		return;
	}
	for (unsigned i = 0; i < answer.sdp->media_count; i++) {
		if (read_media(&answer, &answer.sdp->media[i]) != 0)
			return;
	}
	/* In an answer, too, the tags begin with who made the offer; labels, with who sends it. */
	if (party_set_tag(&dialog->parties[answer.from], command->options.to_tag) != 0 ||
	    party_set_sdp(&dialog->parties[answer.from], command->options.sdp) != 0 ||
	    party_set_label(&dialog->parties[answer.from], command->options.from_label) != 0 ||
	    party_set_label(&dialog->parties[answer.to], command->options.to_label) != 0) {
		command_error(command, "out of memory");
		return;
	}
	for (unsigned i = 0; i < dialog->stream_count; i++)
		settle(&answer, dialog->streams[i]);
	bundle_agree(dialog, answer.to, true, &command->options);
	bundle_agree(dialog, answer.from, false, &command->options);
	for (unsigned i = 0; i < dialog->stream_count; i++)
		apply(&answer, dialog->streams[i], command->now_ms);
	dialog->offerer = -1;
	dialog->is_answered = true;
	connect_undo(dialog);
	for (unsigned i = 0; i < dialog->stream_count; i++)
		stream_publish(dialog->streams[i]);
	session_touch(dialog->session, command->now_ms);
	piercing_start(dialog->session, command->now_ms);

	int err =
		rewrite(dialog, answer.to, answer.sdp, &command->options, true, &sessions->scratch);
	struct slice body = arena_copy(command->request->arena, buf_slice(&sessions->scratch));
	if (err || !body.data) {
		command_error(command, "%s", err_text(err ? err : -ERR_NO_MEMORY));
		return;
	}
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(command->request->arena, command->reply, "sdp", body);
}
