/* participant.c - selection of participants. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/participant.h"

static int set_label(struct command *command, struct session *session,
		     const struct participants *who)
{
	struct slice label = ng_get_string(command->request->dict, "set-label");

	if (!label.len || who->is_everybody)
		return 0;
	if (label.len > SESSION_MAX_TEXT || memchr(label.data, 0, label.len)) {
		command_error(command, "set-label is no text of at most %d bytes",
			      SESSION_MAX_TEXT);
		return -ERR_INVALID;
	}
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (int side = 0; side < 2; side++) {
			if (!participants_mean(who, dialog, side))
				continue;
			int err = party_set_label(&dialog->parties[side], label);
			if (err) {
				command_error(command, "%s", err_text(err));
				return err;
			}
		}
	return 0;
}

int participants_read(struct command *command, struct session *session, bool tag_needs_flag,
		      struct participants *out)
{
	const struct ng_value *dict = command->request->dict;
	const struct options *options = &command->options;
	struct slice address = ng_get_string(dict, "address");

	*out = (struct participants){.label = ng_get_string(dict, "label")};
	if (slice_is_empty(out->label))
		out->label = ng_get_string(dict, "from-label");
	if (options->refused[0]) {
		command_error(command, "%s", options->refused);
		return -ERR_UNSUPPORTED;
	}
	if (address.len && addr_parse_ip(address, &out->address) != 0) {
		command_error(command, "address: \"%.*s\" is no IP address",
			      (int)(address.len < 64 ? address.len : 64), address.data);
		return -ERR_INVALID;
	}
	if (!out->label.len && !address.len &&
	    (!tag_needs_flag || option(options, OPTION_DIRECTIONAL)))
		out->tag = options->from_tag;
	out->is_everybody =
		option(options, OPTION_ALL) || (!out->tag.len && !out->label.len && !address.len);
	return set_label(command, session, out);
}

static bool has_address(const struct dialog *dialog, int side, const struct addr *address)
{
	for (unsigned i = 0; i < dialog->stream_count; i++)
		if (addr_equal_ip(&dialog->streams[i]->sides[side].now.rtp, address))
			return true;
	return false;
}

bool participants_mean(const struct participants *participants, const struct dialog *dialog,
		       int side)
{
	const struct party *party = &dialog->parties[side];

	if (participants->is_everybody)
		return true;
	if (participants->tag.len)
		return dialog_side(dialog, participants->tag) == side;
	if (participants->label.len)
		return party->label && slice_equal(slice_from(party->label), participants->label);
	return has_address(dialog, side, &participants->address);
}

struct session *command_session(struct command *command)
{
	struct session *session;

	if (slice_is_empty(command->options.call_id)) {
		command_error(command, "No call-id in message");
		return NULL;
	}
	session = session_find(command->sessions, command->options.call_id);
	if (!session)
		command_error(command, "Unknown call-id");
	return session;
}
