/* The order of one wake-up: libev's check watcher (first: reads the clock), the handlers of the
 * descriptors that are ready, then, as libev prepares to sleep, the timers that are due, the
 * burst-end hooks, and one libev timer set to the wheel's next due time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/base/loop.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS        1000000ull
#define LONGEST_SLEEP_MS 86400000ull

struct burst_hook {
	loop_fn *fn;
	void *owner;
};

struct signal_handler {
	loop_signal_fn *fn;
	void *owner;
};

struct loop {
	struct ev_loop *ev;
	struct wheel *wheel;
	uint64_t now_ms;
	bool stopping;
	ev_check check;
	ev_prepare prepare;
	ev_timer alarm;

	struct burst_hook *hooks;
	size_t hook_count;

	int wake_fd; /* eventfd */
	ev_io wake_io;
	atomic_bool waking; /* a wake-up is on its way already */
	loop_fn *wake_fn;
	void *wake_owner;

	int signal_fd; /* -1 = no signal asked for */
	ev_io signal_io;
	sigset_t signals;
	struct signal_handler signal_handlers[NSIG];
};

struct loop_io {
	ev_io io;
	struct loop *loop;
	int events;
	loop_io_fn *fn;
	void *owner;
};

static uint64_t monotonic_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

static void run_burst_end(struct loop *loop)
{
	for (size_t i = 0; i < loop->hook_count; i++)
		loop->hooks[i].fn(loop->hooks[i].owner);
}

static void on_check(struct ev_loop *ev, ev_check *watcher, int events)
{
	struct loop *loop = watcher->data;
	(void)ev;
	(void)events;
	loop->now_ms = monotonic_ns() / NS_PER_MS;
	wheel_set_now(loop->wheel, loop->now_ms);
}

static void on_alarm(struct ev_loop *ev, ev_timer *watcher, int events)
{
	/* Waking up was all: on_prepare() advances the wheel. */
	(void)ev;
	(void)watcher;
	(void)events;
}

/* Sleep no longer than until the next timer. */
static void set_alarm(struct loop *loop)
{
	uint64_t next_ms = wheel_next_ms(loop->wheel);
	uint64_t latest_ms = loop->now_ms + LONGEST_SLEEP_MS;

	ev_timer_stop(loop->ev, &loop->alarm);
	if (next_ms == UINT64_MAX)
		return;
	if (next_ms > latest_ms)
		next_ms = latest_ms;
	ev_now_update(loop->ev); /* libev counts from its own clock, which the handlers made old */
	uint64_t now_ns = monotonic_ns();
	uint64_t after_ns = 0;
	if (next_ms > now_ns / NS_PER_MS)
		after_ns = (next_ms - now_ns / NS_PER_MS) * NS_PER_MS - now_ns % NS_PER_MS;
	ev_timer_set(&loop->alarm, (double)after_ns / 1e9, 0.);
	ev_timer_start(loop->ev, &loop->alarm);
}

static void on_prepare(struct ev_loop *ev, ev_prepare *watcher, int events)
{
	struct loop *loop = watcher->data;
	(void)ev;
	(void)events;
	wheel_advance(loop->wheel, loop->now_ms);
	run_burst_end(loop);
	set_alarm(loop);
}

static void on_wake_io(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;
	uint64_t count;
	(void)ev;
	(void)events;
	if (read(loop->wake_fd, &count, sizeof(count)) < 0)
		return; /* EAGAIN: nobody called */
	/* Before fn() looks at its queue: whoever adds to it from now on wakes us again. */
	atomic_store(&loop->waking, false);
	if (loop->wake_fn)
		loop->wake_fn(loop->wake_owner);
}

static void on_signal_io(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;
	struct signalfd_siginfo info;
	(void)ev;
	(void)events;
	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo >= NSIG)
			continue;
		struct signal_handler *handler = &loop->signal_handlers[info.ssi_signo];
		if (handler->fn)
			handler->fn(handler->owner, (int)info.ssi_signo);
	}
}

int loop_create(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ERR_NO_MEMORY;
	int err = -ERR_NO_MEMORY;
	loop->signal_fd = -1;
	sigemptyset(&loop->signals);
	loop->now_ms = monotonic_ns() / NS_PER_MS;
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0) {
		err = err_from_errno(errno);
		goto fail;
	}
	loop->ev = ev_loop_new(EVFLAG_NOENV);
	if (!loop->ev)
		goto fail;
	err = wheel_create(loop->now_ms, &loop->wheel);
	if (err)
		goto fail;

	ev_check_init(&loop->check, on_check);
	ev_set_priority(&loop->check, EV_MAXPRI);
	loop->check.data = loop;
	ev_check_start(loop->ev, &loop->check);
	ev_prepare_init(&loop->prepare, on_prepare);
	loop->prepare.data = loop;
	ev_prepare_start(loop->ev, &loop->prepare);
	ev_timer_init(&loop->alarm, on_alarm, 0., 0.);
	ev_io_init(&loop->wake_io, on_wake_io, loop->wake_fd, EV_READ);
	loop->wake_io.data = loop;
	ev_io_start(loop->ev, &loop->wake_io);
	*out = loop;
	return 0;
