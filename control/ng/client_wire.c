/* client_wire.c - how requests reach the relays: a connected UDP socket for each, written and read
 * in bursts, or one stream connection, opened again with growing pauses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/asking.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define BURST            32
#define BURSTS_AT_ONCE   8
#define DATAGRAM_MAX     65536
#define READ_BYTES       16384
#define STREAM_IN_MAX    (NG_MAX_BYTES + NG_COOKIE_BYTES + 1 + READ_BYTES)
#define STREAM_OUT_MAX   (4u << 20)
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000
#define SOCKET_BUFFER    (1 << 20)

struct ng_burst {
	struct mmsghdr in[BURST];
	struct iovec in_vec[BURST];
	struct mmsghdr out[BURST];
	struct iovec out_vec[BURST];
	char data[BURST][DATAGRAM_MAX];
};

int ng_burst_create(struct ng_burst **out)
{
	struct ng_burst *burst = calloc(1, sizeof(*burst));

	if (!burst)
		return -ERR_NO_MEMORY;
	*out = burst;
	return 0;
}

void ng_burst_destroy(struct ng_burst *burst)
{
	free(burst);
}

void ng_exchange_queue(struct ng_exchange *exchange)
{
	struct ng_relay *relay = exchange->relay;
	bool is_stream = relay->endpoint.transport != NG_UDP;

	if (exchange->queued || (is_stream && relay->stream.connected && exchange->tries > 1))
		return;
	exchange->queued = true;
	relay->urgent += !exchange->can_wait;
	TAILQ_INSERT_TAIL(&relay->queue, exchange, to_send);
}

void ng_exchange_dequeue(struct ng_exchange *exchange)
{
	if (!exchange->queued)
		return;
	TAILQ_REMOVE(&exchange->relay->queue, exchange, to_send);
	exchange->relay->urgent -= !exchange->can_wait;
	exchange->queued = false;
}

/* ---- datagrams ---- */

/* The kernel tells here what ICMP said to an earlier datagram. */
static bool is_refused(int errnum)
{
	return errnum == ECONNREFUSED || errnum == EHOSTUNREACH || errnum == ENETUNREACH;
}

static void udp_send_queued(struct ng_relay *relay)
{
	struct ng_burst *burst = relay->client->burst;
	const char *failed = NULL;

	while (!TAILQ_EMPTY(&relay->queue)) {
		struct ng_exchange *exchange;
		unsigned count = 0;
		unsigned sent = 0;

		while (count < BURST && (exchange = TAILQ_FIRST(&relay->queue))) {
			burst->out_vec[count] = (struct iovec){exchange->message, exchange->len};
			burst->out[count].msg_hdr =
				(struct msghdr){.msg_iov = &burst->out_vec[count], .msg_iovlen = 1};
			count++;
			ng_exchange_dequeue(exchange);
		}
		/* What is not sent now is sent again by its timer. An error of an earlier datagram
		 * is reported once, in place of the first of these: try that one again. */
		for (unsigned errors = 0; sent < count && errors < 2;) {
			int n = sendmmsg(relay->fd, burst->out + sent, count - sent, MSG_DONTWAIT);

			if (n > 0)
				sent += (unsigned)n;
			else if (errno != EINTR)
				errors++;
			if (n < 0 && is_refused(errno))
				failed = strerror(errno);
		}
	}
	if (failed)
		ng_relay_fail(relay, failed, true);
}

static void on_datagrams(void *owner, int events)
{
	struct ng_relay *relay = owner;
	struct ng_burst *burst = relay->client->burst;

	(void)events;
	for (unsigned round = 0; round < BURSTS_AT_ONCE; round++) {
		for (unsigned i = 0; i < BURST; i++) {
			burst->in_vec[i] = (struct iovec){burst->data[i], DATAGRAM_MAX};
			burst->in[i].msg_hdr =
				(struct msghdr){.msg_iov = &burst->in_vec[i], .msg_iovlen = 1};
		}
		int n = recvmmsg(relay->fd, burst->in, BURST, MSG_DONTWAIT, NULL);
		if (n < 0 && is_refused(errno)) {
			ng_relay_fail(relay, strerror(errno), true);
			continue;
		}
		for (int i = 0; i < n; i++)
			ng_client_take_reply(relay,
					     (struct slice){burst->data[i], burst->in[i].msg_len});
		if (n < BURST)
			return;
	}
}

