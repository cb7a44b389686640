/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { WATCHES = 4 };

struct bench;

struct watch {
	struct bench *bench;
	struct loop_io *io;
	int fds[2]; /* we watch the first */
	unsigned called;
	int events;
	bool drain;
	bool remove_all;
};

struct bench {
	struct loop *loop;
	struct watch watches[WATCHES];
	struct timer timeout;
	struct timer timer;
	bool timed_out;
	unsigned bursts;
	unsigned handled;      /* handlers called since the last burst end */
	unsigned most_handled; /* in one burst */
	unsigned stop_after_bursts;
	unsigned timer_fired;
	bool timer_armed_by_hook;
	unsigned wakes;
	unsigned signals[65];
};

static void on_timeout(struct timer *timer, uint64_t now_ms)
{
	struct bench *bench = container_of(timer, struct bench, timeout);
	(void)now_ms;
	bench->timed_out = true;
	loop_stop(bench->loop);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct bench *bench = container_of(timer, struct bench, timer);
	assert_true(now_ms >= timer->due_ms);
	bench->timer_fired++;
	bench->handled++;
}

static void on_burst_end(void *owner)
{
	struct bench *bench = owner;
	bench->bursts++;
	if (bench->handled > bench->most_handled)
		bench->most_handled = bench->handled;
	bench->handled = 0;
	if (bench->bursts == bench->stop_after_bursts)
		loop_stop(bench->loop);
}

static void on_readable(void *owner, int events)
{
	struct watch *watch = owner;
	struct bench *bench = watch->bench;
	char byte;
	watch->called++;
	watch->events = events;
	bench->handled++;
	if (watch->drain)
		assert_int_equal(read(watch->fds[0], &byte, 1), 1);
	for (int i = 0; watch->remove_all && i < WATCHES; i++) {
		loop_io_remove(bench->watches[i].io);
		bench->watches[i].io = NULL;
	}
}

static int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	*state = bench;
	if (!bench || loop_create(&bench->loop))
		return -1;
	for (int i = 0; i < WATCHES; i++) {
		struct watch *watch = &bench->watches[i];
		watch->bench = bench;
		watch->drain = true;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, watch->fds) ||
		    loop_io_add(bench->loop, watch->fds[0], LOOP_READ, on_readable, watch,
				&watch->io))
			return -1;
	}
	if (loop_on_burst_end(bench->loop, on_burst_end, bench))
		return -1;
	wheel_arm(loop_wheel(bench->loop), &bench->timeout, loop_now_ms(bench->loop) + 10000,
		  on_timeout);
	return 0;
}

static int bench_teardown(void **state)
{
	struct bench *bench = *state;
	for (int i = 0; i < WATCHES; i++) {
		loop_io_remove(bench->watches[i].io);
		close(bench->watches[i].fds[0]);
		close(bench->watches[i].fds[1]);
	}
	loop_destroy(bench->loop);
	free(bench);
	return 0;
}

static void poke(struct watch *watch)
{
	assert_int_equal(write(watch->fds[1], "x", 1), 1);
}

static void the_burst_end_comes_once_after_all_handlers(void **state)
{
	struct bench *bench = *state;
	for (int i = 0; i < WATCHES; i++)
		poke(&bench->watches[i]);
	wheel_arm(loop_wheel(bench->loop), &bench->timer, 0, on_timer);
	bench->stop_after_bursts = 2; /* one before the first sleep */
	loop_run(bench->loop);
	assert_false(bench->timed_out);
	assert_int_equal(bench->timer_fired, 1);
	assert_int_equal(bench->most_handled, WATCHES);
	for (int i = 0; i < WATCHES; i++)
		assert_int_equal(bench->watches[i].called, 1);
	/* One before sleeping, one for the four, and the last on the way out. */
	assert_int_equal(bench->bursts, 3);
}

static void a_timer_and_a_handler_share_a_burst(void **state)
{
	struct bench *bench = *state;
	struct timespec wait = {.tv_nsec = 5000000};
	bench->stop_after_bursts = 1;
	loop_run(bench->loop);
	wheel_arm(loop_wheel(bench->loop), &bench->timer, loop_now_ms(bench->loop) + 2, on_timer);
	nanosleep(&wait, NULL);
	poke(&bench->watches[0]);
	bench->stop_after_bursts = bench->bursts + 2;
	bench->most_handled = 0;
	loop_run(bench->loop);
	assert_int_equal(bench->timer_fired, 1);
	assert_int_equal(bench->watches[0].called, 1);
}

