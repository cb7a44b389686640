/* server_stream.c - NG over TCP and Unix stream sockets, in both encodings: the end of a message is
 * found by scanning it. A peer that reads slowly is answered slowly: nothing more is read from it
 * until its answers are gone. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/serving.h"
#include "control/ng/bencode.h"
#include "control/ng/json.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES      16384
#define READS_AT_ONCE   8
#define ACCEPTS_AT_ONCE 32
#define REST_MS         1000 /* after accept() found no descriptor */
#define REPLY_MAX       (1u << 20)
#define BACKLOG         64
#define MESSAGE_MAX     (NG_MAX_BYTES + NG_COOKIE_MAX_BYTES + 1)

struct ng_connection {
	struct ng_connection *next;
	struct ng_server *server;
	struct addr source; /* family 0: Unix */
	int fd;
	struct loop_io *io;
	struct timer idle; /* armed while half a message or an unsent answer is here */
	struct buf in;
	struct buf out;
	size_t document_at; /* where the document of the message in `in` starts; its cookie is known
			     */
	bool framed;        /* document_at and the scanners are valid */
	bool closing;       /* after what is in `out` */
	bool is_held;       /* the first message in `in` waits; nothing is read meanwhile */
	bool was_held;      /* it has waited */
	struct bencode_scanner bencode;
	struct ng_json_scanner json;
};

static void connection_close(struct ng_connection *connection)
{
	struct ng_server *server = connection->server;
	struct ng_connection **link = &server->connections;

	while (*link != connection)
		link = &(*link)->next;
	*link = connection->next;
	server->connection_count--;
	wheel_cancel(server->wheel, &connection->idle);
	ng_held_drop(server, connection);
	loop_io_remove(connection->io);
	close(connection->fd);
	buf_free(&connection->in);
	buf_free(&connection->out);
	free(connection);
}

static void on_idle(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	connection_close(container_of(timer, struct ng_connection, idle));
}

/* "d7:command..." or "{..." with nothing before it. A cookie may start with a 'd' too, but has no
 * ':' after digits. */
static bool starts_plain(struct slice text, bool *unsure)
{
	size_t i = 1;

	*unsure = false;
	if (text.len && text.data[0] == '{')
		return true;
	if (!text.len || text.data[0] != 'd')
		return false;
	while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9')
		i++;
	*unsure = i == text.len;
	return i > 1 && i < text.len && text.data[i] == ':';
}

/* Find where the document starts: -ERR_AGAIN, -ERR_MALFORMED. */
static int frame_start(struct ng_connection *connection)
{
	struct slice text = buf_slice(&connection->in);
	size_t skip = 0;
	bool unsure;

	while (skip < text.len && strchr(" \r\n\t", text.data[skip]) && text.data[skip])
		skip++;
	buf_consume(&connection->in, skip);
	text = buf_slice(&connection->in);
	if (!text.len)
		return -ERR_AGAIN;
	connection->bencode = (struct bencode_scanner){.at = 0};
	connection->json = (struct ng_json_scanner){.at = 0};
	if (starts_plain(text, &unsure)) {
		connection->document_at = 0;
		connection->framed = true;
		return 0;
	}
	size_t space = slice_find(text, ' ');
	if (space > NG_COOKIE_MAX_BYTES)
		return -ERR_MALFORMED;
	if (space == text.len)
		return -ERR_AGAIN;
	connection->document_at = space + 1;
	connection->framed = true;
	return 0;
}

static void on_again(struct ng_held *held);

static void answer_message(struct ng_connection *connection, size_t document_len)
{
	struct ng_server *server = connection->server;
	struct slice text = buf_slice(&connection->in);
	struct slice document = slice_sub(text, connection->document_at, document_len);

	struct ng_message message = {.source = &connection->source,
				     .document = document,
				     .max_bytes = REPLY_MAX,
				     .may_wait = !connection->was_held};

	if (connection->document_at)
		message.cookie = slice_sub(text, 0, connection->document_at - 1);
	uint64_t wait = ng_server_answer(server, &message, &connection->out);
	if (wait && ng_held_add(server, wait, on_again, connection, SLICE_NONE)) {
		connection->is_held = true;
		connection->framed = false; /* begun anew then */
		return;
	}
	if (wait) /* no memory */
		connection->closing = true;
	connection->was_held = false;
	buf_consume(&connection->in, connection->document_at + document_len);
	connection->framed = false;
	/* The time allowed is that of one message. */
	wheel_cancel(server->wheel, &connection->idle);
}

