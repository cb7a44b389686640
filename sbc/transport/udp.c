/* Datagrams in bursts: one recvmmsg, one sendmmsg for each listener.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/stun/stun.h"
#include "sbc/transport/internal.h"

#include <errno.h>
#include <sys/socket.h>

static bool may_answer(const struct transport *transport, const struct transport_path *path)
{
	return !transport->config.admit || transport->config.admit(transport->config.owner, path);
}

/* RFC 5626 4.4.2 on the port of SIP, RFC 8489 on one of its own. True: it was STUN, or this port is
 * for nothing else. */
static bool stun(struct listener *listener, const struct transport_message *message)
{
	struct transport *transport = listener->transport;
	struct slice datagram = {message->data, message->len};
	char answer[STUN_ANSWER_MAX];
	size_t len = 0;

	if (!stun_is(datagram) && listener->info.purpose != TRANSPORT_STUN)
		return false;
	if (message->multicast || !may_answer(transport, &message->path) ||
	    stun_answer(datagram, &message->path.remote, answer, &len) ||
	    udp_send(transport, &message->path, (struct slice){answer, len}, 0))
		return true;
	counter_add(&counters_of(transport, listener->info.interface)->stun, 1);
	return true;
}

/* What came by multicast is answered from our own address. */
static uint16_t own_listener(const struct listener *listener)
{
	uint16_t own = listener->index;

	if (addr_is_set(&listener->info.group) &&
	    transport_listener_for(listener->transport, listener->info.interface, SIP_UDP,
				   listener->info.address.family, &own))
		return listener->index;
	return own;
}

static void received(struct listener *listener, char *data, struct mmsghdr *header,
		     const struct sockaddr_storage *from)
{
	struct transport *transport = listener->transport;
	struct transport_counters *counters = counters_of(transport, listener->info.interface);
	struct transport_message message = {
		.data = data,
		.len = header->msg_len,
		.truncated = (header->msg_hdr.msg_flags & MSG_TRUNC) != 0,
		.multicast = addr_is_set(&listener->info.group),
		.path = {.interface = listener->info.interface,
			 .listener = own_listener(listener),
			 .transport = SIP_UDP,
			 .worker = transport->config.worker},
	};

	addr_from_sockaddr((const struct sockaddr *)from, &message.path.remote);
	counter_add(&counters->bytes_received, header->msg_len);
	if (stun(listener, &message))
		return;
	counter_add(&counters->received, 1);
	transport->config.on_message(transport->config.owner, &message);
}

void udp_on_readable(void *owner, int events)
{
	struct listener *listener = owner;
	struct transport *transport = listener->transport;
	struct mmsghdr *headers = transport->udp_in.headers;
	struct iovec *vectors = transport->udp_in.vectors;
	struct sockaddr_storage *from = transport->udp_in.names;

	(void)events;
	/* Two rounds at most: other descriptors wait, and the loop comes back. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < BURST; i++) {
			vectors[i] =
				(struct iovec){transport->datagrams + i * transport->datagram_size,
					       transport->datagram_size};
			headers[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
								  .msg_namelen = sizeof(from[i]),
								  .msg_iov = &vectors[i],
								  .msg_iovlen = 1}};
		}
		int n = recvmmsg(listener->fd, headers, BURST, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			received(listener, vectors[i].iov_base, &headers[i], &from[i]);
		if (n < BURST)
			return;
	}
}

int udp_send(struct transport *transport, const struct transport_path *path, struct slice bytes,
	     uint64_t token)
{
	if (transport->listeners[path->listener]->fd < 0)
		return -ERR_UNREACHABLE; /* it was removed */
	if (transport->udp_count == UDP_QUEUE)
		udp_flush(transport);
	size_t offset = transport->udp_bytes.len;
	buf_add(&transport->udp_bytes, bytes);
	if (buf_failed(&transport->udp_bytes)) {
		transport->udp_bytes.failed = false; /* what is queued already is whole */
		transport->udp_bytes.len = offset;
		return -ERR_NO_MEMORY;
	}
	transport->udp_queue[transport->udp_count++] = (struct outgoing){
		.listener = path->listener,
		.path = *path,
		.offset = offset,
		.len = bytes.len,
		.token = token,
	};
	return 0;
}

static void one_failed(struct transport *transport, const struct outgoing *outgoing, int errnum)
{
	counter_add(&counters_of(transport, outgoing->path.interface)->send_errors, 1);
	/* A full buffer is a loss like any other on the way: the timers know what to do. */
	if (errnum == EAGAIN || errnum == ENOBUFS)
		return;
	transport_failed(transport, &outgoing->path, outgoing->token, err_from_errno(errnum));
}

/* At most a burst of datagrams of one listener, starting at `at`. */
static void flush_run(struct transport *transport, size_t at, size_t count)
{
	struct mmsghdr *headers = transport->udp_out.headers;
	struct iovec *vectors = transport->udp_out.vectors;
	struct sockaddr_storage *to = transport->udp_out.names;
	const struct outgoing *run = &transport->udp_queue[at];
	int fd = transport->listeners[run->listener]->fd;

	for (size_t i = 0; i < count; i++) {
		vectors[i] = (struct iovec){transport->udp_bytes.data + run[i].offset, run[i].len};
		headers[i] = (struct mmsghdr){
			.msg_hdr = {.msg_name = &to[i],
				    .msg_namelen = addr_to_sockaddr(&run[i].path.remote, &to[i]),
				    .msg_iov = &vectors[i],
				    .msg_iovlen = 1}};
	}
	size_t done = 0;
	while (done < count) {
		int n = sendmmsg(fd, headers + done, (unsigned int)(count - done), MSG_DONTWAIT);
		if (n <= 0) {
			one_failed(transport, &run[done], errno);
			done++;
			continue;
		}
		for (size_t end = done + (size_t)n; done < end; done++) {
			struct transport_counters *counters =
				counters_of(transport, run[done].path.interface);
			counter_add(&counters->sent, 1);
			counter_add(&counters->bytes_sent, run[done].len);
		}
	}
}

void udp_flush(struct transport *transport)
{
	size_t at = 0;

	while (at < transport->udp_count) {
		size_t end = at + 1;
		while (end < transport->udp_count && end - at < BURST &&
		       transport->udp_queue[end].listener == transport->udp_queue[at].listener)
			end++;
		flush_run(transport, at, end - at);
		at = end;
	}
	transport->udp_count = 0;
	buf_clear(&transport->udp_bytes);
}