static int udp_open(struct ng_relay *relay)
{
	struct sockaddr_storage name;
	socklen_t len = addr_to_sockaddr(&relay->endpoint.addr, &name);
	int size = SOCKET_BUFFER;

	relay->fd =
		socket(relay->endpoint.addr.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (relay->fd < 0)
		return err_from_errno(errno);
	(void)setsockopt(relay->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Connected: the kernel lets in what this relay says, and nobody else. */
	if (connect(relay->fd, (const struct sockaddr *)&name, len))
		return err_from_errno(errno);
	return loop_io_add(relay->client->loop, relay->fd, LOOP_READ, on_datagrams, relay,
			   &relay->io);
}

/* ---- streams ---- */

static void stream_close(struct ng_relay *relay, const char *why)
{
	struct ng_stream *stream = &relay->stream;

	loop_io_remove(relay->io);
	relay->io = NULL;
	if (relay->fd >= 0)
		close(relay->fd);
	relay->fd = -1;
	stream->connected = false;
	buf_clear(&stream->in);
	buf_clear(&stream->out);
	stream->document_at = 0;
	stream->scanner = (struct bencode_scanner){.at = 0};
	stream->backoff_ms = stream->backoff_ms ? stream->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (stream->backoff_ms > BACKOFF_MAX_MS)
		stream->backoff_ms = BACKOFF_MAX_MS;
	stream->retry_ms = ng_client_now_ms(relay->client) + stream->backoff_ms;
	if (why)
		ng_relay_fail(relay, why, true);
}

static void stream_write(struct ng_relay *relay)
{
	struct ng_stream *stream = &relay->stream;

	while (stream->out.len) {
		ssize_t n = send(relay->fd, stream->out.data, stream->out.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			stream_close(relay, strerror(errno));
			return;
		}
		buf_consume(&stream->out, (size_t)n);
	}
	loop_io_set(relay->io, stream->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* Everything without answer is asked (again): the relay knows what it has done by the cookie. */
static void stream_connected(struct ng_relay *relay)
{
	struct ng_stream *stream = &relay->stream;
	struct ng_exchange *exchange;

	stream->connected = true;
	stream->backoff_ms = 0;
	TAILQ_FOREACH(exchange, &relay->exchanges, of_relay)
	{
		buf_add(&stream->out, (struct slice){exchange->message, exchange->len});
		ng_exchange_dequeue(exchange);
	}
	if (buf_failed(&stream->out))
		stream_close(relay, "out of memory");
	else
		stream_write(relay);
}

/* Take whole replies out of `in`. False: what is there is no bencode. */
static bool stream_replies(struct ng_relay *relay)
{
	struct ng_stream *stream = &relay->stream;

	while (stream->in.len) {
		struct slice text = buf_slice(&stream->in);
		size_t len = 0;

		if (!stream->document_at) {
			size_t space = slice_find(text, ' ');

			if (space > NG_COOKIE_BYTES)
				return false;
			if (space == text.len)
				return true;
			stream->document_at = space + 1;
		}
		struct slice document =
			slice_sub(text, stream->document_at, text.len - stream->document_at);
		int err = bencode_scan_more(&stream->scanner, document, &len);
		if (err == -ERR_AGAIN)
			return true;
		if (err)
			return false;
		len += stream->document_at;
		ng_client_take_reply(relay, slice_sub(text, 0, len));
		if (relay->fd < 0) /* whoever waited asked again, and that failed */
			return true;
		buf_consume(&stream->in, len);
		stream->document_at = 0;
		stream->scanner = (struct bencode_scanner){.at = 0};
	}
	return true;
}

static void stream_read(struct ng_relay *relay)
{
	struct ng_stream *stream = &relay->stream;

	for (unsigned i = 0; i < BURSTS_AT_ONCE; i++) {
		char *room = buf_reserve(&stream->in, READ_BYTES);
		ssize_t n = room ? recv(relay->fd, room, READ_BYTES, MSG_DONTWAIT) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			stream_close(relay, n ? strerror(errno) : "connection closed");
			return;
		}
		stream->in.len += (size_t)n;
		bool fine = stream_replies(relay);
		if (relay->fd < 0)
			return;
		if (!fine || stream->in.len > STREAM_IN_MAX) {
			stream_close(relay, "malformed reply");
			return;
		}
	}
}

static void on_stream(void *owner, int events)
{
	struct ng_relay *relay = owner;
	int error = 0;
	socklen_t len = sizeof(error);

	if (!relay->stream.connected) {
		if (getsockopt(relay->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
			stream_close(relay, strerror(error ? error : errno));
		else
			stream_connected(relay);
		return;
	}
	if (events & LOOP_WRITE)
		stream_write(relay);
	if (relay->fd >= 0 && (events & LOOP_READ))
		stream_read(relay);
}

static int stream_address(const struct ng_relay *relay, struct sockaddr_storage *name,
			  socklen_t *len)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};

	if (relay->endpoint.transport == NG_TCP) {
		*len = addr_to_sockaddr(&relay->endpoint.addr, name);
		return 0;
	}
	if (strlen(relay->endpoint.path) >= sizeof(path.sun_path))
		return -ERR_TOO_LARGE;
	memcpy(path.sun_path, relay->endpoint.path, strlen(relay->endpoint.path));
	memcpy(name, &path, sizeof(path));
	*len = sizeof(path);
	return 0;
}

static void stream_connect(struct ng_relay *relay)
{
	struct ng_client *client = relay->client;
	struct sockaddr_storage name;
	socklen_t len;
	int on = 1;

	if (ng_client_now_ms(client) < relay->stream.retry_ms)
		return;
	if (stream_address(relay, &name, &len))
		return;
	relay->fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (relay->fd < 0) {
		stream_close(relay, strerror(errno));
		return;
	}
	if (relay->endpoint.transport == NG_TCP)
		(void)setsockopt(relay->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(relay->fd, (const struct sockaddr *)&name, len) && errno != EINPROGRESS) {
		stream_close(relay, strerror(errno));
		return;
	}
	if (loop_io_add(client->loop, relay->fd, LOOP_WRITE, on_stream, relay, &relay->io))
		stream_close(relay, "out of memory");
}

static void stream_send_queued(struct ng_relay *relay)
{
	struct ng_stream *stream = &relay->stream;
	struct ng_exchange *exchange;

	/* Not connected: what waits is sent when we are; the timers go on meanwhile. */
	if (!stream->connected) {
		if (relay->fd < 0)
			stream_connect(relay);
		return;
	}
	while ((exchange = TAILQ_FIRST(&relay->queue))) {
		buf_add(&stream->out, (struct slice){exchange->message, exchange->len});
		ng_exchange_dequeue(exchange);
	}
	if (buf_failed(&stream->out) || stream->out.len > STREAM_OUT_MAX)
		stream_close(relay, "relay does not read");
	else
		stream_write(relay);
}

/* ---- either ---- */

int ng_relay_open(struct ng_relay *relay)
{
	struct sockaddr_storage name;
	socklen_t len;

	if (relay->endpoint.transport == NG_UDP)
		return udp_open(relay);
	return stream_address(relay, &name, &len);
}

void ng_relay_close(struct ng_relay *relay)
{
	loop_io_remove(relay->io);
	relay->io = NULL;
	if (relay->fd >= 0)
		close(relay->fd);
	relay->fd = -1;
}

void ng_relay_send_queued(struct ng_relay *relay)
{
	if (relay->endpoint.transport == NG_UDP)
		udp_send_queued(relay);
	else
		stream_send_queued(relay);
}
