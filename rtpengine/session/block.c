/* block.c - commands that stop or silence media, or stop telephone events: of the call or of single
 * participants, kept apart: undoing one does not undo the other, but for the flag `all`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/participant.h"

static void set(uint8_t *blocks, enum session_block what, bool on)
{
	*blocks = (uint8_t)(on ? *blocks | what : *blocks & ~what);
}

static unsigned set_participants(struct session *session, const struct participants *who,
				 enum session_block what, bool on)
{
	unsigned found = 0;

	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (int side = 0; side < 2; side++)
			if (participants_mean(who, dialog, side)) {
				set(&dialog->parties[side].blocks, what, on);
				found++;
			}
	return found;
}

static void change(struct command *command, enum session_block what, bool on)
{
	struct session *session = command_session(command);
	struct participants who;

	if (!session || participants_read(command, session, true, &who) != 0)
		return;
	if (who.is_everybody) {
		set(&session->blocks, what, on);
		if (!on && option(&command->options, OPTION_ALL))
			set_participants(session, &who, what, false);
	} else if (!set_participants(session, &who, what, on)) {
		command_error(command, "no such participant in this call");
		return;
	}
	session_publish(session);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}

void command_block_media(struct command *command)
{
	change(command, BLOCK_MEDIA, true);
}

void command_unblock_media(struct command *command)
{
	change(command, BLOCK_MEDIA, false);
}

void command_silence_media(struct command *command)
{
	change(command, BLOCK_TO_SILENCE, true);
}

void command_unsilence_media(struct command *command)
{
	change(command, BLOCK_TO_SILENCE, false);
}

void command_block_dtmf(struct command *command)
{
	change(command, BLOCK_DTMF, true);
}

void command_unblock_dtmf(struct command *command)
{
	change(command, BLOCK_DTMF, false);
}
