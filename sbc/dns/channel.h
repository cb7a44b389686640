/* channel.h - the resolver of a worker with c-ares behind it, on the worker's loop.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/loop.h"
#include "sbc/dns/dns.h"

struct dns_channel;

struct dns_channel_config {
	struct loop *loop;
	struct random *random;
	const struct addr *servers; /* with port; none = those of /etc/resolv.conf */
	size_t server_count;
	uint32_t timeout_ms; /* of a lookup, all tries together */
	uint32_t cache_max_ms;
};

/* The resolver is the channel's. */
MUST_CHECK int dns_channel_create(const struct dns_channel_config *config,
				  struct dns_channel **out);
void dns_channel_destroy(struct dns_channel *channel); /* NULL is fine */
struct dns *dns_channel_resolver(const struct dns_channel *channel);
