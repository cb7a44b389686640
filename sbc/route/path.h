/* path.h - the way out: which of our sockets, and which address, for a message that starts here.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

/* To an address on this side; `wanted` unless the interface's policy (`send`) says otherwise.
 * -ERR_NOT_FOUND: no listener there for this transport and family. */
MUST_CHECK int path_to(const struct worker *worker, uint16_t interface, const struct addr *remote,
		       enum sip_transport wanted, struct transport_path *out);
/* To where a SIP URI points (a Contact, a Route). -ERR_NOT_FOUND for a name, -ERR_MALFORMED. */
MUST_CHECK int path_to_uri(const struct worker *worker, uint16_t interface, struct slice uri,
			   struct transport_path *out);
/* A SIP URI whose host is to be looked up. Who is reached by his connection alone often writes
 * "x.invalid" (RFC 7118 5): that is nowhere. */
bool path_is_named(struct slice uri);
/* Over TLS: whom the certificate must name (RFC 5922 4), the domain that was asked for and not what
 * DNS made of it. */
MUST_CHECK int path_set_name(const struct worker *worker, struct slice host,
			     struct transport_path *path);
/* "sip:user@host:port;transport=tcp" with the address of a listener of ours; "sips:user@host:port"
 * for what is secured on every hop (RFC 5630 3.1). */
void path_write_contact(const struct worker *worker, uint16_t listener, bool is_secure,
			struct slice user, struct buf *out);
