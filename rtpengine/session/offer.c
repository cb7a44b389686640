/* offer.c - an offer goes from one party to the other: ports are taken on both sides at once, so
 * that the answer cannot fail for want of one, and the SDP leaves with ours. What the offer says
 * about its sender waits for the answer. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <stdlib.h>
#include "rtpengine/session/bundle.h"

struct offer {
	struct command *command;
	struct session *session;
	struct dialog *dialog;
	int from, to;
	bool is_new; /* the session began with this offer */
	struct sdp *sdp;
	struct side_media media[SDP_MAX_MEDIA];
	struct party before[2]; /* to go back to when the offer fails */
	unsigned streams_before;
};

static int choose_interface(struct offer *offer, int side, struct slice name)
{
	struct command *command = offer->command;
	struct party *party = &offer->dialog->parties[side];

	if (slice_is_empty(name) || interface_find(command->sessions, name, &party->interface))
		return 0;
	command_error(command, "unknown interface \"%.*s\"", SLICE_ARG(name));
	return -ERR_NOT_FOUND;
}

/* Where it is it may stay, even if nobody new is given ports there. */
static bool is_there(const struct dialog *dialog, int side, uint8_t family)
{
	const char *name = dialog->session->all->interfaces[dialog->parties[side].interface].name;

	for (unsigned i = 0; i < dialog->stream_count; i++) {
		const struct port_range *range = dialog->streams[i]->sides[side].range;
		if (range && port_range_address(range)->family == family &&
		    strcmp(port_range_interface(range), name) == 0)
			return true;
	}
	return false;
}

static bool has_family(struct offer *offer, int side, uint8_t family)
{
	return is_there(offer->dialog, side, family) ||
	       interface_range(offer->command->sessions, offer->dialog->parties[side].interface,
			       family, offer->command->now_ms);
}

static const char *family_text(uint8_t family)
{
	return family == AF_INET6 ? "IP6" : "IP4";
}

/* The offerer is spoken to in the family it uses; the other side in the one asked for, or the same
 * if its interface has it, or the one it has (then we bridge). */
static int choose_family(struct offer *offer)
{
	struct party *from = &offer->dialog->parties[offer->from];
	struct party *to = &offer->dialog->parties[offer->to];
	const struct sdp_connection *connection = NULL;

	for (unsigned i = 0; i < offer->sdp->media_count && !connection; i++) {
		if (offer->sdp->media[i].port)
			connection = sdp_media_connection(&offer->sdp->media[i]);
	}
	if (connection)
		from->family = slice_equal_nocase(connection->address_type, SLICE("IP6")) ? AF_INET6
											  : AF_INET;
	else if (!from->family)
		from->family = has_family(offer, offer->from, AF_INET) ? AF_INET : AF_INET6;
	if (offer->command->options.family)
		to->family = offer->command->options.family;
	else if (!to->family || !has_family(offer, offer->to, to->family))
		to->family = has_family(offer, offer->to, from->family) ? from->family
			     : has_family(offer, offer->to, AF_INET)    ? AF_INET
									: AF_INET6;
	for (int side = 0; side < 2; side++) {
		const struct party *party = &offer->dialog->parties[side];
		if (has_family(offer, side, party->family))
			continue;
		command_error(offer->command, "interface %s has no %s address",
			      offer->command->sessions->interfaces[party->interface].name,
			      family_text(party->family));
		return -ERR_NOT_FOUND;
	}
	return 0;
}

static int set_parties(struct offer *offer)
{
	const struct options *options = &offer->command->options;
	struct party *to = &offer->dialog->parties[offer->to];

	int err = choose_interface(offer, offer->from, options->interface_from);
	if (!err)
		err = choose_interface(offer, offer->to, options->interface_to);
	if (!err)
		err = choose_family(offer);
	if (err)
		return err;
	if (options->media_address.family)
		to->media_address = options->media_address;
	if (options->dscp >= 0) {
		offer->dialog->parties[0].dscp = options->dscp;
		offer->dialog->parties[1].dscp = options->dscp;
	}
	for (int i = 0; i < 2; i++) { /* who made the offer first, as in `direction` */
		struct party *party = &offer->dialog->parties[i ? offer->to : offer->from];
		if (options->source[i])
			party->source = options->source[i];
		if (options->idle_timeout_ms[i] >= 0)
			party->idle_timeout_ms = options->idle_timeout_ms[i];
	}
	if (to->media_address.family && to->media_address.family != to->family) {
		command_error(offer->command, "media-address is not an %s address",
			      family_text(to->family));
		return -ERR_INVALID;
	}
	return 0;
}

