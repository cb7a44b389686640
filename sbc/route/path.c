/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/path.h"

static enum sip_transport transport_by_policy(enum config_send send, enum sip_transport wanted)
{
	switch (send) {
	case CONFIG_SEND_UDP:
		return SIP_UDP;
	case CONFIG_SEND_TCP:
		return SIP_TCP;
	case CONFIG_SEND_TLS: /* its mark in the schema goes when it is acted on here */
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

int path_to_uri(const struct worker *worker, uint16_t interface, struct slice text,
		struct transport_path *out)
{
	struct uri uri;
	struct addr remote;
	struct slice value;
	enum sip_transport wanted = SIP_UDP;

	int err = uri_parse(text, &uri);
	if (!err && uri.scheme != URI_SIP)
		err = -ERR_UNSUPPORTED;
	if (!err)
		err = uri_host_addr(&uri, 5060, &remote);
	if (err)
		return err;
	if (addr_is_any(&remote) || addr_is_multicast(&remote) || remote.port == 0 ||
	    (remote.family == AF_INET && remote.v4.s_addr == INADDR_BROADCAST))
		return -ERR_MALFORMED;
	if (uri_parameter(&uri, SLICE("transport"), &value) &&
	    slice_equal_nocase(value, SLICE("tcp")))
		wanted = SIP_TCP;
	return path_to(worker, interface, &remote, wanted, out);
}

void path_write_contact(const struct worker *worker, uint16_t index, struct slice user,
			struct buf *out)
{
	const struct transport_listener *listener = transport_listener(worker->transport, index);

	buf_add_text(out, "sip:");
	buf_add(out, user);
	buf_add_char(out, '@');
	buf_add_text(out, listener->sent_by);
	buf_add_text(out, listener->transport == SIP_TCP ? ";transport=tcp" : ";transport=udp");
}
