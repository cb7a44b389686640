/* netlink.c - rtnetlink through libmnl. Two sockets: one to ask (the kernel answers inside
 * sendmsg(2), so nothing waits), one to listen. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/netlink.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER_SIZE 32768
/* Events read in one go, so that a storm of them cannot hold the control thread. */
#define READS_MAX    64
#define DISCARD_PORT 9

struct netlink {
	struct mnl_socket *ask;
	struct mnl_socket *listen;
	uint32_t sequence;
	bool may_use; /* NTF_USE was permitted so far */
	struct netlink_events events;
	void *owner;
	char buffer[BUFFER_SIZE] __attribute__((aligned(8)));
};

static int open_socket(unsigned groups, struct mnl_socket **out)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!socket)
		return err_from_errno(errno);
	if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
		int err = err_from_errno(errno);
		mnl_socket_close(socket);
		return err;
	}
	*out = socket;
	return 0;
}

int netlink_create(const struct netlink_events *events, void *owner, struct netlink **out)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	if (!netlink)
		return -ERR_NO_MEMORY;
	netlink->events = *events;
	netlink->owner = owner;
	netlink->may_use = true;
	int err = open_socket(0, &netlink->ask);
	if (!err)
		err = open_socket(RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
					  RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
					  RTMGRP_IPV6_ROUTE,
				  &netlink->listen);
	if (err) {
		netlink_destroy(netlink);
		return err;
	}
	*out = netlink;
	return 0;
}

void netlink_destroy(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->ask)
		mnl_socket_close(netlink->ask);
	if (netlink->listen)
		mnl_socket_close(netlink->listen);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->listen);
}

static void put_addr(struct nlmsghdr *message, uint16_t type, const struct addr *addr)
{
	mnl_attr_put(message, type, addr->family == AF_INET ? 4 : 16, addr->bytes);
}

static bool get_addr(const struct nlattr *attr, uint8_t family, struct addr *out)
{
	size_t len = family == AF_INET ? 4 : 16;
	if (mnl_attr_get_payload_len(attr) != len)
		return false;
	memset(out, 0, sizeof(*out));
	out->family = family;
	memcpy(out->bytes, mnl_attr_get_payload(attr), len);
	return true;
}

/* Send a request and collect its answer; 0 or a negative code. `message` lies in the buffer. */
static int ask(struct netlink *netlink, struct nlmsghdr *message, mnl_cb_t answer, void *data)
{
	uint32_t sequence = message->nlmsg_seq = ++netlink->sequence;
	if (mnl_socket_sendto(netlink->ask, message, message->nlmsg_len) < 0)
		return err_from_errno(errno);
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = mnl_socket_recvfrom(netlink->ask, netlink->buffer, BUFFER_SIZE);
		if (n < 0)
			return err_from_errno(errno);
		const struct nlmsghdr *reply = (const struct nlmsghdr *)netlink->buffer;
		if (reply->nlmsg_seq != sequence)
			continue; /* what an earlier, failed call left */
		int done = mnl_cb_run(netlink->buffer, (size_t)n, sequence,
				      mnl_socket_get_portid(netlink->ask), answer, data);
		if (done < 0)
			return err_from_errno(errno);
		return 0;
	}
	return -ERR_AGAIN;
}

struct route_answer {
	struct route *out;
	uint8_t family;
	bool is_found;
};

static int read_metric(const struct nlattr *attr, void *data)
{
	struct route *out = data;
	if (mnl_attr_get_type(attr) == RTAX_MTU &&
	    mnl_attr_get_payload_len(attr) >= sizeof(uint32_t)) {
		uint32_t mtu = mnl_attr_get_u32(attr);
		out->mtu = (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu);
	}
	return MNL_CB_OK;
}

static int read_route(const struct nlattr *attr, void *data)
{
	struct route_answer *answer = data;
	struct route *out = answer->out;
	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		if (mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
			out->ifindex = mnl_attr_get_u32(attr);
		break;
	case RTA_GATEWAY:
		get_addr(attr, answer->family, &out->next_hop);
		break;
	case RTA_VIA: /* an IPv6 gateway for IPv4 (RFC 5549) */
		if (mnl_attr_get_payload_len(attr) == 2 + 16) {
			const struct rtvia *via = mnl_attr_get_payload(attr);
			out->next_hop = (struct addr){.family = AF_INET6};
			memcpy(out->next_hop.bytes, via->rtvia_addr, 16);
		}
		break;
	case RTA_METRICS:
		mnl_attr_parse_nested(attr, read_metric, out);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *data)
{
	struct route_answer *answer = data;
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(message);
	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	if (rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_LOCAL)
		return MNL_CB_OK;
	answer->is_found = true;
	answer->family = rtm->rtm_family;
	answer->out->is_local = rtm->rtm_type == RTN_LOCAL;
	mnl_attr_parse(message, sizeof(*rtm), read_route, answer);
	return MNL_CB_STOP;
}

int netlink_route(struct netlink *netlink, const struct addr *to, const struct addr *from,
		  struct route *out)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(netlink->buffer);
	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(message, sizeof(*rtm));
	uint8_t bits = to->family == AF_INET ? 32 : 128;
	rtm->rtm_family = to->family;
	rtm->rtm_dst_len = bits;
	put_addr(message, RTA_DST, to);
	if (from && from->family == to->family) {
		rtm->rtm_src_len = bits;
		put_addr(message, RTA_SRC, from);
	}
	struct route route = {.next_hop = *to};
	route.next_hop.port = 0;
	struct route_answer answer = {.out = &route};
	int err = ask(netlink, message, on_route, &answer);
	if (err || !answer.is_found)
		return -ERR_UNREACHABLE;
	*out = route;
	return 0;
}

