/* loop.h - the event loop of one thread (libev behind this file alone).
 * One wake-up handles everything that is ready, then calls the burst-end hooks once: that is where
 * datagrams, NG requests and Redis commands are flushed (a wake-up costs 50 to 80 us of CPU on a
 * VM, a batched datagram 5 to 9). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/wheel.h"

struct loop;
struct loop_io;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_io_fn(void *owner, int events);
typedef void loop_fn(void *owner);
typedef void loop_signal_fn(void *owner, int signum);

MUST_CHECK int loop_create(struct loop **out);
void loop_destroy(struct loop *loop); /* after all loop_io are removed */
void loop_run(struct loop *loop);     /* until loop_stop() */
void loop_stop(struct loop *loop);    /* from this loop's own thread; elsewhere use loop_wake */
uint64_t loop_now_ms(const struct loop *loop); /* monotonic, cached for this wake-up */
struct wheel *loop_wheel(struct loop *loop);   /* advanced by the loop */

/* Watch a file descriptor (not owned). The handler may remove any loop_io, its own too. */
MUST_CHECK int loop_io_add(struct loop *loop, int fd, int events, loop_io_fn *fn, void *owner,
			   struct loop_io **out);
void loop_io_set(struct loop_io *io, int events); /* 0 = pause */
void loop_io_remove(struct loop_io *io);          /* NULL is fine */

/* Called once per wake-up, after all handlers, before sleeping; in order of registration. */
MUST_CHECK int loop_on_burst_end(struct loop *loop, loop_fn *fn, void *owner);
/* loop_wake() may be called from any thread; it makes `fn` run in the loop's thread. One handler
 * per loop. */
void loop_on_wake(struct loop *loop, loop_fn *fn, void *owner);
void loop_wake(struct loop *loop);
/* Signals: only for the loop of the main thread, before others start. The signal is blocked in this
 * thread (signalfd) and stays so: a program that execs another clears the mask in the child. */
MUST_CHECK int loop_on_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *owner);
