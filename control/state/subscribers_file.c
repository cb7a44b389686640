/* Subscribers in an SQLite file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/subscribers_private.h"
#include <stdlib.h>
#include "control/state/sqlite.h"

enum { COLUMNS = 2 + DIGEST_ALGORITHMS };

struct store {
	struct subscribers base; /* first */
	struct sqlite *sqlite;
};

static struct store *store_of(struct subscribers *subscribers)
{
	return (struct store *)subscribers;
}

static void file_close(struct subscribers *subscribers)
{
	struct store *store = store_of(subscribers);

	sqlite_destroy(store->sqlite);
	free(store);
}

static int plain(struct store *store, const char *statement)
{
	return sqlite_run(store->sqlite, statement, NULL, 0, NULL, NULL);
}

static int insert(struct store *store, const struct subscriber *subscriber)
{
	const struct slice values[COLUMNS] = {
		subscriber->domain, subscriber->user, subscriber->ha1[DIGEST_MD5],
		subscriber->ha1[DIGEST_SHA_256], subscriber->ha1[DIGEST_SHA_512_256]};

	return sqlite_run(store->sqlite,
			  "INSERT INTO subscribers(domain,user,md5,sha_256,sha_512_256) "
			  "VALUES(?,?,?,?,?)",
			  values, COLUMNS, NULL, NULL);
}

static int file_add(struct subscribers *subscribers, const struct subscriber *subscriber)
{
	return insert(store_of(subscribers), subscriber);
}

static int needs_row(struct store *store, int err)
{
	return err ? err : sqlite_changed(store->sqlite) ? 0 : -ERR_NOT_FOUND;
}

static int file_change(struct subscribers *subscribers, const struct subscriber *subscriber)
{
	struct store *store = store_of(subscribers);
	const struct slice values[COLUMNS] = {
		subscriber->ha1[DIGEST_MD5], subscriber->ha1[DIGEST_SHA_256],
		subscriber->ha1[DIGEST_SHA_512_256], subscriber->domain, subscriber->user};

	return needs_row(store, sqlite_run(store->sqlite,
					   "UPDATE subscribers SET md5=?,sha_256=?,sha_512_256=? "
					   "WHERE domain=? AND user=?",
					   values, COLUMNS, NULL, NULL));
}

static int file_remove(struct subscribers *subscribers, struct slice domain, struct slice user)
{
	struct store *store = store_of(subscribers);
	const struct slice values[] = {domain, user};

	return needs_row(store, sqlite_run(store->sqlite,
					   "DELETE FROM subscribers WHERE domain=? AND user=?",
					   values, 2, NULL, NULL));
}

struct walk {
	subscriber_fn *fn;
	void *owner;
};

static int on_row(void *owner, const struct slice *columns, size_t count)
{
	const struct walk *walk = owner;
	struct subscriber subscriber;

	if (count != COLUMNS)
		return -ERR_MALFORMED;
	subscriber.domain = columns[0];
	subscriber.user = columns[1];
	for (size_t i = 0; i < DIGEST_ALGORITHMS; i++)
		subscriber.ha1[i] = columns[2 + i];
	/* Somebody else's hand in the file: what cannot be is not taken for a subscriber. */
	return subscriber_is_valid(&subscriber) ? walk->fn(walk->owner, &subscriber) : 0;
}

static int file_each(struct subscribers *subscribers, subscriber_fn *fn, void *owner)
{
	struct walk walk = {fn, owner};

	return sqlite_run(store_of(subscribers)->sqlite,
			  "SELECT domain,user,md5,sha_256,sha_512_256 FROM subscribers "
			  "ORDER BY domain,user",
			  NULL, 0, on_row, &walk);
}

static int on_number(void *owner, const struct slice *columns, size_t count)
{
	uint64_t *out = owner;

	return count == 1 ? slice_to_u64(columns[0], UINT64_MAX, out) : -ERR_MALFORMED;
}

/* What others write changes data_version, what this connection writes total_changes. */
static int file_version(struct subscribers *subscribers, uint64_t *out)
{
	struct store *store = store_of(subscribers);
	uint64_t others = 0, own = 0;

	int err = sqlite_run(store->sqlite, "PRAGMA data_version", NULL, 0, on_number, &others);
	if (!err)
		err = sqlite_run(store->sqlite, "SELECT total_changes()", NULL, 0, on_number, &own);
	if (!err)
		*out = others << 32 | (own & UINT32_MAX);
	return err;
}

static int file_replace(struct subscribers *subscribers, const struct subscriber *list,
			size_t count)
{
	struct store *store = store_of(subscribers);

	int err = plain(store, "BEGIN IMMEDIATE");
	if (err)
		return err;
	err = plain(store, "DELETE FROM subscribers");
	for (size_t i = 0; !err && i < count; i++)
		err = insert(store, &list[i]);
	if (!err)
		err = plain(store, "COMMIT");
	if (err && plain(store, "ROLLBACK") != 0)
		return -ERR_SYSTEM;
	return err;
}

static const struct subscribers_verbs verbs = {
	.close = file_close,
	.add = file_add,
	.change = file_change,
	.remove = file_remove,
	.each = file_each,
	.version = file_version,
	.replace = file_replace,
};

int subscribers_file_open(const struct subscribers_config *config, struct buf *why,
			  struct subscribers **out)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ERR_NO_MEMORY;

	store->base.verbs = &verbs;
	/* A rollback journal: the daemon reads without having the rights to write. */
	int err = sqlite_create(config->path, false, why, &store->sqlite);
	if (!err) {
		err = plain(store, "CREATE TABLE IF NOT EXISTS subscribers("
				   "domain TEXT NOT NULL,user TEXT NOT NULL,md5 TEXT NOT NULL,"
				   "sha_256 TEXT NOT NULL,sha_512_256 TEXT NOT NULL,"
				   "PRIMARY KEY(domain,user)) WITHOUT ROWID");
		if (err && why)
			buf_printf(why, "%s: %s", config->path, sqlite_reason(store->sqlite));
	}
	if (err) {
		file_close(&store->base);
		return err;
	}
	*out = &store->base;
	return 0;
}
