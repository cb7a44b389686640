/* memory.h - the store of a single node: a bounded table, gone with the process.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"
#include "control/base/wheel.h"
#include "control/state/store.h"

struct store_memory_config {
	struct wheel *wheel;    /* of the worker; times entries out; outlives the store */
	struct random *random;  /* keys the table's hash */
	uint32_t entries_limit; /* 0 = 1,000,000; a put beyond is refused: -ERR_TOO_MANY */
	uint64_t bytes_limit;   /* keys and values; 0 = 1 GiB */
};

MUST_CHECK int store_memory_create(const struct store_memory_config *config, struct store **out);
