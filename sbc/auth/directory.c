/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/directory.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include "control/base/arena.h"
#include "control/base/table.h"
#include "control/base/wheel.h"

enum { LOOK_MS = 500, CHUNK = 65536 };
#define VIEW_MAX ((size_t)1 << 31)

struct entry {
	struct table_link link;
	struct slice domain, user;
	struct slice ha1[DIGEST_ALGORITHMS];
};

struct directory_view {
	_Atomic uint32_t holders;
	struct arena *arena;
	struct table table;
};

struct directory {
	struct subscribers *store;
	const struct log *log;
	uint64_t store_version; /* of what was read; of the thread alone */
	bool is_read;
	_Atomic bool is_current;
	_Atomic uint64_t version;
	pthread_mutex_t lock; /* held to take or change `view`, never while anything is read */
	struct directory_view *view;
	pthread_t thread;
	bool is_running;
	bool is_ending; /* under `lock` */
	pthread_cond_t end;
};

static const uint64_t hash_key[2] = {0x706f737465726e20, 0x7375627363726962};

static void view_release(struct directory_view *view)
{
	if (!view || atomic_fetch_sub(&view->holders, 1) != 1)
		return;
	table_free(&view->table);
	arena_destroy(view->arena);
	free(view);
}

static int view_create(struct directory_view **out)
{
	struct directory_view *view = calloc(1, sizeof(*view));
	if (!view)
		return -ERR_NO_MEMORY;

	atomic_store(&view->holders, 1);
	int err = arena_create(CHUNK, VIEW_MAX, &view->arena);
	if (!err)
		err = table_init(&view->table, 256);
	if (err) {
		view_release(view);
		return err;
	}
	*out = view;
	return 0;
}

/* Names come from the operator, so nobody chooses collisions: the key needs no secret. */
static uint64_t hash_of(struct slice domain, struct slice user)
{
	uint64_t key[2] = {hash_key[0] ^ siphash(domain, hash_key), hash_key[1]};
	return siphash(user, key);
}

static int add_entry(void *owner, const struct subscriber *subscriber)
{
	struct directory_view *view = owner;
	struct entry *entry = arena_zalloc(view->arena, sizeof(*entry));
	if (!entry)
		return -ERR_NO_MEMORY;

	entry->domain = arena_copy(view->arena, subscriber->domain);
	entry->user = arena_copy(view->arena, subscriber->user);
	bool ok = entry->domain.data && entry->user.data;
	for (int i = 0; ok && i < DIGEST_ALGORITHMS; i++) {
		entry->ha1[i] = arena_copy(view->arena, subscriber->ha1[i]);
		ok = entry->ha1[i].data != NULL;
	}
	if (!ok)
		return -ERR_NO_MEMORY;
	table_insert(&view->table, &entry->link, hash_of(entry->domain, entry->user));
	return 0;
}

static void publish(struct directory *directory, struct directory_view *view)
{
	pthread_mutex_lock(&directory->lock);
	struct directory_view *old = directory->view;
	directory->view = view;
	atomic_fetch_add(&directory->version, 1);
	pthread_mutex_unlock(&directory->lock);
	view_release(old);
}

static int read_store(struct directory *directory)
{
	struct directory_view *view = NULL;
	uint64_t version = 0;

	int err = subscribers_version(directory->store, &version);
	if (err || (directory->is_read && version == directory->store_version))
		return err;
	err = view_create(&view);
	if (!err)
		err = subscribers_each(directory->store, add_entry, view);
	if (err) {
		view_release(view);
		return err;
	}
	directory->store_version = version;
	directory->is_read = true;
	log_info(directory->log, "subscribers.read", "count=%u", view->table.count);
	publish(directory, view);
	return 0;
}

static void look(struct directory *directory)
{
	int err = read_store(directory);

	if (atomic_exchange(&directory->is_current, err == 0) == (err == 0))
		return;
	if (err)
		log_warn(directory->log, "subscribers.unreadable",
			 "reason=\"%s\" effect=\"those known so far stay\"", err_text(err));
	else
		log_info(directory->log, "subscribers.readable", NULL);
}

static void *thread_main(void *owner)
{
	struct directory *directory = owner;
	struct timespec until;

	pthread_mutex_lock(&directory->lock);
	while (!directory->is_ending) {
		pthread_mutex_unlock(&directory->lock);
		look(directory);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&directory->lock);
		if (!directory->is_ending)
			pthread_cond_timedwait(&directory->end, &directory->lock, &until);
	}
	pthread_mutex_unlock(&directory->lock);
	return NULL;
}

int directory_create(struct subscribers *store, const struct log *log, struct directory **out)
{
	struct directory *directory = calloc(1, sizeof(*directory));
	if (!directory) {
		subscribers_close(store);
		return -ERR_NO_MEMORY;
	}
	directory->store = store;
	directory->log = log;
	pthread_mutex_init(&directory->lock, NULL);
	pthread_cond_init(&directory->end, NULL);
	int err = read_store(directory);
	if (err) {
		directory_destroy(directory);
		return err;
	}
	atomic_store(&directory->is_current, true);
	*out = directory;
	return 0;
}

int directory_run(struct directory *directory)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&directory->thread, NULL, thread_main, directory);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	directory->is_running = !failed;
	return failed ? err_from_errno(failed) : 0;
}

void directory_destroy(struct directory *directory)
{
	if (!directory)
		return;
	if (directory->is_running) {
		pthread_mutex_lock(&directory->lock);
		directory->is_ending = true;
		pthread_cond_signal(&directory->end);
		pthread_mutex_unlock(&directory->lock);
		pthread_join(directory->thread, NULL);
	}
	view_release(directory->view);
	subscribers_close(directory->store);
	pthread_mutex_destroy(&directory->lock);
	pthread_cond_destroy(&directory->end);
	free(directory);
}

void directory_status(struct directory *directory, struct directory_status *out)
{
	pthread_mutex_lock(&directory->lock);
	out->count = directory->view ? directory->view->table.count : 0;
	pthread_mutex_unlock(&directory->lock);
	out->is_current = atomic_load(&directory->is_current);
}

void directory_reader_init(struct directory_reader *reader, struct directory *directory)
{
	*reader = (struct directory_reader){.directory = directory};
}

void directory_reader_free(struct directory_reader *reader)
{
	view_release(reader->view);
	*reader = (struct directory_reader){0};
}

/* A lock only after a change, and only for as long as a pointer is copied. */
static void follow(struct directory_reader *reader)
{
	struct directory *directory = reader->directory;

	if (reader->view && atomic_load(&directory->version) == reader->version)
		return;
	struct directory_view *old = reader->view;
	pthread_mutex_lock(&directory->lock);
	reader->view = directory->view;
	reader->version = atomic_load(&directory->version);
	if (reader->view)
		atomic_fetch_add(&reader->view->holders, 1);
	pthread_mutex_unlock(&directory->lock);
	view_release(old);
}

bool directory_find(struct directory_reader *reader, struct slice domain, struct slice user,
		    enum digest_algorithm algorithm, struct slice *ha1)
{
	struct table_link *link = NULL;
	uint64_t hash = hash_of(domain, user);

	if (!reader->directory)
		return false;
	follow(reader);
	while (reader->view && (link = table_find(&reader->view->table, hash, link))) {
		const struct entry *entry = container_of(link, struct entry, link);
		if (slice_equal(entry->domain, domain) && slice_equal(entry->user, user)) {
			*ha1 = entry->ha1[algorithm];
			return true;
		}
	}
	return false;
}
