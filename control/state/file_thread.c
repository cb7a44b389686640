/* file_thread.c - the thread of a file store: takes what was asked since it last looked, and does
 * it in one transaction. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/file_private.h"
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "control/state/record_head.h"

enum { BATCH = 1024, PORTION = 250, CLEAN_S = 60 };

void file_list_add(struct file_list *list, struct file_request *request)
{
	request->next = NULL;
	if (list->last)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

struct file_request *file_list_take(struct file_list *list)
{
	struct file_request *request = list->first;

	if (request)
		list->first = request->next;
	if (!list->first)
		list->last = NULL;
	return request;
}

/* --- one verb --- */

struct number {
	char text[24];
	struct slice slice;
};

static struct slice number_of(struct number *number, uint64_t value)
{
	int len = snprintf(number->text, sizeof(number->text), "%" PRIu64, value);
	return (struct slice){number->text, (size_t)len};
}

/* SQLite's errors are all one here: it refuses. What is not there, and what is another one's, we
 * find ourselves. */
static int sql(struct sqlite *sqlite, const char *statement, const struct slice *values,
	       size_t count, sqlite_row_fn *fn, void *owner)
{
	return sqlite_run(sqlite, statement, values, count, fn, owner) ? -ERR_REFUSED : 0;
}

/* Wall clock: a record may be older than this start of the machine. */
static uint64_t unix_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct slice key_of(const struct file_request *request)
{
	return (struct slice){request->key, request->key_len};
}

static int write_row(struct sqlite *sqlite, const struct file_request *request)
{
	struct number expires;
	const struct slice values[] = {key_of(request), buf_slice(&request->value),
				       number_of(&expires, request->expires_ms)};

	return sql(sqlite, "INSERT OR REPLACE INTO records(key,value,expires) VALUES(?,?,?)",
		   values, 3, NULL, NULL);
}

struct found {
	struct buf *value;
	bool is_there;
};

static int on_value(void *owner, const struct slice *columns, size_t count)
{
	struct found *found = owner;

	found->is_there = count == 1;
	buf_clear(found->value);
	buf_add(found->value, columns[0]);
	return buf_failed(found->value) ? -ERR_NO_MEMORY : 0;
}

static int read_row(struct sqlite *sqlite, const struct file_request *request, struct buf *out)
{
	struct found found = {.value = out};
	struct number now;
	const struct slice values[] = {key_of(request), number_of(&now, unix_ms())};

	int err = sql(sqlite, "SELECT value FROM records WHERE key=? AND expires>?", values, 2,
		      on_value, &found);
	if (err)
		return err;
	return found.is_there ? 0 : -ERR_NOT_FOUND;
}

static int write_owned(struct sqlite *sqlite, const struct file_request *request)
{
	struct record_head stored, head;
	struct buf old;
	bool is_denied = false;

	buf_init(&old);
	int err = read_row(sqlite, request, &old);
	if (!err)
		is_denied = record_head_read(buf_slice(&old), &stored) == 0 &&
			    record_head_read(buf_slice(&request->value), &head) == 0 &&
			    !record_head_may_replace(&stored, &head);
	buf_free(&old);
	if (err && err != -ERR_NOT_FOUND)
		return err;
	return is_denied ? -ERR_DENIED : write_row(sqlite, request);
}

static int take_row(struct sqlite *sqlite, struct file_request *request)
{
	struct record_head head;

	int err = read_row(sqlite, request, &request->value);
	if (err)
		return err;
	if (record_head_read(buf_slice(&request->value), &head) != 0 || head.epoch != request->seen)
		return -ERR_DENIED;
	record_head_take(request->value.data, request->node, request->seen + 1);
	const struct slice values[] = {buf_slice(&request->value), key_of(request)};
	return sql(sqlite, "UPDATE records SET value=? WHERE key=?", values, 2, NULL, NULL);
}

static int on_record(void *owner, const struct slice *columns, size_t count)
{
	struct buf *out = owner;

	for (size_t i = 0; i < count; i++) {
		buf_add(out, (struct slice){(const char *)&columns[i].len, sizeof(size_t)});
		buf_add(out, columns[i]);
	}
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}

