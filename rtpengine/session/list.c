/* list.c - Call-IDs, oldest first. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#define LIST_DEFAULT 32
#define LIST_BYTES   49152 /* the reply must fit a datagram */

void command_list(struct command *command)
{
	struct arena *arena = command->request->arena;
	int64_t limit = LIST_DEFAULT;
	size_t bytes = 0;

	int err = ng_get_integer(command->request->dict, "limit", &limit);
	if ((err && err != -ERR_NOT_FOUND) || limit < 0) {
		command_error(command, "invalid limit, must be positive");
		return;
	}
	ng_dict_add_string(arena, command->reply, "result", SLICE("ok"));
	struct ng_value *calls = ng_dict_add_list(arena, command->reply, "calls");
	for (const struct session *session = command->sessions->first; session && limit > 0;
	     session = session->next, limit--) {
		struct slice call_id = slice_from(session->call_id);
		bytes += call_id.len + 8;
		if (bytes > LIST_BYTES)
			break;
		ng_list_add_string(arena, calls, call_id);
	}
}
