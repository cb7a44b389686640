/* rate.h - so many in a time, counted by all workers together without a lock: a leaky bucket whose
 * one number is the time at which it will be empty (GCRA, ITU-T I.371).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdatomic.h>
#include "config/config.h"

struct rate { /* zeroed = empty */
	_Atomic uint64_t empty_us;
};

/* One more now; false: that is too many. A burst of a whole period's count fits in. */
bool rate_take(struct rate *rate, struct config_rate limit, uint64_t now_ms);
