/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/sip_transport.h"

static const struct {
	const char *text, *name, *parameter;
	uint16_t port;
} transports[SIP_TRANSPORT_COUNT] = {
	[SIP_UDP] = {"UDP", "udp", "udp", 5060}, [SIP_TCP] = {"TCP", "tcp", "tcp", 5060},
	[SIP_TLS] = {"TLS", "tls", "tls", 5061}, [SIP_WS] = {"WS", "ws", "ws", 80},
	[SIP_WSS] = {"WSS", "wss", "ws", 443},
};

struct slice sip_transport_text(enum sip_transport transport)
{
	return slice_from(transports[transport].text);
}

const char *sip_transport_name(enum sip_transport transport)
{
	return transports[transport].name;
}

const char *sip_transport_parameter(enum sip_transport transport)
{
	return transports[transport].parameter;
}

uint16_t sip_transport_port(enum sip_transport transport)
{
	return transports[transport].port;
}

bool sip_transport_is_reliable(enum sip_transport transport)
{
	return transport != SIP_UDP;
}

bool sip_transport_is_stream(enum sip_transport transport)
{
	return transport == SIP_TCP || transport == SIP_TLS;
}

bool sip_transport_is_secure(enum sip_transport transport)
{
	return transport == SIP_TLS || transport == SIP_WSS;
}

bool sip_transport_is_websocket(enum sip_transport transport)
{
	return transport == SIP_WS || transport == SIP_WSS;
}
