/* delete.c - the end of a call, or of one branch of it. The last numbers go with the reply.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

static void not_found(struct command *command)
{
	static const char text[] = "Call-ID not found or tags didn't match";

	if (option(&command->options, OPTION_FATAL)) {
		command_error(command, "%s", text);
		return;
	}
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(command->request->arena, command->reply, "warning", slice_from(text));
}

/* With tags only what belongs to them is meant: the pair, the branch, or all that one tag is in. */
static bool is_meant(const struct dialog *dialog, const struct options *options)
{
	if (slice_is_empty(options->from_tag))
		return true;
	int side = dialog_side(dialog, options->from_tag);
	/* The callee's own BYE may carry the tags the other way round. */
	if (side < 0)
		return option(options, OPTION_TO_TAG) && options->to_tag.len &&
		       dialog_side(dialog, options->to_tag) >= 0;
	/* A refusal (487) has a To tag that never answered: nobody's tag is meant too. */
	if (option(options, OPTION_TO_TAG) && options->to_tag.len && dialog->parties[1 - side].tag)
		return dialog_side(dialog, options->to_tag) == 1 - side;
	if (options->via_branch.len && dialog->via_branch)
		return slice_equal(slice_from(dialog->via_branch), options->via_branch);
	return true;
}

static unsigned count_meant(const struct session *session, const struct options *options)
{
	unsigned count = 0;

	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		count += is_meant(dialog, options);
	return count;
}

static void delete_branches(struct session *session, const struct options *options, uint64_t now_ms)
{
	struct dialog *next;

	for (struct dialog *dialog = session->dialogs; dialog; dialog = next) {
		next = dialog->next;
		if (is_meant(dialog, options))
			dialog_destroy(dialog, now_ms);
	}
}

void command_delete(struct command *command)
{
	const struct options *options = &command->options;

	if (slice_is_empty(options->call_id)) {
		command_error(command, "No call-id in message");
		return;
	}
	struct session *session = session_find(command->sessions, options->call_id);
	unsigned meant = session ? count_meant(session, options) : 0;
	if (!meant) {
		not_found(command);
		return;
	}
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
	if (!option(options, OPTION_FAST))
		session_report(session, command);
	if (meant < session->dialog_count) {
		delete_branches(session, options, command->now_ms);
		return;
	}
	if (option(options, OPTION_DISCARD))
		recording_stop(session, false);
	/* Without a delay asked for there is none: the ports rest in quarantine anyway. */
	if (options->delete_delay_s > 0)
		session_delete_later(session, command->now_ms,
				     (uint64_t)options->delete_delay_s * 1000);
	else
		session_end(session, command->now_ms);
}
