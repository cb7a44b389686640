/* redis_server.h - a real redis-server for a test, in a folder of its own, ended by its pid.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>
#include "control/base/buf.h"

struct redis_server {
	char folder[64];
	char socket[96];
	pid_t pid; /* 0 = not running */
};

int redis_server_create(struct redis_server *server); /* the folder; nothing runs yet */
void redis_server_destroy(struct redis_server *server);
/* `option` and `value` may be NULL. Waits until it answers; 0, or -1. */
int redis_server_start(struct redis_server *server, const char *option, const char *value);
void redis_server_kill(struct redis_server *server);
/* One inline command on a connection of its own; the answer without type and CRLF in `out`. */
int redis_server_ask(const struct redis_server *server, const char *command, struct buf *out);
