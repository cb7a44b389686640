/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/rate.h"

bool rate_take(struct rate *rate, struct config_rate limit, uint64_t now_ms)
{
	if (limit.count == 0)
		return true;
	/* in microseconds, so that 2000/s has a step */
	uint64_t now_us = now_ms * 1000, room_us = (uint64_t)limit.period_ms * 1000;
	uint64_t step_us = room_us / limit.count;
	uint64_t before = atomic_load_explicit(&rate->empty_us, memory_order_relaxed), after;

	do {
		uint64_t from_us = before > now_us ? before : now_us;
		if (from_us > now_us && from_us + step_us > now_us + room_us)
			return false;
		after = from_us + step_us;
	} while (!atomic_compare_exchange_weak_explicit(
		&rate->empty_us, &before, after, memory_order_relaxed, memory_order_relaxed));
	return true;
}
