/* server_held.c - requests whose handler waits for something: kept, and given to it once more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/serving.h"

#include <stdlib.h>

#define HELD_MAX   1024
#define HELD_BYTES ((size_t)16 << 20)

bool ng_held_has_room(const struct ng_server *server)
{
	return server->held_count < HELD_MAX && server->held_bytes < HELD_BYTES;
}

struct ng_held *ng_held_add(struct ng_server *server, uint64_t number, ng_again_fn *again,
			    void *owner, struct slice message)
{
	struct ng_held **link = &server->held;
	struct ng_held *held = calloc(1, sizeof(*held) + message.len);

	if (!held)
		return NULL;
	while (*link) /* in their order */
		link = &(*link)->next;
	*link = held;
	held->number = number;
	held->again = again;
	held->owner = owner;
	held->len = message.len;
	if (message.len)
		memcpy(held->data, message.data, message.len);
	server->held_count++;
	server->held_bytes += message.len;
	return held;
}

static void unlink_held(struct ng_server *server, struct ng_held **link)
{
	struct ng_held *held = *link;

	*link = held->next;
	server->held_count--;
	server->held_bytes -= held->len;
}

void ng_held_drop(struct ng_server *server, const void *owner)
{
	struct ng_held **link = &server->held;

	while (*link) {
		struct ng_held *held = *link;

		if (held->owner != owner) {
			link = &held->next;
			continue;
		}
		unlink_held(server, link);
		free(held);
	}
}

void ng_held_end(struct ng_server *server)
{
	while (server->held)
		ng_server_resume(server, server->held->number);
}

/* From the beginning each time: what answers one may close the connection of another. */
void ng_server_resume(struct ng_server *server, uint64_t number)
{
	for (;;) {
		struct ng_held **link = &server->held;

		while (*link && (*link)->number != number)
			link = &(*link)->next;
		struct ng_held *held = *link;
		if (!held)
			return;
		unlink_held(server, link);
		held->again(held);
		free(held);
	}
}
