/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/locate.h"
#include "sbc/route/path.h"
#include "sbc/route/servers.h"

bool locate_may_go(const struct worker *worker, uint16_t interface, const struct addr *addr)
{
	const struct config *config = worker->config;
	const struct config_interface *side = &config->interfaces[interface];
	bool is_private = false;

	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *at = &config->interfaces[i];
		for (size_t k = 0; k < at->address_count; k++)
			if (addr_equal_ip(&at->addresses[k], addr))
				return false;
		if (i != interface && guard_peer_of(worker->guard, (uint16_t)i, addr) >= 0)
			return false;
	}
	for (size_t k = 0; k < side->address_count; k++)
		is_private = is_private || addr_is_private(&side->addresses[k]);
	return side->trusted || is_private || !addr_is_private(addr);
}

int locate_destination(const struct worker *worker, uint16_t interface, struct slice text,
		       struct dns_destination *out)
{
	struct slice value;
	struct uri uri;

	int err = uri_parse(text, &uri);
	if (err)
		return err;
	if (uri.scheme != URI_SIP && uri.scheme != URI_SIPS)
		return -ERR_UNSUPPORTED;
	*out = (struct dns_destination){
		.host = uri.host, .port = uri.port, .is_secure = uri.scheme == URI_SIPS};
	if (uri_parameter(&uri, SLICE("maddr"), &value) && value.len > 0)
		out->host = value;
	if (uri_parameter(&uri, SLICE("transport"), &value)) {
		out->transport = slice_equal_nocase(value, SLICE("udp"))   ? DNS_UDP
				 : slice_equal_nocase(value, SLICE("tcp")) ? DNS_TCP
				 : slice_equal_nocase(value, SLICE("tls")) ? DNS_TLS
									   : 0;
		if (!out->transport)
			return -ERR_UNSUPPORTED;
		if (out->is_secure && out->transport == DNS_TCP)
			out->transport = DNS_TLS; /* RFC 3261 26.2.2 */
	}
	naming_ways(worker, interface, out);
	uint8_t only = naming_set(worker->config->interfaces[interface].send);
	if (only)
		out->transport = only;
	return 0;
}

/* --- in a dialog --- */

static bool may_hear(const struct worker *worker, const struct transport_path *from,
		     const struct transport_path *path)
{
	if (!locate_may_go(worker, path->interface, &path->remote))
		return false;
	if (worker->config->interfaces[path->interface].trusted)
		return true;
	int peer = worker_peer_of(worker, from);
	return peer >= 0 && worker_peer_of(worker, path) == peer &&
	       (sip_transport_is_secure((enum sip_transport)path->transport) ||
		!sip_transport_is_secure((enum sip_transport)from->transport));
}

static void add_ways(const struct worker *worker, const struct transport_path *from,
		     struct slice host, const struct dns_targets *targets, bool rests,
		     struct transaction_ways *out)
{
	const struct shared *shared = worker->shared;
	uint64_t now_ms = wheel_now_ms(worker->wheel);

	for (uint32_t i = 0; i < targets->count && out->count < TRANSACTION_WAYS_MAX; i++) {
		const struct dns_target *target = &targets->targets[i];
		struct transport_path path;
		bool does =
			shared && shared_rests(shared, &target->addr, target->transport, now_ms);
		if (does != rests ||
		    path_to(worker, from->interface, &target->addr,
			    naming_transport(target->transport), &path) != 0 ||
		    !may_hear(worker, from, &path) || path_set_name(worker, host, &path) != 0)
			continue;
		out->paths[out->count++] = path;
	}
}

/* Who spoke last from one of them is there, and has the dialog: the first to be asked. Its
 * connection is known. */
static void prefer(const struct transport_path *from, struct transaction_ways *ways)
{
	for (uint32_t i = 0; i < ways->count; i++) {
		if (ways->paths[i].transport != from->transport ||
		    !addr_equal(&ways->paths[i].remote, &from->remote))
			continue;
		memmove(&ways->paths[1], &ways->paths[0], i * sizeof(ways->paths[0]));
		ways->paths[0] = *from;
		return;
	}
}

int locate_ways(const struct worker *worker, const struct transport_path *from, struct slice hop,
		dns_targets_fn *fn, void *owner, uint64_t context, struct transaction_ways *out)
{
	struct dns_destination destination;
	struct dns_targets targets;

	if (!worker->dns)
		return -ERR_UNREACHABLE;
	int err = locate_destination(worker, from->interface, hop, &destination);
	if (!err)
		err = dns_resolve(worker->dns, &destination, fn, owner, context, &targets);
	if (err)
		return err;
	out->count = 0;
	add_ways(worker, from, destination.host, &targets, false, out);
	add_ways(worker, from, destination.host, &targets, true, out);
	prefer(from, out);
	return out->count > 0 ? 0 : -ERR_NOT_FOUND;
}

static void on_known(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	(void)owner, (void)context, (void)err, (void)targets;
}

void locate_now(const struct worker *worker, struct slice hop, struct transport_path *path)
{
	struct transaction_ways ways;

	if (locate_ways(worker, path, hop, on_known, NULL, 0, &ways) == 0)
		*path = ways.paths[0];
}

static void on_located(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	struct worker *worker = owner;
	(void)err, (void)targets;

	transactions_located(worker->transactions, context);
}

int locate_for_request(struct worker *worker, const struct transport_path *from, struct slice hop,
		       uint64_t number, struct transaction_ways *out)
{
	return locate_ways(worker, from, hop, on_located, worker, number, out);
}

void locate_failed(const struct worker *worker, const struct transport_path *path)
{
	uint8_t transport = path->transport == SIP_TLS   ? DNS_TLS
			    : path->transport == SIP_TCP ? DNS_TCP
							 : DNS_UDP;

	if (worker->shared)
		shared_rest_set(worker->shared, &path->remote, transport,
				wheel_now_ms(worker->wheel) + REST_MS);
}
