/* What a reader says on the stats socket: every command line gets one line of JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/base/buf.h"
#include "control/stats/server.h"

enum {
	LINE_LIMIT = 1024,
	INPUT_LIMIT = 16 * 1024 /* fits a socket's buffer */
};

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void echo(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)owner;
	stats_reply_error(reply, "%.*s", SLICE_ARG(args));
}

static void now(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)owner;
	stats_reply_done(reply, json_pack("{s:i}", "length", (int)args.len));
}

static const struct stats_command commands[] = {
	{"show", "short", now},
	{"show calls", "long", echo},
	{"show call", "middle", now},
};

struct session {
	struct loop *loop;
	struct stats_server *server;
	int fd;
	struct buf in;
};

static void on_answer(void *owner, int events)
{
	struct session *session = owner;
	(void)events;
	char *room = buf_reserve(&session->in, 65536);
	check(room != NULL);
	ssize_t n = recv(session->fd, room, 65536, MSG_DONTWAIT);
	check(n >= 0 || errno == EAGAIN || errno == ECONNRESET);
	if (n > 0)
		session->in.len += (size_t)n;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		loop_stop(session->loop);
}

/* Lines that want an answer; a line that is too long ends the connection. */
static unsigned answers_due(struct slice input, bool *cut)
{
	unsigned due = 0;
	*cut = false;
	while (input.len) {
		size_t end = slice_find(input, '\n');
		if (end >= LINE_LIMIT) {
			*cut = true;
			return due + 1;
		}
		due += slice_trim(slice_sub(input, 0, end)).len > 0;
		input = slice_sub(input, end + 1, SIZE_MAX);
	}
	return due;
}

static void check_answers(const struct buf *in, unsigned due)
{
	struct slice rest = buf_slice(in);
	unsigned count = 0;
	while (rest.len) {
		size_t end = slice_find(rest, '\n');
		check(end < rest.len);
		json_t *json = json_loadb(rest.data, end, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		check(json != NULL);
		json_decref(json);
		rest = slice_sub(rest, end + 1, SIZE_MAX);
		count++;
	}
	check(count == due);
}

static void talk(struct session *session, const struct sockaddr_un *address, struct slice input)
{
	struct loop_io *io = NULL;
	bool cut;
	session->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(connect(session->fd, (const void *)address, sizeof(*address)) == 0);
	check(send(session->fd, input.data, input.len, MSG_NOSIGNAL) == (ssize_t)input.len);
	shutdown(session->fd, SHUT_WR);
	check(loop_io_add(session->loop, session->fd, LOOP_READ, on_answer, session, &io) == 0);
	loop_run(session->loop);
	loop_io_remove(io);
	close(session->fd);
	unsigned due = answers_due(input, &cut);
	if (!cut) /* what follows a line that is too long may reset the connection */
		check_answers(&session->in, due);
	buf_free(&session->in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct log log = {.level = LOG_ERROR, .fd = 2, .program = "fuzz"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct session session = {.fd = -1};
	if (size == 0 || size > INPUT_LIMIT)
		return 0;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/postern-fuzz-stats-%d.sock",
		 (int)getpid());
	check(loop_create(&session.loop) == 0);
	const struct stats_server_config config = {
		.loop = session.loop,
		.log = &log,
		.path = address.sun_path,
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};
	check(stats_server_create(&config, &session.server) == 0);
	talk(&session, &address, (struct slice){(const char *)data, size});
	check(stats_server_readers(session.server) == 0);
	stats_server_destroy(session.server);
	check(wheel_armed(loop_wheel(session.loop)) == 0);
	loop_destroy(session.loop);
	return 0;
}
