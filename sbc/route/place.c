/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/place.h"

static enum record_transport transport_of(const struct transport_path *path)
{
	static const enum record_transport transports[SIP_TRANSPORT_COUNT] = {
		[SIP_UDP] = RECORD_UDP,
		[SIP_TCP] = RECORD_TCP,
		[SIP_TLS] = RECORD_TLS,
		[SIP_WS] = RECORD_WS,
		[SIP_WSS] = RECORD_WSS};

	return transports[path->transport];
}

static int read_transport(enum record_transport name, uint8_t *out)
{
	for (uint8_t i = 0; i < SIP_TRANSPORT_COUNT; i++) {
		struct transport_path path = {.transport = i};
		if (transport_of(&path) != name)
			continue;
		*out = i;
		return 0;
	}
	return -ERR_NOT_FOUND;
}

static const char *name_of(const struct config_interface *interface,
			   const struct transport_listener *listener)
{
	for (size_t i = 0; i < interface->listener_count; i++)
		if (addr_equal(&interface->listeners[i].addr, &listener->address) &&
		    !addr_is_set(&interface->listeners[i].group) &&
		    (interface->listeners[i].transport == CONFIG_UDP) ==
			    (listener->transport == SIP_UDP))
			return interface->listeners[i].name;
	return NULL;
}

void place_write(const struct worker *worker, const struct transport_path *path,
		 struct record_leg *out)
{
	const struct config_interface *interface = &worker->config->interfaces[path->interface];
	const struct transport_listener *listener =
		transport_listener(worker->transport, path->listener);
	const char *name = listener ? name_of(interface, listener) : NULL;
	const char *host = transport_name_text(worker->transport, path->name);

	out->transport = transport_of(path);
	out->interface = slice_from(interface->name);
	out->listener = name ? slice_from(name) : SLICE_NONE;
	out->remote = path->remote;
	out->tls_name = host ? slice_from(host) : SLICE_NONE;
}

static int find_interface(const struct config *config, struct slice name, uint16_t *out)
{
	int index = config_find_interface(config, name);

	if (index < 0)
		return -ERR_NOT_FOUND;
	*out = (uint16_t)index;
	return 0;
}

/* By its name; else any that can reach the same. */
static int find_listener(const struct worker *worker, const struct transport_path *path,
			 struct slice name, uint16_t *out)
{
	const struct config_interface *interface = &worker->config->interfaces[path->interface];
	const struct transport_listener *at;
	int err = -ERR_NOT_FOUND;

	for (uint16_t i = 0; (at = transport_listener(worker->transport, i)); i++) {
		if (at->interface != path->interface || at->transport != path->transport ||
		    at->purpose != TRANSPORT_SIP || addr_is_set(&at->group) ||
		    transport_is_draining(worker->transport, i))
			continue;
		const char *text = name_of(interface, at);
		bool is_named = text && slice_equal(slice_from(text), name);
		bool fits = !at->address.family || at->address.family == path->remote.family;
		if (is_named || (err && fits)) {
			*out = i;
			err = 0;
		}
		if (is_named)
			break;
	}
	return err;
}

int place_read(const struct worker *worker, const struct record_leg *leg,
	       struct transport_path *out)
{
	struct transport_path path = {.remote = leg->remote, .worker = worker->index};

	int err = find_interface(worker->config, leg->interface, &path.interface);
	if (!err)
		err = read_transport(leg->transport, &path.transport);
	if (!err)
		err = find_listener(worker, &path, leg->listener, &path.listener);
	if (!err)
		err = transport_name(worker->transport, leg->tls_name, &path.name);
	if (!err)
		*out = path;
	return err;
}

int place_peer(const struct config *config, struct slice name)
{
	for (size_t i = 0; name.len > 0 && i < config->peer_count; i++)
		if (slice_equal(slice_from(config->peers[i].name), name))
			return (int)i;
	return -1;
}
