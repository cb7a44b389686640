/* slab.h - pieces of one size, many to a large page: what packets look for lies scattered over all
 * calls, and with pages of 4 KB the translation of each address costs more than the look.
 * A chunk whose pieces are all given back goes back to the kernel, but for one. Control thread
 * only. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

struct slab_chunk;
struct slab {
	size_t size;
	struct slab_chunk *first, *last; /* those with room come first */
};

void slab_init(struct slab *slab, size_t size); /* of a piece, a multiple of 64 */
/* What is still taken lives on, and goes when it is given back. */
void slab_release(struct slab *slab);
/* Aligned to 64, its contents undefined. NULL: no memory. */
void *slab_take(struct slab *slab);
void slab_give(void *piece); /* of whichever slab */
