/* SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include "config/nearest.h"

#define VALUE(type) (*(const type *)value)

void type_addr_add(struct buf *out, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];

	buf_add_text(out, addr->port ? addr_text(addr, text) : addr_ip_text(addr, text));
}

/* --- an interface's own address ------------------------------------------------------------------
 */

static bool is_device_name(struct slice text)
{
	bool letter = false;

	if (text.len == 0 || text.len > 15) /* IFNAMSIZ - 1 */
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c <= ' ' || c == '/' || c == ':' || c == 0x7f)
			return false;
		letter = letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	}
	return letter;
}

static bool device_read(struct loaded *loaded, const struct yaml_node *node,
			struct raw_address *out)
{
	const struct config_host *host = loaded->host;
	struct addr addresses[HOST_DEVICE_ADDRESSES];
	struct nearest nearest;
	char name[32];
	char *device = type_text(loaded, node->text);

	if (!device)
		return false;
	int count = host->device_addresses(host->owner, device, addresses, HOST_DEVICE_ADDRESSES);
	if (count > 0) {
		out->device = device;
		return true;
	}
	if (count == 0) {
		finding_error(&loaded->findings, node->place,
			      "device \"%s\" has no address (ip addr add ADDRESS/BITS dev %s)",
			      device, device);
		return false;
	}
	nearest_start(&nearest, node->text);
	for (unsigned i = 0; i < 64 && host->device_name(host->owner, i, name, sizeof(name)); i++) {
		char *kept = type_text(loaded, slice_from(name));
		if (kept)
			nearest_offer(&nearest, kept);
	}
	finding_error(&loaded->findings, node->place, "this machine has no device \"%s\"%s%s%s",
		      device, nearest.name ? " (did you mean \"" : "",
		      nearest.name ? nearest.name : "", nearest.name ? "\"?)" : "");
	return false;
}

static bool address_read(struct loaded *loaded, const struct schema_key *key,
			 const struct yaml_node *node, void *out)
{
	struct findings *findings = &loaded->findings;
	struct raw_address address = {.device = NULL};

	if (addr_parse_ip(node->text, &address.addr)) {
		struct addr with_port;
		if (!addr_parse(node->text, 0, &with_port)) {
			finding_error(
				findings, node->place,
				"no port here: ports are said under listen (listen: [udp/%u])",
				with_port.port);
			return false;
		}
		if (!is_device_name(node->text))
			return type_wrong(loaded, key, node);
		if (!device_read(loaded, node, &address))
			return false;
	} else if (addr_is_any(&address.addr)) {
		finding_error(findings, node->place,
			      "%.*s is everywhere: name one address of this machine, or a device",
			      SLICE_ARG(node->text));
		return false;
	} else if (addr_is_multicast(&address.addr)) {
		finding_error(findings, node->place,
			      "%.*s is a multicast group, no machine's address",
			      SLICE_ARG(node->text));
		return false;
	}
	*(struct raw_address *)out = address;
	return true;
}

static void address_print(const struct loaded *loaded, const struct schema_key *key,
			  const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	if (VALUE(struct raw_address).device)
		buf_add_text(out, VALUE(struct raw_address).device);
	else
		type_addr_add(out, &VALUE(struct raw_address).addr);
}

const struct schema_type type_address = {
	.name = "address",
	.write = "an IPv4 or IPv6 address of this machine, or the name of a device",
	.size = sizeof(struct raw_address),
	.read = address_read,
	.print = address_print,
};

/* --- what the other side is told -----------------------------------------------------------------
 */

static bool advertise_read(struct loaded *loaded, const struct schema_key *key,
			   const struct yaml_node *node, void *out)
{
	struct raw_advertise advertise = {.host = NULL};
	struct slice address = node->text;
	struct slice host = SLICE_NONE;

	if (slice_find(node->text, '/') < node->text.len)
		host = slice_cut(&address, '/');
	else if (addr_parse_ip(node->text, &advertise.addr)) {
		host = node->text;
		address = SLICE_NONE;
	}
	if (host.len && !type_is_host(host))
		return type_wrong(loaded, key, node);
	if (address.len &&
	    (addr_parse_ip(address, &advertise.addr) || addr_is_any(&advertise.addr)))
		return type_wrong(loaded, key, node);
	if (!host.len && !address.len)
		return type_wrong(loaded, key, node);
	if (host.len)
		advertise.host = type_text(loaded, host);
	*(struct raw_advertise *)out = advertise;
	return true;
}

static void advertise_print(const struct loaded *loaded, const struct schema_key *key,
			    const void *value, struct buf *out)
{
	struct raw_advertise advertise = VALUE(struct raw_advertise);

	(void)loaded;
	(void)key;
	if (advertise.host)
		buf_add_text(out, advertise.host);
	if (advertise.host && addr_is_set(&advertise.addr))
		buf_add_char(out, '/');
	if (addr_is_set(&advertise.addr))
		type_addr_add(out, &advertise.addr);
}

const struct schema_type type_advertise = {
	.name = "name or address to advertise",
	.write = "sbc.example.com/203.0.113.10, sbc.example.com or 203.0.113.10",
	.size = sizeof(struct raw_advertise),
	.read = advertise_read,
	.print = advertise_print,
};

/* --- networks ------------------------------------------------------------------------------------
 */

static bool network_read(struct loaded *loaded, const struct schema_key *key,
			 const struct yaml_node *node, void *out)
{
	struct cidr network;
	struct addr written;
	char text[ADDR_TEXT_SIZE];

	if (cidr_parse(node->text, &network))
		return type_wrong(loaded, key, node);
	struct slice host = slice_sub(node->text, 0, slice_find(node->text, '/'));
	if (!addr_parse_ip(host, &written) && !addr_equal_ip(&written, &network.network))
		finding_warn(
			&loaded->findings, node->place,
			"\"%.*s\" is a host inside the network %s/%u: the whole network is meant?",
			SLICE_ARG(node->text), addr_ip_text(&network.network, text), network.bits);
	*(struct cidr *)out = network;
	return true;
}

static void network_print(const struct loaded *loaded, const struct schema_key *key,
			  const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	type_addr_add(out, &VALUE(struct cidr).network);
	buf_printf(out, "/%u", VALUE(struct cidr).bits);
}

const struct schema_type type_network = {
	.name = "network",
	.write = "198.51.100.0/24, 2001:db8::/32 or one address",
	.size = sizeof(struct cidr),
	.read = network_read,
	.print = network_print,
};

/* --- an address of this machine for media --------------------------------------------------------
 */

static bool ip_read(struct loaded *loaded, const struct schema_key *key,
		    const struct yaml_node *node, void *out)
{
	struct addr addr;

	if (addr_parse_ip(node->text, &addr) || addr_is_any(&addr) || addr_is_multicast(&addr))
		return type_wrong(loaded, key, node);
	*(struct addr *)out = addr;
	return true;
}

static void ip_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		     struct buf *out)
{
	(void)loaded;
	(void)key;
	type_addr_add(out, &VALUE(struct addr));
}

const struct schema_type type_ip = {
	.name = "address",
	.write = "an IPv4 or IPv6 address of this machine",
	.size = sizeof(struct addr),
	.read = ip_read,
	.print = ip_print,
};
