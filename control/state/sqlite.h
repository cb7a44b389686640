/* sqlite.h - SQLite behind one file: open, and run one statement at a time with everything bound as
 * bytes. Blocks: never on a worker, only in a helper thread or a command.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>
#include "control/base/buf.h"

struct sqlite;

/* One row of an answer; columns are valid during the call. Other than 0 ends the walk with it. */
typedef int sqlite_row_fn(void *owner, const struct slice *columns, size_t count);

/* The file is made when it is missing, for its owner and group alone. `log`: a write-ahead log
 * (its files live beside it while it is open), else a rollback journal. `why` (may be NULL) gets
 * one line on failure. */
MUST_CHECK int sqlite_create(const char *path, bool log, struct buf *why, struct sqlite **out);
/* Opened as root, written by somebody who may not make files there: so the file and, after the
 * first write, those of its log are made his. Nothing happens when we are not root, or he is. */
MUST_CHECK int sqlite_give_away(const char *path, uid_t user, gid_t group);
void sqlite_destroy(struct sqlite *sqlite); /* NULL is fine */
/* -ERR_EXISTS: a key is there already; -ERR_BUSY: somebody else writes; -ERR_SYSTEM. */
MUST_CHECK int sqlite_run(struct sqlite *sqlite, const char *statement, const struct slice *values,
			  size_t count, sqlite_row_fn *fn, void *owner);
/* Rows that the last INSERT, UPDATE or DELETE touched. */
uint64_t sqlite_changed(const struct sqlite *sqlite);
const char *sqlite_reason(const struct sqlite *sqlite); /* of the last failure */
