/* locate.h - where a host in a SIP URI is (RFC 3263), on one side: what a Contact, a Record-Route
 * or a redirection names, which is for others to write and for us to trust no further than their
 * side. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/dns/dns.h"
#include "sbc/worker/worker.h"

/* What is to be looked up for this URI. -ERR_UNSUPPORTED, -ERR_MALFORMED. */
MUST_CHECK int locate_destination(const struct worker *worker, uint16_t interface, struct slice uri,
				  struct dns_destination *out);
/* A name may lead where nobody asked it to: not to ourselves, not to a peer of another side, not
 * from a public side into a private network. */
bool locate_may_go(const struct worker *worker, uint16_t interface, const struct addr *addr);
/* Where the host of `hop` is, on the side of `from`, those that rest last. On an untrusted side
 * only what belongs to the peer that `from` is of, and nothing less safe. -ERR_AGAIN: `fn` follows,
 * and then it is known. Else there is no such place. */
MUST_CHECK int locate_ways(const struct worker *worker, const struct transport_path *from,
			   struct slice hop, dns_targets_fn *fn, void *owner, uint64_t context,
			   struct transaction_ways *out);
/* What cannot wait: `path` becomes the first of those ways if that is known by now, and stays else.
 */
void locate_now(const struct worker *worker, struct slice hop, struct transport_path *path);
/* The same for requests: transactions_config.locate() and .way_failed(). */
MUST_CHECK int locate_for_request(struct worker *worker, const struct transport_path *from,
				  struct slice hop, uint64_t number, struct transaction_ways *out);
void locate_failed(const struct worker *worker, const struct transport_path *path);
