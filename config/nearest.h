/* nearest.h - the right name nearest to a wrong one, for "did you mean".
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

struct nearest {
	struct slice wanted;
	const char *name; /* the best so far; NULL = none is near enough */
	unsigned distance;
};

void nearest_start(struct nearest *nearest, struct slice wanted);
/* `name` must live as long as `nearest` is used. */
void nearest_offer(struct nearest *nearest, const char *name);