static void a_handler_removes_itself_and_the_ready_ones(void **state)
{
	struct bench *bench = *state;
	for (int i = 0; i < WATCHES; i++) {
		bench->watches[i].remove_all = true;
		poke(&bench->watches[i]);
	}
	bench->stop_after_bursts = 2;
	loop_run(bench->loop);
	assert_false(bench->timed_out);
	unsigned called = 0;
	for (int i = 0; i < WATCHES; i++)
		called += bench->watches[i].called;
	assert_int_equal(called, 1);
}

static void events_are_chosen_and_paused(void **state)
{
	struct bench *bench = *state;
	struct watch *watch = &bench->watches[0];
	watch->drain = false;
	poke(watch);
	loop_io_set(watch->io, 0);
	wheel_arm(loop_wheel(bench->loop), &bench->timeout, loop_now_ms(bench->loop) + 20,
		  on_timeout);
	loop_run(bench->loop);
	assert_true(bench->timed_out);
	assert_int_equal(watch->called, 0);

	loop_io_set(watch->io, LOOP_WRITE);
	bench->stop_after_bursts = bench->bursts + 2;
	loop_run(bench->loop);
	assert_int_equal(watch->called, 1);
	assert_int_equal(watch->events, LOOP_WRITE);
	loop_io_set(watch->io, LOOP_READ | LOOP_WRITE);
	bench->stop_after_bursts = bench->bursts + 2;
	loop_run(bench->loop);
	assert_int_equal(watch->events, LOOP_READ | LOOP_WRITE);
	loop_io_set(watch->io, LOOP_READ);
	loop_io_set(watch->io, LOOP_READ);
	bench->stop_after_bursts = bench->bursts + 2;
	loop_run(bench->loop);
	assert_int_equal(watch->events, LOOP_READ);
	assert_int_equal(loop_io_add(bench->loop, -1, LOOP_READ, on_readable, watch, &watch->io),
			 -ERR_INVALID);
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_tick(struct timer *timer, uint64_t now_ms)
{
	struct bench *bench = container_of(timer, struct bench, timer);
	assert_true(now_ms >= timer->due_ms);
	if (++bench->timer_fired == 10)
		loop_stop(bench->loop);
	else
		wheel_arm(loop_wheel(bench->loop), timer, now_ms + 10, on_tick);
}

static void timers_fire_in_time_and_the_loop_sleeps_between(void **state)
{
	struct bench *bench = *state;
	uint64_t started = clock_ms(CLOCK_MONOTONIC);
	wheel_arm(loop_wheel(bench->loop), &bench->timer, loop_now_ms(bench->loop) + 10, on_tick);
	loop_run(bench->loop);
	uint64_t took = clock_ms(CLOCK_MONOTONIC) - started;
	assert_int_equal(bench->timer_fired, 10);
	assert_in_range(took, 99, 2000);
	/* Ten for the timers, a few when a slot of the wheel's higher levels begins. */
	assert_in_range(bench->bursts, 10, 30);
}

static void hook_arms_timer(void *owner)
{
	struct bench *bench = owner;
	if (bench->timer_armed_by_hook)
		return;
	bench->timer_armed_by_hook = true;
	bench->timer_fired = 9; /* the tenth stops the loop */
	wheel_arm(loop_wheel(bench->loop), &bench->timer, loop_now_ms(bench->loop) + 5, on_tick);
}

static void a_hook_may_arm_a_timer(void **state)
{
	struct bench *bench = *state;
	assert_int_equal(loop_on_burst_end(bench->loop, hook_arms_timer, bench), 0);
	wheel_arm(loop_wheel(bench->loop), &bench->timeout, loop_now_ms(bench->loop) + 1000,
		  on_timeout);
	uint64_t started = clock_ms(CLOCK_MONOTONIC);
	loop_run(bench->loop);
	/* The loop did not sleep until the time-out. */
	assert_int_equal(bench->timer_fired, 10);
	assert_false(bench->timed_out);
	assert_true(clock_ms(CLOCK_MONOTONIC) - started < 900);
}

static void wake_again(void *owner)
{
	struct bench *bench = owner;
	if (++bench->wakes == 3)
		loop_stop(bench->loop);
	else
		loop_wake(bench->loop);
}

static void a_wake_up_during_the_handler_is_not_lost(void **state)
{
	struct bench *bench = *state;
	wheel_arm(loop_wheel(bench->loop), &bench->timeout, loop_now_ms(bench->loop) + 1000,
		  on_timeout);
	loop_on_wake(bench->loop, wake_again, bench);
	loop_wake(bench->loop);
	loop_run(bench->loop);
	assert_false(bench->timed_out);
	assert_int_equal(bench->wakes, 3);
}

enum { WAKE_COUNT = 1000 };

struct waker {
	struct bench *bench;
	unsigned sent;
	pthread_mutex_t lock;
	unsigned seen;
};

static void on_wake(void *owner)
{
	struct waker *waker = owner;
	waker->bench->wakes++;
	pthread_mutex_lock(&waker->lock);
	waker->seen = waker->sent;
	pthread_mutex_unlock(&waker->lock);
	if (waker->seen == WAKE_COUNT)
		loop_stop(waker->bench->loop);
}

static void *wake_often(void *arg)
{
	struct waker *waker = arg;
	struct timespec pause = {.tv_nsec = 20000};
	for (unsigned i = 0; i < WAKE_COUNT; i++) {
		pthread_mutex_lock(&waker->lock);
		waker->sent++;
		pthread_mutex_unlock(&waker->lock);
		loop_wake(waker->bench->loop);
		if (i % 10 == 0)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void no_wake_up_from_a_thread_is_lost(void **state)
{
	struct bench *bench = *state;
	struct waker waker = {.bench = bench, .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t thread;
	loop_on_wake(bench->loop, on_wake, &waker);
	assert_int_equal(pthread_create(&thread, NULL, wake_often, &waker), 0);
	loop_run(bench->loop);
	pthread_join(thread, NULL);
	assert_false(bench->timed_out);
	assert_int_equal(waker.seen, WAKE_COUNT);
	assert_in_range(bench->wakes, 1, WAKE_COUNT);
}

static void on_signal(void *owner, int signum)
{
	struct bench *bench = owner;
	bench->signals[signum]++;
	if (bench->signals[SIGUSR1] && bench->signals[SIGTERM])
		loop_stop(bench->loop);
}

static void signals_arrive_in_the_loop(void **state)
{
	struct bench *bench = *state;
	assert_int_equal(loop_on_signal(bench->loop, SIGUSR1, on_signal, bench), 0);
	assert_int_equal(loop_on_signal(bench->loop, SIGTERM, on_signal, bench), 0);
	assert_int_equal(loop_on_signal(bench->loop, 0, on_signal, bench), -ERR_INVALID);
	assert_int_equal(loop_on_signal(bench->loop, 1000, on_signal, bench), -ERR_INVALID);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	loop_run(bench->loop);
	assert_false(bench->timed_out);
	assert_int_equal(bench->signals[SIGUSR1], 1);
	assert_int_equal(bench->signals[SIGTERM], 1);
}

static void a_stop_before_the_run_counts_once(void **state)
{
	struct bench *bench = *state;
	loop_stop(bench->loop);
	loop_run(bench->loop);
	assert_int_equal(bench->bursts, 1);
	bench->stop_after_bursts = 2;
	loop_run(bench->loop);
	assert_false(bench->timed_out);
	assert_int_equal(bench->bursts, 2 + 1);
}

/* The number of a closed descriptor comes back for the next one opened. */
static void a_descriptor_number_is_used_again(void **state)
{
	struct bench *bench = *state;
	struct watch *watch = &bench->watches[0];
	for (int round = 0; round < 3; round++) {
		int old = watch->fds[0];
		loop_io_remove(watch->io);
		close(watch->fds[0]);
		close(watch->fds[1]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, watch->fds),
				 0);
		assert_int_equal(watch->fds[0], old);
		assert_int_equal(loop_io_add(bench->loop, watch->fds[0], LOOP_READ, on_readable,
					     watch, &watch->io),
				 0);
		poke(watch);
		bench->stop_after_bursts = bench->bursts + 2;
		loop_run(bench->loop);
		assert_int_equal(watch->called, round + 1);
	}
	assert_false(bench->timed_out);
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(the_burst_end_comes_once_after_all_handlers),
		loop_test(a_timer_and_a_handler_share_a_burst),
		loop_test(a_handler_removes_itself_and_the_ready_ones),
		loop_test(events_are_chosen_and_paused),
		loop_test(timers_fire_in_time_and_the_loop_sleeps_between),
		loop_test(a_hook_may_arm_a_timer),
		loop_test(a_wake_up_during_the_handler_is_not_lost),
		loop_test(no_wake_up_from_a_thread_is_lost),
		loop_test(signals_arrive_in_the_loop),
		loop_test(a_stop_before_the_run_counts_once),
		loop_test(a_descriptor_number_is_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
