/* SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include "config/nearest.h"

#define VALUE(type)     (*(const type *)value)
#define SIP_PORT        5060
#define REDIS_PORT      6379
#define SOCKET_PATH_MAX 107

static void add_addr(struct buf *out, const struct addr *addr)
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
		add_addr(out, &VALUE(struct raw_address).addr);
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
		add_addr(out, &advertise.addr);
}

const struct schema_type type_advertise = {
	.name = "name or address to advertise",
	.write = "sbc.example.com/203.0.113.10, sbc.example.com or 203.0.113.10",
	.size = sizeof(struct raw_advertise),
	.read = advertise_read,
	.print = advertise_print,
};

/* --- transport/port ------------------------------------------------------------------------------
 */

static bool is_later_transport(struct slice transport)
{
	static const char *const later[] = {"tls", "ws", "wss", "sctp", "multicast"};

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (slice_equal(transport, slice_from(later[i])))
			return true;
	return false;
}

static bool listen_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct raw_listen listen = {CONFIG_UDP, 0};
	struct slice port_text = node->text;
	struct slice transport = slice_cut(&port_text, '/');
	uint32_t port;

	if (is_later_transport(transport)) {
		finding_error(&loaded->findings, node->place,
			      "transport \"%.*s\" is not supported by this version",
			      SLICE_ARG(transport));
		return false;
	}
	if (slice_equal(transport, SLICE("tcp")))
		listen.transport = CONFIG_TCP;
	else if (!slice_equal(transport, SLICE("udp")))
		return type_wrong(loaded, key, node);
	if (slice_to_u32(port_text, 65535, &port) || port == 0)
		return type_wrong(loaded, key, node);
	listen.port = (uint16_t)port;
	*(struct raw_listen *)out = listen;
	return true;
}

static void listen_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_printf(out, "%s/%u", VALUE(struct raw_listen).transport == CONFIG_UDP ? "udp" : "tcp",
		   VALUE(struct raw_listen).port);
}

const struct schema_type type_listen = {
	.name = "transport and port",
	.write = "udp/5060 or tcp/5060",
	.pattern = "^(udp|tcp)/[0-9]+$",
	.size = sizeof(struct raw_listen),
	.read = listen_read,
	.print = listen_print,
};

/* --- a peer's server -----------------------------------------------------------------------------
 */

/* ";transport=tcp" of a URI; other parameters have no meaning here. */
static bool uri_transport(struct loaded *loaded, const struct yaml_node *node,
			  struct slice parameters, enum config_send *out)
{
	while (parameters.len) {
		struct slice value = slice_cut(&parameters, ';');
		struct slice name = slice_cut(&value, '=');
		if (slice_equal_nocase(name, SLICE("transport")) &&
		    slice_equal_nocase(value, SLICE("udp"))) {
			*out = CONFIG_SEND_UDP;
		} else if (slice_equal_nocase(name, SLICE("transport")) &&
			   slice_equal_nocase(value, SLICE("tcp"))) {
			*out = CONFIG_SEND_TCP;
		} else {
			finding_error(
				&loaded->findings, node->place,
				"URI parameter \"%.*s=%.*s\" is not supported by this version",
				SLICE_ARG(name), SLICE_ARG(value));
			return false;
		}
	}
	return true;
}

static bool server_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct findings *findings = &loaded->findings;
	struct config_server server = {.transport = CONFIG_SEND_AUTO};
	struct slice host = node->text, parameters = SLICE_NONE;
	struct slice name;

	if (slice_starts_nocase(host, SLICE("sips:"))) {
		finding_error(findings, node->place,
			      "sips: (TLS) is not supported by this version");
		return false;
	}
	if (slice_starts_nocase(host, SLICE("sip:"))) {
		parameters = slice_sub(host, 4, host.len);
		host = slice_cut(&parameters, ';');
		if (!uri_transport(loaded, node, parameters, &server.transport))
			return false;
	}
	if (addr_parse(host, SIP_PORT, &server.addr)) {
		name = slice_sub(host, 0, slice_find(host, ':'));
		if (!type_is_host(name))
			return type_wrong(loaded, key, node);
		finding_error(
			findings, node->place,
			"host names (DNS) are not supported by this version: write the address "
			"of \"%.*s\"",
			SLICE_ARG(name));
		return false;
	}
	if (addr_is_any(&server.addr) || addr_is_multicast(&server.addr) || server.addr.port == 0) {
		finding_error(findings, node->place, "%.*s is no machine's address and port",
			      SLICE_ARG(host));
		return false;
	}
	*(struct config_server *)out = server;
	return true;
}

