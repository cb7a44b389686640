/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define START 1000000007ull

struct probe {
	struct timer timer;
	struct wheel *wheel;
	unsigned fired;
	uint64_t fired_at;
	uint64_t period;      /* arm again after this */
	struct probe *victim; /* cancel this one */
	unsigned *order;      /* count of all firings; ours goes to `place` */
	unsigned place;
};

static void on_probe(struct timer *timer, uint64_t now_ms)
{
	struct probe *probe = container_of(timer, struct probe, timer);
	assert_false(timer_is_armed(timer));
	probe->fired++;
	probe->fired_at = now_ms;
	if (probe->order)
		probe->place = ++*probe->order;
	if (probe->victim)
		wheel_cancel(probe->wheel, &probe->victim->timer);
	if (probe->period)
		wheel_arm(probe->wheel, timer, now_ms + probe->period, on_probe);
}

static struct wheel *make(uint64_t now_ms)
{
	struct wheel *wheel = NULL;
	assert_int_equal(wheel_create(now_ms, &wheel), 0);
	return wheel;
}

/* As the loop does it: from one wheel_next_ms() to the next. Returns the number of wake-ups. */
static unsigned sleep_until(struct wheel *wheel, uint64_t end_ms)
{
	unsigned wakeups = 0;
	while (wheel_next_ms(wheel) <= end_ms) {
		assert_true(wheel_next_ms(wheel) > wheel_now_ms(wheel) || wakeups == 0);
		wheel_advance(wheel, wheel_next_ms(wheel));
		wakeups++;
	}
	wheel_advance(wheel, end_ms);
	return wakeups;
}

/* What is armed after a long sleep, before the wheel turns, counts from the time of waking up. */
static void the_time_told_is_the_time_armed_from(void **state)
{
	struct wheel *wheel = make(START);
	struct probe probe = {0};
	(void)state;

	wheel_set_now(wheel, START + 700);
	assert_int_equal(wheel_now_ms(wheel), START + 700);
	wheel_arm(wheel, &probe.timer, wheel_now_ms(wheel) + 500, on_probe);
	wheel_advance(wheel, START + 700);
	assert_int_equal(probe.fired, 0);
	wheel_set_now(wheel, START); /* never back */
	assert_int_equal(wheel_now_ms(wheel), START + 700);
	wheel_advance(wheel, START + 1200);
	assert_int_equal(probe.fired_at, START + 1200);
	wheel_destroy(wheel);
}

static void a_timer_fires_at_its_time_and_once(void **state)
{
	(void)state;
	static const uint64_t delays[] = {
		0,
		1,
		255,
		256,
		257,
		500,
		32000,
		65535,
		65536,
		65537,
		180000,
		3600000,
		16777216,
		86400000,
		49ull * 86400000,
		4294967295ull,
		4294967296ull,
		50ull * 86400000,
		100ull * 365 * 86400000,
	};
	static const uint64_t starts[] = {0, 1, 255, START, 0xffffffffull, 0xffffffffffull};
	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
			struct wheel *wheel = make(starts[s]);
			struct probe probe = {0};
			uint64_t due = starts[s] + delays[i];
			wheel_arm(wheel, &probe.timer, due, on_probe);
			assert_true(timer_is_armed(&probe.timer));
			assert_int_equal(wheel_armed(wheel), 1);
			if (delays[i]) {
				assert_true(sleep_until(wheel, due - 1) <= 8);
				assert_int_equal(probe.fired, 0);
			}
			assert_true(wheel_next_ms(wheel) <= due);
			sleep_until(wheel, due);
			assert_int_equal(probe.fired, 1);
			assert_true(probe.fired_at == due);
			assert_int_equal(wheel_armed(wheel), 0);
			assert_true(wheel_next_ms(wheel) == UINT64_MAX);
			wheel_advance(wheel, due + 10000000);
			assert_int_equal(probe.fired, 1);
			wheel_destroy(wheel);
		}
	}
}

static void one_leap_fires_all_in_order(void **state)
{
	(void)state;
	static const uint64_t delays[] = {70000, 5, 300, 5, 256, 255, 16777217, 5, 70000};
	static const unsigned places[] = {7, 1, 6, 2, 5, 4, 9, 3, 8};
	struct probe probes[9];
	unsigned order = 0;
	struct wheel *wheel = make(START);
	memset(probes, 0, sizeof(probes));
	for (size_t i = 0; i < 9; i++) {
		probes[i].order = &order;
		wheel_arm(wheel, &probes[i].timer, START + delays[i], on_probe);
	}
	wheel_advance(wheel, START + 20000000);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(probes[i].place, places[i]);
	wheel_destroy(wheel);
}