/* What has no end that can be found cannot be stepped over: say so once, then close. */
static void answer_malformed(struct ng_connection *connection)
{
	struct slice text = buf_slice(&connection->in);
	size_t at = connection->framed ? connection->document_at : 0;
	struct slice document = slice_sub(text, at, text.len - at);

	const struct ng_message message = {
		.source = &connection->source, .document = document, .max_bytes = REPLY_MAX};

	/* Not through the cache. It cannot be run: a whole document is never malformed. */
	if (at)
		buf_add(&connection->out, slice_sub(text, 0, at));
	if (ng_server_answer(connection->server, &message, &connection->out) != 0)
		return;
	buf_clear(&connection->in);
	connection->closing = true;
}

/* Answer the next whole message. -ERR_AGAIN: none; -ERR_MALFORMED: answered, closing. */
static int next_message(struct ng_connection *connection)
{
	size_t len = 0;
	int err = connection->framed ? 0 : frame_start(connection);

	if (!err) {
		struct slice text = buf_slice(&connection->in);
		struct slice document = slice_sub(text, connection->document_at,
						  text.len - connection->document_at);

		if (document.len && document.data[0] == '{')
			err = ng_json_scan_more(&connection->json, document, &len);
		else if (document.len && document.data[0] != 'd')
			err = -ERR_MALFORMED;
		else
			err = bencode_scan_more(&connection->bencode, document, &len);
	}
	if (!err) {
		answer_message(connection, len);
		return 0;
	}
	if (err == -ERR_AGAIN && connection->in.len <= MESSAGE_MAX)
		return err;
	answer_malformed(connection);
	return -ERR_MALFORMED;
}

/* Try to send what is in `out`. -ERR_CLOSED: the peer is gone. */
static int send_answers(struct ng_connection *connection)
{
	while (connection->out.len) {
		ssize_t n = send(connection->fd, connection->out.data, connection->out.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n <= 0)
			return -ERR_CLOSED;
		buf_consume(&connection->out, (size_t)n);
	}
	return 0;
}

/* Answer what is here, as far as the peer takes the answers. */
static int work(struct ng_connection *connection)
{
	int err = send_answers(connection);

	while (!err && !connection->out.len && !connection->closing && !connection->is_held &&
	       connection->in.len) {
		if (next_message(connection) == -ERR_AGAIN)
			break;
		if (buf_failed(&connection->out) || buf_failed(&connection->in))
			return -ERR_NO_MEMORY;
		err = send_answers(connection);
	}
	if (!err && connection->closing && !connection->out.len)
		err = -ERR_CLOSED;
	return err;
}

static int receive(struct ng_connection *connection)
{
	for (unsigned i = 0; i < READS_AT_ONCE && !connection->out.len && !connection->is_held;
	     i++) {
		char *room = buf_reserve(&connection->in, READ_BYTES);

		if (!room)
			return -ERR_NO_MEMORY;
		ssize_t n = recv(connection->fd, room, READ_BYTES, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n <= 0)
			return -ERR_CLOSED;
		connection->in.len += (size_t)n;
		int err = work(connection);
		if (err)
			return err;
	}
	return 0;
}

static void on_connection(void *owner, int events)
{
	struct ng_connection *connection = owner;
	struct ng_server *server = connection->server;
	int err = work(connection);

	if (!err && !connection->out.len && !connection->is_held && (events & LOOP_READ))
		err = receive(connection);
	if (err) {
		connection_close(connection);
		return;
	}
	bool blocked = connection->out.len > 0;
	bool waits = blocked || connection->in.len > 0;

	loop_io_set(connection->io, blocked ? LOOP_WRITE : connection->is_held ? 0 : LOOP_READ);
	if (!waits)
		wheel_cancel(server->wheel, &connection->idle);
	else if (!timer_is_armed(&connection->idle))
		wheel_arm(server->wheel, &connection->idle,
			  ng_server_now_ms(server) + server->idle_ms, on_idle);
}

static void on_again(struct ng_held *held)
{
	struct ng_connection *connection = held->owner;

	connection->is_held = false;
	connection->was_held = true;
	on_connection(connection, LOOP_READ);
}