static void server_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	static const char *const transports[] = {"", ";transport=udp", ";transport=tcp"};
	struct config_server server = VALUE(struct config_server);

	(void)loaded;
	(void)key;
	if (!addr_is_set(&server.addr))
		return;
	buf_add_text(out, "\"sip:");
	add_addr(out, &server.addr);
	buf_add_text(out, transports[server.transport]);
	buf_add_char(out, '"');
}

const struct schema_type type_server = {
	.name = "server",
	.write = "10.0.0.20, 10.0.0.20:5070, [2001:db8::20]:5060 or "
		 "\"sip:10.0.0.20:5060;transport=tcp\"",
	.size = sizeof(struct config_server),
	.read = server_read,
	.print = server_print,
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
	add_addr(out, &VALUE(struct cidr).network);
	buf_printf(out, "/%u", VALUE(struct cidr).bits);
}

const struct schema_type type_network = {
	.name = "network",
	.write = "198.51.100.0/24, 2001:db8::/32 or one address",
	.size = sizeof(struct cidr),
	.read = network_read,
	.print = network_print,
};

/* --- where NG is spoken, where Redis is ----------------------------------------------------------
 */

static bool unix_endpoint_read(struct loaded *loaded, const struct schema_key *key,
			       const struct yaml_node *node, struct slice path,
			       struct config_endpoint *out)
{
	if (path.len < 2 || path.data[0] != '/' || path.len > SOCKET_PATH_MAX)
		return type_wrong(loaded, key, node);
	out->transport = CONFIG_UNIX;
	out->path = type_text(loaded, path);
	return true;
}

static bool control_read(struct loaded *loaded, const struct schema_key *key,
			 const struct yaml_node *node, void *out)
{
	struct config_endpoint endpoint = {.transport = CONFIG_UDP};
	struct slice text = node->text;

	if (slice_starts(text, SLICE("unix:"))) {
		if (!unix_endpoint_read(loaded, key, node, slice_sub(text, 5, text.len), &endpoint))
			return false;
	} else {
		if (slice_starts(text, SLICE("tcp/")))
			endpoint.transport = CONFIG_TCP;
		else if (!slice_starts(text, SLICE("udp/")))
			return type_wrong(loaded, key, node);
		if (addr_parse(slice_sub(text, 4, text.len), 0, &endpoint.addr) ||
		    endpoint.addr.port == 0)
			return type_wrong(loaded, key, node);
	}
	endpoint.text = type_text(loaded, text);
	*(struct config_endpoint *)out = endpoint;
	return true;
}

static bool store_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	struct config_endpoint endpoint = {.transport = CONFIG_TCP};
	struct slice text = node->text;

	if (slice_starts(text, SLICE("unix:"))) {
		if (!unix_endpoint_read(loaded, key, node, slice_sub(text, 5, text.len), &endpoint))
			return false;
	} else if (addr_parse(text, REDIS_PORT, &endpoint.addr) || endpoint.addr.port == 0) {
		return type_wrong(loaded, key, node);
	}
	endpoint.text = type_text(loaded, text);
	*(struct config_endpoint *)out = endpoint;
	return true;
}

static void endpoint_print(const struct loaded *loaded, const struct schema_key *key,
			   const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	if (VALUE(struct config_endpoint).text)
		buf_add_text(out, VALUE(struct config_endpoint).text);
}

const struct schema_type type_control = {
	.name = "place to speak NG at",
	.write = "udp/127.0.0.1:2223, tcp/127.0.0.1:2223 or unix:/run/postern/ng.sock",
	.pattern = "^(udp/|tcp/|unix:/).+$",
	.size = sizeof(struct config_endpoint),
	.read = control_read,
	.print = endpoint_print,
};

const struct schema_type type_store = {
	.name = "Redis server",
	.write = "10.0.0.5:6379 or unix:/run/redis/redis.sock",
	.size = sizeof(struct config_endpoint),
	.read = store_read,
	.print = endpoint_print,
};
