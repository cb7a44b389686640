/* netlink.h - the kernel's addresses, routes and neighbours, asked and followed (rtnetlink).
 * The control thread's; requests are answered by the kernel within the call.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

struct netlink;

struct route {
	unsigned ifindex;
	struct addr next_hop; /* the gateway, or the destination itself */
	bool is_local;        /* an address of this host */
	uint16_t mtu;         /* 0 = the device's */
};

struct netlink_events {
	/* A neighbour became usable, moved, or was lost (mac NULL). */
	void (*neighbour)(void *owner, unsigned ifindex, const struct addr *ip, const uint8_t *mac);
	/* Routes, addresses or links changed, or events were lost: ask again. */
	void (*changed)(void *owner);
};

MUST_CHECK int netlink_create(const struct netlink_events *events, void *owner,
			      struct netlink **out);
void netlink_destroy(struct netlink *netlink);
int netlink_fd(const struct netlink *netlink); /* readable: call netlink_read() */
void netlink_read(struct netlink *netlink);
/* How `to` is reached when `from` (or any address, if unset) is the source.
 * -ERR_UNREACHABLE: not at all, or to a broadcast or multicast address. */
MUST_CHECK int netlink_route(struct netlink *netlink, const struct addr *to,
			     const struct addr *from, struct route *out);
/* -ERR_NOT_FOUND: not known, or not usable now. */
MUST_CHECK int netlink_neighbour(struct netlink *netlink, unsigned ifindex, const struct addr *ip,
				 uint8_t mac[6]);
/* Have the kernel find the neighbour, or check that it is still there. Without CAP_NET_ADMIN an
 * empty datagram to the discard port, with a hop limit of 1, does it. */
void netlink_probe(struct netlink *netlink, unsigned ifindex, const struct addr *next_hop);
