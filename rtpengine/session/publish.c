/* publish.c - the command `publish`: media that somebody sends and nobody of his call hears, for
 * those who subscribe to it or are connected with it. Its dialog has one party; the answer is made
 * here, of one codec for each m= line. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <stdlib.h>
#include "rtpengine/session/bundle.h"

#define INVENTED 16 /* characters of a Call-ID or tag of ours */

struct publishing {
	struct command *command;
	struct session *session;
	struct dialog *dialog;
	bool is_new; /* the session began with it */
	bool dialog_is_new;
	struct sdp *said;
	struct side_media media[SDP_MAX_MEDIA];
};

static int invent(struct command *command, struct slice *text)
{
	char own[INVENTED + 1];

	if (text->len)
		return 0;
	random_text(command->sessions->random, own, INVENTED);
	*text = arena_copy(command->request->arena, (struct slice){own, INVENTED});
	return text->data ? 0 : -ERR_NO_MEMORY;
}

/* Which one is taken: of those accepted the first that is there, else the first. */
static int choose_codec(const struct publishing *p, struct sdp_media *media)
{
	const struct sdp_codec_names *accepted = &p->command->options.edits.accepted;
	struct sdp_codec_rules rules = {.offer = *accepted};
	bool takes_any = !accepted->count;

	for (unsigned i = 0; i < accepted->count; i++)
		takes_any = takes_any || ng_name_equal(accepted->names[i], SLICE("any"));
	int err = takes_any ? 0 : sdp_codec_names_add(&rules.strip, SLICE("all"));
	if (!err && accepted->count)
		err = sdp_media_filter_codecs(media, &rules);
	if (err)
		return err;
	while (media->format_count > 1)
		if (!sdp_media_remove_format(media, media->formats[media->format_count - 1]))
			return -ERR_MALFORMED;
	return 0;
}

static int choose_codecs(struct publishing *p)
{
	for (unsigned i = 0; i < p->said->media_count; i++) {
		struct sdp_media *media = &p->said->media[i];
		int err = !media->port || !sdp_media_is_rtp(media) ? 0 : choose_codec(p, media);

		if (!err)
			continue;
		command_error(p->command, "media %u: %s", i + 1,
			      err == -ERR_NOT_FOUND ? "no codec that is accepted" : err_text(err));
		return err;
	}
	return 0;
}

/* The first of its addresses decides the family, as in an offer. */
static int place(struct publishing *p)
{
	struct command *command = p->command;
	struct sessions *sessions = command->sessions;
	const struct options *options = &command->options;
	struct party *party = &p->dialog->parties[0];
	const struct sdp_connection *connection = NULL;

	if (options->interface_from.len &&
	    !interface_find(sessions, options->interface_from, &party->interface)) {
		command_error(command, "unknown interface \"%.*s\"",
			      SLICE_ARG(options->interface_from));
		return -ERR_NOT_FOUND;
	}
	for (unsigned i = 0; i < p->said->media_count && !connection; i++)
		if (p->said->media[i].port)
			connection = sdp_media_connection(&p->said->media[i]);
	party->family = connection && slice_equal_nocase(connection->address_type, SLICE("IP6"))
				? AF_INET6
				: AF_INET;
	if (!interface_range(sessions, party->interface, party->family, command->now_ms)) {
		command_error(command, "interface %s has no %s address",
			      sessions->interfaces[party->interface].name,
			      party->family == AF_INET6 ? "IP6" : "IP4");
		return -ERR_NOT_FOUND;
	}
	party->media_address = options->media_address;
	party->dscp = options->dscp;
	party->source = options->source[0];
	party->idle_timeout_ms = options->idle_timeout_ms[0];
	return 0;
}

static int check_security(struct publishing *p, const struct sdp_media *media,
			  const struct side *side)
{
	if (!media->port || !sdp_media_is_secure(media) || peering_said_dtls(side->peering) ||
	    sdes_is_offered(side->sdes, NULL))
		return 0;
	command_error(p->command,
		      "media %u: %.*s without an a=crypto or a=fingerprint that is supported",
		      media->index + 1, SLICE_ARG(media->protocol));
	return -ERR_UNSUPPORTED;
}

