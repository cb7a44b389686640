/* sample.h - call records for tests: one that uses every field, and random ones.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "control/base/random.h"
#include "control/state/record.h"

struct call_record *sample_full(struct arena *arena);  /* all that the first version 1 had */
struct call_record *sample_grown(struct arena *arena); /* and the fields that came later */
struct call_record *sample_random(struct arena *arena, struct random *random);
/* A repeatable source of randomness. */
struct sample_random {
	struct random base;
	uint64_t state;
};
void sample_random_init(struct sample_random *random, uint64_t seed);
