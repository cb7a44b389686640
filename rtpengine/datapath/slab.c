/* slab.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/slab.h"
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <sys/mman.h>

#define CHUNK ((size_t)2 << 20) /* a large page, and where it begins */

struct piece {
	struct piece *next;
};

/* At the beginning of its memory, so that a piece finds it. */
struct slab_chunk {
	struct slab *slab; /* NULL = released */
	struct slab_chunk *prev, *next;
	struct piece *free; /* given back */
	size_t used;        /* pieces */
	size_t begun;       /* bytes that were ever taken, with this head */
} __attribute__((aligned(64)));

void slab_init(struct slab *slab, size_t size)
{
	*slab = (struct slab){.size = size};
}

static void put_first(struct slab *slab, struct slab_chunk *chunk)
{
	chunk->prev = NULL;
	chunk->next = slab->first;
	if (slab->first)
		slab->first->prev = chunk;
	else
		slab->last = chunk;
	slab->first = chunk;
}

static void put_last(struct slab *slab, struct slab_chunk *chunk)
{
	chunk->prev = slab->last;
	chunk->next = NULL;
	if (slab->last)
		slab->last->next = chunk;
	else
		slab->first = chunk;
	slab->last = chunk;
}

static void take_out(struct slab *slab, struct slab_chunk *chunk)
{
	if (chunk->prev)
		chunk->prev->next = chunk->next;
	else
		slab->first = chunk->next;
	if (chunk->next)
		chunk->next->prev = chunk->prev;
	else
		slab->last = chunk->prev;
}

static void unmap(void *at, size_t size)
{
	if (size)
		munmap(at, size);
}

/* An aligned part of a mapping twice as long. */
static struct slab_chunk *map(struct slab *slab)
{
	uint8_t *memory = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	size_t before = (CHUNK - ((uintptr_t)memory & (CHUNK - 1))) & (CHUNK - 1);
	unmap(memory, before);
	unmap(memory + before + CHUNK, CHUNK - before);
	struct slab_chunk *chunk = (void *)(memory + before);
	(void)madvise(chunk, CHUNK, MADV_HUGEPAGE);
	*chunk = (struct slab_chunk){.slab = slab, .begun = sizeof(*chunk)};
	put_first(slab, chunk);
	return chunk;
}

static void free_chunk(struct slab_chunk *chunk)
{
	ASAN_UNPOISON_MEMORY_REGION(chunk, CHUNK);
	munmap(chunk, CHUNK);
}

static int has_room(const struct slab *slab, const struct slab_chunk *chunk)
{
	return chunk->free || chunk->begun + slab->size <= CHUNK;
}

void *slab_take(struct slab *slab)
{
	struct slab_chunk *chunk = slab->first;
	if (!chunk || !has_room(slab, chunk))
		chunk = map(slab);
	if (!chunk)
		return NULL;
	struct piece *piece = chunk->free;
	if (piece) {
		ASAN_UNPOISON_MEMORY_REGION(piece, slab->size);
		chunk->free = piece->next;
	} else {
		piece = (void *)((uint8_t *)chunk + chunk->begun);
		chunk->begun += slab->size;
	}
	chunk->used++;
	if (!has_room(slab, chunk)) {
		take_out(slab, chunk);
		put_last(slab, chunk);
	}
	return piece;
}

void slab_give(void *given)
{
	struct piece *piece = given;
	struct slab_chunk *chunk = (void *)((uintptr_t)given & ~(CHUNK - 1));
	struct slab *slab = chunk->slab;
	chunk->used--;
	if (!slab) {
		if (!chunk->used)
			free_chunk(chunk);
		return;
	}
	piece->next = chunk->free;
	chunk->free = piece;
	ASAN_POISON_MEMORY_REGION(piece, slab->size);
	take_out(slab, chunk);
	if (!chunk->used && slab->first && has_room(slab, slab->first))
		free_chunk(chunk);
	else
		put_first(slab, chunk);
}

void slab_release(struct slab *slab)
{
	for (struct slab_chunk *chunk = slab->first, *next; chunk; chunk = next) {
		next = chunk->next;
		chunk->slab = NULL;
		if (!chunk->used)
			free_chunk(chunk);
	}
	slab->first = slab->last = NULL;
}
