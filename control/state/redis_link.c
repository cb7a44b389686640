/* redis_link.c - connect, send, receive, come back after 100 ms to 2 s.
 * A failure found while sending at the end of a burst is acted upon in the next wake-up, because
 * what its callbacks send would miss the flush of this one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_link.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 2000,
	OUT_KEEP = 1024 * 1024, /* a larger buffer is given back once it is empty */
	READS_PER_WAKE = 16
};

static void on_connect_timeout(struct timer *timer, uint64_t now_ms);
static void on_retry(struct timer *timer, uint64_t now_ms);

static struct redis_link *link_of(struct timer *timer)
{
	return container_of(timer, struct redis_link, timer);
}

static void timer_set(struct redis_link *link, uint64_t after_ms, timer_fn *fn)
{
	struct loop *loop = link->config.loop;
	wheel_arm(loop_wheel(loop), &link->timer, loop_now_ms(loop) + after_ms, fn);
}

static void link_close(struct redis_link *link)
{
	wheel_cancel(loop_wheel(link->config.loop), &link->timer);
	loop_io_remove(link->io);
	if (link->fd >= 0)
		close(link->fd);
	link->io = NULL;
	link->fd = -1;
	link->is_open = false;
	link->is_blocked = false;
	link->send_errno = 0;
	link->out_sent = 0;
	buf_free(&link->out);
}

void redis_link_drop(struct redis_link *link, const char *reason)
{
	link_close(link);
	timer_set(link, link->backoff_ms, on_retry);
	link->backoff_ms *= 2;
	if (link->backoff_ms > BACKOFF_MAX_MS)
		link->backoff_ms = BACKOFF_MAX_MS;
	link->config.on_close(link->config.owner, reason);
}

static void drop_errno(struct redis_link *link, const char *what, int errnum)
{
	char reason[128];
	char text[64];
	snprintf(reason, sizeof(reason), "%s: %s", what, strerror_r(errnum, text, sizeof(text)));
	redis_link_drop(link, reason);
}

static void on_writable(struct redis_link *link)
{
	int errnum = 0;
	socklen_t len = sizeof(errnum);
	link->is_blocked = false;
	loop_io_set(link->io, LOOP_READ);
	if (link->is_open)
		return; /* the end of this burst sends */
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
		errnum = errno;
	if (errnum) {
		drop_errno(link, "connect", errnum);
		return;
	}
	wheel_cancel(loop_wheel(link->config.loop), &link->timer);
	link->is_open = true;
	link->config.on_open(link->config.owner);
}

static void on_readable(struct redis_link *link)
{
	for (int i = 0; i < READS_PER_WAKE; i++) {
		ssize_t n = recv(link->fd, link->in, sizeof(link->in), 0);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (n < 0) {
			drop_errno(link, "receive", errno);
			return;
		}
		if (n == 0) {
			redis_link_drop(link, "closed by the server");
			return;
		}
		link->config.on_bytes(link->config.owner, (struct slice){link->in, (size_t)n});
		if (!link->is_open || (size_t)n < sizeof(link->in))
			return;
	}
}

static void on_io(void *owner, int events)
{
	struct redis_link *link = owner;
	if (events & LOOP_WRITE)
		on_writable(link);
	if ((events & LOOP_READ) && link->is_open)
		on_readable(link);
}

static int socket_open(struct redis_link *link)
{
	int family = link->server.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	const int on = 1;
	if (family != AF_UNIX && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		goto fail;
	const struct sockaddr *server = (const void *)&link->server;
	if (connect(fd, server, link->config.server_len) < 0 && errno != EINPROGRESS)
		goto fail;
	/* Connected at once or later: either way the socket becomes writable. */
	if (loop_io_add(link->config.loop, fd, LOOP_WRITE, on_io, link, &link->io)) {
		errno = ENOMEM;
		goto fail;
	}
	link->fd = fd;
	return 0;
fail:;
	int errnum = errno;
	close(fd);
	return errnum;
}

void redis_link_start(struct redis_link *link)
{
	int errnum = socket_open(link);
	if (errnum)
		drop_errno(link, "connect", errnum);
	else
		timer_set(link, link->config.connect_timeout_ms, on_connect_timeout);
}

static void on_connect_timeout(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	redis_link_drop(link_of(timer), "connect: timed out");
}

static void on_retry(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	redis_link_start(link_of(timer));
}

static void on_send_error(struct timer *timer, uint64_t now_ms)
{
	struct redis_link *link = link_of(timer);
	(void)now_ms;
	drop_errno(link, "send", link->send_errno);
}

void redis_link_init(struct redis_link *link, const struct redis_link_config *config)
{
	*link = (struct redis_link){.config = *config, .fd = -1, .backoff_ms = BACKOFF_MIN_MS};
	link->server = *config->server;
	buf_init(&link->out);
}

void redis_link_stop(struct redis_link *link)
{
	redis_link_flush(link);
	link_close(link);
}

void redis_link_turn(struct redis_link *link)
{
	link_close(link);
	timer_set(link, 0, on_retry);
}

void redis_link_settle(struct redis_link *link)
{
	link->backoff_ms = BACKOFF_MIN_MS;
}

size_t redis_link_unsent(const struct redis_link *link)
{
	return link->out.len - link->out_sent;
}

static void out_is_empty(struct redis_link *link)
{
	link->out_sent = 0;
	if (link->out.cap > OUT_KEEP)
		buf_free(&link->out);
	else
		buf_clear(&link->out);
}

void redis_link_flush(struct redis_link *link)
{
	if (!link->is_open || link->is_blocked || link->send_errno)
		return;
	while (redis_link_unsent(link)) {
		ssize_t n = send(link->fd, link->out.data + link->out_sent, redis_link_unsent(link),
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			link->is_blocked = true;
			loop_io_set(link->io, LOOP_READ | LOOP_WRITE);
			break;
		}
		if (n < 0) {
			link->send_errno = errno;
			timer_set(link, 0, on_send_error);
			return;
		}
		link->out_sent += (size_t)n;
	}
	if (redis_link_unsent(link) == 0) {
		out_is_empty(link);
	} else if (link->out_sent > link->out.len / 2) {
		buf_consume(&link->out, link->out_sent);
		link->out_sent = 0;
	}
}
