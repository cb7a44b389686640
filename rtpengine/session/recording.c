/* recording.c - commands that write a call to a capture file. The whole call is recorded; what is
 * paused goes on in the same file. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/participant.h"

#include <ctype.h>
#include <stdio.h>

#define NAME_CALL_ID_MAX 100

/* CALL-ID-TIME.pcapng, with what has no place in a file's name made '_'. */
static void name_of(const struct session *session, uint64_t now_ms, char *out, size_t size)
{
	int at = snprintf(out, size, "%.*s-%llu.pcapng", NAME_CALL_ID_MAX, session->call_id,
			  (unsigned long long)(session_wall_us(session->all, now_ms) / 1000));

	for (int i = 0; i < at && out[i]; i++)
		if (!isalnum((unsigned char)out[i]) && !strchr("-_@.:+", out[i]))
			out[i] = '_';
	if (out[0] == '.')
		out[0] = '_';
}

static const char *why(int err)
{
	return err == -ERR_UNSUPPORTED ? "relay.recordings is not set"
	       : err == -ERR_INVALID   ? "recording-file must be a plain file name"
	       : err == -ERR_EXISTS    ? "there is a recording with this name already"
	       : err == -ERR_TOO_MANY  ? "too many calls are recorded"
				       : err_text(err);
}

int recording_start(struct command *command, struct session *session)
{
	struct recorder *recorder = session->all->recorder;
	struct slice name = ng_get_string(command->request->dict, "recording-file");
	char own[NAME_CALL_ID_MAX + 40];

	if (!recorder) {
		command_error(command, "this relay does not record (relay.recordings is not set)");
		return -ERR_UNSUPPORTED;
	}
	if (session->recording) {
		session->recording_is_paused = false;
		return 0;
	}
	if (!name.len)
		name = ng_get_string(command->request->dict, "output-destination");
	if (!name.len) {
		name_of(session, command->now_ms, own, sizeof(own));
		name = slice_from(own);
	}
	int err = recorder_open(recorder, name, &session->recording);
	if (err) {
		command_error(command, "cannot record: %s", why(err));
		return err;
	}
	session->recording_is_paused = false;
	struct ng_value *files =
		ng_dict_add_list(command->request->arena, command->reply, "recordings");
	ng_list_add_string(command->request->arena, files,
			   arena_copy(command->request->arena, name));
	log_info(session->all->log, "recording.started", "call=%s file=%.*s", session->call_id,
		 SLICE_ARG(name));
	return 0;
}

void recording_stop(struct session *session, bool is_kept)
{
	if (!session->recording)
		return;
	if (is_kept)
		recorder_close(session->all->recorder, session->recording);
	else
		recorder_discard(session->all->recorder, session->recording);
	log_info(session->all->log, is_kept ? "recording.stopped" : "recording.discarded",
		 "call=%s", session->call_id);
	session->recording = 0;
}

void command_start_recording(struct command *command)
{
	struct session *session = command_session(command);

	if (!session || recording_start(command, session) != 0)
		return;
	session_publish(session);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}

static bool asks_to_pause(const struct command *command)
{
	return ng_name_equal(command->request->command, SLICE("pause recording")) ||
	       option(&command->options, OPTION_PAUSE) ||
	       slice_equal_nocase(ng_get_string(command->request->dict, "pause"), SLICE("yes"));
}

void command_stop_recording(struct command *command)
{
	struct session *session = command_session(command);

	if (!session)
		return;
	if (asks_to_pause(command))
		session->recording_is_paused = true;
	else
		recording_stop(session, !option(&command->options, OPTION_DISCARD));
	session_publish(session);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}
