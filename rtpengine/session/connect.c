/* connect.c - the command `connect`. Flows that name each other are served by one lcore, so a call
 * that is joined to another goes over to that one's, its flows being opened anew on their ports.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/connect.h"

#include <stdlib.h>
#include "rtpengine/session/keep.h"
#include "rtpengine/session/participant.h"
#include "rtpengine/session/subscription.h"

struct end { /* one of the two */
	struct session *session;
	struct dialog *dialog; /* NULL = nobody */
	int side;
};

static struct party *party_of(const struct end *end)
{
	return &end->dialog->parties[end->side];
}

static bool names(const struct party *party, const struct dialog *dialog, int side)
{
	return party->connected_tag &&
	       slice_equal(slice_from(party->connected_call),
			   slice_from(dialog->session->call_id)) &&
	       dialog_side(dialog, slice_from(party->connected_tag)) == side;
}

/* The party that this one and which this one names. */
static struct end find_peer(struct dialog *dialog, int side)
{
	const struct party *party = &dialog->parties[side];
	const struct end nobody = {.dialog = NULL};
	struct end end = {.session = dialog->session, .dialog = dialog, .side = 1 - side};

	if (!party->connected_tag)
		return dialog->parties[1 - side].connected_tag ? nobody : end;
	end.session = session_find(dialog->session->all, slice_from(party->connected_call));
	end.dialog = end.session ? end.session->dialogs : NULL;
	for (; end.dialog; end.dialog = end.dialog->next)
		for (end.side = 0; end.side < 2; end.side++)
			if (names(party, end.dialog, end.side) &&
			    names(party_of(&end), dialog, side))
				return end;
	return nobody;
}

static bool is_alike(const struct stream *a, const struct stream *b)
{
	return a->kind.is_rtp == b->kind.is_rtp && strcmp(a->kind.type, b->kind.type) == 0;
}

struct hearer stream_hearer(const struct stream *stream, int side)
{
	struct end peer = find_peer(stream->dialog, side);
	struct hearer hearer = {.stream = NULL, .side = peer.side};

	if (!peer.dialog || stream->index >= peer.dialog->stream_count)
		return hearer;
	struct stream *found = peer.dialog->streams[stream->index];
	if (found != stream && (!found->is_live || !is_alike(stream, found)))
		return hearer;
	if (found->sides[peer.side].range)
		hearer.stream = found;
	return hearer;
}

static void forget(struct party *party)
{
	free(party->connected_call);
	free(party->connected_tag);
	party->connected_call = party->connected_tag = NULL;
}

static void publish_dialog(struct dialog *dialog)
{
	for (unsigned i = 0; dialog && i < dialog->stream_count; i++)
		if (dialog->streams[i]->is_live)
			stream_publish(dialog->streams[i]);
}

void connect_undo(struct dialog *dialog)
{
	for (int side = 0; side < 2; side++) {
		if (!dialog->parties[side].connected_tag)
			continue;
		struct end peer = find_peer(dialog, side);
		forget(&dialog->parties[side]);
		publish_dialog(peer.dialog); /* nobody hears it any more */
	}
}

/* A tag may stand in several dialogs (forks): the one with media is meant. */
static int find_end(struct command *command, struct slice call_id, struct slice tag,
		    const char *what, struct end *out)
{
	out->session = session_find(command->sessions, call_id);
	if (!out->session) {
		command_error(command, "Unknown %s", what);
		return -ERR_NOT_FOUND;
	}
	for (struct dialog *dialog = out->session->dialogs; dialog; dialog = dialog->next) {
		int side = dialog_side(dialog, tag);
		if (side < 0 || !dialog->is_answered)
			continue;
		out->dialog = dialog;
		out->side = side;
		return 0;
	}
	command_error(command, "no answered party with the tag \"%.*s\"",
		      (int)(tag.len < 64 ? tag.len : 64), tag.data);
	return -ERR_NOT_FOUND;
}

/* There is no transcoding: each must understand what the other sends. */
static int check_media(struct command *command, const struct end *a, const struct end *b)
{
	unsigned found = 0;

	for (unsigned i = 0; i < a->dialog->stream_count && i < b->dialog->stream_count; i++) {
		const struct stream *one = a->dialog->streams[i], *other = b->dialog->streams[i];
		const uint64_t *types = one->sides[a->side].now.policing.payload_types;
		const uint64_t *others = other->sides[b->side].now.policing.payload_types;

		if (!one->is_live || !other->is_live || !is_alike(one, other))
			continue;
		if (one->kind.is_rtp && !(types[0] & others[0]) && !(types[1] & others[1])) {
			command_error(command, "media %u: no payload type in common", i + 1);
			return -ERR_UNSUPPORTED;
		}
		found++;
	}
	if (!found)
		command_error(command, "they have no media in common");
	return found ? 0 : -ERR_INVALID;
}

/* Joined to another call, by any party but this one. */
static bool is_joined(const struct session *session, const struct party *but)
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (int side = 0; side < 2; side++) {
			const struct party *party = &dialog->parties[side];
			if (party != but && party->connected_call &&
			    strcmp(party->connected_call, session->call_id) != 0)
				return true;
		}
	return false;
}

