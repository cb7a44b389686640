/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/sqlite.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000, COLUMNS_MAX = 8 };

struct sqlite {
	sqlite3 *handle;
};

static int code_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_CONSTRAINT:
		return -ERR_EXISTS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -ERR_BUSY;
	case SQLITE_NOMEM:
		return -ERR_NO_MEMORY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -ERR_DENIED;
	case SQLITE_CANTOPEN:
		return -ERR_NOT_FOUND;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -ERR_MALFORMED;
	default:
		return -ERR_SYSTEM;
	}
}

static void make_folder(const char *path)
{
	char folder[256];
	size_t len = slice_copy(slice_from(path), folder, sizeof(folder));

	while (len > 0 && folder[len] != '/')
		len--;
	folder[len] = '\0';
	if (len > 0)
		(void)mkdir(folder, 0750); /* there is one already: good */
}

/* SQLite would make it with the rights of the umask: nobody else shall read it. */
static int make_file(const char *path)
{
	make_folder(path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_from_errno(errno);
	close(fd);
	return 0;
}

int sqlite_create(const char *path, bool log, struct buf *why, struct sqlite **out)
{
	struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
	const char *journal = log ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE";
	if (!sqlite)
		return -ERR_NO_MEMORY;

	int err = access(path, F_OK) == 0 ? 0 : make_file(path);
	if (!err) {
		int result = sqlite3_open_v2(path, &sqlite->handle, SQLITE_OPEN_READWRITE, NULL);
		err = result == SQLITE_OK ? 0 : code_of(result);
	}
	if (!err) {
		(void)sqlite3_busy_timeout(sqlite->handle, BUSY_MS);
		err = sqlite_run(sqlite, journal, NULL, 0, NULL, NULL);
	}
	if (!err)
		err = sqlite_run(sqlite, "PRAGMA synchronous=NORMAL", NULL, 0, NULL, NULL);
	if (err) {
		if (why)
			buf_printf(why, "%s: %s", path,
				   sqlite->handle ? sqlite3_errmsg(sqlite->handle) : err_text(err));
		sqlite_destroy(sqlite);
		return err;
	}
	*out = sqlite;
	return 0;
}

void sqlite_destroy(struct sqlite *sqlite)
{
	if (!sqlite)
		return;
	(void)sqlite3_close(sqlite->handle);
	free(sqlite);
}

static int give_row(sqlite3_stmt *statement, sqlite_row_fn *fn, void *owner)
{
	struct slice columns[COLUMNS_MAX];
	int count = sqlite3_column_count(statement);

	if (!fn)
		return 0;
	if (count > COLUMNS_MAX)
		count = COLUMNS_MAX;
	for (int i = 0; i < count; i++) {
		const void *data = sqlite3_column_blob(statement, i);
		columns[i] = (struct slice){data, (size_t)sqlite3_column_bytes(statement, i)};
	}
	return fn(owner, columns, (size_t)count);
}

int sqlite_run(struct sqlite *sqlite, const char *text, const struct slice *values, size_t count,
	       sqlite_row_fn *fn, void *owner)
{
	sqlite3_stmt *statement = NULL;
	int err = 0;

	int result = sqlite3_prepare_v2(sqlite->handle, text, -1, &statement, NULL);
	for (size_t i = 0; result == SQLITE_OK && i < count; i++)
		result = sqlite3_bind_text(statement, (int)i + 1,
					   values[i].data ? values[i].data : "", (int)values[i].len,
					   SQLITE_STATIC);
	while (result == SQLITE_OK || result == SQLITE_ROW) {
		result = sqlite3_step(statement);
		if (result != SQLITE_ROW)
			break;
		err = give_row(statement, fn, owner);
		if (err)
			break;
	}
	if (!err && result != SQLITE_DONE)
		err = code_of(result);
	(void)sqlite3_finalize(statement);
	return err;
}

uint64_t sqlite_changed(const struct sqlite *sqlite)
{
	return (uint64_t)sqlite3_changes(sqlite->handle);
}

const char *sqlite_reason(const struct sqlite *sqlite)
{
	return sqlite3_errmsg(sqlite->handle);
}

int sqlite_give_away(const char *path, uid_t user, gid_t group)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct buf name;
	int err = 0;

	if (geteuid() != 0 || user == 0)
		return 0;
	for (size_t i = 0; !err && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		buf_init(&name);
		buf_printf(&name, "%s%s", path, suffixes[i]);
		if (buf_failed(&name))
			err = -ERR_NO_MEMORY;
		else if (chown(name.data, user, group) != 0)
			err = -ERR_DENIED;
		buf_free(&name);
	}
	return err;
}
