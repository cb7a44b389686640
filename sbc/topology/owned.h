/* owned.h - a text that its holder owns, replaced from time to time (a Contact, an SDP).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdlib.h>
#include "control/base/slice.h"

static inline void owned_free(struct slice *owned)
{
	free((void *)(uintptr_t)owned->data);
	*owned = SLICE_NONE;
}

/* `value` may be part of what is replaced. An empty value frees. -ERR_NO_MEMORY leaves the old. */
MUST_CHECK static inline int owned_set(struct slice *owned, struct slice value)
{
	char *copy = NULL;

	if (value.len > 0) {
		copy = slice_dup(value);
		if (!copy)
			return -ERR_NO_MEMORY;
	}
	owned_free(owned);
	*owned = (struct slice){copy, value.len};
	return 0;
}
