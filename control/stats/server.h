/* server.h - the stats socket: a Unix socket, one command line in, one JSON document on one line
 * out, as many times as the reader likes. Lives in one loop's thread (the main one).
 * A reader that stalls holds one answer in memory until its time-out and delays nobody.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <jansson.h>
#include "control/base/log.h"
#include "control/base/loop.h"
#include "control/base/slice.h"

struct stats_server;
struct stats_reply;

/* A handler answers by calling stats_reply_done() or stats_reply_error() exactly once, now or
 * later (the sbc asks its workers first). `args` is what follows the command's name, trimmed; it
 * is valid only during the call. */
typedef void stats_command_fn(void *owner, struct slice args, struct stats_reply *reply);

struct stats_command {
	const char *name; /* "show calls"; the longest that fits wins */
	const char *help; /* one line, listed by `help` */
	stats_command_fn *fn;
};

struct stats_server_config {
	struct loop *loop;
	const struct log *log;
	const char *path;                     /* of the socket; copied */
	uint32_t mode;                        /* 0 = 0660 */
	const struct stats_command *commands; /* not copied; `help` is added by the server */
	size_t command_count;
	void *owner;
	uint32_t readers_limit;    /* 0 = 32 */
	uint32_t reply_timeout_ms; /* for a handler that answers later; 0 = 2000 */
	uint32_t stall_timeout_ms; /* for a reader that takes nothing; 0 = 10000 */
	size_t answer_limit;       /* bytes of one answer; 0 = 64 MiB */
};

/* A socket left over by a dead process is replaced. -ERR_EXISTS when a living server answers there,
 * -ERR_TOO_LARGE when the path does not fit a socket address, -ERR_DENIED, -ERR_NOT_FOUND (folder);
 * each is logged with its cure. */
MUST_CHECK int stats_server_create(const struct stats_server_config *config,
				   struct stats_server **out);
/* Removes the socket. Replies not yet completed are gone: do not complete them after this. */
void stats_server_destroy(struct stats_server *server); /* NULL is fine */
uint32_t stats_server_readers(const struct stats_server *server);

/* Takes the reference to `value` (NULL = "out of memory"). From the server's thread only. A reader
 * that has left, or was answered by the time-out, is no error. */
void stats_reply_done(struct stats_reply *reply, json_t *value);
void stats_reply_error(struct stats_reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
