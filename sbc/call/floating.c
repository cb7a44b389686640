/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/floating.h"
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES_SIZE = 16384 };

struct floating {
	struct floating_config config;
	struct addr addresses[FLOATING_MAX];
	uint8_t count;
	uint32_t here; /* a set */
	uint32_t had;
	int fd;
	struct loop_io *io;
};

static uint32_t find(const struct floating *floating, const struct addr *addr)
{
	for (uint8_t i = 0; i < floating->count; i++)
		if (addr_equal_ip(&floating->addresses[i], addr))
			return 1u << i;
	return 0;
}

static void collect(struct floating *floating, const struct config *config)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];
		for (size_t j = 0; interface->is_floating && j < interface->address_count; j++)
			if (floating->count < FLOATING_MAX &&
			    !find(floating, &interface->addresses[j]))
				floating->addresses[floating->count++] = interface->addresses[j];
	}
}

static void came(struct floating *floating, uint32_t bit)
{
	const struct floating_config *config = &floating->config;
	uint8_t index = (uint8_t)__builtin_ctz(bit);
	char text[ADDR_TEXT_SIZE];

	if (floating->here & bit)
		return;
	floating->here |= bit;
	floating->had |= bit;
	log_info(config->log, "address.arrived", "address=%s",
		 addr_ip_text(&floating->addresses[index], text));
	config->on_arrival(config->owner, index);
}

static void left(struct floating *floating, uint32_t bit)
{
	char text[ADDR_TEXT_SIZE];

	if (!(floating->here & bit))
		return;
	floating->here &= ~bit;
	log_info(floating->config.log, "address.left", "address=%s",
		 addr_ip_text(&floating->addresses[__builtin_ctz(bit)], text));
}

static bool read_address(const struct nlmsghdr *header, struct addr *out)
{
	const struct ifaddrmsg *body = NLMSG_DATA(header);
	int room = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*body));
	uint16_t size = body->ifa_family == AF_INET ? 4 : 16;
	bool is_found = false;

	if (body->ifa_family != AF_INET && body->ifa_family != AF_INET6)
		return false;
	*out = (struct addr){.family = body->ifa_family};
	/* IFA_LOCAL is ours where there is a peer; IPv6 says IFA_ADDRESS alone. */
	for (const struct rtattr *at = IFA_RTA(body); RTA_OK(at, room);) {
		bool is_local = at->rta_type == IFA_LOCAL;
		if (RTA_PAYLOAD(at) == size &&
		    (is_local || (at->rta_type == IFA_ADDRESS && !is_found))) {
			memcpy(out->bytes, RTA_DATA(at), size);
			is_found = true;
		}
		int step = (int)RTA_ALIGN(at->rta_len);
		room -= step;
		at = (const void *)((const char *)at + step);
	}
	return is_found;
}

static void take(struct floating *floating, const struct nlmsghdr *header)
{
	struct addr addr;

	if ((header->nlmsg_type != RTM_NEWADDR && header->nlmsg_type != RTM_DELADDR) ||
	    header->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)) ||
	    !read_address(header, &addr))
		return;
	uint32_t bit = find(floating, &addr);
	if (bit && header->nlmsg_type == RTM_NEWADDR)
		came(floating, bit);
	else if (bit)
		left(floating, bit);
}

static void on_readable(void *owner, int events)
{
	struct floating *floating = owner;
	/* Netlink's headers are aligned to four. */
	_Alignas(struct nlmsghdr) char bytes[MESSAGES_SIZE];
	struct sockaddr_nl from;
	struct iovec vector = {bytes, sizeof(bytes)};
	struct msghdr message = {.msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &vector,
				 .msg_iovlen = 1};
	(void)events;

	for (int i = 0; i < 64; i++) {
		ssize_t got = recvmsg(floating->fd, &message, MSG_DONTWAIT);
		if (got <= 0)
			return;
		if (from.nl_pid != 0) /* only the kernel knows */
			continue;
		size_t room = (size_t)got;
		for (const struct nlmsghdr *at = (void *)bytes; NLMSG_OK(at, room);) {
			size_t step = NLMSG_ALIGN(at->nlmsg_len);
			take(floating, at);
			room = step < room ? room - step : 0;
			at = (const void *)((const char *)at + step);
		}
	}
}

/* What is here already, no news. */
static void look(struct floating *floating)
{
	struct ifaddrs *list;
	struct addr addr;

	if (getifaddrs(&list))
		return;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		if (!at->ifa_addr ||
		    (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
			continue;
		addr_from_sockaddr(at->ifa_addr, &addr);
		floating->here |= find(floating, &addr);
	}
	floating->had |= floating->here;
	freeifaddrs(list);
}

static int listen_to_kernel(struct floating *floating)
{
	struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
				     .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};

	floating->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (floating->fd < 0 || bind(floating->fd, (struct sockaddr *)&groups, sizeof(groups)) != 0)
		return err_from_errno(errno);
	return loop_io_add(floating->config.loop, floating->fd, LOOP_READ, on_readable, floating,
			   &floating->io);
}

int floating_create(const struct floating_config *config, struct floating **out)
{
	struct floating *floating = calloc(1, sizeof(*floating));
	if (!floating)
		return -ERR_NO_MEMORY;

	floating->config = *config;
	floating->fd = -1;
	int err = listen_to_kernel(floating);
	if (err) {
		floating_destroy(floating);
		return err;
	}
	*out = floating;
	return 0;
}

void floating_follow(struct floating *floating, const struct config *config)
{
	uint8_t known = floating->count;

	collect(floating, config);
	if (floating->count > known)
		look(floating);
}

void floating_destroy(struct floating *floating)
{
	if (!floating)
		return;
	if (floating->io)
		loop_io_remove(floating->io);
	if (floating->fd >= 0)
		close(floating->fd);
	free(floating);
}

uint32_t floating_had(const struct floating *floating)
{
	return floating->had;
}

const struct addr *floating_at(const struct floating *floating, uint8_t index)
{
	return &floating->addresses[index];
}

uint32_t floating_find(const struct floating *floating, struct slice text)
{
	struct addr addr;
	return addr_parse_ip(text, &addr) == 0 ? find(floating, &addr) : 0;
}
