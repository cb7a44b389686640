/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/reply_path.h"

static bool names_source(const struct via *via, const struct addr *source)
{
	struct addr host;
	return !addr_parse_ip(via->host, &host) && addr_equal_ip(&host, source);
}

void reply_path(const struct scan *request, const struct transport_path *received,
		struct transport_path *out)
{
	const struct via *via = &request->via;

	*out = *received;
	if (!via->raw.len)
		return; /* a malformed request: back to where it came from */
	out->via_port =
		via->port ? via->port : sip_transport_port((enum sip_transport)received->transport);
	if (received->transport != SIP_UDP || (!via->rport && names_source(via, &received->remote)))
		out->remote.port = out->via_port;
}