static bool is_tls(struct slice protocol)
{
	return slice_find_slice(protocol, SLICE("TLS")) < protocol.len;
}

static bool is_secure(struct slice protocol)
{
	return slice_find_slice(protocol, SLICE("SAVP")) < protocol.len;
}

/* The protocol its SDP will have, of what is RTP. */
static struct slice protocol_to(const struct offer *offer, const struct sdp_media *media)
{
	struct slice wanted = offer->command->options.transport;
	return wanted.len ? wanted : media->protocol;
}

/* RTP in clear, SDES and DTLS-SRTP are bridged as they come. What cannot be made secure although it
 * says so is refused here, never relayed in clear. */
static int check_security(struct offer *offer, const struct sdp_media *media)
{
	const struct options *options = &offer->command->options;
	const struct side *from = &offer->dialog->streams[media->index]->sides[offer->from];
	struct slice to = protocol_to(offer, media);

	if (!sdp_media_is_rtp(media))
		return 0;
	bool has_dtls =
		peering_said_dtls(from->peering) && !(options->peering.bits & PEERING_REVERSE_OFF);
	if (sdp_media_is_secure(media) && !has_dtls && !sdes_is_offered(from->sdes, NULL)) {
		command_error(offer->command,
			      "media %u: %.*s without an a=crypto or a=fingerprint that is "
			      "supported",
			      media->index + 1, SLICE_ARG(media->protocol));
		return -ERR_UNSUPPORTED;
	}
	if (is_tls(to) && options->peering.bits & PEERING_DTLS_OFF) {
		command_error(offer->command, "media %u: DTLS=off for %.*s", media->index + 1,
			      SLICE_ARG(to));
		return -ERR_UNSUPPORTED;
	}
	if (is_secure(to) && !is_tls(to) && options->sdes.is_off) {
		command_error(offer->command, "media %u: SDES=off for %.*s", media->index + 1,
			      SLICE_ARG(to));
		return -ERR_UNSUPPORTED;
	}
	return 0;
}

static int open_side(struct offer *offer, struct stream *stream, int side)
{
	struct command *command = offer->command;
	struct port_range *failed;

	if (option(&command->options, OPTION_NO_LATCHING) && stream->is_live && side == offer->to)
		side_close(stream, side, command->now_ms);
	int err = side_open(stream, side, command->now_ms, &failed);
	if (err == -ERR_NO_PORT)
		command_refuse_no_port(command, offer->is_new, failed);
	else if (err == -ERR_TOO_MANY)
		command_refuse_limit(command, "Parallel session limit reached",
				     "no more media flows");
	else if (err)
		command_error(command, "cannot open a media port: %s", err_text(err));
	return err;
}

/* What our SDP will promise the other side. */
static int prepare(struct offer *offer, struct stream *stream, const struct sdp_media *media)
{
	const struct options *options = &offer->command->options;
	const unsigned bits = options->peering.bits;
	bool is_rtp = sdp_media_is_rtp(media);
	bool has_ice = peering_said_ice(stream->sides[offer->from].peering);
	struct slice to = protocol_to(offer, media);
	struct side *side = &stream->sides[offer->to];
	bool is_required = is_rtp && is_secure(to) && !is_tls(to);
	bool wants_sdes = is_required || (is_rtp && !is_secure(to) && options->sdes.osrtp_offer);
	bool wants_ice =
		is_rtp && !(bits & PEERING_ICE_REMOVE) && ((bits & PEERING_ICE_FORCE) || has_ice);
	bool wants_dtls = is_rtp && is_tls(to) && !(bits & PEERING_DTLS_OFF);
	int err = side_is_carried(stream, offer->to)
			  ? 0
			  : peering_prepare(stream, offer->to, wants_ice, wants_dtls, options,
					    offer->command->now_ms);
	if (!err && wants_sdes)
		err = sdes_promise(&side->sdes, stream->sides[offer->from].sdes, &options->sdes,
				   is_required, offer->command->sessions->random);
	else
		sdes_promise_none(side->sdes);
	if (err == -ERR_UNSUPPORTED)
		command_error(offer->command, "media %u: SDES is left no suite", media->index + 1);
	else if (err)
		command_error(offer->command, "media %u: %s", media->index + 1, err_text(err));
	return err;
}

