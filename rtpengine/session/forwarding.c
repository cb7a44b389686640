/* forwarding.c - commands that send what participants say, decoded, to a connection of its own for
 * each stream. G.711 alone: nothing here can decode anything else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/participant.h"

void forwarding_stop(struct stream *stream, int side)
{
	struct side *at = &stream->sides[side];

	if (at->forwarding)
		recorder_close(stream->dialog->session->all->recorder, at->forwarding);
	at->forwarding = 0;
}

static const char *why(int err)
{
	return err == -ERR_UNSUPPORTED ? "relay.forwarding is not set"
	       : err == -ERR_TOO_MANY  ? "too many calls are recorded or forwarded"
				       : err_text(err);
}

static bool has_g711(const struct side *side)
{
	return side->now.pcma_type != TYPE_NONE || side->now.pcmu_type != TYPE_NONE;
}

/* Returns how many of its streams are forwarded now; or why not. */
static int start(struct command *command, struct dialog *dialog, int side)
{
	struct slice metadata = ng_get_string(command->request->dict, "metadata");
	struct recorder *recorder = command->sessions->recorder;
	int found = 0;

	for (unsigned i = 0; i < dialog->stream_count; i++) {
		struct stream *stream = dialog->streams[i];
		struct side *at = &stream->sides[side];
		if (!stream->is_live || !at->range || !has_g711(at))
			continue;
		int err = at->forwarding ? 0
			  : !recorder    ? -ERR_UNSUPPORTED
					 : recorder_forward(recorder, metadata, at->now.pcma_type,
							    at->now.pcmu_type, &at->forwarding);
		if (err)
			return err;
		found++;
	}
	return found;
}

void command_start_forwarding(struct command *command)
{
	struct session *session = command_session(command);
	struct participants who;
	int found = 0;

	if (!session || participants_read(command, session, true, &who) != 0)
		return;
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		for (int side = 0; side < 2; side++) {
			int more = participants_mean(&who, dialog, side)
					   ? start(command, dialog, side)
					   : 0;
			if (more < 0) {
				session_publish(session);
				command_error(command, "cannot forward: %s", why(more));
				return;
			}
			found += more;
		}
	}
	session_publish(session);
	if (!found)
		command_error(command, "no participant with G.711: nothing else is decoded here");
	else
		ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}

void command_stop_forwarding(struct command *command)
{
	struct session *session = command_session(command);
	struct participants who;

	if (!session || participants_read(command, session, true, &who) != 0)
		return;
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (int side = 0; side < 2; side++)
			for (unsigned i = 0; i < dialog->stream_count; i++)
				if (participants_mean(&who, dialog, side))
					forwarding_stop(dialog->streams[i], side);
	session_publish(session);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}
