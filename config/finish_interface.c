/* Interfaces as both halves use them: a listener for each address, certificates in pairs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#include <stdio.h>

static bool has_address(const struct addr *list, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal_ip(&list[i], addr))
			return true;
	return false;
}

static bool is_first_of_family(const struct raw_interface *interface, size_t address,
			       uint8_t family)
{
	for (size_t i = 0; i < address; i++)
		if (interface->public.addresses[i].family == family)
			return false;
	return interface->public.addresses[address].family == family;
}

static void addresses_finish(struct loaded *loaded, struct raw_interface *interface)
{
	const struct config_host *host = loaded->host;
	size_t room = interface->address_count * HOST_DEVICE_ADDRESSES, count = 0;
	struct addr *addresses = finish_take(loaded, room, sizeof(*addresses));

	if (!addresses)
		return;
	for (size_t i = 0; i < interface->address_count; i++) {
		struct raw_address *raw = &interface->addresses[i];
		struct addr found[HOST_DEVICE_ADDRESSES] = {raw->addr};
		int n = 1;
		if (raw->device) {
			interface->public.device = raw->device;
			n = host->device_addresses(host->owner, raw->device, found,
						   HOST_DEVICE_ADDRESSES);
		}
		for (int j = 0; j < n; j++) {
			if (!has_address(addresses, count, &found[j]) &&
			    count < HOST_DEVICE_ADDRESSES)
				addresses[count++] = found[j];
			else if (!raw->device && count < HOST_DEVICE_ADDRESSES)
				finding_warn(&loaded->findings, value_place(loaded, raw, NULL),
					     "this address is here a second time");
		}
	}
	interface->public.addresses = addresses;
	interface->public.address_count = count;
}

static const char *listener_name(struct loaded *loaded, const struct raw_listen *listen, size_t i)
{
	static const char *const names[] = {
		[CONFIG_UDP] = "udp", [CONFIG_TCP] = "tcp", [CONFIG_TLS] = "tls",
		[CONFIG_WS] = "ws",   [CONFIG_WSS] = "wss", [CONFIG_STUN] = "stun",
	};
	char group[ADDR_TEXT_SIZE], port[8] = "", number[24] = "";
	const char *transport = names[listen->transport];

	if (addr_is_set(&listen->group)) {
		transport = "multicast";
		addr_text(&listen->group, group);
	} else {
		(void)snprintf(group, sizeof(group), "%u", listen->port);
	}
	if (i)
		(void)snprintf(number, sizeof(number), "/%zu", i + 1);
	const char *name = arena_printf(loaded->arena, "%s/%s%s%s", transport, group, port, number);
	if (!name)
		loaded->findings.failed = true;
	return name;
}

/* "udp/5060", of the second address "udp/5060/2": names that another node can have as well. A group
 * is joined once, by the first address of its family. */
static void listeners_finish(struct loaded *loaded, struct raw_interface *interface)
{
	size_t room = interface->public.address_count * interface->listen_count, count = 0;
	struct config_listener *listeners = finish_take(loaded, room, sizeof(*listeners));

	interface->listener_of = finish_take(loaded, room, sizeof(*interface->listener_of));
	if (!listeners || !interface->listener_of)
		return;
	for (size_t i = 0; i < interface->public.address_count; i++) {
		const struct addr *addr = &interface->public.addresses[i];
		for (size_t j = 0; j < interface->listen_count; j++) {
			const struct raw_listen *listen = &interface->listen[j];
			if (addr_is_set(&listen->group) &&
			    !is_first_of_family(interface, i, listen->group.family))
				continue;
			struct config_listener *listener = &listeners[count];
			interface->listener_of[count++] = (uint32_t)j;
			listener->transport = listen->transport;
			listener->addr = *addr;
			listener->addr.port = listen->port;
			listener->group = listen->group;
			listener->name =
				listener_name(loaded, listen, addr_is_set(&listen->group) ? 0 : i);
		}
	}
	interface->public.listeners = listeners;
	interface->public.listener_count = count;
}

/* The first certificate with the first key, and so on. */
static void certificates_finish(struct loaded *loaded, struct raw_interface *interface)
{
	size_t count = interface->certificate_count;
	struct config_certificate *list = finish_take(loaded, count, sizeof(*list));

	for (size_t i = 0; list && i < count && i < interface->key_count; i++)
		list[i] =
			(struct config_certificate){interface->certificates[i], interface->keys[i]};
	interface->public.tls.certificates = list;
	interface->public.tls.certificate_count = list && count == interface->key_count ? count : 0;
}

static void media_finish(struct raw_interface *interface)
{
	struct config_media *media = &interface->public.media;

	if (media->address_count == 0) {
		media->addresses = interface->public.addresses;
		media->address_count = interface->public.address_count;
	}
}

void finish_interfaces(struct loaded *loaded)
{
	struct config_interface *public =
		finish_take(loaded, loaded->interface_count, sizeof(*public));

	for (size_t i = 0; public && i < loaded->interface_count; i++) {
		struct raw_interface *interface = &loaded->interfaces[i];
		if (interface->public.retired) {
			public[i] = interface->public;
			continue;
		}
		addresses_finish(loaded, interface);
		listeners_finish(loaded, interface);
		certificates_finish(loaded, interface);
		media_finish(interface);
		interface->public.advertise_host = interface->advertise.host;
		interface->public.advertise_addr = interface->advertise.addr;
		finish_headers(&interface->public.headers, &interface->set_in, &interface->set_out);
		public[i] = interface->public;
	}
	loaded->file.public.interfaces = public;
	loaded->file.public.interface_count = public ? loaded->interface_count : 0;
}