static int take_media(struct offer *offer, const struct sdp_media *media)
{
	struct command *command = offer->command;
	struct dialog *dialog = offer->dialog;
	const char *why = "out of memory";
	int err;

	if (media->index >= dialog->stream_count) {
		err = stream_create(dialog, media, &dialog->streams[media->index]);
		if (err) {
			command_error(command, "%s", err_text(err));
			return err;
		}
		dialog->stream_count++;
	}
	struct stream *stream = dialog->streams[media->index];
	err = peering_read(stream, offer->from, media, &command->options, &why);
	if (!err)
		err = sdes_read(&stream->sides[offer->from].sdes, media,
				command->options.sdes.osrtp_accept);
	if (err) {
		command_error(command, "media %u: %s", media->index + 1, why);
		return err;
	}
	err = media->port ? check_security(offer, media) : 0;
	if (err)
		return err;
	err = side_read(stream, offer->from, media, &command->options, &offer->media[media->index],
			&why);
	if (err) {
		command_error(command, "media %u: %s", media->index + 1, why);
		return err;
	}
	if (!media->port || stream_kind_of(media).is_refused)
		return 0;
	err = open_side(offer, stream, offer->from);
	if (!err)
		err = open_side(offer, stream, offer->to);
	if (!err)
		err = prepare(offer, stream, media);
	return err;
}

static enum mux_policy mux_policy(const struct options *options)
{
	if (option(options, OPTION_MUX_REJECT))
		return MUX_REJECT;
	return option(options, OPTION_MUX_ACCEPT | OPTION_MUX_DEMUX) ? MUX_ACCEPT : MUX_AS_PEER;
}

static int reserve(const struct offer *offer)
{
	for (unsigned i = 0; i < offer->dialog->stream_count; i++) {
		struct side *side = &offer->dialog->streams[i]->sides[offer->from];
		if (!side->offered)
			side->offered = calloc(1, sizeof(*side->offered));
		if (!side->offered)
			return -ERR_NO_MEMORY;
	}
	return 0;
}

/* From here on nothing fails. */
static void commit(struct offer *offer)
{
	const struct options *options = &offer->command->options;
	struct dialog *dialog = offer->dialog;

	for (unsigned i = 0; i < dialog->stream_count; i++) {
		struct side *side = &dialog->streams[i]->sides[offer->from];
		if (i < offer->sdp->media_count) {
			*side->offered = offer->media[i];
			dialog->streams[i]->offered = stream_kind_of(&offer->sdp->media[i]);
			side->mux_policy = mux_policy(options);
		} else { /* RFC 3264 8 forbids it; what is not there is not wanted */
			*side->offered = (struct side_media){.is_known = true, .is_rejected = true};
			dialog->streams[i]->offered = dialog->streams[i]->kind;
		}
		side_offer_forget(&dialog->streams[i]->sides[1 - offer->from]);
		if (dialog->streams[i]->sides[1 - offer->from].peering)
			stream_publish_early(dialog->streams[i]);
	}
	dialog->offerer = offer->from;
	session_touch(offer->session, offer->command->now_ms);
}

static int name_parties(struct offer *offer)
{
	const struct options *options = &offer->command->options;
	struct dialog *dialog = offer->dialog;
	int err = party_set_tag(&dialog->parties[offer->from], options->from_tag);

	if (!err)
		err = party_set_sdp(&dialog->parties[offer->from], options->sdp);
	if (!err)
		err = party_set_label(&dialog->parties[offer->from], options->from_label);
	if (!err)
		err = party_set_label(&dialog->parties[offer->to], options->to_label);
	if (!err && options->to_tag.len)
		err = party_set_tag(&dialog->parties[offer->to], options->to_tag);
	if (!err && options->via_branch.len && !dialog->via_branch) {
		dialog->via_branch = slice_dup(options->via_branch);
		if (!dialog->via_branch)
			err = -ERR_NO_MEMORY;
	}
	return err;
}

