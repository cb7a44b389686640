/* kept.h - texts by name that outlive the process: where registered phones are (founding scenario
 * R2). In an SQLite file, or in a Redis hash of the node. The texts are their owner's business.
 * Blocks: for the thread that writes for the workers (sbc/registration/keeper.h) alone.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>
#include "control/state/redis_plain.h"

struct kept;

struct kept_config {
	const char *path; /* of the SQLite file; NULL = Redis */
	struct redis_plain_config redis;
	const char *node; /* Redis: whose they are */
	uid_t user;       /* whom the process becomes: the file is given to him; 0 = nobody else */
	gid_t group;
};

typedef int kept_fn(void *owner, struct slice name, struct slice value);

MUST_CHECK int kept_create(const struct kept_config *config, struct buf *why, struct kept **out);
void kept_destroy(struct kept *kept); /* NULL is fine */
MUST_CHECK int kept_each(struct kept *kept, kept_fn *fn, void *owner);
/* Several changes at once: all of them are kept when kept_commit() says 0. */
MUST_CHECK int kept_begin(struct kept *kept);
MUST_CHECK int kept_put(struct kept *kept, struct slice name, struct slice value);
MUST_CHECK int kept_remove(struct kept *kept, struct slice name);
MUST_CHECK int kept_commit(struct kept *kept);
void kept_abort(struct kept *kept);
