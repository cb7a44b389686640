/* subscribers_private.h - what a store of subscribers does; the text form lies above it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/subscribers.h"

struct subscribers_verbs {
	void (*close)(struct subscribers *subscribers);
	int (*add)(struct subscribers *subscribers, const struct subscriber *subscriber);
	int (*change)(struct subscribers *subscribers, const struct subscriber *subscriber);
	int (*remove)(struct subscribers *subscribers, struct slice domain, struct slice user);
	int (*each)(struct subscribers *subscribers, subscriber_fn *fn, void *owner);
	int (*version)(struct subscribers *subscribers, uint64_t *out);
	/* In place of all there were; all or nothing. */
	int (*replace)(struct subscribers *subscribers, const struct subscriber *list,
		       size_t count);
};

struct subscribers { /* first member of a store's own */
	const struct subscribers_verbs *verbs;
};

MUST_CHECK int subscribers_file_open(const struct subscribers_config *config, struct buf *why,
				     struct subscribers **out);
MUST_CHECK int subscribers_redis_open(const struct subscribers_config *config, struct buf *why,
				      struct subscribers **out);
