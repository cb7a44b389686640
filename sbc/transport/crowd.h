/* crowd.h - how many connections there are on an interface and from an address, over all workers,
 * counted without a lock. What an address has is known by two counters out of a fixed number: it
 * may be taken for more when both are shared with others, never for less.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

struct crowd;

MUST_CHECK int crowd_create(size_t interface_count, struct crowd **out);
void crowd_destroy(struct crowd *crowd); /* NULL is fine */
/* One more or (-1) one less. */
void crowd_change(struct crowd *crowd, uint16_t interface, int change);
uint32_t crowd_count(const struct crowd *crowd, uint16_t interface);
/* `hash`: of the interface and the address without its port, the same in all workers. */
void crowd_change_source(struct crowd *crowd, uint64_t hash, int change);
uint32_t crowd_count_source(const struct crowd *crowd, uint64_t hash);
