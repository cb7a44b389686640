/* server_udp.c - NG over UDP: a burst of datagrams in with one system call, their answers out with
 * another, each from the address its request was sent to. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/serving.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BURST          16
#define BURSTS_AT_ONCE 8 /* per wake-up and listener, so that others have their turn */
#define DATAGRAM_MAX   65536
#define REPLY_MAX      65507 /* payload of one UDP datagram over IPv4 */
#define SOCKET_BUFFER  (4 << 20)

struct ng_udp {
	struct mmsghdr in[BURST];
	struct iovec in_vec[BURST];
	struct sockaddr_storage from[BURST];
	/* Comes with the address a request was sent to; goes back with its answer. */
	_Alignas(struct cmsghdr) char control[BURST][NG_CONTROL_MAX];
	char data[BURST][DATAGRAM_MAX];
	struct mmsghdr out[BURST];
	struct iovec out_vec[BURST];
	struct buf reply[BURST];
};

int ng_udp_create(struct ng_udp **out)
{
	struct ng_udp *udp = calloc(1, sizeof(*udp));

	if (!udp)
		return -ERR_NO_MEMORY;
	for (unsigned i = 0; i < BURST; i++)
		buf_init(&udp->reply[i]);
	*out = udp;
	return 0;
}

void ng_udp_destroy(struct ng_udp *udp)
{
	if (!udp)
		return;
	for (unsigned i = 0; i < BURST; i++)
		buf_free(&udp->reply[i]);
	free(udp);
}

static int receive_burst(struct ng_udp *udp, int fd)
{
	for (unsigned i = 0; i < BURST; i++) {
		udp->in_vec[i] = (struct iovec){udp->data[i], DATAGRAM_MAX};
		udp->in[i].msg_hdr = (struct msghdr){
			.msg_name = &udp->from[i],
			.msg_namelen = sizeof(udp->from[i]),
			.msg_iov = &udp->in_vec[i],
			.msg_iovlen = 1,
			.msg_control = udp->control[i],
			.msg_controllen = sizeof(udp->control[i]),
		};
	}
	return recvmmsg(fd, udp->in, BURST, MSG_DONTWAIT, NULL);
}

/* The control data of the answer: leave from the address that the request came to. Packet info
 * stays where it is; only the interface is left to routing. */
static void turn_control(struct msghdr *header)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = CMSG_NXTHDR(header, at)) {
		if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(at), sizeof(info));
			info.ipi_spec_dst = info.ipi_addr;
			info.ipi_ifindex = 0;
			memcpy(CMSG_DATA(at), &info, sizeof(info));
			return;
		}
		if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(at), sizeof(info));
			if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				info.ipi6_ifindex = 0;
			memcpy(CMSG_DATA(at), &info, sizeof(info));
			return;
		}
	}
	header->msg_control = NULL;
	header->msg_controllen = 0;
}

/* Its handler has what it waited for. */
static void on_again(struct ng_held *held)
{
	struct ng_listener *listener = held->owner;
	struct ng_message message = {.max_bytes = REPLY_MAX};
	struct addr source;
	struct buf reply;

	addr_from_sockaddr((const struct sockaddr *)&held->from, &source);
	message.source = &source;
	if (!ng_split_cookie((struct slice){held->data, held->len}, &message.cookie,
			     &message.document))
		return; /* not held without */
	buf_init(&reply);
	if (ng_server_answer(listener->server, &message, &reply) != 0)
		return; /* it may not wait any more */
	struct iovec vec = {reply.data, reply.len};
	struct msghdr header = {.msg_name = &held->from,
				.msg_namelen = held->from_len,
				.msg_iov = &vec,
				.msg_iovlen = 1,
				.msg_control = held->control,
				.msg_controllen = held->control_len};
	turn_control(&header);
	if (buf_failed(&reply) || sendmsg(listener->fd, &header, MSG_DONTWAIT) < 0)
		counter_add(&listener->server->counters.dropped, 1); /* it is asked again */
	buf_free(&reply);
}

