/* D. Vyukov's bounded queue: each cell carries a sequence number that says whose turn it is.
 * A producer takes a ticket with one compare-and-swap; the consumer is alone and needs none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/base/ring.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#define CACHE_LINE 64

struct cell {
	_Atomic uint64_t turn; /* ticket = free for that producer, ticket + 1 = filled */
	void *item;
};

struct ring {
	uint64_t mask;
	_Alignas(CACHE_LINE) _Atomic uint64_t push_ticket;
	_Alignas(CACHE_LINE) uint64_t pop_ticket; /* the consumer's own */
	_Alignas(CACHE_LINE) struct cell cells[];
};

int ring_create(uint32_t size, struct ring **out)
{
	if (size < 2 || (size & (size - 1)) != 0)
		return -ERR_INVALID;
	size_t bytes = sizeof(struct ring) + size * sizeof(struct cell);
	bytes = (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	struct ring *ring = aligned_alloc(CACHE_LINE, bytes);
	if (!ring)
		return -ERR_NO_MEMORY;
	ring->mask = size - 1;
	atomic_init(&ring->push_ticket, 0);
	ring->pop_ticket = 0;
	for (uint32_t i = 0; i < size; i++) {
		atomic_init(&ring->cells[i].turn, i);
		ring->cells[i].item = NULL;
	}
	*out = ring;
	return 0;
}

void ring_destroy(struct ring *ring)
{
	free(ring);
}

bool ring_push(struct ring *ring, void *item)
{
	uint64_t ticket = atomic_load_explicit(&ring->push_ticket, memory_order_relaxed);

	for (;;) {
		struct cell *cell = &ring->cells[ticket & ring->mask];
		uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
		if (turn == ticket) {
			/* On failure `ticket` becomes the current one. */
			if (!atomic_compare_exchange_weak_explicit(&ring->push_ticket, &ticket,
								   ticket + 1, memory_order_relaxed,
								   memory_order_relaxed))
				continue;
			cell->item = item;
			atomic_store_explicit(&cell->turn, ticket + 1, memory_order_release);
			return true;
		}
		if ((int64_t)(turn - ticket) < 0)
			return false; /* still holds the item of one round ago */
		ticket = atomic_load_explicit(&ring->push_ticket, memory_order_relaxed);
	}
}

void *ring_pop(struct ring *ring)
{
	struct cell *cell = &ring->cells[ring->pop_ticket & ring->mask];
	uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);

	if (turn != ring->pop_ticket + 1)
		return NULL;
	void *item = cell->item;
	atomic_store_explicit(&cell->turn, ring->pop_ticket + ring->mask + 1, memory_order_release);
	ring->pop_ticket++;
	return item;
}
