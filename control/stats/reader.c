/* reader.c - one connection to the stats socket: lines in, answers out, one at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control/stats/private.h"

void stats_reader_close(struct stats_reader *reader)
{
	struct stats_server *server = reader->server;
	if (reader->reply)
		stats_reply_abandon(reader->reply);
	wheel_cancel(loop_wheel(server->config.loop), &reader->stall);
	if (reader->next)
		reader->next->link = reader->link;
	*reader->link = reader->next;
	server->reader_count--;
	loop_io_remove(reader->io);
	close(reader->fd);
	buf_free(&reader->out);
	free(reader);
}

static void on_stall(struct timer *timer, uint64_t now_ms)
{
	struct stats_reader *reader = container_of(timer, struct stats_reader, stall);
	(void)now_ms;
	log_warn(reader->server->config.log, "stats.reader_stalled", "unsent_bytes=%zu",
		 reader->out.len - reader->out_sent);
	stats_reader_close(reader);
}

static void stall_arm(struct stats_reader *reader)
{
	const struct stats_server_config *config = &reader->server->config;
	wheel_arm(loop_wheel(config->loop), &reader->stall,
		  loop_now_ms(config->loop) + config->stall_timeout_ms, on_stall);
}

static int write_chunk(const char *bytes, size_t len, void *owner)
{
	struct stats_reader *reader = owner;
	buf_add(&reader->out, (struct slice){bytes, len});
	bool full = reader->out.len > reader->server->config.answer_limit;
	return buf_failed(&reader->out) || full ? -1 : 0;
}

static void answer_write(struct stats_reader *reader, json_t *value)
{
	const char *error = NULL;
	if (!value)
		error = "out of memory";
	else if (json_dump_callback(value, write_chunk, reader, JSON_COMPACT | JSON_ENCODE_ANY))
		error = "answer too large";
	json_decref(value);
	if (error) {
		buf_free(&reader->out);
		buf_printf(&reader->out, "{\"error\":\"%s\"}", error);
	}
	buf_add_char(&reader->out, '\n');
}

static bool is_busy(const struct stats_reader *reader)
{
	return reader->reply || reader->out.len;
}

/* What the kernel takes now; false when the reader was closed. */
static bool reader_send(struct stats_reader *reader)
{
	while (reader->out_sent < reader->out.len) {
		ssize_t n = send(reader->fd, reader->out.data + reader->out_sent,
				 reader->out.len - reader->out_sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (!timer_is_armed(&reader->stall))
				stall_arm(reader);
			return true;
		}
		if (n < 0) {
			stats_reader_close(reader);
			return false;
		}
		reader->out_sent += (size_t)n;
		if (timer_is_armed(&reader->stall))
			stall_arm(reader); /* slow, but not stalled */
	}
	wheel_cancel(loop_wheel(reader->server->config.loop), &reader->stall);
	buf_free(&reader->out);
	reader->out_sent = 0;
	return true;
}

/* A line that is complete, without its end; the bytes stay in `line` until line_drop(). */
static bool line_find(const struct stats_reader *reader, struct slice *out, size_t *used)
{
	struct slice all = {reader->line, reader->line_len};
	size_t end = slice_find(all, '\n');
	if (end == all.len)
		return false;
	*out = slice_trim(slice_sub(all, 0, end));
	*used = end + 1;
	return true;
}

static void line_drop(struct stats_reader *reader, size_t used)
{
	memmove(reader->line, reader->line + used, reader->line_len - used);
	reader->line_len -= used;
}

/* Watch for what can happen next: room to send, or a command; the end of the connection always. */
static void reader_watch(struct stats_reader *reader)
{
	int events = 0;
	if (reader->out.len)
		events |= LOOP_WRITE;
	if (!is_busy(reader) && !reader->is_ending)
		events |= LOOP_READ;
	loop_io_set(reader->io, events);
}

/* Answers commands already received, until one has to wait. Closes the reader at its end. */
static void reader_continue(struct stats_reader *reader)
{
	struct slice line;
	size_t used;
	if (reader->is_answering)
		return; /* a handler answered at once: the loop below goes on */
	reader->is_answering = true;
	for (;;) {
		if (reader->out.len && !reader_send(reader))
			return;
		if (is_busy(reader) || !line_find(reader, &line, &used))
			break;
		char copy[STATS_LINE_LIMIT];
		struct slice command = {copy, line.len};
		memcpy(copy, line.data, line.len);
		line_drop(reader, used);
		if (command.len)
			stats_server_command(reader, command);
	}
	reader->is_answering = false;
	if (!is_busy(reader) && reader->line_len == sizeof(reader->line)) {
		reader->line_len = 0;
		reader->is_ending = true;
		stats_reader_answer(reader, json_pack("{s:s}", "error", "command too long"));
		return;
	}
	if (!is_busy(reader) && reader->is_ending) {
		stats_reader_close(reader);
		return;
	}
	reader_watch(reader);
}

void stats_reader_answer(struct stats_reader *reader, json_t *value)
{
	answer_write(reader, value);
	if (buf_failed(&reader->out))
		shutdown(reader->fd,
			 SHUT_RDWR); /* no memory even for saying so: it reads the end */
	reader_continue(reader);
}

/* It may still want its answers, and the last line may lack its end. */
static void end_of_input(struct stats_reader *reader)
{
	reader->is_ending = true;
	if (reader->line_len && reader->line_len < sizeof(reader->line))
		reader->line[reader->line_len++] = '\n';
}

static void on_io(void *owner, int events)
{
	struct stats_reader *reader = owner;
	if (events & LOOP_READ) {
		ssize_t n = recv(reader->fd, reader->line + reader->line_len,
				 sizeof(reader->line) - reader->line_len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (n < 0) {
			stats_reader_close(reader);
			return;
		}
		reader->line_len += (size_t)n;
		reader->heard_ms = loop_now_ms(reader->server->config.loop);
		if (n == 0)
			end_of_input(reader);
	}
	reader_continue(reader);
}

static struct stats_reader *reader_create(struct stats_server *server, int fd)
{
	struct stats_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return NULL;
	reader->server = server;
	reader->fd = fd;
	reader->heard_ms = loop_now_ms(server->config.loop);
	buf_init(&reader->out);
	if (loop_io_add(server->config.loop, fd, LOOP_READ, on_io, reader, &reader->io)) {
		free(reader);
		return NULL;
	}
	reader->next = server->readers;
	if (reader->next)
		reader->next->link = &reader->next;
	reader->link = &server->readers;
	server->readers = reader;
	server->reader_count++;
	return reader;
}

/* Connections that ask nothing must not keep out one that does. */
static bool idle_reader_close(struct stats_server *server)
{
	struct stats_reader *idle = NULL;
	for (struct stats_reader *at = server->readers; at; at = at->next) {
		if (!is_busy(at) && (!idle || at->heard_ms <= idle->heard_ms))
			idle = at;
	}
	if (idle)
		stats_reader_close(idle);
	return idle != NULL;
}

void stats_reader_accept(void *owner, int events)
{
	static const char full[] = "{\"error\":\"too many readers\"}\n";
	struct stats_server *server = owner;
	(void)events;
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (server->reader_count >= server->config.readers_limit && !idle_reader_close(server)) {
		/* Best effort: a fresh socket has room for one line. */
		if (send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug(server->config.log, "stats.reader_refused", "errno=%d", errno);
		close(fd);
		return;
	}
	if (!reader_create(server, fd))
		close(fd);
}
