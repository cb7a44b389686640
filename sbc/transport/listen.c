/* Sockets that wait: bound, shared between workers, joined to their multicast group.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/inherit.h"
#include "sbc/transport/internal.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER = 4 << 20, BACKLOG = 1024 };

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? err_from_errno(errno) : 0;
}

static unsigned int device_of(const struct addr *address)
{
	struct ifaddrs *list, *at;
	unsigned int index = 0;

	if (getifaddrs(&list))
		return 0;
	for (at = list; at && !index; at = at->ifa_next) {
		struct addr one;
		if (!at->ifa_addr || at->ifa_addr->sa_family != address->family)
			continue;
		addr_from_sockaddr(at->ifa_addr, &one);
		if (addr_equal_ip(&one, address))
			index = if_nametoindex(at->ifa_name);
	}
	freeifaddrs(list);
	return index;
}

static int join(int fd, const struct transport_listener *listener)
{
	struct group_req request = {.gr_interface = device_of(&listener->address)};
	bool v4 = listener->group.family == AF_INET;

	if (!request.gr_interface) {
		errno = EADDRNOTAVAIL;
		return -ERR_NOT_FOUND;
	}
	addr_to_sockaddr(&listener->group, &request.gr_group);
	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &request,
		       sizeof(request)))
		return err_from_errno(errno);
	/* What others on this machine joined on other interfaces is not ours. */
	return v4 ? set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)
		  : set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
}

static int prepare(int fd, const struct transport_listener *listener, bool shared)
{
	bool stream = listener->transport != SIP_UDP;
	bool multicast = addr_is_set(&listener->group);
	int err = 0;

	if (listener->address.family == AF_INET6)
		err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!err && listener->is_floating)
		err = listener->address.family == AF_INET6
			      ? set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
			      : set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
	/* Several programs may listen to one group. */
	if (!err && (stream || multicast))
		err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && shared && !multicast)
		err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return err;
}

static int bind_socket(const struct transport_listener *listener, bool shared, int *out)
{
	bool stream = listener->transport != SIP_UDP;
	bool multicast = addr_is_set(&listener->group);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(multicast ? &listener->group : &listener->address, &sa);
	int fd = socket(listener->address.family,
			(stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	int err = prepare(fd, listener, shared);
	if (!err && (bind(fd, (struct sockaddr *)&sa, len) || (stream && listen(fd, BACKLOG))))
		err = err_from_errno(errno);
	if (!err && multicast)
		err = join(fd, listener);
	if (err) {
		int kept = errno; /* for the operator's line */
		close(fd);
		errno = kept;
		return err;
	}
	/* As much as the kernel gives: bursts wait here while the worker is busy. */
	if (!stream) {
		if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER))
			(void)set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
		(void)set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	}
	*out = fd;
	return 0;
}

static const char *kind_of(const struct transport_listener *listener)
{
	if (addr_is_set(&listener->group))
		return "multicast";
	return listener->purpose == TRANSPORT_STUN ? "stun"
						   : sip_transport_name(listener->transport);
}

static void explain(const struct transport_listener *listener, struct buf *why)
{
	char text[ADDR_TEXT_SIZE];
	const char *cure = "";

	if (errno == EADDRINUSE)
		cure = ": another program listens there; stop it or choose another port";
	else if (errno == EADDRNOTAVAIL)
		cure = ": this machine has no such address; see `ip address`, or `floating`";
	else if (errno == EACCES)
		cure = ": start as root (privileges are dropped afterwards)";
	if (why)
		buf_printf(why, "cannot listen on %s %s: %s%s", kind_of(listener),
			   addr_text(addr_is_set(&listener->group) ? &listener->group
								   : &listener->address,
				     text),
			   strerror(errno), cure);
}

int transport_bind(const struct transport_listener *info, bool shared, bool is_first,
		   struct buf *why, int *fd)
{
	int err = 0;

