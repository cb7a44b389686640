/* counter.h - a number written by one thread and read by others (stats).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

struct counter {
	_Atomic uint64_t value;
};

/* Single writer: a plain load and store, no locked instruction. */
static inline void counter_add(struct counter *counter, uint64_t n)
{
	atomic_store_explicit(&counter->value,
			      atomic_load_explicit(&counter->value, memory_order_relaxed) + n,
			      memory_order_relaxed);
}
static inline void counter_sub(struct counter *counter, uint64_t n)
{
	counter_add(counter, (uint64_t)0 - n);
}
static inline uint64_t counter_get(const struct counter *counter)
{
	return atomic_load_explicit(&((struct counter *)(uintptr_t)counter)->value,
				    memory_order_relaxed);
}
