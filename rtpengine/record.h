/* record.h - copies of packets on their way from an lcore to the recorder: one ring per lcore,
 * written by it, read by the recorder's thread. When it is full the copy is lost and counted;
 * forwarding never waits. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"

#define RECORD_RING_SIZE 1024
#define RECORD_BYTES     1500

struct record {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t recording;
	struct addr from, to; /* as the packet arrived */
	uint16_t len;
	uint8_t payload[RECORD_BYTES]; /* of UDP; SRTP is opened */
};

struct record_ring {
	_Atomic uint32_t head; /* next to write */
	_Atomic uint32_t tail; /* next to read */
	struct counter lost;
	struct record records[RECORD_RING_SIZE];
};

/* NULL = the ring is full, which is counted. Fill it, then record_push(). */
static inline struct record *record_next(struct record_ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) < RECORD_RING_SIZE)
		return &ring->records[head % RECORD_RING_SIZE];
	counter_add(&ring->lost, 1);
	return NULL;
}

static inline void record_push(struct record_ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* The oldest, or NULL. Read it, then record_pop(). */
static inline const struct record *record_first(struct record_ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
		return NULL;
	return &ring->records[tail % RECORD_RING_SIZE];
}

static inline void record_pop(struct record_ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}
