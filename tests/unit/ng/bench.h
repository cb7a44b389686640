/* bench.h - what the tests of the NG server and client share: a real loop for the sockets, and a
 * clock of their own for the timers. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/loop.h"
#include "control/base/random.h"
#include "control/ng/server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

struct clock {
	struct loop *loop;
	struct wheel *wheel; /* the fake one */
	uint64_t now_ms;
	struct timer stop; /* in the loop's own wheel */
};

static inline uint64_t real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void clock_open(struct clock *clock)
{
	clock->now_ms = 1000000;
	assert_int_equal(loop_create(&clock->loop), 0);
	assert_int_equal(wheel_create(clock->now_ms, &clock->wheel), 0);
}

static inline void clock_close(struct clock *clock)
{
	wheel_destroy(clock->wheel);
	loop_destroy(clock->loop);
}

static inline void clock_on_stop(struct timer *timer, uint64_t now_ms)
{
	struct clock *clock = container_of(timer, struct clock, stop);

	(void)now_ms;
	loop_stop(clock->loop);
}

/* Let the sockets work for some real milliseconds; the fake clock stands still. */
static inline void clock_turn(struct clock *clock, uint32_t ms)
{
	wheel_arm(loop_wheel(clock->loop), &clock->stop, real_ms() + ms, clock_on_stop);
	loop_run(clock->loop);
}

/* Let fake time pass, then let the sockets work. */
static inline void clock_advance(struct clock *clock, uint32_t ms)
{
	clock->now_ms += ms;
	wheel_advance(clock->wheel, clock->now_ms);
	clock_turn(clock, 3);
}

static const struct log bench_log = {.level = LOG_ERROR, .fd = 2, .program = "test"};

static inline struct addr bench_addr(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(slice_from(text), 0, &addr), 0);
	return addr;
}

/* A UDP socket bound to this address, or a stream connected to it. */
static inline int bench_socket(int type, const char *bind_to, const struct addr *connect_to)
{
	struct sockaddr_storage name;
	struct timeval wait = {.tv_sec = 0, .tv_usec = 500000};
	struct addr addr = bench_addr(bind_to);
	int fd = socket(addr.family, type | SOCK_CLOEXEC, 0);
	socklen_t len = addr_to_sockaddr(&addr, &name);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	int on = 1;
	if (type == SOCK_STREAM)
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	if (connect_to) {
		len = addr_to_sockaddr(connect_to, &name);
		assert_int_equal(connect(fd, (struct sockaddr *)&name, len), 0);
	}
	return fd;
}