/* Behind the key, as far as the prefix goes: 0xff is in no key of ours. */
static int read_portion(struct sqlite *sqlite, struct file_request *request)
{
	struct number now, limit;
	char end[STORE_KEY_LIMIT + 1];
	size_t len = request->prefix_len;

	memcpy(end, request->key, len);
	end[len] = (char)0xff;
	const struct slice values[] = {key_of(request),
				       {end, len + 1},
				       number_of(&now, unix_ms()),
				       number_of(&limit, PORTION)};
	return sql(sqlite,
		   "SELECT key,value FROM records WHERE key>? AND key<? AND expires>? "
		   "ORDER BY key LIMIT ?",
		   values, 4, on_record, &request->value);
}

static int do_one(struct sqlite *sqlite, struct file_request *request)
{
	struct slice key = key_of(request);

	switch (request->kind) {
	case FILE_PUT:
	case FILE_PROBE:
		return write_row(sqlite, request);
	case FILE_PUT_OWNED:
		return write_owned(sqlite, request);
	case FILE_TAKE:
		return take_row(sqlite, request);
	case FILE_DELETE:
		return sql(sqlite, "DELETE FROM records WHERE key=?", &key, 1, NULL, NULL);
	case FILE_GET:
		return read_row(sqlite, request, &request->value);
	case FILE_SCAN:
		return read_portion(sqlite, request);
	}
	return -ERR_INVALID;
}

/* --- many --- */

static bool is_reading(const struct file_request *request)
{
	return request->kind == FILE_GET || request->kind == FILE_SCAN;
}

static bool is_answer(int err)
{
	return err == 0 || err == -ERR_NOT_FOUND || err == -ERR_DENIED;
}

static void say(struct file_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	slice_copy(slice_from(sqlite_reason(thread->sqlite)), thread->reason,
		   sizeof(thread->reason));
	pthread_mutex_unlock(&thread->lock);
}

/* What the transaction was to keep is not kept. */
static void fail_all(struct file_list *list, int err)
{
	for (struct file_request *request = list->first; request; request = request->next)
		if (!is_reading(request))
			request->err = err;
}

static int run(struct file_thread *thread, const char *statement)
{
	int err = sqlite_run(thread->sqlite, statement, NULL, 0, NULL, NULL);

	if (err)
		say(thread);
	return err;
}

/* An error of one spoils the rest: a full disk is full for all. */
static int do_each(struct file_thread *thread, struct file_list *list)
{
	int err = 0;

	for (struct file_request *request = list->first; request; request = request->next) {
		request->err = err ? err : do_one(thread->sqlite, request);
		if (is_answer(request->err))
			continue;
		if (!err)
			say(thread);
		err = request->err;
	}
	return err;
}

static void do_batch(struct file_thread *thread, struct file_list *list)
{
	bool is_writing = false;
	int err = 0;

	for (struct file_request *request = list->first; request; request = request->next)
		is_writing = is_writing || !is_reading(request);
	if (is_writing)
		err = run(thread, "BEGIN IMMEDIATE");
	if (err) {
		for (struct file_request *request = list->first; request; request = request->next)
			request->err = -ERR_REFUSED;
		return;
	}
	err = do_each(thread, list);
	if (!is_writing)
		return;
	if (!err)
		err = run(thread, "COMMIT");
	if (!err)
		return;
	fail_all(list, -ERR_REFUSED);
	err = sqlite_run(thread->sqlite, "ROLLBACK", NULL, 0, NULL, NULL);
	(void)err; /* a failed COMMIT may have ended it */
}

static void clean(struct file_thread *thread, uint64_t *next_ms)
{
	struct number number;
	uint64_t now = unix_ms();
	const struct slice past = number_of(&number, now);

	if (now < *next_ms && *next_ms <= now + CLEAN_S * 1000)
		return;
	*next_ms = now + CLEAN_S * 1000;
	int err = sqlite_run(thread->sqlite, "DELETE FROM records WHERE expires<=?", &past, 1, NULL,
			     NULL);
	if (err)
		say(thread); /* they are not seen any more; next time */
}

/* Waits until there is something; false = that was all. */
static bool wait_for(struct file_thread *thread, struct file_list *out)
{
	struct file_request *request;
	struct timespec until;
	int count = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLEAN_S;
	pthread_mutex_lock(&thread->lock);
	if (!thread->asked.first && !thread->is_ending)
		pthread_cond_timedwait(&thread->wake, &thread->lock, &until);
	while (count++ < BATCH && (request = file_list_take(&thread->asked)))
		file_list_add(out, request);
	bool goes_on = out->first || !thread->is_ending;
	pthread_mutex_unlock(&thread->lock);
	return goes_on;
}