fail:
	loop_destroy(loop);
	return err;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	/* Its signals stay blocked: one that comes late must not kill a process that is closing. */
	if (loop->signal_fd >= 0) {
		ev_io_stop(loop->ev, &loop->signal_io);
		close(loop->signal_fd);
	}
	if (loop->ev) {
		ev_io_stop(loop->ev, &loop->wake_io);
		ev_timer_stop(loop->ev, &loop->alarm);
		ev_prepare_stop(loop->ev, &loop->prepare);
		ev_check_stop(loop->ev, &loop->check);
		ev_loop_destroy(loop->ev);
	}
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	wheel_destroy(loop->wheel);
	free(loop->hooks);
	free(loop);
}

void loop_run(struct loop *loop)
{
	if (!loop->stopping) {
		loop->now_ms = monotonic_ns() / NS_PER_MS;
		wheel_set_now(loop->wheel, loop->now_ms);
		ev_run(loop->ev, 0);
	}
	run_burst_end(loop); /* what the last wake-up queued goes out as well */
	loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
	ev_break(loop->ev, EVBREAK_ALL);
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

struct wheel *loop_wheel(struct loop *loop)
{
	return loop->wheel;
}

static int to_ev(int events)
{
	return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

static void on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop_io *io = watcher->data;
	(void)ev;
	/* A broken descriptor (EV_ERROR) comes as both; the handler's read or write says why. */
	io->fn(io->owner,
	       (events & EV_READ ? LOOP_READ : 0) | (events & EV_WRITE ? LOOP_WRITE : 0));
}

int loop_io_add(struct loop *loop, int fd, int events, loop_io_fn *fn, void *owner,
		struct loop_io **out)
{
	if (fd < 0)
		return -ERR_INVALID;
	struct loop_io *io = calloc(1, sizeof(*io));
	if (!io)
		return -ERR_NO_MEMORY;
	io->loop = loop;
	io->events = events;
	io->fn = fn;
	io->owner = owner;
	ev_io_init(&io->io, on_io, fd, to_ev(events));
	io->io.data = io;
	if (events)
		ev_io_start(loop->ev, &io->io);
	*out = io;
	return 0;
}

void loop_io_set(struct loop_io *io, int events)
{
	if (events == io->events)
		return;
	io->events = events;
	ev_io_stop(io->loop->ev, &io->io);
	ev_io_set(&io->io, io->io.fd, to_ev(events));
	if (events)
		ev_io_start(io->loop->ev, &io->io);
}

void loop_io_remove(struct loop_io *io)
{
	if (!io)
		return;
	ev_io_stop(io->loop->ev, &io->io); /* an event of it still to be delivered goes too */
	free(io);
}

int loop_on_burst_end(struct loop *loop, loop_fn *fn, void *owner)
{
	struct burst_hook *hooks =
		reallocarray(loop->hooks, loop->hook_count + 1, sizeof(loop->hooks[0]));
	if (!hooks)
		return -ERR_NO_MEMORY;
	loop->hooks = hooks;
	loop->hooks[loop->hook_count++] = (struct burst_hook){fn, owner};
	return 0;
}

void loop_on_wake(struct loop *loop, loop_fn *fn, void *owner)
{
	loop->wake_fn = fn;
	loop->wake_owner = owner;
}

void loop_wake(struct loop *loop)
{
	const uint64_t one = 1;

	if (atomic_exchange(&loop->waking, true))
		return;
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

int loop_on_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *owner)
{
	sigset_t signals = loop->signals, one;

	sigemptyset(&one);
	if (signum <= 0 || signum >= NSIG || sigaddset(&signals, signum) || sigaddset(&one, signum))
		return -ERR_INVALID;
	int errnum = pthread_sigmask(SIG_BLOCK, &one, NULL);
	if (errnum)
		return err_from_errno(errnum);
	int fd = signalfd(loop->signal_fd, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_from_errno(errno);
	if (loop->signal_fd < 0) {
		loop->signal_fd = fd;
		ev_io_init(&loop->signal_io, on_signal_io, fd, EV_READ);
		loop->signal_io.data = loop;
		ev_io_start(loop->ev, &loop->signal_io);
	}
	loop->signals = signals;
	loop->signal_handlers[signum] = (struct signal_handler){fn, owner};
	return 0;
}
