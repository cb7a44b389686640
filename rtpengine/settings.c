/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/settings.h"

#include <stdlib.h>

struct session_interface *settings_interfaces(const struct config *config)
{
	static const enum session_source sources[] = {
		[CONFIG_SOURCE_SDP_ONLY] = SESSION_SOURCE_SDP_ONLY,
		[CONFIG_SOURCE_LEARN_ONCE] = SESSION_SOURCE_LEARN_ONCE,
		[CONFIG_SOURCE_ICE] = SESSION_SOURCE_ICE,
		[CONFIG_SOURCE_SECURE] = SESSION_SOURCE_SECURE,
	};
	struct session_interface *interfaces = calloc(config->interface_count, sizeof(*interfaces));

	for (size_t i = 0; interfaces && i < config->interface_count; i++) {
		const struct config_interface *from = &config->interfaces[i];
		interfaces[i] = (struct session_interface){
			.name = from->name,
			.addresses = from->media.addresses,
			.address_count = from->media.address_count,
			.advertise = from->advertise_addr,
			.idle_timeout_ms = from->media.idle_timeout_ms,
			.source = sources[from->media.source],
			.dscp = from->media.dscp,
		};
		if (from->retired) { /* nothing new begins there */
			interfaces[i].address_count = 0;
			continue;
		}
		for (size_t j = 0; j < from->media.port_count && j < SESSION_MAX_RANGES; j++)
			interfaces[i].ports[interfaces[i].port_count++] = (struct session_ports){
				from->media.ports[j].first, from->media.ports[j].last};
	}
	return interfaces;
}

static bool is_loopback(const struct addr *addr)
{
	static const struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;

	if (addr->family == AF_INET)
		return addr->bytes[0] == 127;
	return addr->family == AF_INET6 && !memcmp(&addr->v6, &loopback6, sizeof(loopback6));
}

static void allow_host(struct cidr *allow, unsigned *count, const struct addr *addr)
{
	allow[*count].network = *addr;
	allow[*count].network.port = 0;
	allow[(*count)++].bits = addr->family == AF_INET6 ? 128 : 32;
}

static size_t count_allowed(const struct config *config)
{
	size_t count = 2 + config->relay.listen_count;

	for (size_t i = 0; i < config->peer_count; i++)
		count += config->peers[i].server_count;
	return count;
}

/* Whoever reaches the control port commands the relay, so few may: this host, and the servers of
 * peers on trusted interfaces (a Kamailio beside us). */
static unsigned fill_allowed(const struct config *config, struct cidr *allow)
{
	unsigned count = 2;

	allow[0] = (struct cidr){.network = {.family = AF_INET, .bytes = {127}}, .bits = 8};
	allow[1] = (struct cidr){.network = {.family = AF_INET6, .v6 = IN6ADDR_LOOPBACK_INIT},
				 .bits = 128};
	for (size_t i = 0; i < config->relay.listen_count; i++) {
		const struct config_endpoint *at = &config->relay.listen[i];
		if (at->transport != CONFIG_UNIX && !is_loopback(&at->addr) &&
		    !addr_is_any(&at->addr))
			allow_host(allow, &count, &at->addr);
	}
	for (size_t i = 0; i < config->peer_count; i++) {
		const struct config_peer *peer = &config->peers[i];
		if (!config->interfaces[peer->interface].trusted || peer->retired)
			continue;
		for (size_t j = 0; j < peer->server_count; j++)
			if (addr_is_set(&peer->servers[j].addr)) /* not named ones */
				allow_host(allow, &count, &peer->servers[j].addr);
	}
	return count;
}

int settings_allowed(const struct config *config, struct cidr **out, unsigned *count)
{
	struct cidr *allow = calloc(count_allowed(config), sizeof(*allow));

	if (!allow)
		return -ERR_NO_MEMORY;
	*count = fill_allowed(config, allow);
	*out = allow;
	return 0;
}

struct limits_config settings_limits(const struct config *config)
{
	return (struct limits_config){
		.sessions = config->relay.limits.sessions,
		.bandwidth_kbps = config->relay.limits.bandwidth_kbps,
		.load_percent = config->relay.limits.load_percent,
	};
}
