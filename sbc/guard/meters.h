/* meters.h - message rates that all workers count together, without a lock: of each interface,
 * of each peer, and of each source in a table of fixed size, where the longest idle gives way.
 * Leaky buckets whose one number is the time at which they will be empty (GCRA, ITU-T I.371).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

struct meters;

/* `key`: of the hash, because addresses come from strangers. Interfaces and peers are named by
 * index, below these counts. */
MUST_CHECK int meters_create(size_t interface_count, size_t peer_count, const uint64_t key[2],
			     struct meters **out);
void meters_destroy(struct meters *meters); /* NULL is fine */
/* One more message now; false: that is too many. */
bool meters_take_interface(struct meters *meters, uint16_t interface, uint32_t rate_per_s,
			   uint64_t now_ms);
/* The same of one peer, all its hosts together. */
bool meters_take_peer(struct meters *meters, uint16_t peer, uint32_t rate_per_s, uint64_t now_ms);
/* The same of one source: IPv6, of the /64, which is one subscriber's. */
bool meters_take_source(struct meters *meters, uint16_t interface, const struct addr *addr,
			uint32_t rate_per_s, uint32_t burst, uint64_t now_ms);
