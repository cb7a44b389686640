/* Where SIP is heard and sent, where relays, Redis and others are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include <stdio.h>

#define VALUE(type)     (*(const type *)value)
#define SIP_PORT        5060
#define SIPS_PORT       5061
#define REDIS_PORT      6379
#define SENTINEL_PORT   26379
#define DNS_PORT        53
#define HEP_PORT        9060
#define SOCKET_PATH_MAX 107
#define WEIGHT_MAX      1000

static const struct {
	const char *name;
	enum config_transport transport;
} transports[] = {
	{"udp", CONFIG_UDP}, {"tcp", CONFIG_TCP}, {"tls", CONFIG_TLS},
	{"ws", CONFIG_WS},   {"wss", CONFIG_WSS}, {"stun", CONFIG_STUN},
};

/* --- transport/port ------------------------------------------------------------------------------
 */

static bool multicast_read(struct loaded *loaded, const struct schema_key *key,
			   const struct yaml_node *node, struct slice group, struct raw_listen *out)
{
	if (addr_parse(group, SIP_PORT, &out->group) || out->group.port == 0)
		return type_wrong(loaded, key, node);
	if (!addr_is_multicast(&out->group)) {
		finding_error(&loaded->findings, node->place, "%.*s is no multicast group",
			      SLICE_ARG(group));
		return false;
	}
	out->transport = CONFIG_UDP;
	out->port = out->group.port;
	return true;
}

static bool listen_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct raw_listen listen = {CONFIG_UNIX, 0, {0}};
	struct slice port_text = node->text;
	struct slice transport = slice_cut(&port_text, '/');
	uint32_t port;

	if (slice_equal(transport, SLICE("multicast"))) {
		if (!multicast_read(loaded, key, node, port_text, &listen))
			return false;
		*(struct raw_listen *)out = listen;
		return true;
	}
	for (size_t i = 0; i < SCHEMA_COUNT(transports); i++)
		if (slice_equal(transport, slice_from(transports[i].name)))
			listen.transport = transports[i].transport;
	if (listen.transport == CONFIG_UNIX || slice_to_u32(port_text, 65535, &port) || port == 0)
		return type_wrong(loaded, key, node);
	listen.port = (uint16_t)port;
	*(struct raw_listen *)out = listen;
	return true;
}

static void listen_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	struct raw_listen listen = VALUE(struct raw_listen);

	(void)loaded;
	(void)key;
	if (addr_is_set(&listen.group)) {
		buf_add_text(out, "multicast/");
		type_addr_add(out, &listen.group);
		return;
	}
	for (size_t i = 0; i < SCHEMA_COUNT(transports); i++)
		if (transports[i].transport == listen.transport)
			buf_printf(out, "%s/%u", transports[i].name, listen.port);
}

const struct schema_type type_listen = {
	.name = "transport and port",
	.write = "udp/5060, tcp/5060, tls/5061, wss/443, multicast/224.0.1.75 or stun/3478",
	.pattern = "^((udp|tcp|tls|ws|wss|stun)/[0-9]+|multicast/.+)$",
	.size = sizeof(struct raw_listen),
	.read = listen_read,
	.print = listen_print,
};

/* --- a peer's server -----------------------------------------------------------------------------
 */

static bool server_parameter(struct loaded *loaded, const struct yaml_node *node, struct slice name,
			     struct slice value, struct config_server *out)
{
	static const char *const sends[] = {"", "udp", "tcp", "tls"};

	if (slice_equal_nocase(name, SLICE("transport"))) {
		for (int i = CONFIG_SEND_UDP; i <= CONFIG_SEND_TLS; i++)
			if (slice_equal_nocase(value, slice_from(sends[i]))) {
				out->transport = (enum config_send)i;
				return true;
			}
	} else if (slice_equal_nocase(name, SLICE("weight"))) {
		if (!slice_to_u32(value, WEIGHT_MAX, &out->weight) && out->weight > 0)
			return true;
	}
	finding_error(&loaded->findings, node->place,
		      "\"%.*s=%.*s\" means nothing here: a server takes ;transport=udp, tcp or tls "
		      "and ;weight=1 to %d",
		      SLICE_ARG(name), SLICE_ARG(value), WEIGHT_MAX);
	return false;
}

