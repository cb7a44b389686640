/* file.c - the verbs of the file store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "control/state/file_private.h"
#include "control/state/store_answer.h"

enum { TIMEOUT_MS = 20, PENDING_MAX = 65536 };

/* While it is stalled a put is given up at once, and made all the same. */
static void send_or_answer(struct file *file, struct file_request *request, store_done_fn *done,
			   void *owner, uint64_t handle)
{
	int err = request ? 0 : -ERR_NO_MEMORY;

	if (!err) {
		request->done = done;
		request->owner = owner;
		request->handle = handle;
		request->given_up = file_is_put(request) && file->status.state == STORE_STALLED;
		bool is_given_up = request->given_up;
		err = file_request_send(file, request);
		if (!err && is_given_up) {
			file_count_failed_put(file);
			store_answer(done, owner, handle, -ERR_TIMEOUT);
		}
	}
	if (!err)
		return;
	if (request && file_is_put(request))
		file_count_failed_put(file);
	file_request_free(request);
	store_answer(done, owner, handle, err);
}

/* --- verbs --- */

static struct file_request *put_create(enum file_kind kind, struct slice key, struct slice value,
				       uint32_t ttl_s)
{
	struct file_request *request = file_request_create(kind, key);
	struct timespec now;

	if (!request)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	request->expires_ms = ((uint64_t)now.tv_sec + ttl_s) * 1000;
	buf_add(&request->value, value);
	if (!buf_failed(&request->value))
		return request;
	file_request_free(request);
	return NULL;
}

static void file_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		     store_done_fn *done, void *owner, uint64_t handle)
{
	struct file *file = file_of(store);

	file->status.puts++;
	send_or_answer(file, put_create(FILE_PUT, key, value, ttl_s), done, owner, handle);
}

static void file_put_owned(struct store *store, struct slice key, struct slice value,
			   uint32_t ttl_s, store_done_fn *done, void *owner, uint64_t handle)
{
	struct file *file = file_of(store);

	file->status.puts++;
	send_or_answer(file, put_create(FILE_PUT_OWNED, key, value, ttl_s), done, owner, handle);
}

static void file_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		      store_done_fn *done, void *owner, uint64_t handle)
{
	struct file *file = file_of(store);
	struct file_request *request = file_request_create(FILE_TAKE, key);

	file->status.takes++;
	if (request) {
		request->node = node;
		request->seen = seen;
	}
	send_or_answer(file, request, done, owner, handle);
}

static void file_get(struct store *store, struct slice key, store_done_fn *done, void *owner,
		     uint64_t handle)
{
	struct file *file = file_of(store);

	file->status.gets++;
	send_or_answer(file, file_request_create(FILE_GET, key), done, owner, handle);
}

static void file_remove(struct store *store, struct slice key)
{
	struct file *file = file_of(store);
	struct file_request *request = file_request_create(FILE_DELETE, key);

	file->status.deletes++;
	if (!request)
		file->status.forgotten++;
	else if (file_request_send(file, request))
		file_delete_again(file, request);
}

static void file_scan(struct store *store, struct slice prefix, store_each_fn *each,
		      store_done_fn *done, void *owner, uint64_t handle)
{
	struct file *file = file_of(store);

	if (file->is_walking) {
		store_answer(done, owner, handle, -ERR_BUSY);
		return;
	}
	file->is_walking = true;
	file->each = each;
	struct file_request first = {
		.prefix_len = prefix.len, .done = done, .owner = owner, .handle = handle};
	file_walk_on(file, &first, prefix);
}

static void file_status(const struct store *store, struct store_status *out)
{
	*out = file_of(store)->status;
}

/* --- beginning and end --- */

static void list_free(struct file_list *list)
{
	struct file_request *request;

	while ((request = file_list_take(list)))
		file_request_free(request);
}

static void file_destroy(struct store *store)
{
	struct file *file = file_of(store);

	file_graves_send(file);
	wheel_cancel(loop_wheel(file->loop), &file->deadline);
	wheel_cancel(loop_wheel(file->loop), &file->probe);
	loop_io_remove(file->io);
	file_thread_close(&file->thread);
	list_free(&file->thread.asked);
	list_free(&file->thread.answered);
	list_free(&file->graves);
	free(file);
}

static const struct store_verbs file_verbs = {
	.destroy = file_destroy,
	.put = file_put,
	.remove = file_remove,
	.get = file_get,
	.put_owned = file_put_owned,
	.take = file_take,
	.scan = file_scan,
	.status = file_status,
};

int store_file_create(const struct store_file_config *config, struct buf *why, struct store **out)
{
	struct file *file = calloc(1, sizeof(*file));
	if (!file)
		return -ERR_NO_MEMORY;
	int err = file_thread_open(&file->thread, config, why);
	if (err) {
		free(file);
		return err;
	}
	file->store.verbs = &file_verbs;
	file->loop = config->loop;
	file->log = config->log;
	file->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS;
	file->pending_limit = config->pending_limit ? config->pending_limit : PENDING_MAX;
	file->status.kind = "file";
	file->status.state = STORE_UP;
	file->status.since_ms = loop_now_ms(file->loop);
	snprintf(file->status.server, sizeof(file->status.server), "%s", config->path);
	err = loop_io_add(file->loop, file->thread.event_fd, LOOP_READ, file_on_event, file,
			  &file->io);
	if (err) {
		file_thread_close(&file->thread);
		free(file);
		return err;
	}
	*out = &file->store;
	return 0;
}
