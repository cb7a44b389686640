/* file_private.h - private to control/state: a verb on its way from a worker (file.c) to the thread
 * that owns the SQLite file (file_thread.c) and back. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include "control/state/file.h"
#include "control/state/sqlite.h"

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