struct neighbour {
	unsigned ifindex;
	struct addr ip;
	const uint8_t *mac; /* NULL = not usable */
	uint8_t family;
};

static int read_neighbour_attr(const struct nlattr *attr, void *data)
{
	struct neighbour *out = data;
	if (mnl_attr_get_type(attr) == NDA_DST)
		get_addr(attr, out->family, &out->ip);
	else if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
		out->mac = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

static bool read_neighbour(const struct nlmsghdr *message, struct neighbour *out)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(message);
	if (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6)
		return false;
	memset(out, 0, sizeof(*out));
	out->family = ndm->ndm_family;
	out->ifindex = (unsigned)ndm->ndm_ifindex;
	mnl_attr_parse(message, sizeof(*ndm), read_neighbour_attr, out);
	if (message->nlmsg_type != RTM_NEWNEIGH ||
	    !(ndm->ndm_state &
	      (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)))
		out->mac = NULL;
	return out->ip.family != 0;
}

struct neighbour_answer {
	uint8_t *mac;
	bool is_found;
};

static int on_neighbour(const struct nlmsghdr *message, void *data)
{
	struct neighbour_answer *answer = data;
	struct neighbour neighbour;
	if (message->nlmsg_type == RTM_NEWNEIGH && read_neighbour(message, &neighbour) &&
	    neighbour.mac) {
		memcpy(answer->mac, neighbour.mac, 6);
		answer->is_found = true;
	}
	return MNL_CB_STOP;
}

static struct nlmsghdr *neighbour_message(struct netlink *netlink, uint16_t type, unsigned ifindex,
					  const struct addr *ip, uint8_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(netlink->buffer);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST;
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(message, sizeof(*ndm));
	ndm->ndm_family = ip->family;
	ndm->ndm_ifindex = (int)ifindex;
	ndm->ndm_flags = flags;
	put_addr(message, NDA_DST, ip);
	return message;
}

int netlink_neighbour(struct netlink *netlink, unsigned ifindex, const struct addr *ip,
		      uint8_t mac[6])
{
	struct nlmsghdr *message = neighbour_message(netlink, RTM_GETNEIGH, ifindex, ip, 0);
	struct neighbour_answer answer = {.mac = mac};
	int err = ask(netlink, message, on_neighbour, &answer);
	return err || !answer.is_found ? -ERR_NOT_FOUND : 0;
}

static void probe_by_datagram(unsigned ifindex, const struct addr *next_hop)
{
	int fd = socket(next_hop->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	char device[IF_NAMESIZE];
	int one = 1;
	bool v4 = next_hop->family == AF_INET;
	struct addr to = *next_hop;
	to.port = DISCARD_PORT;
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&to, &sa);
	if (!v4)
		((struct sockaddr_in6 *)&sa)->sin6_scope_id = ifindex;
	/* not permitted on old kernels: then the routing table chooses, which is as good */
	if (if_indextoname(ifindex, device))
		(void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device));
	(void)setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &one,
			 sizeof(one));
	(void)sendto(fd, NULL, 0, 0, (const struct sockaddr *)&sa, len);
	close(fd);
}

void netlink_probe(struct netlink *netlink, unsigned ifindex, const struct addr *next_hop)
{
	if (netlink->may_use) {
		struct nlmsghdr *message =
			neighbour_message(netlink, RTM_NEWNEIGH, ifindex, next_hop, NTF_USE);
		message->nlmsg_flags |= NLM_F_CREATE | NLM_F_ACK;
		int err = ask(netlink, message, NULL, NULL);
		if (err != -ERR_DENIED)
			return;
		netlink->may_use = false;
	}
	probe_by_datagram(ifindex, next_hop);
}

static int on_event(const struct nlmsghdr *message, void *data)
{
	struct netlink *netlink = data;
	struct neighbour neighbour;
	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (read_neighbour(message, &neighbour))
			netlink->events.neighbour(netlink->owner, neighbour.ifindex, &neighbour.ip,
						  neighbour.mac);
		break;
	default:
		netlink->events.changed(netlink->owner);
	}
	return MNL_CB_OK;
}

void netlink_read(struct netlink *netlink)
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		/* not the shared buffer: the handlers ask */
		char buffer[8192] __attribute__((aligned(8)));
		ssize_t n = mnl_socket_recvfrom(netlink->listen, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			netlink->events.changed(netlink->owner); /* ENOBUFS: some were lost */
		if (n <= 0)
			return;
		mnl_cb_run(buffer, (size_t)n, 0, 0, on_event, netlink);
	}
}
