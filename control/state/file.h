/* file.h - the store of a node of its own that wants its calls back after a restart: an SQLite
 * file, shared by all workers and the relay (each opens it for itself). A thread of each store
 * talks to SQLite: what a worker wants meanwhile is written in one transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>
#include "control/base/buf.h"
#include "control/base/log.h"
#include "control/base/loop.h"
#include "control/state/store.h"

struct store_file_config {
	struct loop *loop;
	const struct log *log;
	const char *path; /* copied */
	uid_t user;       /* whom the process becomes, see sqlite_give_away(); 0 = nobody else */
	gid_t group;
	uint32_t timeout_ms;    /* until a verb is given up: done(-ERR_TIMEOUT); 0 = 20 */
	uint32_t pending_limit; /* verbs in flight; 0 = 65536; beyond: done(-ERR_BUSY) */
};

/* Opens the file, and makes it when it is missing; `why` gets a line on failure. The thread begins
 * with the first verb: the process may change its user before. */
MUST_CHECK int store_file_create(const struct store_file_config *config, struct buf *why,
				 struct store **out);
