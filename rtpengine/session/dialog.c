/* dialog.c - which dialog of a session a request speaks of.
 * A fork below us makes several tags answer one offer (RFC 3261 12.1): they share the dialog's
 * ports, and whoever answered last has them. Branches that got an offer each (via-branch) are
 * dialogs of their own. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <stdlib.h>

int dialog_create(struct session *session, uint64_t now_ms, struct dialog **out)
{
	struct dialog *dialog = calloc(1, sizeof(*dialog));
	if (!dialog)
		return -ERR_NO_MEMORY;
	dialog->session = session;
	dialog->offerer = -1;
	for (int side = 0; side < 2; side++) {
		dialog->parties[side].created_ms = now_ms;
		dialog->parties[side].dscp = -1;
		dialog->parties[side].idle_timeout_ms = -1;
	}
	struct dialog **at = &session->dialogs;
	while (*at)
		at = &(*at)->next;
	*at = dialog;
	session->dialog_count++;
	*out = dialog;
	return 0;
}

static void party_free(struct party *party)
{
	while (party->aliases) {
		struct tag_alias *alias = party->aliases;
		party->aliases = alias->next;
		free(alias->tag);
		free(alias);
	}
	free(party->tag);
	free(party->label);
	free(party->connected_call);
	free(party->connected_tag);
	free(party->sdp);
	free(party->origin_username);
	free(party->origin_session_id);
	free(party->session_name);
}

void dialog_destroy(struct dialog *dialog, uint64_t now_ms)
{
	struct session *session = dialog->session;
	struct dialog **at = &session->dialogs;

	while (*at != dialog)
		at = &(*at)->next;
	*at = dialog->next;
	session->dialog_count--;
	for (unsigned i = 0; i < dialog->stream_count; i++)
		stream_destroy(dialog->streams[i], now_ms);
	party_free(&dialog->parties[0]);
	party_free(&dialog->parties[1]);
	free(dialog->via_branch);
	free(dialog);
}

static bool party_has_tag(const struct party *party, struct slice tag)
{
	if (party->tag && slice_equal(slice_from(party->tag), tag))
		return true;
	for (const struct tag_alias *alias = party->aliases; alias; alias = alias->next) {
		if (slice_equal(slice_from(alias->tag), tag))
			return true;
	}
	return false;
}

int dialog_side(const struct dialog *dialog, struct slice tag)
{
	for (int side = 0; side < 2; side++) {
		if (party_has_tag(&dialog->parties[side], tag))
			return side;
	}
	return -1;
}

/* The tag that answered before stays known, so that its requests still find this dialog. */
static int party_keep_alias(struct party *party)
{
	struct tag_alias *alias = calloc(1, sizeof(*alias));
	if (!alias)
		return -ERR_NO_MEMORY;
	alias->tag = party->tag;
	alias->next = party->aliases;
	party->aliases = alias;
	party->tag = NULL;
	if (party->alias_count < SESSION_MAX_ALIASES) {
		party->alias_count++;
		return 0;
	}
	while (alias->next->next)
		alias = alias->next;
	free(alias->next->tag);
	free(alias->next);
	alias->next = NULL;
	return 0;
}

static void party_drop_alias(struct party *party, struct slice tag)
{
	for (struct tag_alias **at = &party->aliases; *at; at = &(*at)->next) {
		struct tag_alias *alias = *at;
		if (!slice_equal(slice_from(alias->tag), tag))
			continue;
		*at = alias->next;
		party->alias_count--;
		free(alias->tag);
		free(alias);
		return;
	}
}

int party_set_tag(struct party *party, struct slice tag)
{
	if (party->tag && slice_equal(slice_from(party->tag), tag))
		return 0;
	char *copy = slice_dup(tag);
	if (!copy)
		return -ERR_NO_MEMORY;
	if (party->tag && party_keep_alias(party) != 0) {
		free(copy);
		return -ERR_NO_MEMORY;
	}
	party_drop_alias(party, tag);
	party->tag = copy;
	return 0;
}

int party_set_sdp(struct party *party, struct slice sdp)
{
	char *copy = slice_dup(sdp);

	if (!copy)
		return -ERR_NO_MEMORY;
	free(party->sdp);
	party->sdp = copy;
	return 0;
}

int party_set_label(struct party *party, struct slice label)
{
	if (slice_is_empty(label) || slice_equal(slice_from(party->label), label))
		return 0;
	char *copy = slice_dup(label);
	if (!copy)
		return -ERR_NO_MEMORY;
	free(party->label);
	party->label = copy;
	return 0;
}

static bool branch_equal(const struct dialog *dialog, struct slice branch)
{
	return slice_equal(slice_from(dialog->via_branch), branch);
}

/* The dialog both tags belong to, on different sides. */
static struct dialog *find_pair(struct session *session, struct slice from, struct slice to,
				int *from_side)
{
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		for (int side = 0; side < 2 && !dialog->is_published; side++) {
			if (party_has_tag(&dialog->parties[side], from) &&
			    party_has_tag(&dialog->parties[1 - side], to)) {
				*from_side = side;
				return dialog;
			}
		}
	}
	return NULL;
}

/* One whose other side has not shown its tag yet: an early dialog's UPDATE names it first. */
static struct dialog *find_untagged(struct session *session, struct slice from, int *from_side)
{
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		int side = dialog_side(dialog, from);
		if (side >= 0 && !dialog->parties[1 - side].tag && !dialog->is_published) {
			*from_side = side;
			return dialog;
		}
	}
	*from_side = 0;
	return NULL;
}

/* Of the offers `from` made, the one of this branch; without a branch, the last one made. */
static struct dialog *find_offered(struct session *session, struct slice from, struct slice branch,
				   bool need_open)
{
	struct dialog *found = NULL;

	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		if (dialog->is_published || !party_has_tag(&dialog->parties[0], from))
			continue;
		if (branch.len && dialog->via_branch && !branch_equal(dialog, branch))
			continue;
		if (branch.len && branch_equal(dialog, branch))
			return dialog;
		/* one that nobody has answered yet is the better guess */
		if (!found || (need_open && found->parties[1].tag && !dialog->parties[1].tag))
			found = dialog;
	}
	return found;
}

struct dialog *session_dialog_for_offer(struct session *session, const struct options *options,
					int *from)
{
	*from = 0;
	if (options->to_tag.len) {
		struct dialog *dialog =
			find_pair(session, options->from_tag, options->to_tag, from);
		return dialog ? dialog : find_untagged(session, options->from_tag, from);
	}
	if (option(options, OPTION_NEW_BRANCH))
		return NULL;
	struct dialog *dialog =
		find_offered(session, options->from_tag, options->via_branch, false);
	/* A branch that has none yet gets a dialog of its own. */
	if (dialog && options->via_branch.len && !branch_equal(dialog, options->via_branch))
		return NULL;
	return dialog;
}

struct dialog *session_dialog_for_answer(struct session *session, const struct options *options,
					 int *from)
{
	int offerer;
	struct dialog *dialog = find_pair(session, options->from_tag, options->to_tag, &offerer);

	if (!dialog) {
		dialog = find_offered(session, options->from_tag, options->via_branch, true);
		offerer = 0;
	}
	*from = 1 - offerer;
	return dialog;
}