static void a_time_in_the_past_fires_at_the_next_advance(void **state)
{
	(void)state;
	struct probe probe = {0};
	struct wheel *wheel = make(START);
	wheel_arm(wheel, &probe.timer, 5, on_probe);
	assert_true(wheel_next_ms(wheel) <= START);
	wheel_advance(wheel, START);
	assert_int_equal(probe.fired, 1);
	/* Time that goes back moves nothing. */
	wheel_arm(wheel, &probe.timer, START + 10, on_probe);
	wheel_advance(wheel, START - 100);
	assert_true(wheel_now_ms(wheel) == START);
	wheel_advance(wheel, START + 10);
	assert_int_equal(probe.fired, 2);
	wheel_destroy(wheel);
}

static void arming_again_moves_a_timer(void **state)
{
	(void)state;
	struct probe probe = {0};
	struct wheel *wheel = make(START);
	wheel_arm(wheel, &probe.timer, START + 10, on_probe);
	wheel_arm(wheel, &probe.timer, START + 100000, on_probe);
	assert_int_equal(wheel_armed(wheel), 1);
	wheel_advance(wheel, START + 99999);
	assert_int_equal(probe.fired, 0);
	wheel_arm(wheel, &probe.timer, START + 100001, on_probe);
	wheel_advance(wheel, START + 100001);
	assert_int_equal(probe.fired, 1);
	wheel_destroy(wheel);
}

static void a_handler_arms_itself_again(void **state)
{
	(void)state;
	struct wheel *wheel = make(START);
	struct probe probe = {.wheel = wheel, .period = 20};
	wheel_arm(wheel, &probe.timer, START + 20, on_probe);
	sleep_until(wheel, START + 20000);
	assert_int_equal(probe.fired, 1000);
	wheel_destroy(wheel);
	assert_false(timer_is_armed(&probe.timer));
}

static void rearm_now(struct timer *timer, uint64_t now_ms)
{
	struct probe *probe = container_of(timer, struct probe, timer);
	probe->fired++;
	wheel_arm(probe->wheel, timer, now_ms - 1000, rearm_now);
}

static void a_handler_cannot_hold_the_wheel(void **state)
{
	(void)state;
	struct wheel *wheel = make(START);
	struct probe probe = {.wheel = wheel};
	wheel_arm(wheel, &probe.timer, START + 5, rearm_now);
	wheel_advance(wheel, START + 500);
	assert_int_equal(probe.fired, 1);
	assert_true(wheel_next_ms(wheel) == START + 501);
	wheel_advance(wheel, START + 501);
	assert_int_equal(probe.fired, 2);
	wheel_destroy(wheel);
}

/* Of the same millisecond, of a later one, at another level, and one that has fired already. */
static void a_handler_cancels_others(void **state)
{
	(void)state;
	static const uint64_t delays[] = {10, 11, 300, 70000, 9};
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		struct wheel *wheel = make(START);
		struct probe victim = {0}, last = {0};
		struct probe killer = {.wheel = wheel, .victim = &victim};
		wheel_arm(wheel, &killer.timer, START + 10, on_probe);
		wheel_arm(wheel, &victim.timer, START + delays[i], on_probe);
		wheel_arm(wheel, &last.timer, START + delays[i], on_probe);
		wheel_advance(wheel, START + 100000);
		assert_int_equal(killer.fired, 1);
		assert_int_equal(victim.fired, delays[i] < 10);
		assert_int_equal(last.fired, 1);
		assert_int_equal(wheel_armed(wheel), 0);
		assert_true(wheel_next_ms(wheel) == UINT64_MAX);
		wheel_destroy(wheel);
	}
}

static void free_self(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	free(container_of(timer, struct probe, timer));
}