static int open_side(struct publishing *p, struct stream *stream)
{
	struct command *command = p->command;
	struct port_range *failed;
	int err = side_open(stream, 0, command->now_ms, &failed);

	if (err == -ERR_NO_PORT)
		command_refuse_no_port(command, p->is_new, failed);
	else if (err == -ERR_TOO_MANY)
		command_refuse_limit(command, "Parallel session limit reached",
				     "no more media flows");
	else if (err)
		command_error(command, "cannot open a media port: %s", err_text(err));
	return err;
}

static int take_media(struct publishing *p, const struct sdp_media *media)
{
	struct command *command = p->command;
	struct dialog *dialog = p->dialog;
	const char *why = "out of memory";
	int err = 0;

	if (media->index >= dialog->stream_count) {
		err = stream_create(dialog, media, &dialog->streams[media->index]);
		if (err) {
			command_error(command, "%s", err_text(err));
			return err;
		}
		dialog->stream_count++;
	}
	struct stream *stream = dialog->streams[media->index];
	struct side *side = &stream->sides[0];
	err = peering_read(stream, 0, media, &command->options, &why);
	if (!err)
		err = sdes_read(&side->sdes, media, command->options.sdes.osrtp_accept);
	if (!err)
		err = side_read(stream, 0, media, &command->options, &p->media[media->index], &why);
	if (err) {
		command_error(command, "media %u: %s", media->index + 1, why);
		return err;
	}
	err = check_security(p, media, side);
	if (err || !media->port || stream_kind_of(media).is_refused)
		return err;
	return open_side(p, stream);
}

static void settle(struct publishing *p, struct stream *stream)
{
	const struct sdp_media *media = &p->said->media[stream->index];
	struct side *side = &stream->sides[0];
	const struct side_media before = side->now;

	side->now = p->media[stream->index];
	stream->kind = stream_kind_of(media);
	side->mux = side->now.has_mux && !option(&p->command->options, OPTION_MUX_REJECT);
	if (!addr_equal(&before.rtp, &side->now.rtp) || !addr_equal(&before.rtcp, &side->now.rtcp))
		side->epoch++;
}

static void apply(struct publishing *p)
{
	const struct options *options = &p->command->options;
	struct dialog *dialog = p->dialog;
	uint64_t now_ms = p->command->now_ms;

	for (unsigned i = 0; i < dialog->stream_count; i++)
		settle(p, dialog->streams[i]);
	bundle_agree(dialog, 0, true, options);
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		struct stream *stream = dialog->streams[i];
		struct side *side = &stream->sides[0];

		if (side->now.is_rejected || stream->kind.is_refused) {
			if (!bundle_first(stream, 0))
				side_close(stream, 0, now_ms);
			continue;
		}
		peering_set_mux(side->peering, side->mux);
		peering_apply(stream, 0, true, options, now_ms);
		sdes_apply(side->sdes, true, &options->sdes, p->command->sessions->random);
	}
	dialog->is_answered = true;
	for (unsigned i = 0; i < dialog->stream_count; i++)
		stream_publish(dialog->streams[i]);
	session_touch(p->session, now_ms);
}

/* What describes the codec, and the names of its section. */
static bool is_answered(const struct sdp_line *line)
{
	static const char *const names[] = {"rtpmap", "fmtp", "rtcp-fb", "ptime", "mid"};

	for (size_t i = 0; line->type == 'a' && i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal(line->name, slice_from(names[i])))
			return true;
	return false;
}

static int add_media(struct sdp *sdp, const struct sdp_media *said)
{
	struct sdp_media *media;
	int err = sdp_add_media(sdp, said->type, said->port, said->protocol, said->formats[0],
				&media);

	if (err || !said->port)
		return err;
	for (const struct sdp_line *line = said->section.lines; line && !err; line = line->next)
		if (is_answered(line))
			err = sdp_line_add(sdp, &media->section, 'a', line->value);
	if (err)
		return err;
	return sdp_media_set_direction(
		media, sdp_media_direction(said) & SDP_SENDONLY ? SDP_RECVONLY : SDP_INACTIVE);
}