/* "host", "host:port": the port is 0 when none is written. */
static bool host_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, struct slice text, struct config_server *out)
{
	struct slice port_text = text;
	struct slice host = slice_cut(&port_text, ':');
	uint32_t port = 0;

	if (!addr_parse(text, 0, &out->addr)) {
		char ip[ADDR_TEXT_SIZE];
		out->port = out->addr.port;
		if (!addr_is_any(&out->addr) && !addr_is_multicast(&out->addr) &&
		    !(out->port == 0 && slice_ends(text, SLICE(":0")))) {
			out->host = type_text(loaded, slice_from(addr_ip_text(&out->addr, ip)));
			return true;
		}
		finding_error(&loaded->findings, node->place,
			      "%.*s is no machine's address and port", SLICE_ARG(text));
		return false;
	}
	out->addr = (struct addr){0};
	if (!type_is_host(host) ||
	    (host.len < text.len && (slice_to_u32(port_text, 65535, &port) || port == 0)))
		return type_wrong(loaded, key, node);
	out->host = type_text(loaded, host);
	out->port = (uint16_t)port;
	return true;
}

static bool server_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct config_server server = {.transport = CONFIG_SEND_AUTO, .weight = 1};
	struct slice parameters = node->text;
	bool secure = false;

	if (slice_starts_nocase(parameters, SLICE("sips:"))) {
		parameters = slice_sub(parameters, 5, parameters.len);
		secure = true;
	} else if (slice_starts_nocase(parameters, SLICE("sip:"))) {
		parameters = slice_sub(parameters, 4, parameters.len);
	}
	struct slice host = slice_cut(&parameters, ';');
	while (parameters.len) {
		struct slice value = slice_cut(&parameters, ';');
		struct slice name = slice_cut(&value, '=');
		if (!server_parameter(loaded, node, name, value, &server))
			return false;
	}
	if (secure)
		server.transport = CONFIG_SEND_TLS; /* RFC 3261 19.1 */
	if (!host_read(loaded, key, node, host, &server))
		return false;
	if (addr_is_set(&server.addr) && server.addr.port == 0)
		server.addr.port = server.transport == CONFIG_SEND_TLS ? SIPS_PORT : SIP_PORT;
	*(struct config_server *)out = server;
	return true;
}

static void server_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	static const char *const sends[] = {"", ";transport=udp", ";transport=tcp",
					    ";transport=tls"};
	struct config_server server = VALUE(struct config_server);

	(void)loaded;
	(void)key;
	if (!server.host)
		return;
	buf_add_text(out, "\"sip:");
	if (addr_is_set(&server.addr))
		type_addr_add(out, &server.addr);
	else if (server.port)
		buf_printf(out, "%s:%u", server.host, server.port);
	else
		buf_add_text(out, server.host);
	buf_add_text(out, sends[server.transport]);
	if (server.weight != 1)
		buf_printf(out, ";weight=%u", server.weight);
	buf_add_char(out, '"');
}

const struct schema_type type_server = {
	.name = "server",
	.write = "10.0.0.20, 10.0.0.20:5070, [2001:db8::20]:5060, pbx.example.com or "
		 "\"sip:10.0.0.20:5060;transport=tcp\"",
	.size = sizeof(struct config_server),
	.read = server_read,
	.print = server_print,
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
		size_t slash = slice_find(text, '/');
		struct slice transport = slice_sub(text, 0, slash);

		if (slice_equal(transport, SLICE("tcp")))
			endpoint.transport = CONFIG_TCP;
		else if (slice_equal(transport, SLICE("http")))
			endpoint.transport = CONFIG_HTTP;
		else if (!slice_equal(transport, SLICE("udp")))
			return type_wrong(loaded, key, node);
		if (addr_parse(slice_sub(text, slash + 1, text.len), 0, &endpoint.addr) ||
		    endpoint.addr.port == 0)
			return type_wrong(loaded, key, node);
	}
	endpoint.text = type_text(loaded, text);
	*(struct config_endpoint *)out = endpoint;
	return true;
}