	/* SO_REUSEPORT would share the port with a stranger too: who comes first looks. */
	if (shared && is_first && !addr_is_set(&info->group)) {
		err = bind_socket(info, false, fd);
		if (!err)
			close(*fd);
	}
	if (!err)
		err = bind_socket(info, shared, fd);
	if (err)
		explain(info, why);
	return err;
}

static int make_listener(struct transport *transport, const struct transport_listener *info,
			 struct listener **out)
{
	struct listener *listener;

	if (transport->listener_count == TRANSPORT_LISTENERS_MAX)
		return -ERR_TOO_MANY;
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ERR_NO_MEMORY;
	listener->info = *info;
	listener->info.sent_by = slice_dup(slice_from(info->sent_by));
	listener->transport = transport;
	listener->index = transport->listener_count;
	listener->fd = -1;
	if (!listener->info.sent_by) {
		free(listener);
		return -ERR_NO_MEMORY;
	}
	*out = listener;
	return 0;
}

static void free_listener(struct listener *listener)
{
	free((char *)(uintptr_t)listener->info.sent_by);
	free(listener);
}

int transport_add_listener(struct transport *transport, const struct transport_listener *info,
			   int fd)
{
	struct listener *listener = NULL;
	int err = make_listener(transport, info, &listener);

	if (!err && fd >= 0)
		err = loop_io_add(transport->config.loop, fd, LOOP_READ,
				  info->transport == SIP_UDP ? udp_on_readable : accept_on_readable,
				  listener, &listener->io);
	if (err) {
		if (listener)
			free_listener(listener);
		return err;
	}
	listener->fd = fd;
	transport->listeners[transport->listener_count++] = listener;
	return 0;
}

int listener_open(struct transport *transport, const struct transport_listener *info,
		  struct buf *why)
{
	const struct transport_config *config = &transport->config;
	int fd = -1, err = 0;

	/* Each socket in a group gets every datagram: one receiver, or there would be as many
	 * answers as workers. */
	bool hears = !addr_is_set(&info->group) || config->worker == 0;
	if (hears && config->inherited)
		fd = inherited_take(config->inherited, info);
	if (hears && fd < 0)
		err = transport_bind(info, config->shared, config->worker == 0, why, &fd);
	if (err)
		return err;
	err = transport_add_listener(transport, info, fd);
	if (err && fd >= 0)
		close(fd);
	return err;
}

void transport_set_draining(struct transport *transport, uint16_t index, bool is_draining)
{
	transport->listeners[index]->is_draining = is_draining;
}

bool transport_is_draining(const struct transport *transport, uint16_t index)
{
	return index < transport->listener_count && transport->listeners[index]->is_draining;
}

void transport_set_sent_by(struct transport *transport, uint16_t index, const char *sent_by)
{
	struct transport_listener *info = &transport->listeners[index]->info;
	char *copy;

	if (strcmp(info->sent_by, sent_by) == 0)
		return;
	copy = slice_dup(slice_from(sent_by));
	if (!copy)
		return;
	free((char *)(uintptr_t)info->sent_by);
	info->sent_by = copy;
}

static void close_socket(struct listener *listener)
{
	loop_io_remove(listener->io);
	listener->io = NULL;
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
}

void transport_close_listener(struct transport *transport, uint16_t index)
{
	struct order_link *link, *next;

	udp_flush(transport);
	close_socket(transport->listeners[index]);
	for (link = order_first(&transport->all); link; link = next) {
		struct connection *connection = container_of(link, struct connection, in_all);
		next = order_next(&transport->all, link);
		if (connection->listener == index)
			connection_close(connection, -ERR_CLOSED);
	}
}

void listeners_free(struct transport *transport)
{
	for (uint16_t i = 0; i < transport->listener_count; i++) {
		close_socket(transport->listeners[i]);
		free_listener(transport->listeners[i]);
	}
	free(transport->listeners);
}
