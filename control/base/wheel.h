/* wheel.h - timers: a hierarchical wheel of 1 ms, O(1) to arm and to cancel.
 * One per worker; time is given by the caller, so tests run 32 s in microseconds.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "control/base/err.h"

struct timer;
typedef void timer_fn(struct timer *timer, uint64_t now_ms);

/* Embedded in what it times; use container_of() in the handler. Zeroed = not armed. */
struct timer {
	struct timer *next;
	struct timer **link; /* the pointer that points at us; NULL = not armed */
	uint64_t due_ms;
	timer_fn *fn;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct wheel;

MUST_CHECK int wheel_create(uint64_t now_ms, struct wheel **out);
void wheel_destroy(struct wheel *wheel); /* armed timers are disarmed, not fired */
/* Arm or re-arm; a due time in the past fires at the next advance. */
void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t due_ms, timer_fn *fn);
void wheel_cancel(struct wheel *wheel, struct timer *timer); /* not armed is fine */
bool timer_is_armed(const struct timer *timer);
/* Fire what is due, in order of due time at 1 ms; handlers may arm and cancel anything. */
void wheel_advance(struct wheel *wheel, uint64_t now_ms);
/* When to call wheel_advance() next (never later than the next due time); UINT64_MAX = none. */
uint64_t wheel_next_ms(const struct wheel *wheel);
uint64_t wheel_now_ms(const struct wheel *wheel);
/* It is this late now: what wheel_now_ms() says from here on. Nothing fires before wheel_advance().
 * For handlers that run between waking up and advancing, and arm from wheel_now_ms(). */
void wheel_set_now(struct wheel *wheel, uint64_t now_ms);
uint32_t wheel_armed(const struct wheel *wheel); /* how many; for leak checks and stats */
