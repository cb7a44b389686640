/* hosts.h - whose host stands in a URI that goes to the other side. An address of one side means
 * nothing on the other and would tell where it came from: our own and every literal address become
 * the next hop's (a peer) or ours on that side (a phone); a domain name that is not ours passes.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "sbc/message/uri.h"

struct hosts_way { /* where the URI goes */
	const struct config *config;
	uint16_t interface;
	const struct addr *server; /* of the peer it goes to; NULL = to a phone */
};

/* Is this one of our addresses or advertised names, on whatever side? */
bool hosts_is_own(const struct config *config, struct slice host);
/* An identity (From, To): host without port. A URI that is no sip: or sips: goes as it is. */
void hosts_write_identity(const struct hosts_way *way, struct slice uri, struct buf *out);
/* A Request-URI: with the server's port when it is not 5060. */
void hosts_write_target(const struct hosts_way *way, struct slice uri, struct buf *out);
/* A URI of any place in a message: true when it names a place of one side, an address or a host of
 * ours, and was written with the other side's. sip:, sips:, pres: and im: (RFC 3859, 3860). */
bool hosts_map(const struct hosts_way *way, struct slice uri, struct buf *out);
/* Our own host of an interface, as in a URI. */
void hosts_write_own(const struct config *config, uint16_t interface, struct buf *out);