static void hold(struct ng_listener *listener, unsigned i, uint64_t number)
{
	struct ng_udp *udp = listener->server->udp;
	const struct msghdr *header = &udp->in[i].msg_hdr;
	struct ng_held *held = ng_held_add(listener->server, number, on_again, listener,
					   (struct slice){udp->data[i], udp->in[i].msg_len});

	if (!held) {
		counter_add(&listener->server->counters.dropped, 1);
		return;
	}
	held->from = udp->from[i];
	held->from_len = header->msg_namelen;
	held->control_len = header->msg_controllen;
	memcpy(held->control, udp->control[i], header->msg_controllen);
}

/* True: the reply in slot `i` is to be sent. */
static bool answer_datagram(struct ng_listener *listener, unsigned i)
{
	struct ng_server *server = listener->server;
	struct ng_udp *udp = server->udp;
	struct slice text = {udp->data[i], udp->in[i].msg_len};
	struct ng_message message = {.max_bytes = REPLY_MAX, .may_wait = true};
	struct addr source;

	addr_from_sockaddr((const struct sockaddr *)&udp->from[i], &source);
	if (!ng_server_allows(server, &source)) {
		counter_add(&server->counters.denied, 1);
		return false;
	}
	if (!ng_split_cookie(text, &message.cookie, &message.document)) {
		counter_add(&server->counters.dropped, 1);
		return false;
	}
	buf_clear(&udp->reply[i]);
	message.source = &source;
	uint64_t wait = ng_server_answer(server, &message, &udp->reply[i]);
	if (wait) {
		hold(listener, i, wait);
		return false;
	}
	if (!buf_failed(&udp->reply[i]))
		return true;
	counter_add(&server->counters.dropped, 1);
	return false;
}

/* What cannot be sent is lost: the client asks again, and the cache has the answer. */
static void send_burst(struct ng_server *server, int fd, unsigned count)
{
	unsigned sent = 0;

	while (sent < count) {
		int n = sendmmsg(fd, server->udp->out + sent, count - sent, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			counter_add(&server->counters.dropped, 1);
			n = 1; /* this one alone is at fault */
		}
		sent += (unsigned)n;
	}
}

static void on_readable(void *owner, int events)
{
	struct ng_listener *listener = owner;
	struct ng_server *server = listener->server;
	struct ng_udp *udp = server->udp;

	(void)events;
	for (unsigned burst = 0; burst < BURSTS_AT_ONCE; burst++) {
		unsigned replies = 0;
		int received = receive_burst(udp, listener->fd);

		for (int i = 0; i < received; i++) {
			unsigned slot = (unsigned)i;

			if (!answer_datagram(listener, slot))
				continue;
			udp->out_vec[replies] =
				(struct iovec){udp->reply[slot].data, udp->reply[slot].len};
			udp->out[replies].msg_hdr = udp->in[slot].msg_hdr;
			udp->out[replies].msg_hdr.msg_iov = &udp->out_vec[replies];
			udp->out[replies].msg_hdr.msg_flags = 0;
			turn_control(&udp->out[replies].msg_hdr);
			replies++;
		}
		send_burst(server, listener->fd, replies);
		if (received < BURST)
			return;
	}
}

static int set_options(int fd, int family)
{
	int on = 1;
	int size = SOCKET_BUFFER;

	/* As much as the system grants. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

int ng_udp_listen(struct ng_listener *listener)
{
	const struct addr *addr = &listener->endpoint.addr;
	struct sockaddr_storage name;
	socklen_t len = addr_to_sockaddr(addr, &name);

	listener->fd = socket(addr->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0)
		return err_from_errno(errno);
	if (set_options(listener->fd, addr->family) ||
	    bind(listener->fd, (const struct sockaddr *)&name, len))
		return err_from_errno(errno);
	len = sizeof(name);
	if (getsockname(listener->fd, (struct sockaddr *)&name, &len))
		return err_from_errno(errno);
	addr_from_sockaddr((const struct sockaddr *)&name, &listener->bound);
	return loop_io_add(listener->server->loop, listener->fd, LOOP_READ, on_readable, listener,
			   &listener->io);
}
