/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/kept.h"
#include <stdlib.h>
#include "control/state/sqlite.h"

struct kept {
	struct sqlite *sqlite; /* one of the two */
	struct redis_plain *redis;
	struct buf hash;
};

static int open_file(const struct kept_config *config, struct buf *why, struct kept *kept)
{
	int err = sqlite_create(config->path, true, why, &kept->sqlite);
	if (err)
		return err;
	err = sqlite_run(kept->sqlite,
			 "CREATE TABLE IF NOT EXISTS kept(name TEXT PRIMARY KEY,value TEXT NOT "
			 "NULL) WITHOUT ROWID",
			 NULL, 0, NULL, NULL);
	/* A write, so that the log and its index are there to be given away. */
	if (!err)
		err = sqlite_run(kept->sqlite, "DELETE FROM kept WHERE name=''", NULL, 0, NULL,
				 NULL);
	if (!err)
		err = sqlite_give_away(config->path, config->user, config->group);
	if (err && why)
		buf_printf(why, "%s: %s", config->path,
			   err == -ERR_DENIED ? err_text(err) : sqlite_reason(kept->sqlite));
	return err;
}

int kept_create(const struct kept_config *config, struct buf *why, struct kept **out)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	if (!kept)
		return -ERR_NO_MEMORY;

	buf_init(&kept->hash);
	int err;
	if (config->path) {
		err = open_file(config, why, kept);
	} else {
		buf_printf(&kept->hash, "postern:locations:%s", config->node);
		err = buf_failed(&kept->hash)
			      ? -ERR_NO_MEMORY
			      : redis_plain_create(&config->redis, why, &kept->redis);
	}
	if (err) {
		kept_destroy(kept);
		return err;
	}
	*out = kept;
	return 0;
}

void kept_destroy(struct kept *kept)
{
	if (!kept)
		return;
	sqlite_destroy(kept->sqlite);
	redis_plain_destroy(kept->redis);
	buf_free(&kept->hash);
	free(kept);
}

struct walk {
	kept_fn *fn;
	void *owner;
};

static int on_row(void *owner, const struct slice *columns, size_t count)
{
	const struct walk *walk = owner;
	return count == 2 ? walk->fn(walk->owner, columns[0], columns[1]) : -ERR_MALFORMED;
}

int kept_each(struct kept *kept, kept_fn *fn, void *owner)
{
	const struct slice words[] = {SLICE("HGETALL"), buf_slice(&kept->hash)};
	struct walk walk = {fn, owner};

	if (kept->sqlite)
		return sqlite_run(kept->sqlite, "SELECT name,value FROM kept", NULL, 0, on_row,
				  &walk);
	return redis_plain_run(kept->redis, words, 2, NULL, fn, owner);
}

static int plain(struct kept *kept, const char *statement, struct slice word)
{
	if (kept->sqlite)
		return sqlite_run(kept->sqlite, statement, NULL, 0, NULL, NULL);
	return redis_plain_run(kept->redis, &word, 1, NULL, NULL, NULL);
}

int kept_begin(struct kept *kept)
{
	return plain(kept, "BEGIN IMMEDIATE", SLICE("MULTI"));
}

int kept_commit(struct kept *kept)
{
	return plain(kept, "COMMIT", SLICE("EXEC"));
}

void kept_abort(struct kept *kept)
{
	/* What never began is refused: that is fine here. */
	int err = plain(kept, "ROLLBACK", SLICE("DISCARD"));
	(void)err;
}

int kept_put(struct kept *kept, struct slice name, struct slice value)
{
	const struct slice values[] = {name, value};
	const struct slice words[] = {SLICE("HSET"), buf_slice(&kept->hash), name, value};

	if (kept->sqlite)
		return sqlite_run(kept->sqlite,
				  "INSERT OR REPLACE INTO kept(name,value) VALUES(?,?)", values, 2,
				  NULL, NULL);
	return redis_plain_run(kept->redis, words, 4, NULL, NULL, NULL);
}

int kept_remove(struct kept *kept, struct slice name)
{
	const struct slice words[] = {SLICE("HDEL"), buf_slice(&kept->hash), name};

	if (kept->sqlite)
		return sqlite_run(kept->sqlite, "DELETE FROM kept WHERE name=?", &name, 1, NULL,
				  NULL);
	return redis_plain_run(kept->redis, words, 3, NULL, NULL, NULL);
}
