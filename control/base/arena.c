/* One list of chunks, newest first; the oldest is the one that stays. Under AddressSanitizer what
 * is not handed out is poisoned and blocks are kept apart, so that an overrun of one block into the
 * next is seen as with malloc. SPDX-License-Identifier: Apache-2.0 */
#include "control/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP                 16
#define arena_unpoison(data, len) __asan_unpoison_memory_region((data), (len))

/* Out of line: seeing malloc() and the const argument together, gcc warns of reading what was
 * never written. */
__attribute__((noinline)) static void arena_poison(void *data, size_t len)
{
	__asan_poison_memory_region(data, len);
}
#else
#define ARENA_GAP                 0
#define arena_poison(data, len)   ((void)0)
#define arena_unpoison(data, len) ((void)0)
#endif

#define ARENA_ALIGN 16

struct chunk {
	struct chunk *older;
	size_t size; /* of data */
	size_t used;
	_Alignas(ARENA_ALIGN) char data[];
};

struct arena {
	struct chunk *newest;
	size_t first_chunk;
	size_t limit; /* of all chunks together */
	size_t held;  /* by all chunks together */
	size_t used;
	char *last; /* the newest block: may grow in place */
};

static struct chunk *chunk_create(size_t size)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->older = NULL;
	chunk->size = size;
	chunk->used = 0;
	arena_poison(chunk->data, size);
	return chunk;
}

static void chunk_destroy(struct chunk *chunk)
{
	arena_unpoison(chunk->data, chunk->size);
	free(chunk);
}

int arena_create(size_t first_chunk, size_t limit, struct arena **out)
{
	if (first_chunk == 0 || first_chunk > limit || limit > SIZE_MAX / 4)
		return -ERR_INVALID;
	struct arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		return -ERR_NO_MEMORY;
	arena->first_chunk = first_chunk;
	arena->limit = limit;
	arena->held = first_chunk;
	arena->newest = chunk_create(first_chunk);
	if (!arena->newest) {
		free(arena);
		return -ERR_NO_MEMORY;
	}
	*out = arena;
	return 0;
}

void arena_destroy(struct arena *arena)
{
	if (!arena)
		return;
	arena_reset(arena);
	chunk_destroy(arena->newest);
	free(arena);
}

static size_t round_up(size_t size)
{
	return (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

/* A new chunk with room for `size`: twice all there is, as far as the limit allows. */
static bool arena_grow(struct arena *arena, size_t size)
{
	size_t left = arena->limit - arena->held;
	if (size > left)
		return false;
	size_t want = arena->held > size ? arena->held : size;
	struct chunk *chunk = chunk_create(want < left ? want : left);
	if (!chunk)
		return false;
	chunk->older = arena->newest;
	arena->newest = chunk;
	arena->held += chunk->size;
	return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > arena->limit)
		return NULL;
	size_t take = round_up(size ? size : 1) + ARENA_GAP;
	struct chunk *chunk = arena->newest;
	if (take > chunk->size - chunk->used) {
		if (!arena_grow(arena, take))
			return NULL;
		chunk = arena->newest;
	}
	char *block = chunk->data + chunk->used;
	chunk->used += take;
	arena->used += take;
	arena->last = block;
	arena_unpoison(block, size);
	return block;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *block = arena_alloc(arena, size);
	if (block)
		memset(block, 0, size);
	return block;
}

/* Resize the newest block where it lies, if the chunk has the room. */
static bool arena_resize_last(struct arena *arena, size_t size)
{
	struct chunk *chunk = arena->newest;
	size_t start = (size_t)(arena->last - chunk->data);
	if (size > arena->limit)
		return false;
	size_t take = round_up(size ? size : 1) + ARENA_GAP;
	if (take > chunk->size - start)
		return false;
	arena->used = arena->used - (chunk->used - start) + take;
	chunk->used = start + take;
	arena_poison(arena->last, chunk->size - start);
	arena_unpoison(arena->last, size);
	return true;
}

void *arena_realloc(struct arena *arena, void *old, size_t old_size, size_t size)
{
	if (!old)
		return arena_alloc(arena, size);
	if (old == arena->last) {
		if (arena_resize_last(arena, size))
			return old;
	} else if (size <= old_size) {
		return old;
	}
	void *block = arena_alloc(arena, size);
	if (block)
		memcpy(block, old, old_size < size ? old_size : size);
	return block;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
	char *copy = arena_alloc(arena, s.len);
	if (!copy)
		return SLICE_NONE;
	if (s.len)
		memcpy(copy, s.data, s.len);
	return (struct slice){copy, s.len};
}

char *arena_text(struct arena *arena, struct slice s)
{
	if (s.len >= arena->limit)
		return NULL;
	char *text = arena_alloc(arena, s.len + 1);
	if (text)
		slice_copy(s, text, s.len + 1);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return NULL;

	char *text = arena_alloc(arena, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

void arena_reset(struct arena *arena)
{
	while (arena->newest->older) {
		struct chunk *chunk = arena->newest;
		arena->newest = chunk->older;
		chunk_destroy(chunk);
	}
	arena_poison(arena->newest->data, arena->newest->size);
	arena->newest->used = 0;
	arena->held = arena->first_chunk;
	arena->used = 0;
	arena->last = NULL;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}
