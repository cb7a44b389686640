/* Pairs are numbered from 0. `order` is a permutation of them whose first free_count entries are
 * free: taking picks one of those and swaps the last free one into its place. Quarantine is a
 * queue, since every pair rests equally long. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/ports.h"

#include <assert.h>
#include <stdlib.h>

struct resting {
	uint16_t pair;
	uint64_t until_ms;
};

struct port_range {
	char *interface;
	struct addr address;
	uint16_t first, last; /* as configured */
	uint16_t base;        /* the even port of pair 0 */
	uint16_t pair_count;
	uint32_t quarantine_ms;
	struct random *random;
	uint16_t *free;  /* pairs that may be taken */
	uint16_t *place; /* by pair: where in `free` it is, if it is free */
	uint16_t free_count;
	struct resting *resting; /* ring of pair_count entries */
	uint16_t resting_first;
	uint16_t resting_count;
	const void **owners; /* by pair; NULL = not taken */
};

int port_range_create(const struct port_range_config *config, struct port_range **out)
{
	unsigned base = config->first + (config->first & 1u);
	if (base == 0)
		base = 2; /* port 0 says "refused" in SDP */
	if (base + 1u > config->last)
		return -ERR_INVALID;
	struct port_range *range = calloc(1, sizeof(*range));
	if (!range)
		return -ERR_NO_MEMORY;
	range->address = config->address;
	range->address.port = 0;
	range->first = config->first;
	range->last = config->last;
	range->base = (uint16_t)base;
	range->pair_count = (uint16_t)((config->last - base + 1u) / 2);
	range->quarantine_ms = config->quarantine_ms ? config->quarantine_ms : PORTS_QUARANTINE_MS;
	range->random = config->random;
	range->interface = slice_dup(slice_from(config->interface));
	range->free = calloc(range->pair_count, sizeof(*range->free));
	range->place = calloc(range->pair_count, sizeof(*range->place));
	range->resting = calloc(range->pair_count, sizeof(*range->resting));
	range->owners = calloc(range->pair_count, sizeof(*range->owners));
	if (!range->interface || !range->free || !range->place || !range->resting ||
	    !range->owners) {
		port_range_destroy(range);
		return -ERR_NO_MEMORY;
	}
	for (uint16_t i = 0; i < range->pair_count; i++)
		range->free[i] = range->place[i] = i;
	range->free_count = range->pair_count;
	*out = range;
	return 0;
}

void port_range_destroy(struct port_range *range)
{
	if (!range)
		return;
	free(range->interface);
	free(range->free);
	free(range->place);
	free(range->resting);
	free(range->owners);
	free(range);
}

/* Let those that have rested long enough be taken again. */
static void range_wake(struct port_range *range, uint64_t now_ms)
{
	while (range->resting_count && range->resting[range->resting_first].until_ms <= now_ms) {
		uint16_t pair = range->resting[range->resting_first].pair;
		range->place[pair] = range->free_count;
		range->free[range->free_count++] = pair;
		range->resting_first = (uint16_t)((range->resting_first + 1u) % range->pair_count);
		range->resting_count--;
	}
}

static uint16_t take_at(struct port_range *range, uint16_t at, const void *owner)
{
	uint16_t pair = range->free[at];

	range->free[at] = range->free[--range->free_count];
	range->place[range->free[at]] = at;
	range->owners[pair] = owner;
	return pair;
}

int port_range_take(struct port_range *range, uint64_t now_ms, const void *owner,
		    uint16_t *rtp_port)
{
	range_wake(range, now_ms);
	if (range->free_count == 0)
		return -ERR_NO_PORT;
	uint16_t at = (uint16_t)(random_u64(range->random) % range->free_count);
	*rtp_port = (uint16_t)(range->base + 2u * take_at(range, at, owner));
	return 0;
}

static uint16_t range_pair(const struct port_range *range, uint16_t port)
{
	return (uint16_t)((port - range->base) / 2u);
}

int port_range_take_port(struct port_range *range, uint64_t now_ms, const void *owner,
			 uint16_t rtp_port)
{
	uint16_t pair = range_pair(range, rtp_port);

	range_wake(range, now_ms);
	if (rtp_port < range->base || (rtp_port - range->base) % 2 || pair >= range->pair_count)
		return -ERR_NOT_FOUND;
	uint16_t at = range->place[pair];
	if (at >= range->free_count || range->free[at] != pair)
		return -ERR_NO_PORT;
	take_at(range, at, owner);
	return 0;
}

void port_range_give(struct port_range *range, uint64_t now_ms, uint16_t rtp_port)
{
	uint16_t pair = range_pair(range, rtp_port);
	assert(rtp_port >= range->base && pair < range->pair_count && range->owners[pair]);
	range->owners[pair] = NULL;
	unsigned at = (range->resting_first + (unsigned)range->resting_count) % range->pair_count;
	range->resting[at] = (struct resting){pair, now_ms + range->quarantine_ms};
	range->resting_count++;
}

const void *port_range_owner(const struct port_range *range, uint16_t port)
{
	if (port < range->base || range_pair(range, port) >= range->pair_count)
		return NULL;
	return range->owners[range_pair(range, port)];
}

struct port_range_use port_range_use(struct port_range *range, uint64_t now_ms)
{
	range_wake(range, now_ms);
	unsigned taken = range->pair_count - (unsigned)range->free_count - range->resting_count;
	return (struct port_range_use){range->pair_count * 2u, taken * 2u,
				       range->resting_count * 2u};
}

const struct addr *port_range_address(const struct port_range *range)
{
	return &range->address;
}

const char *port_range_interface(const struct port_range *range)
{
	return range->interface;
}

void port_range_bounds(const struct port_range *range, uint16_t *first, uint16_t *last)
{
	*first = range->first;
	*last = range->last;
}

void port_range_describe(struct port_range *range, uint64_t now_ms, struct buf *out)
{
	struct port_range_use use = port_range_use(range, now_ms);

	buf_printf(out, "range %u-%u of %s: %u of %u ports in use, %u in quarantine", range->first,
		   range->last, range->interface, use.in_use, use.total, use.quarantine);
}
