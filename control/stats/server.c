/* server.c - commands of the stats socket and their answers; connections are in reader.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/server.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control/stats/private.h"

/* --- commands --- */

static bool command_fits(const char *name, struct slice line, struct slice *args)
{
	struct slice want = slice_from(name);
	if (!slice_starts(line, want))
		return false;
	struct slice rest = slice_sub(line, want.len, SIZE_MAX);
	if (rest.len && rest.data[0] != ' ' && rest.data[0] != '\t')
		return false; /* "show callsigns" is not "show calls" */
	*args = slice_trim(rest);
	return true;
}

static const struct stats_command *command_find(const struct stats_server *server,
						struct slice line, struct slice *args)
{
	const struct stats_command *best = NULL;
	size_t best_len = 0;
	for (size_t i = 0; i < server->config.command_count; i++) {
		const struct stats_command *command = &server->config.commands[i];
		size_t len = strlen(command->name);
		struct slice rest;
		if (len >= best_len && command_fits(command->name, line, &rest)) {
			best = command;
			best_len = len;
			*args = rest;
		}
	}
	return best;
}

static json_t *help_answer(const struct stats_server *server)
{
	json_t *list = json_array();
	for (size_t i = 0; i < server->config.command_count; i++) {
		const struct stats_command *command = &server->config.commands[i];
		json_t *row = json_pack("{s:s, s:s}", "command", command->name, "what",
					command->help ? command->help : "");
		if (json_array_append_new(list, row)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *unknown_answer(const struct stats_server *server)
{
	json_t *names = json_array();
	for (size_t i = 0; i < server->config.command_count; i++) {
		if (json_array_append_new(names, json_string(server->config.commands[i].name))) {
			json_decref(names);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o}", "error", "unknown command", "commands", names);
}

/* --- replies --- */

static void reply_unlink(struct stats_reply *reply)
{
	wheel_cancel(loop_wheel(reply->server->config.loop), &reply->timeout);
	if (reply->reader)
		reply->reader->reply = NULL;
	reply->reader = NULL;
}

static void reply_free(struct stats_reply *reply)
{
	reply_unlink(reply);
	if (reply->next)
		reply->next->link = reply->link;
	*reply->link = reply->next;
	reply->server->reply_count--;
	free(reply);
}

void stats_reply_abandon(struct stats_reply *reply)
{
	reply_unlink(reply);
}

/* The handler still holds the reply: it is freed when the handler completes it. */
static void on_reply_timeout(struct timer *timer, uint64_t now_ms)
{
	struct stats_reply *reply = container_of(timer, struct stats_reply, timeout);
	struct stats_reader *reader = reply->reader;
	(void)now_ms;
	reply_unlink(reply);
	stats_reader_answer(reader, json_pack("{s:s}", "error", "timed out"));
}

void stats_reply_done(struct stats_reply *reply, json_t *value)
{
	struct stats_reader *reader = reply->reader;
	reply_free(reply);
	if (reader)
		stats_reader_answer(reader, value);
	else
		json_decref(value);
}

void stats_reply_error(struct stats_reply *reply, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* The text may quote the reader: what is not UTF-8 must not cost it the answer. */
	json_t *error = json_string(text);
	if (!error)
		error = json_string("invalid argument");
	stats_reply_done(reply, json_pack("{s:o}", "error", error));
}

static struct stats_reply *reply_create(struct stats_reader *reader)
{
	struct stats_server *server = reader->server;
	struct loop *loop = server->config.loop;
	if (server->reply_count >= STATS_REPLY_LIMIT)
		return NULL;
	struct stats_reply *reply = calloc(1, sizeof(*reply));
	if (!reply)
		return NULL;
	reply->server = server;
	reply->reader = reader;
	reader->reply = reply;
	reply->next = server->replies;
	if (reply->next)
		reply->next->link = &reply->next;
	reply->link = &server->replies;
	server->replies = reply;
	server->reply_count++;
	wheel_arm(loop_wheel(loop), &reply->timeout,
		  loop_now_ms(loop) + server->config.reply_timeout_ms, on_reply_timeout);
	return reply;
}

void stats_server_command(struct stats_reader *reader, struct slice line)
{
	struct stats_server *server = reader->server;
	struct slice args = SLICE_NONE;
	const struct stats_command *command = command_find(server, line, &args);
	if (!command) {
		bool help = slice_equal(line, SLICE("help"));
		stats_reader_answer(reader, help ? help_answer(server) : unknown_answer(server));
		return;
	}
	struct stats_reply *reply = reply_create(reader);
	if (reply)
		command->fn(server->config.owner, args, reply);
	else
		stats_reader_answer(reader, json_pack("{s:s}", "error", "busy"));
}

/* --- beginning and end --- */

static void defaults_set(struct stats_server_config *config)
{
	if (!config->mode)
		config->mode = 0660;
	if (!config->readers_limit)
		config->readers_limit = 32;
	if (!config->reply_timeout_ms)
		config->reply_timeout_ms = 2000;
	if (!config->stall_timeout_ms)
		config->stall_timeout_ms = 10000;
	if (!config->answer_limit)
		config->answer_limit = (size_t)64 * 1024 * 1024;
}

int stats_server_create(const struct stats_server_config *config, struct stats_server **out)
{
	struct stats_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ERR_NO_MEMORY;
	server->config = *config;
	defaults_set(&server->config);
	int err = stats_listen(config->log, config->path, server->config.mode, &server->fd);
	if (err)
		goto fail_listen;
	err = -ERR_NO_MEMORY;
	server->path = slice_dup(slice_from(config->path));
	if (!server->path)
		goto fail;
	err = loop_io_add(config->loop, server->fd, LOOP_READ, stats_reader_accept, server,
			  &server->io);
	if (err)
		goto fail;

	*out = server;
	return 0;
fail:
	free(server->path);
	unlink(config->path);
	close(server->fd);
fail_listen:
	free(server);
	return err;
}

void stats_server_destroy(struct stats_server *server)
{
	if (!server)
		return;
	while (server->readers)
		stats_reader_close(server->readers);
	while (server->replies)
		reply_free(server->replies);
	loop_io_remove(server->io);
	unlink(server->path);
	close(server->fd);
	free(server->path);
	free(server);
}

uint32_t stats_server_readers(const struct stats_server *server)
{
	return server->reader_count;
}
