/* arena.h - bump allocation for one message or one request; everything goes at reset.
 * Owned by one worker. Grows by chunks; keeps the first chunk for ever.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

struct arena;

MUST_CHECK int arena_create(size_t first_chunk, size_t limit, struct arena **out);
void arena_destroy(struct arena *arena); /* NULL is fine */
/* Aligned to 16, not cleared; NULL past the limit or without memory. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
/* Grow the newest block in place if it is the newest, copy otherwise. */
void *arena_realloc(struct arena *arena, void *old, size_t old_size, size_t size);
struct slice arena_copy(struct arena *arena, struct slice s); /* data NULL without memory */
char *arena_text(struct arena *arena, struct slice s);        /* NUL-terminated copy */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *arena);
size_t arena_used(const struct arena *arena);
