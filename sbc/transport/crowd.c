/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/crowd.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { SOURCES = 65536 };

struct crowd {
	_Atomic uint32_t *interfaces;
	_Atomic uint32_t *sources;
};

int crowd_create(size_t interface_count, struct crowd **out)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	if (!crowd)
		return -ERR_NO_MEMORY;

	crowd->interfaces = calloc(interface_count + 1, sizeof(*crowd->interfaces));
	crowd->sources = calloc(SOURCES, sizeof(*crowd->sources));
	if (!crowd->interfaces || !crowd->sources) {
		crowd_destroy(crowd);
		return -ERR_NO_MEMORY;
	}
	*out = crowd;
	return 0;
}

void crowd_destroy(struct crowd *crowd)
{
	if (!crowd)
		return;
	free(crowd->interfaces);
	free(crowd->sources);
	free(crowd);
}

void crowd_change(struct crowd *crowd, uint16_t interface, int change)
{
	atomic_fetch_add(&crowd->interfaces[interface], (uint32_t)change);
}

uint32_t crowd_count(const struct crowd *crowd, uint16_t interface)
{
	return atomic_load(&crowd->interfaces[interface]);
}

static _Atomic uint32_t *first_of(const struct crowd *crowd, uint64_t hash)
{
	return &crowd->sources[hash % (SOURCES / 2)];
}

static _Atomic uint32_t *second_of(const struct crowd *crowd, uint64_t hash)
{
	return &crowd->sources[SOURCES / 2 + (hash >> 32) % (SOURCES / 2)];
}

void crowd_change_source(struct crowd *crowd, uint64_t hash, int change)
{
	atomic_fetch_add(first_of(crowd, hash), (uint32_t)change);
	atomic_fetch_add(second_of(crowd, hash), (uint32_t)change);
}

uint32_t crowd_count_source(const struct crowd *crowd, uint64_t hash)
{
	uint32_t first = atomic_load(first_of(crowd, hash));
	uint32_t second = atomic_load(second_of(crowd, hash));

	return first < second ? first : second;
}