static void a_handler_frees_its_timer(void **state)
{
	(void)state;
	struct wheel *wheel = make(START);
	for (unsigned i = 0; i < 100; i++) {
		struct probe *probe = calloc(1, sizeof(*probe));
		assert_non_null(probe);
		wheel_arm(wheel, &probe->timer, START + i % 7, free_self);
	}
	wheel_advance(wheel, START + 10);
	assert_int_equal(wheel_armed(wheel), 0);
	wheel_destroy(wheel);
}

static void cancelling_empties_the_wheel(void **state)
{
	(void)state;
	struct probe probes[300];
	struct wheel *wheel = make(START);
	memset(probes, 0, sizeof(probes));
	for (size_t i = 0; i < 300; i++)
		wheel_arm(wheel, &probes[i].timer, START + i * i * i, on_probe);
	assert_int_equal(wheel_armed(wheel), 300);
	for (size_t i = 0; i < 300; i++) {
		wheel_cancel(wheel, &probes[i].timer);
		wheel_cancel(wheel, &probes[i].timer);
	}
	assert_int_equal(wheel_armed(wheel), 0);
	assert_true(wheel_next_ms(wheel) == UINT64_MAX);
	wheel_destroy(wheel);
	wheel_destroy(NULL);
}

static void an_idle_wheel_does_not_tick(void **state)
{
	(void)state;
	struct wheel *wheel = make(START);
	struct probe probe = {0};
	wheel_arm(wheel, &probe.timer, START + 32000, on_probe); /* timer J */
	assert_true(sleep_until(wheel, START + 32000) <= 3);
	assert_int_equal(probe.fired, 1);
	wheel_destroy(wheel);
}

/* 100,000 random acts, against an array searched from end to end. */
static void the_wheel_agrees_with_the_naive_one(void **state)
{
	(void)state;
	enum { TIMERS = 64 };
	static struct probe probes[TIMERS];
	uint64_t due[TIMERS] = {0}; /* 0 = not armed */
	unsigned fired[TIMERS] = {0};
	uint64_t now = (1ull << 32) - 40000; /* 49 days of up-time go by on the way */
	struct wheel *wheel = make(now);
	srand(42);
	for (int step = 0; step < 100000; step++) {
		unsigned i = (unsigned)rand() % TIMERS;
		switch (rand() % 3) {
		case 0: {
			uint64_t delay = (uint64_t)rand() >> (unsigned)rand() % 31;
			due[i] = now + delay;
			wheel_arm(wheel, &probes[i].timer, due[i], on_probe);
			break;
		}
		case 1:
			due[i] = 0;
			wheel_cancel(wheel, &probes[i].timer);
			break;
		default:
			now += (uint64_t)rand() >> (unsigned)(12 + rand() % 19);
			wheel_advance(wheel, now);
			break;
		}
		uint64_t first = UINT64_MAX;
		uint32_t armed = 0;
		for (unsigned j = 0; j < TIMERS; j++) {
			/* What was armed with no delay waits for the next advance. */
			if (due[j] && due[j] <= now && !timer_is_armed(&probes[j].timer)) {
				fired[j]++;
				due[j] = 0;
			}
			assert_int_equal(probes[j].fired, fired[j]);
			assert_int_equal(timer_is_armed(&probes[j].timer), due[j] != 0);
			armed += due[j] != 0;
			if (due[j] && due[j] < first)
				first = due[j];
		}
		assert_int_equal(wheel_armed(wheel), armed);
		assert_true(wheel_next_ms(wheel) <= first);
		assert_true((wheel_next_ms(wheel) == UINT64_MAX) == (armed == 0));
		assert_true(wheel_now_ms(wheel) == now);
	}
	assert_true(now > 1ull << 32);
	wheel_destroy(wheel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_at_its_time_and_once),
		cmocka_unit_test(one_leap_fires_all_in_order),
		cmocka_unit_test(a_time_in_the_past_fires_at_the_next_advance),
		cmocka_unit_test(arming_again_moves_a_timer),
		cmocka_unit_test(a_handler_arms_itself_again),
		cmocka_unit_test(a_handler_cannot_hold_the_wheel),
		cmocka_unit_test(a_handler_cancels_others),
		cmocka_unit_test(a_handler_frees_its_timer),
		cmocka_unit_test(cancelling_empties_the_wheel),
		cmocka_unit_test(the_time_told_is_the_time_armed_from),
		cmocka_unit_test(an_idle_wheel_does_not_tick),
		cmocka_unit_test(the_wheel_agrees_with_the_naive_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
