/* private.h - private to control/stats: the server, its readers, and replies under way.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/stats/server.h"

#define STATS_LINE_LIMIT  1024 /* bytes of a command */
#define STATS_REPLY_LIMIT 1024 /* replies not completed by their handlers */

/* One connection. Owned by the server. It is answered one command at a time: while a reply is
 * under way or unsent, nothing more is read, so it holds one answer at most. */
struct stats_reader {
	struct stats_server *server;
	struct stats_reader *next;
	struct stats_reader **link;
	int fd;
	struct loop_io *io;
	char line[STATS_LINE_LIMIT];
	size_t line_len;
	struct buf out;
	size_t out_sent;
	struct stats_reply *reply; /* under way; NULL = none */
	bool is_answering;         /* commands are being worked through */
	bool is_ending;            /* close once everything is sent */
	uint64_t heard_ms;
	struct timer stall;
};

/* Owned by the server until the handler completes it. */
struct stats_reply {
	struct stats_server *server;
	struct stats_reader *reader; /* NULL = has left or was answered already */
	struct stats_reply *next;
	struct stats_reply **link;
	struct timer timeout;
};

struct stats_server {
	struct stats_server_config config;
	char *path;
	int fd;
	struct loop_io *io;
	struct stats_reader *readers;
	uint32_t reader_count;
	struct stats_reply *replies;
	uint32_t reply_count;
};

/* listen.c: the socket at `path`, replacing one that nobody serves. Logs what is wrong. */
MUST_CHECK int stats_listen(const struct log *log, const char *path, uint32_t mode, int *out);

/* reader.c */
void stats_reader_accept(void *owner, int events); /* owner: the server */
void stats_reader_close(struct stats_reader *reader);
/* Takes the reference to `value`; NULL = no memory. Goes on with the reader's next command. */
void stats_reader_answer(struct stats_reader *reader, json_t *value);

/* server.c */
void stats_server_command(struct stats_reader *reader, struct slice line);
void stats_reply_abandon(struct stats_reply *reply); /* its reader has left */