static int write_answer(struct publishing *p, struct slice *body)
{
	struct command *command = p->command;
	struct buf *scratch = &command->sessions->scratch;
	const struct addr ours = party_sdp_address(p->dialog, 0);
	const struct sdp_origin origin = {
		.username = SLICE("-"),
		.session_id = SLICE("1"),
		.session_version = SLICE("1"),
	};
	struct sdp *sdp;
	int err = sdp_create(command->request->arena, &origin, &ours, &sdp);

	if (!err)
		err = sdp_set_origin_address(sdp, &ours);
	for (unsigned i = 0; i < p->said->media_count && !err; i++)
		err = add_media(sdp, &p->said->media[i]);
	if (!err)
		err = rewrite(p->dialog, 0, sdp, &command->options, true, scratch);
	*body = arena_copy(command->request->arena, buf_slice(scratch));
	return err ? err : body->data ? 0 : -ERR_NO_MEMORY;
}

/* What a subscriber is offered: the one codec that comes. */
static int remember(struct publishing *p)
{
	struct buf *scratch = &p->command->sessions->scratch;
	struct party *party = &p->dialog->parties[0];

	buf_clear(scratch);
	sdp_write(p->said, scratch);
	int err = buf_failed(scratch) ? -ERR_NO_MEMORY : party_set_sdp(party, buf_slice(scratch));
	if (!err)
		err = party_set_tag(party, p->command->options.from_tag);
	return err ? err : party_set_label(party, p->command->options.from_label);
}

static int take(struct publishing *p, struct slice *body)
{
	int err = place(p);

	if (err)
		return err;
	err = bundle_read(p->said);
	if (!err)
		err = remember(p);
	if (err) {
		command_error(p->command, "%s", err_text(err));
		return err;
	}
	for (unsigned i = 0; i < p->said->media_count && !err; i++)
		err = take_media(p, &p->said->media[i]);
	if (err)
		return err;
	apply(p);
	err = write_answer(p, body);
	if (err)
		command_error(p->command, "%s", err_text(err));
	return err;
}

static int find_session(struct publishing *p)
{
	struct command *command = p->command;
	struct sessions *sessions = command->sessions;

	p->session = session_find(sessions, command->options.call_id);
	if (p->session)
		return 0;
	const char *full = limits_refuse(&sessions->limits, sessions->by_call_id.count);
	if (full) {
		command_refuse_limit(command, "Parallel session limit reached", full);
		return -ERR_TOO_MANY;
	}
	int err = session_create(sessions, command->options.call_id, command->now_ms, &p->session);
	p->is_new = !err;
	if (err)
		command_error(command, "%s", err_text(err));
	return err;
}

/* Published again under the same tag, it is made anew: its ports are others. */
static int find_dialog(struct publishing *p)
{
	struct command *command = p->command;
	struct dialog *at = p->session->dialogs;

	while (at && dialog_side(at, command->options.from_tag) < 0)
		at = at->next;
	if (at && !at->is_published) {
		command_error(command, "this from-tag has media of an offer or answer");
		return -ERR_EXISTS;
	}
	if (at)
		dialog_destroy(at, command->now_ms);
	if (p->session->dialog_count >= SESSION_MAX_DIALOGS) {
		command_error(command, "more than %d branches in one call", SESSION_MAX_DIALOGS);
		return -ERR_TOO_MANY;
	}
	int err = dialog_create(p->session, command->now_ms, &p->dialog);
	if (err) {
		command_error(command, "%s", err_text(err));
		return err;
	}
	p->dialog->is_published = p->dialog_is_new = true;
	return 0;
}

static void undo(struct publishing *p)
{
	if (p->is_new)
		session_destroy(p->session, p->command->now_ms);
	else if (p->dialog_is_new)
		dialog_destroy(p->dialog, p->command->now_ms);
}

void command_publish(struct command *command)
{
	struct publishing p = {.command = command};
	struct options *options = &command->options;
	struct arena *arena = command->request->arena;
	struct slice body;

	if (invent(command, &options->call_id) != 0 || invent(command, &options->from_tag) != 0) {
		command_error(command, "out of memory");
		return;
	}
	if (command_check(command, false) != 0 || command_sdp(command, &p.said) != 0 ||
	    choose_codecs(&p) != 0 || find_session(&p) != 0)
		return;
	if (find_dialog(&p) != 0 || take(&p, &body) != 0) {
		undo(&p);
		return;
	}
	command->sessions->counters.created += p.is_new;
	ng_dict_add_string(arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(arena, command->reply, "sdp", body);
	ng_dict_add_string(arena, command->reply, "call-id", options->call_id);
	ng_dict_add_string(arena, command->reply, "from-tag", options->from_tag);
}