static void connection_open(struct ng_listener *listener, int fd, const struct addr *source)
{
	struct ng_server *server = listener->server;
	int on = 1;

	if (listener->endpoint.transport == NG_TCP && !ng_server_allows(server, source)) {
		counter_add(&server->counters.denied, 1);
		close(fd);
		return;
	}
	struct ng_connection *connection = server->connection_count < server->max_connections
						   ? calloc(1, sizeof(*connection))
						   : NULL;
	if (!connection) {
		counter_add(&server->counters.dropped, 1);
		log_warn(server->log, "ng.connection-refused", "connections=%u",
			 server->connection_count);
		close(fd);
		return;
	}
	connection->server = server;
	connection->source = *source;
	connection->fd = fd;
	buf_init(&connection->in);
	buf_init(&connection->out);
	if (listener->endpoint.transport == NG_TCP) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	if (loop_io_add(server->loop, fd, LOOP_READ, on_connection, connection, &connection->io)) {
		close(fd);
		free(connection);
		return;
	}
	connection->next = server->connections;
	server->connections = connection;
	server->connection_count++;
}

static void on_rest_over(struct timer *timer, uint64_t now_ms)
{
	struct ng_listener *listener = container_of(timer, struct ng_listener, rest);

	(void)now_ms;
	loop_io_set(listener->io, LOOP_READ);
}

static void on_acceptable(void *owner, int events)
{
	struct ng_listener *listener = owner;
	struct ng_server *server = listener->server;

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(name);
		struct addr source = {.family = 0};
		int fd = accept4(listener->fd, (struct sockaddr *)&name, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			/* The listener would stay readable, and we would spin. */
			log_warn(server->log, "ng.accept-failed", "error=\"%s\"", strerror(errno));
			loop_io_set(listener->io, 0);
			wheel_arm(server->wheel, &listener->rest,
				  ng_server_now_ms(server) + REST_MS, on_rest_over);
			return;
		}
		if (fd < 0)
			return;
		if (listener->endpoint.transport == NG_TCP)
			addr_from_sockaddr((const struct sockaddr *)&name, &source);
		connection_open(listener, fd, &source);
	}
}

/* Is somebody listening on this path? A file that nobody serves is a leftover. */
static bool path_is_served(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool served =
		connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0 || errno == EAGAIN;
	close(fd);
	return served;
}

static int bind_path(struct ng_listener *listener)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct stat status;
	size_t len = strlen(listener->endpoint.path);

	if (!len || len >= sizeof(name.sun_path))
		return -ERR_TOO_LARGE;
	memcpy(name.sun_path, listener->endpoint.path, len);
	if (lstat(name.sun_path, &status) == 0) {
		if (!S_ISSOCK(status.st_mode))
			return -ERR_EXISTS;
		if (path_is_served(&name))
			return -ERR_BUSY;
		(void)unlink(name.sun_path);
	}
	if (bind(listener->fd, (const struct sockaddr *)&name, sizeof(name)) ||
	    chmod(name.sun_path, (mode_t)listener->server->unix_mode))
		return err_from_errno(errno);
	return 0;
}

static int bind_address(struct ng_listener *listener)
{
	struct sockaddr_storage name;
	socklen_t len = addr_to_sockaddr(&listener->endpoint.addr, &name);
	int on = 1;

	if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return err_from_errno(errno);
	if (listener->endpoint.addr.family == AF_INET6 &&
	    setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return err_from_errno(errno);
	if (bind(listener->fd, (const struct sockaddr *)&name, len))
		return err_from_errno(errno);
	len = sizeof(name);
	if (getsockname(listener->fd, (struct sockaddr *)&name, &len))
		return err_from_errno(errno);
	addr_from_sockaddr((const struct sockaddr *)&name, &listener->bound);
	return 0;
}

int ng_stream_bind(struct ng_listener *listener)
{
	bool is_unix = listener->endpoint.transport == NG_UNIX;
	int family = is_unix ? AF_UNIX : listener->endpoint.addr.family;

	listener->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0)
		return err_from_errno(errno);
	int err = is_unix ? bind_path(listener) : bind_address(listener);
	if (!err && listen(listener->fd, BACKLOG))
		err = err_from_errno(errno);
	if (err) {
		/* A path that another process serves is not ours to remove. */
		close(listener->fd);
		listener->fd = -1;
	}
	return err;
}

int ng_stream_listen(struct ng_listener *listener)
{
	int err = ng_stream_bind(listener);

	if (!err)
		err = loop_io_add(listener->server->loop, listener->fd, LOOP_READ, on_acceptable,
				  listener, &listener->io);
	return err;
}

void ng_stream_close_all(struct ng_server *server)
{
	struct ng_connection *connection = server->connections;

	while (connection) {
		struct ng_connection *next = connection->next;

		connection_close(connection);
		connection = next;
	}
}
