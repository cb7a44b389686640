/* random.h - unpredictable bytes, as an argument, so that tests are repeatable.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

struct random {
	void (*fill)(struct random *random, void *out, size_t len);
};

/* getrandom(2), buffered; one per thread. Aborts only if the kernel has no randomness. */
struct random_system {
	struct random base;
	uint8_t pool[256];
	size_t left;
};
void random_system_init(struct random_system *random);

static inline void random_fill(struct random *random, void *out, size_t len)
{
	random->fill(random, out, len);
}
uint64_t random_u64(struct random *random);
/* Text of `len` characters [0-9a-z] (about 5 bits each), not NUL-terminated. */
void random_text(struct random *random, char *out, size_t len);
