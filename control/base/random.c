/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void kernel_fill(uint8_t *out, size_t len)
{
	while (len) {
		ssize_t n = getrandom(out, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort(); /* going on would make guessable tags and keys */
		out += n;
		len -= (size_t)n;
	}
}

static void random_system_fill(struct random *base, void *out, size_t len)
{
	struct random_system *random = (struct random_system *)base;

	if (len > sizeof(random->pool)) {
		kernel_fill(out, len);
		return;
	}
	if (len > random->left) {
		kernel_fill(random->pool, sizeof(random->pool));
		random->left = sizeof(random->pool);
	}
	random->left -= len;
	memcpy(out, random->pool + random->left, len);
	explicit_bzero(random->pool + random->left, len); /* no second use, no trace */
}

void random_system_init(struct random_system *random)
{
	memset(random, 0, sizeof(*random));
	random->base.fill = random_system_fill;
}

uint64_t random_u64(struct random *random)
{
	uint64_t value;
	random_fill(random, &value, sizeof(value));
	return value;
}

void random_text(struct random *random, char *out, size_t len)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t value = 0;

	/* Eight characters of 36 take 41 of 64 bits: the bias is below 1 in 2^22. */
	for (size_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			value = random_u64(random);
		out[i] = digits[value % 36];
		value /= 36;
	}
}
