/* inherit.h - listening sockets that the process before had, and its supervisor has kept open: what
 * came meanwhile waits in them. Of the start alone.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>
#include "sbc/transport/transport.h"

enum { INHERITED_MAX = 253 }; /* as many as one message carries (unix(7), SCM_MAX_FD) */

struct inherited {
	int fds[INHERITED_MAX]; /* -1 = taken */
	uint32_t count;
};

/* `count` descriptors from `first` on. */
void inherited_init(struct inherited *inherited, int first, uint32_t count);
/* One bound as this listener wants it, which is the caller's from now on; -1 = there is none. */
int inherited_take(struct inherited *inherited, const struct transport_listener *listener);
/* Those that nobody took. */
void inherited_close(struct inherited *inherited);
