/* file_private.h - private to control/state: a verb on its way from a worker (file.c) to the thread
 * that owns the SQLite file (file_thread.c) and back. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include "control/state/file.h"
#include "control/state/sqlite.h"
#include "control/state/store.h"

enum file_kind {
	FILE_PUT,
	FILE_PUT_OWNED,
	FILE_TAKE,
	FILE_DELETE,
	FILE_GET,
	FILE_SCAN, /* one portion */
	FILE_PROBE /* are writes taken? */
};

/* Belongs to one side at a time: to the thread from file_hand_over() until it is among the answered
 * ones. `given_up`, `flight` and what is below them are the worker's always. */
struct file_request {
	enum file_kind kind;
	struct file_request *next; /* of the list it is in */
	struct buf value;          /* of a put; the answer of a get, a take or a scan */
	uint64_t expires_ms;       /* Unix time */
	uint64_t seen;             /* TAKE */
	uint16_t node;
	int err; /* the answer */
	bool given_up;
	struct file_request *flight; /* the next younger one in flight */
	uint64_t sent_ms;
	store_done_fn *done;
	void *owner;
	uint64_t handle;
	size_t key_len;
	size_t prefix_len; /* SCAN: of the key, which is where this portion begins */
	char key[];
};

struct file_list {
	struct file_request *first;
	struct file_request *last;
};

/* What both sides touch, under `lock`, held for some pointers only. */
struct file_thread {
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct file_list asked;
	struct file_list answered;
	bool is_ending;        /* once `asked` is empty */
	int event_fd;          /* to the worker: something is answered */
	char reason[160];      /* of the last failure */
	struct sqlite *sqlite; /* the thread's alone while it runs */
};

void file_list_add(struct file_list *list, struct file_request *request);
struct file_request *file_list_take(struct file_list *list); /* NULL = none */

MUST_CHECK int file_thread_open(struct file_thread *thread, const struct store_file_config *config,
				struct buf *why);
void file_thread_close(struct file_thread *thread); /* what was asked is done first */
/* Starts the thread when it does not run. -ERR_SYSTEM: it cannot be started. */
MUST_CHECK int file_hand_over(struct file_thread *thread, struct file_request *request);

/* One worker's store. */
struct file {
	struct store store;
	struct loop *loop;
	const struct log *log;
	uint32_t timeout_ms;
	uint32_t pending_limit;
	struct file_thread thread;
	struct loop_io *io;
	struct file_request *oldest; /* in flight; answered in order */
	struct file_request *youngest;
	struct file_list graves; /* deletes that failed: once more when writes are taken again */
	uint32_t grave_count;
	struct timer deadline;
	struct timer probe;
	uint64_t failed_puts; /* since on_return was last called */
	bool is_walking;
	store_each_fn *each; /* of the walk */
	struct store_status status;
};
static inline struct file *file_of(const struct store *store)
{
	return container_of((uintptr_t)store, struct file, store);
}
static inline bool file_is_put(const struct file_request *request)
{
	return request->kind == FILE_PUT || request->kind == FILE_PUT_OWNED;
}

/* --- file_send.c --- */
struct file_request *file_request_create(enum file_kind kind, struct slice key);
void file_request_free(struct file_request *request); /* NULL is fine */
/* Takes the request, unless it fails. */
MUST_CHECK int file_request_send(struct file *file, struct file_request *request);
/* The oldest that is still waited for. */
void file_deadline_arm(struct file *file);
void file_count_failed_put(struct file *file);
void file_delete_again(struct file *file, struct file_request *request);
void file_graves_send(struct file *file);

/* --- file_answer.c --- */
void file_on_event(void *owner, int events);
void file_on_deadline(struct timer *timer, uint64_t now_ms);
/* The next portion begins behind the last key of this one. */
void file_walk_on(struct file *file, const struct file_request *request, struct slice last);