static bool stream_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct config_endpoint endpoint;

	if (!control_read(loaded, key, node, &endpoint))
		return false;
	if (endpoint.transport != CONFIG_TCP && endpoint.transport != CONFIG_UNIX)
		return type_wrong(loaded, key, node);
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
	.write = "udp/127.0.0.1:2223, tcp/127.0.0.1:2223, unix:/run/postern/ng.sock, or "
		 "http/127.0.0.1:2225 (HTTP and WebSocket, to listen on)",
	.pattern = "^(udp/|tcp/|http/|unix:/).+$",
	.size = sizeof(struct config_endpoint),
	.read = control_read,
	.print = endpoint_print,
};

const struct schema_type type_stream = {
	.name = "place to connect to",
	.write = "tcp/10.0.0.40:5555 or unix:/run/recorder.sock",
	.pattern = "^(tcp/|unix:/).+$",
	.size = sizeof(struct config_endpoint),
	.read = stream_read,
	.print = endpoint_print,
};

const struct schema_type type_store = {
	.name = "Redis server",
	.write = "10.0.0.5:6379 or unix:/run/redis/redis.sock",
	.size = sizeof(struct config_endpoint),
	.read = store_read,
	.print = endpoint_print,
};

static bool sentinel_read(struct loaded *loaded, const struct schema_key *key,
			  const struct yaml_node *node, void *out)
{
	struct config_endpoint endpoint = {.transport = CONFIG_TCP};

	if (addr_parse(node->text, SENTINEL_PORT, &endpoint.addr) || endpoint.addr.port == 0)
		return type_wrong(loaded, key, node);
	endpoint.text = type_text(loaded, node->text);
	*(struct config_endpoint *)out = endpoint;
	return true;
}

const struct schema_type type_sentinel = {
	.name = "Redis Sentinel",
	.write = "10.0.0.5 or 10.0.0.5:26379",
	.size = sizeof(struct config_endpoint),
	.read = sentinel_read,
	.print = endpoint_print,
};

/* --- an address and port of somebody else's ------------------------------------------------------
 */

static bool port_addr_read(struct loaded *loaded, const struct schema_key *key,
			   const struct yaml_node *node, uint16_t port, struct addr *out)
{
	struct addr addr;

	if (addr_parse(node->text, port, &addr) || addr.port == 0 || addr_is_multicast(&addr))
		return type_wrong(loaded, key, node);
	*out = addr;
	return true;
}

static bool resolver_read(struct loaded *loaded, const struct schema_key *key,
			  const struct yaml_node *node, void *out)
{
	return port_addr_read(loaded, key, node, DNS_PORT, out);
}

static bool exporter_read(struct loaded *loaded, const struct schema_key *key,
			  const struct yaml_node *node, void *out)
{
	struct addr *addr = out;
	uint32_t port;

	if (slice_to_u32(node->text, 65535, &port) == 0 && port) {
		*addr = (struct addr){.family = AF_INET, .port = (uint16_t)port};
		addr->v4.s_addr = htonl(INADDR_LOOPBACK);
		return true;
	}
	return port_addr_read(loaded, key, node, 0, out);
}

static bool homer_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	return port_addr_read(loaded, key, node, HEP_PORT, out);
}

static void port_addr_print(const struct loaded *loaded, const struct schema_key *key,
			    const void *value, struct buf *out)
{
	char text[ADDR_TEXT_SIZE];

	(void)loaded;
	(void)key;
	if (addr_is_set(&VALUE(struct addr)))
		type_quoted_add(out, addr_text(&VALUE(struct addr), text));
}

const struct schema_type type_resolver = {
	.name = "DNS server",
	.write = "9.9.9.9, 10.0.0.2:5353 or [2620:fe::fe]:53",
	.size = sizeof(struct addr),
	.read = resolver_read,
	.print = port_addr_print,
};
const struct schema_type type_exporter = {
	.name = "address and port",
	.write = "9090, 127.0.0.1:9090 or [::1]:9090",
	.size = sizeof(struct addr),
	.read = exporter_read,
	.print = port_addr_print,
};
const struct schema_type type_homer = {
	.name = "address and port",
	.write = "10.0.0.9:9060",
	.size = sizeof(struct addr),
	.read = homer_read,
	.print = port_addr_print,
};
