/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/hosts.h"

static bool is_own_addr(const struct config_interface *interface, const struct addr *addr)
{
	for (size_t i = 0; i < interface->address_count; i++)
		if (addr_equal_ip(&interface->addresses[i], addr))
			return true;
	return interface->advertise_addr.family && addr_equal_ip(&interface->advertise_addr, addr);
}

bool hosts_is_own(const struct config *config, struct slice host)
{
	struct addr addr;
	bool literal = addr_parse_ip(host, &addr) == 0;

	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];
		if (literal && is_own_addr(interface, &addr))
			return true;
		if (!literal && interface->advertise_host &&
		    slice_equal_nocase(host, slice_from(interface->advertise_host)))
			return true;
	}
	return false;
}

void hosts_write_own(const struct config *config, uint16_t index, struct buf *out)
{
	const struct config_interface *interface = &config->interfaces[index];

	if (interface->advertise_host)
		buf_add_text(out, interface->advertise_host);
	else if (interface->advertise_addr.family)
		addr_add_host(out, &interface->advertise_addr);
	else if (interface->address_count > 0)
		addr_add_host(out, &interface->addresses[0]);
}

static void write_host(struct slice host, struct buf *out)
{
	bool v6 = slice_find(host, ':') < host.len;

	if (v6)
		buf_add_char(out, '[');
	buf_add(out, host);
	if (v6)
		buf_add_char(out, ']');
}

static void write_uri(const struct hosts_way *way, struct slice text, bool with_port,
		      struct buf *out)
{
	struct uri uri;
	struct addr literal;
	struct slice value;

	if (uri_parse(text, &uri) != 0 || (uri.scheme != URI_SIP && uri.scheme != URI_SIPS)) {
		buf_add(out, text);
		return;
	}
	buf_add_text(out, uri.scheme == URI_SIPS ? "sips:" : "sip:");
	if (uri.user.len > 0) {
		buf_add(out, uri.user);
		buf_add_char(out, '@');
	}
	if (addr_parse_ip(uri.host, &literal) != 0 && !hosts_is_own(way->config, uri.host)) {
		write_host(uri.host, out);
	} else if (way->server && way->server->family) {
		addr_add_host(out, way->server);
		if (with_port && way->server->port != 5060)
			buf_printf(out, ":%u", way->server->port);
	} else {
		hosts_write_own(way->config, way->interface, out);
	}
	if (uri_parameter(&uri, SLICE("user"), &value) && value.len > 0) {
		buf_add_text(out, ";user=");
		buf_add(out, value);
	}
}

void hosts_write_identity(const struct hosts_way *way, struct slice uri, struct buf *out)
{
	write_uri(way, uri, false, out);
}

void hosts_write_target(const struct hosts_way *way, struct slice uri, struct buf *out)
{
	write_uri(way, uri, true, out);
}

static size_t scheme_len(struct slice text)
{
	static const struct slice schemes[] = {{"sip:", 4}, {"sips:", 5}, {"pres:", 5}, {"im:", 3}};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (slice_starts_nocase(text, schemes[i]))
			return schemes[i].len;
	return 0;
}

static bool tells_place(const struct config *config, const struct uri *uri)
{
	struct addr literal;
	struct slice value;

	return addr_parse_ip(uri->host, &literal) == 0 || hosts_is_own(config, uri->host) ||
	       uri_parameter(uri, SLICE("maddr"), &value) ||
	       uri_parameter(uri, SLICE("received"), &value);
}

bool hosts_map(const struct hosts_way *way, struct slice text, struct buf *out)
{
	size_t scheme = scheme_len(text);
	struct buf as_sip, mapped;
	struct uri uri;

	if (scheme == 0)
		return false;
	/* Read as a SIP URI, whatever it is called. */
	bool is_sip = (text.data[0] | 0x20) == 's';
	buf_init(&as_sip);
	buf_init(&mapped);
	if (!is_sip)
		buf_add_text(&as_sip, "sip:");
	buf_add(&as_sip, is_sip ? text : slice_sub(text, scheme, text.len));
	bool is_changed = !buf_failed(&as_sip) && uri_parse(buf_slice(&as_sip), &uri) == 0 &&
			  tells_place(way->config, &uri);
	if (is_changed) {
		hosts_write_target(way, buf_slice(&as_sip), &mapped);
		if (!is_sip)
			buf_add(out, slice_sub(text, 0, scheme));
		buf_add(out, slice_sub(buf_slice(&mapped), is_sip ? 0 : 4, mapped.len));
	}
	if (buf_failed(&mapped) || buf_failed(&as_sip))
		out->failed = true;
	buf_free(&as_sip);
	buf_free(&mapped);
	return is_changed;
}
