/* What transport and guard need to know, copied out of the configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/internal.h"

#include <stdlib.h>

enum {
	CONNECTIONS_MAX = 20000, /* of one interface, all workers together */
};

static size_t count_listeners(const struct config *config)
{
	size_t count = 0;
	for (size_t i = 0; i < config->interface_count; i++)
		count += config->interfaces[i].listener_count;
	return count;
}

static size_t count_networks(const struct config *config)
{
	size_t count = 0;
	for (size_t i = 0; i < config->peer_count; i++)
		count += config->peers[i].accept_from_count;
	return count;
}

static uint32_t per_second(const struct config_rate *rate)
{
	if (!rate->count || !rate->period_ms)
		return 0;
	uint64_t value = (uint64_t)rate->count * 1000 / rate->period_ms;
	return value ? (uint32_t)value : 1;
}

static void set_rates(const struct config_limits *limits, struct guard_interface *out)
{
	out->rate_per_s = per_second(&limits->message_rate);
	out->source_rate_per_s = per_second(&limits->per_source.message_rate);
	out->source_burst = 2 * out->source_rate_per_s;
}

static void set_interface(const struct config_interface *from,
			  struct transport_interface *transport, struct guard_interface *guard)
{
	*transport = (struct transport_interface){
		.name = from->name,
		.trusted = from->trusted,
		.replies_by_tcp = from->send_replies == CONFIG_REPLIES_TCP,
		.large_by_tcp = from->send != CONFIG_SEND_UDP,
		.connections_max =
			from->limits.connections ? from->limits.connections : CONNECTIONS_MAX,
		.connections_source = from->limits.per_source.connections,
		.origins = from->origins,
		.origin_count = from->origin_count,
	};
	*guard = (struct guard_interface){.trusted = from->trusted};
	set_rates(&from->limits, guard);
	const struct config_ban *ban = &from->security.ban;
	guard->bad_messages = ban->bad_messages.count;
	guard->bad_window_s = ban->bad_messages.period_ms / 1000;
	guard->auth_failures = ban->auth_failures.count;
	guard->auth_window_s = ban->auth_failures.period_ms / 1000;
	guard->ban_s = ban->for_ms / 1000;
}

/* "host:port" as others shall see it. */
static char *sent_by(const struct config_interface *interface, const struct addr *addr)
{
	struct buf text;

	buf_init(&text);
	if (interface->advertise_host)
		buf_add_text(&text, interface->advertise_host);
	else
		addr_add_host(&text, addr_is_set(&interface->advertise_addr)
					     ? &interface->advertise_addr
					     : addr);
	buf_add_char(&text, ':');
	buf_add_u64(&text, addr->port);
	if (buf_failed(&text))
		buf_free(&text);
	return text.data; /* taken over */
}

static enum sip_transport transport_of(enum config_transport transport)
{
	switch (transport) {
	case CONFIG_TCP:
		return SIP_TCP;
	case CONFIG_TLS:
		return SIP_TLS;
	case CONFIG_WS:
		return SIP_WS;
	case CONFIG_WSS:
		return SIP_WSS;
	case CONFIG_UDP:
	case CONFIG_STUN:
	case CONFIG_UNIX: /* of no listener */
	case CONFIG_HTTP:
		break;
	}
	return SIP_UDP;
}

static int set_listeners(const struct config *config, struct setup *setup)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];
		for (size_t j = 0; j < interface->listener_count; j++) {
			const struct config_listener *from = &interface->listeners[j];
			char *text = sent_by(interface, &from->addr);
			if (!text)
				return -ERR_NO_MEMORY;
			setup->listeners[setup->listener_count++] = (struct transport_listener){
				.interface = (uint16_t)i,
				.transport = transport_of(from->transport),
				.purpose = from->transport == CONFIG_STUN ? TRANSPORT_STUN
									  : TRANSPORT_SIP,
				.address = from->addr,
				.is_floating = interface->is_floating,
				.group = from->group,
				.sent_by = text,
			};
		}
	}
	return 0;
}

static void set_peers(const struct config *config, struct setup *setup)
{
	for (size_t i = 0; i < config->peer_count; i++) {
		const struct config_peer *peer = &config->peers[i];
		for (size_t j = 0; j < peer->accept_from_count; j++)
			setup->peers[setup->peer_count++] = (struct guard_peer){
				.interface = (uint16_t)peer->interface,
				.network = peer->accept_from[j],
				.peer = (uint16_t)i,
			};
	}
}

int setup_policies(const struct config *config, struct setup *out)
{
	struct setup setup = {.interface_count = config->interface_count};

	setup.interfaces = calloc(config->interface_count + 1, sizeof(*setup.interfaces));
	setup.guard_interfaces =
		calloc(config->interface_count + 1, sizeof(*setup.guard_interfaces));
	setup.peers = calloc(count_networks(config) + 1, sizeof(*setup.peers));
	if (!setup.interfaces || !setup.guard_interfaces || !setup.peers) {
		setup_free(&setup);
		return -ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < config->interface_count; i++)
		set_interface(&config->interfaces[i], &setup.interfaces[i],
			      &setup.guard_interfaces[i]);
	set_peers(config, &setup);
	setup.listeners = calloc(count_listeners(config) + 1, sizeof(*setup.listeners));
	int err = setup.listeners ? set_listeners(config, &setup) : -ERR_NO_MEMORY;
	if (err) {
		setup_free(&setup);
		return err;
	}
	*out = setup;
	return 0;
}

int setup_create(const struct config *config, struct buf *why, struct setup *out)
{
	struct setup setup;
	int err = setup_policies(config, &setup);

	if (err)
		return err;
	err = setup_tls(config, why, &setup.tls);
	if (err) {
		setup_free(&setup);
		return err;
	}
	*out = setup;
	return 0;
}

void setup_free(struct setup *setup)
{
	for (size_t i = 0; i < setup->listener_count; i++)
		free((char *)(uintptr_t)setup->listeners[i].sent_by);
	free(setup->listeners);
	free(setup->interfaces);
	free(setup->guard_interfaces);
	free(setup->peers);
	tls_release(setup->tls);
	*setup = (struct setup){0};
}
