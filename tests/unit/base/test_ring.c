/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void items_come_out_in_order_until_full(void **state)
{
	(void)state;
	struct ring *ring;
	int items[8];
	assert_int_equal(ring_create(8, &ring), 0);
	assert_null(ring_pop(ring));
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 8; i++)
			assert_true(ring_push(ring, &items[i]));
		assert_false(ring_push(ring, &items[0]));
		assert_ptr_equal(ring_pop(ring), &items[0]);
		assert_true(ring_push(ring, &items[0]));
		assert_false(ring_push(ring, &items[0]));
		for (int i = 1; i < 9; i++)
			assert_ptr_equal(ring_pop(ring), &items[i % 8]);
		assert_null(ring_pop(ring));
	}
	ring_destroy(ring);
	ring_destroy(NULL);
}

static void sizes_are_powers_of_two(void **state)
{
	(void)state;
	struct ring *ring = NULL;
	assert_int_equal(ring_create(0, &ring), -ERR_INVALID);
	assert_int_equal(ring_create(100, &ring), -ERR_INVALID);
	assert_null(ring);
}

enum { PRODUCERS = 4, EACH = 50000 };

/* Not atomic on purpose: the ring must make them visible to the consumer (ThreadSanitizer looks).
 */
struct message {
	unsigned producer;
	unsigned number;
};

struct producer {
	pthread_t thread;
	struct ring *ring;
	unsigned id;
	struct message *messages;
};

static void *produce(void *arg)
{
	struct producer *producer = arg;
	for (unsigned i = 0; i < EACH; i++) {
		producer->messages[i] = (struct message){producer->id, i};
		while (!ring_push(producer->ring, &producer->messages[i]))
			sched_yield();
	}
	return NULL;
}

static void many_producers_lose_and_reorder_nothing(void **state)
{
	(void)state;
	struct producer producers[PRODUCERS];
	unsigned next[PRODUCERS] = {0};
	struct ring *ring;
	assert_int_equal(ring_create(64, &ring), 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.ring = ring, .id = i};
		producers[i].messages = calloc(EACH, sizeof(struct message));
		assert_non_null(producers[i].messages);
		assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
				 0);
	}
	for (unsigned got = 0; got < PRODUCERS * EACH;) {
		struct message *message = ring_pop(ring);
		if (!message) {
			sched_yield();
			continue;
		}
		assert_int_equal(message->number, next[message->producer]);
		next[message->producer]++;
		got++;
	}
	assert_null(ring_pop(ring));
	for (unsigned i = 0; i < PRODUCERS; i++) {
		pthread_join(producers[i].thread, NULL);
		free(producers[i].messages);
	}
	ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_out_in_order_until_full),
		cmocka_unit_test(sizes_are_powers_of_two),
		cmocka_unit_test(many_producers_lose_and_reorder_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
