/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/path.h"

static enum sip_transport transport_by_policy(enum config_send send, enum sip_transport wanted)
{
	switch (send) {
	case CONFIG_SEND_UDP:
		return SIP_UDP;
	case CONFIG_SEND_TCP:
		return SIP_TCP;
	case CONFIG_SEND_TLS:
		return SIP_TLS;
	case CONFIG_SEND_AUTO:
		break;
	}
	return wanted;
}

int path_to(const struct worker *worker, uint16_t interface, const struct addr *remote,
	    enum sip_transport wanted, struct transport_path *out)
{
	struct transport_path path = {.interface = interface, .worker = worker->index};
	enum sip_transport transport =
		transport_by_policy(worker->config->interfaces[interface].send, wanted);

	int err = transport_listener_for(worker->transport, interface, transport, remote->family,
					 &path.listener);
	if (err)
		return err;
	path.transport = (uint8_t)transport;
	path.remote = *remote;
	*out = path;
	return 0;
}

/* What a URI asks for: -ERR_UNSUPPORTED. */
static int transport_of(const struct uri *uri, enum sip_transport *out)
{
	struct slice value;

	*out = uri->scheme == URI_SIPS ? SIP_TLS : SIP_UDP;
	if (!uri_parameter(uri, SLICE("transport"), &value))
		return 0;
	if (slice_equal_nocase(value, SLICE("tls")))
		*out = SIP_TLS;
	else if (slice_equal_nocase(value, SLICE("tcp")))
		*out = uri->scheme == URI_SIPS ? SIP_TLS : SIP_TCP; /* RFC 3261 26.2.2 */
	else if (!slice_equal_nocase(value, SLICE("udp")) || uri->scheme == URI_SIPS)
		return -ERR_UNSUPPORTED; /* a WebSocket is opened from the other end */
	return 0;
}

int path_to_uri(const struct worker *worker, uint16_t interface, struct slice text,
		struct transport_path *out)
{
	struct uri uri;
	struct addr remote;
	enum sip_transport wanted = SIP_UDP;

	int err = uri_parse(text, &uri);
	if (!err && uri.scheme != URI_SIP && uri.scheme != URI_SIPS)
		err = -ERR_UNSUPPORTED;
	if (!err)
		err = transport_of(&uri, &wanted);
	if (!err)
		err = uri_host_addr(&uri, sip_transport_port(wanted), &remote);
	if (err)
		return err;
	if (addr_is_any(&remote) || addr_is_multicast(&remote) || remote.port == 0 ||
	    (remote.family == AF_INET && remote.v4.s_addr == INADDR_BROADCAST))
		return -ERR_MALFORMED;
	return path_to(worker, interface, &remote, wanted, out);
}

bool path_is_named(struct slice text)
{
	struct addr literal;
	struct uri uri;

	return uri_parse(text, &uri) == 0 && (uri.scheme == URI_SIP || uri.scheme == URI_SIPS) &&
	       uri.host.len > 0 && uri_host_addr(&uri, 0, &literal) != 0 &&
	       !slice_ends(uri.host, SLICE(".invalid")); /* RFC 6761 6.4: not to be asked for */
}

int path_set_name(const struct worker *worker, struct slice host, struct transport_path *path)
{
	struct addr literal;

	if (!sip_transport_is_secure((enum sip_transport)path->transport) ||
	    addr_parse_ip(host, &literal) == 0)
		return 0;
	return transport_name(worker->transport, host, &path->name);
}

void path_write_contact(const struct worker *worker, uint16_t index, bool is_secure,
			struct slice user, struct buf *out)
{
	const struct transport_listener *listener = transport_listener(worker->transport, index);

	buf_add_text(out, is_secure ? "sips:" : "sip:");
	if (user.len > 0) {
		buf_add(out, user);
		buf_add_char(out, '@');
	}
	buf_add_text(out, listener->sent_by);
	if (is_secure)
		return;
	buf_add_text(out, ";transport=");
	buf_add_text(out, sip_transport_parameter(listener->transport));
}