static void answer(struct file_thread *thread, struct file_list *list)
{
	struct file_request *request;
	const uint64_t one = 1;

	pthread_mutex_lock(&thread->lock);
	while ((request = file_list_take(list)))
		file_list_add(&thread->answered, request);
	pthread_mutex_unlock(&thread->lock);
	if (write(thread->event_fd, &one, sizeof(one)) < 0)
		return; /* it is counted up already: the worker will look */
}

static void *thread_main(void *owner)
{
	struct file_thread *thread = owner;
	struct file_list list = {0};
	uint64_t clean_ms = 0;

	while (wait_for(thread, &list)) {
		if (list.first) {
			do_batch(thread, &list);
			answer(thread, &list);
		}
		clean(thread, &clean_ms);
	}
	return NULL;
}

/* --- beginning and end --- */

static int start(struct file_thread *thread)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	int failed = pthread_create(&thread->thread, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	thread->is_running = !failed;
	return failed ? -ERR_SYSTEM : 0;
}

int file_hand_over(struct file_thread *thread, struct file_request *request)
{
	int err = thread->is_running ? 0 : start(thread);

	if (err)
		return err;
	pthread_mutex_lock(&thread->lock);
	bool was_idle = !thread->asked.first;
	file_list_add(&thread->asked, request);
	pthread_mutex_unlock(&thread->lock);
	if (was_idle)
		pthread_cond_signal(&thread->wake);
	return 0;
}

static int open_table(struct file_thread *thread, const struct store_file_config *config)
{
	int err = sqlite_run(thread->sqlite,
			     "CREATE TABLE IF NOT EXISTS records(key TEXT PRIMARY KEY,value BLOB "
			     "NOT NULL,expires INTEGER NOT NULL) WITHOUT ROWID",
			     NULL, 0, NULL, NULL);
	/* A write, so that the log and its index are there to be given away. */
	if (!err)
		err = sqlite_run(thread->sqlite, "DELETE FROM records WHERE key=''", NULL, 0, NULL,
				 NULL);
	return err ? err : sqlite_give_away(config->path, config->user, config->group);
}

/* A node with a broken file shall serve all the same: the file is put aside for who wants to look.
 */
static bool put_aside(const struct store_file_config *config, struct buf *why)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char from[PATH_MAX], to[PATH_MAX];
	bool is_away = true;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		int n = snprintf(from, sizeof(from), "%s%s", config->path, suffixes[i]);
		int m = snprintf(to, sizeof(to), "%s.broken%s", config->path, suffixes[i]);
		if (n >= PATH_MAX || m >= PATH_MAX)
			return false;
		if (rename(from, to) != 0 && i == 0)
			is_away = false;
	}
	if (is_away)
		log_error(config->log, "store.broken",
			  "reason=\"%.*s\" effect=\"put aside as %s.broken, a new one begun\"",
			  (int)why->len, why->data, config->path);
	return is_away;
}

static int open_file(struct file_thread *thread, const struct store_file_config *config,
		     struct buf *why)
{
	int err = sqlite_create(config->path, true, why, &thread->sqlite);

	if (err)
		return err;
	err = open_table(thread, config);
	if (!err)
		return 0;
	buf_printf(why, "%s: %s", config->path, sqlite_reason(thread->sqlite));
	sqlite_destroy(thread->sqlite);
	thread->sqlite = NULL;
	return err;
}

int file_thread_open(struct file_thread *thread, const struct store_file_config *config,
		     struct buf *why)
{
	pthread_condattr_t clock;

	*thread = (struct file_thread){.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	if (thread->event_fd < 0)
		return -ERR_SYSTEM;
	int err = open_file(thread, config, why);
	if (err == -ERR_MALFORMED && put_aside(config, why)) {
		buf_clear(why);
		err = open_file(thread, config, why);
	}
	if (err) {
		close(thread->event_fd);
		return err;
	}
	pthread_mutex_init(&thread->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->wake, &clock);
	pthread_condattr_destroy(&clock);
	return 0;
}

void file_thread_close(struct file_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->is_ending = true;
	pthread_mutex_unlock(&thread->lock);
	if (thread->is_running) {
		pthread_cond_signal(&thread->wake);
		pthread_join(thread->thread, NULL);
	}
	sqlite_destroy(thread->sqlite);
	close(thread->event_fd);
	pthread_cond_destroy(&thread->wake);
	pthread_mutex_destroy(&thread->lock);
}
