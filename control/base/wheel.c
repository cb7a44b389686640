/* Eight levels of 256 slots, one level per byte of the time, so there is no time too far away.
 * A timer lies at the level of the highest byte in which its due time differs from the wheel's
 * tick, in the slot of that byte. When the tick reaches a slot of level n > 0 its timers fall to
 * lower levels; a slot of level 0 is one millisecond and fires. A bit per slot finds the next one
 * that holds anything, so idle time costs nothing. SPDX-License-Identifier: Apache-2.0 */
#include "control/base/wheel.h"

#include <stdlib.h>

#define LEVELS      8
#define SLOTS       256
#define WORDS       (SLOTS / 64)
#define WHEEL_NEVER UINT64_MAX

struct wheel {
	uint64_t tick;   /* everything due before is done */
	uint64_t now_ms; /* as given by the caller; ahead of tick only while advancing */
	bool advancing;
	uint32_t armed;
	struct timer *firing; /* taken out of their slot, not yet fired */
	uint64_t used[LEVELS][WORDS];
	struct timer *slots[LEVELS][SLOTS];
};

int wheel_create(uint64_t now_ms, struct wheel **out)
{
	struct wheel *wheel = calloc(1, sizeof(*wheel));
	if (!wheel)
		return -ERR_NO_MEMORY;
	wheel->tick = now_ms;
	wheel->now_ms = now_ms;
	*out = wheel;
	return 0;
}

void wheel_destroy(struct wheel *wheel)
{
	if (!wheel)
		return;
	for (unsigned i = 0; i < LEVELS * SLOTS; i++) {
		while (wheel->slots[i / SLOTS][i % SLOTS])
			wheel_cancel(wheel, wheel->slots[i / SLOTS][i % SLOTS]);
	}
	free(wheel);
}

static void timer_link(struct timer *timer, struct timer **at)
{
	timer->next = *at;
	timer->link = at;
	if (timer->next)
		timer->next->link = &timer->next;
	*at = timer;
}

static void timer_unlink(struct timer *timer)
{
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->next = NULL;
	timer->link = NULL;
}

static void wheel_place(struct wheel *wheel, struct timer *timer)
{
	uint64_t differs = timer->due_ms ^ wheel->tick;
	unsigned level = differs ? (63u - (unsigned)__builtin_clzll(differs)) / 8 : 0;
	unsigned slot = (unsigned)(timer->due_ms >> level * 8) & (SLOTS - 1);

	timer_link(timer, &wheel->slots[level][slot]);
	wheel->used[level][slot / 64] |= 1ull << slot % 64;
}

void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t due_ms, timer_fn *fn)
{
	/* While advancing, what is due now waits for the next advance: no handler can keep the
	 * wheel turning by arming itself again and again. */
	uint64_t earliest = wheel->advancing ? wheel->now_ms + 1 : wheel->tick;

	wheel_cancel(wheel, timer);
	timer->due_ms = due_ms < earliest ? earliest : due_ms;
	timer->fn = fn;
	wheel_place(wheel, timer);
	wheel->armed++;
}

void wheel_cancel(struct wheel *wheel, struct timer *timer)
{
	struct timer **head = timer->link;
	struct timer **slots = &wheel->slots[0][0];

	if (!head)
		return;
	timer_unlink(timer);
	wheel->armed--;
	/* The last one of a slot takes the slot's bit along. */
	if (!*head && (uintptr_t)head >= (uintptr_t)slots &&
	    (uintptr_t)head < (uintptr_t)slots + sizeof(wheel->slots)) {
		unsigned slot = (unsigned)(head - slots);
		wheel->used[slot / SLOTS][slot % SLOTS / 64] &= ~(1ull << slot % 64);
	}
}

bool timer_is_armed(const struct timer *timer)
{
	return timer->link != NULL;
}

/* The first slot that holds anything, and when it begins. Lower levels come first in time, and
 * no slot before the tick's own is in use. */
static uint64_t wheel_next_slot(const struct wheel *wheel, unsigned *level, unsigned *slot)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		for (unsigned word = 0; word < WORDS; word++) {
			if (!wheel->used[l][word])
				continue;
			*level = l;
			*slot = word * 64 + (unsigned)__builtin_ctzll(wheel->used[l][word]);
			uint64_t above = l + 1 < LEVELS ? ~0ull << (l + 1) * 8 : 0;
			return (wheel->tick & above) | (uint64_t)*slot << l * 8;
		}
	}
	return WHEEL_NEVER;
}

/* Take a slot's timers out, in the order in which they were armed (slots are filled in front). */
static void wheel_take_slot(struct wheel *wheel, unsigned level, unsigned slot)
{
	struct timer *timer;

	while ((timer = wheel->slots[level][slot])) {
		timer_unlink(timer);
		timer_link(timer, &wheel->firing);
	}
	wheel->used[level][slot / 64] &= ~(1ull << slot % 64);
}

void wheel_advance(struct wheel *wheel, uint64_t now_ms)
{
	unsigned level = 0, slot = 0;
	uint64_t at;

	if (wheel->advancing)
		abort(); /* from a handler */
	if (now_ms < wheel->now_ms || now_ms == WHEEL_NEVER)
		return;
	wheel->now_ms = now_ms;
	wheel->advancing = true;
	while ((at = wheel_next_slot(wheel, &level, &slot)) <= now_ms) {
		wheel->tick = at;
		wheel_take_slot(wheel, level, slot);
		while (wheel->firing) {
			struct timer *timer = wheel->firing;
			timer_unlink(timer);
			if (level > 0) {
				wheel_place(wheel, timer);
				continue;
			}
			wheel->armed--;
			timer->fn(timer, now_ms);
		}
	}
	wheel->tick = now_ms;
	wheel->advancing = false;
}

uint64_t wheel_next_ms(const struct wheel *wheel)
{
	unsigned level, slot;
	return wheel_next_slot(wheel, &level, &slot);
}

uint64_t wheel_now_ms(const struct wheel *wheel)
{
	return wheel->now_ms;
}

void wheel_set_now(struct wheel *wheel, uint64_t now_ms)
{
	if (now_ms > wheel->now_ms && now_ms != WHEEL_NEVER)
		wheel->now_ms = now_ms;
}

uint32_t wheel_armed(const struct wheel *wheel)
{
	return wheel->armed;
}
