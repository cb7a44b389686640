/* naming.c - servers that are named: their addresses are looked up at the start and again whenever
 * the answer's time is over. What was true last is used while the name servers do not answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/route/servers.h"

enum { REFRESH_MIN_MS = 1000, REFRESH_MAX_MS = 600000, RETRY_MS = 5000 };

enum sip_transport naming_transport(uint8_t transport)
{
	return transport == DNS_TLS ? SIP_TLS : transport == DNS_TCP ? SIP_TCP : SIP_UDP;
}

uint8_t naming_set(enum config_send send)
{
	switch (send) {
	case CONFIG_SEND_UDP:
		return DNS_UDP;
	case CONFIG_SEND_TCP:
		return DNS_TCP;
	case CONFIG_SEND_TLS:
		return DNS_TLS;
	case CONFIG_SEND_AUTO:
		break;
	}
	return 0;
}

void naming_ways(const struct worker *worker, uint16_t interface, struct dns_destination *out)
{
	static const uint8_t sets[] = {DNS_UDP, DNS_TCP, DNS_TLS};
	uint8_t only = naming_set(worker->config->interfaces[interface].send);
	uint16_t listener;

	out->allowed = 0;
	out->no_v4 = out->no_v6 = true;
	for (size_t i = 0; i < 3; i++) {
		enum sip_transport kind = naming_transport(sets[i]);
		bool v4 = transport_listener_for(worker->transport, interface, kind, AF_INET,
						 &listener) == 0;
		bool v6 = transport_listener_for(worker->transport, interface, kind, AF_INET6,
						 &listener) == 0;
		if ((only && sets[i] != only) || !(v4 || v6))
			continue;
		out->allowed |= sets[i];
		out->no_v4 = out->no_v4 && !v4;
		out->no_v6 = out->no_v6 && !v6;
	}
}

void naming_destination(const struct server *server, struct dns_destination *out)
{
	const struct config_server *config = server_config(server);

	*out = (struct dns_destination){.host = slice_from(config->host),
					.port = config->port,
					.transport = naming_set(config->transport)};
	naming_ways(server->peers->worker, (uint16_t)server_peer(server)->interface, out);
}

static void on_refresh(struct timer *timer, uint64_t now_ms);

static void ask_again(struct server *server, uint64_t in_ms)
{
	struct wheel *wheel = server->peers->worker->wheel;

	if (!server->peers->is_stopped && !server_peer(server)->retired)
		wheel_arm(wheel, &server->refresh, wheel_now_ms(wheel) + in_ms, on_refresh);
}

static void say_addresses(const struct server *server)
{
	char addr[ADDR_TEXT_SIZE];

	log_info(server->peers->worker->log, "peer.addresses", "peer=%s name=%s count=%u first=%s",
		 server_peer(server)->name, server_config(server)->host, server->address_count,
		 addr_text(&server->addresses[0].addr, addr));
}

/* Requests from there are this peer's. */
static void admit_sources(const struct server *server)
{
	struct addr addrs[DNS_TARGETS_MAX];

	if (server_peer(server)->retired)
		return; /* they are nobody's, or another peer's */
	for (uint32_t i = 0; i < server->address_count; i++)
		addrs[i] = server->addresses[i].addr;
	guard_set_hosts(server->peers->worker->guard, (uint32_t)(server - server->peers->servers),
			(uint16_t)server_peer(server)->interface, (uint16_t)server->peer, addrs,
			server->address_count);
}

static bool has_target(const struct dns_target *list, uint32_t count, const struct dns_target *one)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i].transport == one->transport && addr_equal(&list[i].addr, &one->addr))
			return true;
	return false;
}

static void learn(struct server *server, const struct dns_targets *targets)
{
	struct dns_target *copy = calloc(targets->count, sizeof(*copy));
	bool is_new = targets->count != server->address_count;
	if (!copy)
		return; /* the old ones serve on */

	memcpy(copy, targets->targets, targets->count * sizeof(*copy));
	for (uint32_t i = 0; i < targets->count && !is_new; i++)
		is_new = !has_target(server->addresses, server->address_count, &copy[i]);
	free(server->addresses);
	server->addresses = copy;
	server->address_count = targets->count;
	if (!is_new)
		return;
	say_addresses(server);
	admit_sources(server);
}

static void heard(struct server *server, int err, const struct dns_targets *targets)
{
	server->is_asked = false;
	if (err) {
		if (server->address_count == 0)
			server_set_up(server, false, "its name leads nowhere");
		ask_again(server, RETRY_MS);
		return;
	}
	if (server->address_count == 0 && server_peer(server)->ping_ms == 0)
		server_set_up(server, true, "");
	learn(server, targets);
	uint64_t in_ms = targets->ttl_ms < REFRESH_MIN_MS   ? REFRESH_MIN_MS
			 : targets->ttl_ms > REFRESH_MAX_MS ? REFRESH_MAX_MS
							    : targets->ttl_ms;
	ask_again(server, in_ms);
}

static void on_targets(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	struct peers *peers = owner;
	heard(&peers->servers[context], err, targets);
}

static void on_refresh(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	naming_start(container_of(timer, struct server, refresh));
}

void naming_start(struct server *server)
{
	struct worker *worker = server->peers->worker;
	struct dns_destination destination;
	struct dns_targets targets;

	if (!worker->dns || server->is_asked)
		return;
	naming_destination(server, &destination);
	server->is_asked = true;
	int err = dns_resolve(worker->dns, &destination, on_targets, server->peers,
			      (uint64_t)(server - server->peers->servers), &targets);
	if (err != -ERR_AGAIN)
		heard(server, err, &targets);
}

static void on_nothing(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	(void)owner, (void)context, (void)err, (void)targets;
}

uint32_t naming_addresses(struct server *server, struct dns_target **out)
{
	struct worker *worker = server->peers->worker;
	struct dns_destination destination;
	struct dns_targets targets = {0};
	const struct dns_target *from = server->addresses;
	uint32_t count = server->address_count;

	/* Drawn anew for each call, where the answers are still there. */
	naming_destination(server, &destination);
	if (worker->dns && count > 0 &&
	    dns_resolve(worker->dns, &destination, on_nothing, NULL, 0, &targets) == 0) {
		from = targets.targets;
		count = targets.count;
	}
	*out = count ? calloc(count, sizeof(**out)) : NULL;
	if (!*out)
		return 0;
	memcpy(*out, from, count * sizeof(**out));
	return count;
}

void naming_stop(struct server *server)
{
	wheel_cancel(server->peers->worker->wheel, &server->refresh);
	guard_set_hosts(server->peers->worker->guard, (uint32_t)(server - server->peers->servers),
			0, 0, NULL, 0);
}

void naming_free(struct server *server)
{
	wheel_cancel(server->peers->worker->wheel, &server->refresh);
	free(server->addresses);
}
