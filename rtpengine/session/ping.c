/* ping.c - alive, and who we are: another `instance` than before means that all sessions are gone.
 * To who asks with `since` (the `sequence` of the ping before) also which calls have ended by
 * time-out since then. Clients that know none of it pass it over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#define PING_ENDED_BYTES 49152 /* the reply must fit a datagram; the next ping gets the rest */

static void add_ended(struct command *command, uint64_t since)
{
	const struct sessions *sessions = command->sessions;
	struct arena *arena = command->request->arena;
	uint64_t sequence = since;
	size_t bytes = 0;

	if (since > sessions->ended_sequence) /* a number of another instance */
		sequence = 0;
	if (sessions->ended_sequence - sequence > SESSION_ENDED_KEPT)
		sequence = sessions->ended_sequence - SESSION_ENDED_KEPT;
	struct ng_value *ended = ng_dict_add_list(arena, command->reply, "ended");
	while (sequence < sessions->ended_sequence) {
		const struct ended_call *call =
			&sessions->ended[(sequence + 1) % SESSION_ENDED_KEPT];
		struct slice call_id = slice_from(call->call_id);
		bytes += call_id.len + 8;
		if (bytes > PING_ENDED_BYTES)
			break;
		/* A Call-ID that has a session again is no longer ended. */
		if (!session_find(sessions, call_id))
			ng_list_add_string(arena, ended, call_id);
		sequence++;
	}
	ng_dict_add_integer(arena, command->reply, "sequence", (int64_t)sequence);
}

void command_ping(struct command *command)
{
	struct arena *arena = command->request->arena;
	int64_t since;

	ng_dict_add_string(arena, command->reply, "result", SLICE("pong"));
	ng_dict_add_string(arena, command->reply, "instance",
			   slice_from(command->sessions->instance));
	if (ng_get_integer(command->request->dict, "since", &since) == 0)
		add_ended(command, since > 0 ? (uint64_t)since : 0);
	else
		ng_dict_add_integer(arena, command->reply, "sequence",
				    (int64_t)command->sessions->ended_sequence);
}
