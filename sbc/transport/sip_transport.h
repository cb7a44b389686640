/* sip_transport.h - the transports of SIP: RFC 3261 18, RFC 5630 (TLS), RFC 7118 (WebSocket).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum sip_transport { SIP_UDP, SIP_TCP, SIP_TLS, SIP_WS, SIP_WSS };
enum { SIP_TRANSPORT_COUNT = 5 };

struct slice sip_transport_text(enum sip_transport transport); /* "UDP", as in Via */
const char *sip_transport_name(enum sip_transport transport);  /* "udp" */
/* Value of a URI's transport parameter; over WSS it is "ws" too (RFC 7118 5.3). */
const char *sip_transport_parameter(enum sip_transport transport);
uint16_t sip_transport_port(enum sip_transport transport); /* where nothing else is said */
bool sip_transport_is_reliable(enum sip_transport transport);
bool sip_transport_is_stream(enum sip_transport transport);    /* messages end by Content-Length */
bool sip_transport_is_secure(enum sip_transport transport);    /* TLS below */
bool sip_transport_is_websocket(enum sip_transport transport); /* only the far end can open it */