static int remember_flows(struct session *session)
{
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2; side++) {
				struct side *at = &dialog->streams[i]->sides[side];
				at->resume = calloc(1, sizeof(*at->resume));
				if (!at->resume)
					return -ERR_NO_MEMORY;
				resume_ask(dialog->streams[i], side, at->resume);
			}
	return 0;
}

static int move_flows(struct session *session)
{
	int err = 0;

	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2 && !err; side++)
				err = side_move(dialog->streams[i], side);
	return err ? err : subscriptions_move(session);
}

/* Without a flow there is no side. */
static void close_broken(struct session *session, uint64_t now_ms)
{
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2; side++) {
				const struct side *at = &dialog->streams[i]->sides[side];
				if (!flow_id_is_set(at->rtp.id) || !flow_id_is_set(at->rtcp.id))
					side_close(dialog->streams[i], side, now_ms);
			}
}

/* To the lcore of `to`. Its packets may be lost for as long as this takes. */
static int move(struct session *session, const struct session *to, uint64_t now_ms)
{
	char *name = slice_dup(slice_from(to->affinity_of ? to->affinity_of : to->call_id));
	int err = name ? remember_flows(session) : -ERR_NO_MEMORY;

	if (err) {
		free(name);
		resume_end(session);
		return err;
	}
	free(session->affinity_of);
	session->affinity_of = name;
	session->affinity = to->affinity;
	err = move_flows(session);
	if (err)
		close_broken(session, now_ms);
	session_publish(session);
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		resume_lock(dialog);
	resume_end(session);
	return err;
}

/* Which of the two goes over to the lcore of the other; NULL with 0 = neither need. */
static int choose_move(struct command *command, const struct end *a, const struct end *b,
		       struct session **out)
{
	*out = NULL;
	if (a->session == b->session ||
	    datapath_same_lcore(command->sessions->datapath, a->session->affinity,
				b->session->affinity))
		return 0;
	*out = !is_joined(b->session, party_of(b))   ? b->session
	       : !is_joined(a->session, party_of(a)) ? a->session
						     : NULL;
	if (*out)
		return 0;
	command_error(command, "both calls are connected to others already");
	return -ERR_TOO_MANY;
}

static int name(struct party *party, const char *call_id, struct slice tag)
{
	char *call = slice_dup(slice_from(call_id));
	char *copy = slice_dup(tag);

	if (!call || !copy) {
		free(call);
		free(copy);
		return -ERR_NO_MEMORY;
	}
	forget(party);
	party->connected_call = call;
	party->connected_tag = copy;
	return 0;
}

/* It hears nobody, and nobody hears it. */
static int let_go(const struct end *end)
{
	struct end before = find_peer(end->dialog, end->side);
	int err = name(party_of(end), "", SLICE(""));

	publish_dialog(before.dialog);
	publish_dialog(end->dialog);
	return err;
}

static int join(struct command *command, const struct end *a, const struct end *b)
{
	const struct options *options = &command->options;
	int err = 0;

	if (a->dialog == b->dialog) { /* as offer and answer had it */
		forget(party_of(a));
		forget(party_of(b));
	} else {
		err = name(party_of(a), b->session->call_id, options->to_tag);
		if (!err)
			err = name(party_of(b), a->session->call_id, options->from_tag);
	}
	publish_dialog(a->dialog);
	publish_dialog(b->dialog);
	return err;
}

static int connect_ends(struct command *command, const struct end *a, const struct end *b)
{
	struct session *moved;

	if (check_media(command, a, b) != 0 || choose_move(command, a, b, &moved) != 0)
		return -ERR_INVALID;
	int err = let_go(a);
	if (!err)
		err = let_go(b);
	if (!err && moved)
		err = move(moved, moved == b->session ? a->session : b->session, command->now_ms);
	if (!err)
		err = join(command, a, b);
	if (err)
		command_error(command, "%s", err_text(err));
	return err;
}

void command_connect(struct command *command)
{
	const struct options *options = &command->options;
	struct slice to_call = ng_get_string(command->request->dict, "to-call-id");
	struct end a = {.dialog = NULL}, b = {.dialog = NULL};

	if (!command_session(command))
		return;
	if (!options->from_tag.len || !options->to_tag.len) {
		command_error(command, "No %s in message",
			      options->from_tag.len ? "to-tag" : "from-tag");
		return;
	}
	if (option(options, OPTION_DIRECTIONAL)) {
		command_error(command, "directional is not supported: subscribe instead");
		return;
	}
	if (find_end(command, options->call_id, options->from_tag, "call-id", &a) != 0 ||
	    find_end(command, to_call.len ? to_call : options->call_id, options->to_tag,
		     "to-call-id", &b) != 0)
		return;
	if (a.dialog == b.dialog && a.side == b.side) {
		command_error(command, "from-tag and to-tag are one party");
		return;
	}
	if (connect_ends(command, &a, &b) != 0)
		return;
	session_touch(a.session, command->now_ms);
	session_touch(b.session, command->now_ms);
	keep_now(b.session); /* the other's is kept behind every command */
	log_info(command->sessions->log, "session.connected", "call=%s with=%s", a.session->call_id,
		 b.session->call_id);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}
