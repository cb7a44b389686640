/* unanswered.c - requests that went out whole by a connection: when it breaks, their transactions
 * hear of it and need not wait for their timers (RFC 3261 8.1.3.1, 17.1.4). The last ones only:
 * what was answered meanwhile finds nobody. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <stdlib.h>

enum { ROOM_MIN = 4, ROOM_MAX = 256 };

struct unanswered {
	uint32_t room;
	uint32_t next; /* counts up */
	uint64_t tokens[];
};

static struct unanswered *grow(struct unanswered *list)
{
	uint32_t room = list ? 2 * list->room : ROOM_MIN;
	struct unanswered *grown = realloc(list, sizeof(*list) + room * sizeof(uint64_t));

	if (!grown)
		return list; /* the oldest one is forgotten */
	if (!list)
		grown->next = 0;
	grown->room = room;
	return grown;
}

void unanswered_add(struct connection *connection, uint64_t token)
{
	struct unanswered *list = connection->unanswered;

	if (!list || (list->next == list->room && list->room < ROOM_MAX))
		list = connection->unanswered = grow(list);
	if (list)
		list->tokens[list->next++ % list->room] = token;
}

void unanswered_tell(struct connection *connection)
{
	struct unanswered *list = connection->unanswered;
	struct transport_path path;

	if (!list)
		return;
	connection_path(connection, &path);
	for (uint32_t i = 0; i < list->room && i < list->next; i++)
		transport_failed(connection->transport, &path, list->tokens[i], -ERR_LOST);
	free(list);
	connection->unanswered = NULL;
}