static int take_offer(struct offer *offer)
{
	struct command *command = offer->command;
	int err = set_parties(offer);

	if (!err && !(command->options.peering.bits & PEERING_BUNDLE_REJECT))
		err = bundle_read(offer->sdp);
	for (unsigned i = 0; i < offer->sdp->media_count && !err; i++)
		err = take_media(offer, &offer->sdp->media[i]);
	if (err)
		return err;
	err = name_parties(offer);
	if (!err)
		err = reserve(offer);
	if (!err)
		err = rewrite(offer->dialog, offer->to, offer->sdp, &command->options, false,
			      &command->sessions->scratch);
	struct slice body =
		arena_copy(command->request->arena, buf_slice(&command->sessions->scratch));
	if (!err && !body.data)
		err = -ERR_NO_MEMORY;
	if (err) {
		command_error(command, "%s", err_text(err));
		return err;
	}
	if (option(&command->options, OPTION_RECORD)) {
		err = recording_start(command, offer->session);
		if (err)
			return err;
	}
	commit(offer);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(command->request->arena, command->reply, "sdp", body);
	return 0;
}

static void undo(struct offer *offer, bool dialog_is_new)
{
	uint64_t now_ms = offer->command->now_ms;
	struct dialog *dialog = offer->dialog;

	if (offer->is_new) {
		session_destroy(offer->session, now_ms);
		return;
	}
	if (dialog_is_new) {
		dialog_destroy(dialog, now_ms);
		return;
	}
	while (dialog->stream_count > offer->streams_before)
		stream_destroy(dialog->streams[--dialog->stream_count], now_ms);
	for (int side = 0; side < 2; side++) {
		struct party *party = &dialog->parties[side];
		party->interface = offer->before[side].interface;
		party->family = offer->before[side].family;
		party->media_address = offer->before[side].media_address;
		party->dscp = offer->before[side].dscp;
		party->source = offer->before[side].source;
		party->idle_timeout_ms = offer->before[side].idle_timeout_ms;
	}
}

static int find_dialog(struct offer *offer, bool *is_new)
{
	struct command *command = offer->command;

	*is_new = false;
	offer->dialog = session_dialog_for_offer(offer->session, &command->options, &offer->from);
	offer->to = 1 - offer->from;
	if (offer->dialog) {
		memcpy(offer->before, offer->dialog->parties, sizeof(offer->before));
		offer->streams_before = offer->dialog->stream_count;
		return 0;
	}
	if (offer->session->dialog_count >= SESSION_MAX_DIALOGS) {
		command_error(command, "more than %d branches in one call", SESSION_MAX_DIALOGS);
		return -ERR_TOO_MANY;
	}
	*is_new = true;
	int err = dialog_create(offer->session, command->now_ms, &offer->dialog);
	if (err)
		command_error(command, "%s", err_text(err));
	return err;
}

void command_offer(struct command *command)
{
	struct sessions *sessions = command->sessions;
	struct offer offer = {.command = command};
	bool dialog_is_new;

	if (command_check(command, false) != 0)
		return;
	if (command->options.peering.bits & PEERING_FRAGMENT) {
		command_fragment(command, false);
		return;
	}
	if (command_sdp(command, &offer.sdp) != 0 || command_answer_loop(command, offer.sdp))
		return;
	offer.session = session_find(sessions, command->options.call_id);
	if (!offer.session) {
		const char *full = limits_refuse(&sessions->limits, sessions->by_call_id.count);
		if (full) {
			command_refuse_limit(command, "Parallel session limit reached", full);
			return;
		}
		if (session_create(sessions, command->options.call_id, command->now_ms,
				   &offer.session) != 0) {
			command_error(command, "out of memory");
			return;
		}
		offer.is_new = true;
	}
	if (find_dialog(&offer, &dialog_is_new) != 0) {
		if (offer.is_new)
			session_destroy(offer.session, command->now_ms);
		return;
	}
	if (take_offer(&offer) != 0)
		undo(&offer, dialog_is_new);
	else if (offer.is_new)
		sessions->counters.created++;
}
