/* file.c - the verbs of the file store, and what its answers, or their absence, say about it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/file.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "control/state/file_private.h"
#include "control/state/store_answer.h"

enum { PROBE_MS = 500, TIMEOUT_MS = 20, PENDING_MAX = 65536 };

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

static void on_deadline(struct timer *timer, uint64_t now_ms);
static void on_probe(struct timer *timer, uint64_t now_ms);

static struct file *file_of(const struct store *store)
{
	return container_of((uintptr_t)store, struct file, store);
}

static bool is_put(const struct file_request *request)
{
	return request->kind == FILE_PUT || request->kind == FILE_PUT_OWNED;
}

static void request_free(struct file_request *request)
{
	if (request)
		buf_free(&request->value);
	free(request);
}

static struct file_request *request_create(enum file_kind kind, struct slice key)
{
	struct file_request *request = calloc(1, sizeof(*request) + key.len);
	if (!request)
		return NULL;
	request->kind = kind;
	request->key_len = key.len;
	memcpy(request->key, key.data, key.len);
	buf_init(&request->value);
	return request;
}

/* --- what is sent --- */

static void deadline_arm(struct file *file)
{
	const struct file_request *request = file->oldest;

	while (request && request->given_up)
		request = request->flight;
	if (request)
		wheel_arm(loop_wheel(file->loop), &file->deadline,
			  request->sent_ms + file->timeout_ms, on_deadline);
	else
		wheel_cancel(loop_wheel(file->loop), &file->deadline);
}

/* Takes the request, unless it fails. */
static int request_send(struct file *file, struct file_request *request)
{
	if (file->status.pending >= file->pending_limit)
		return -ERR_BUSY;
	request->sent_ms = loop_now_ms(file->loop);
	request->flight = NULL;
	int err = file_hand_over(&file->thread, request);
	if (err)
		return err;
	if (file->youngest)
		file->youngest->flight = request;
	else
		file->oldest = request;
	file->youngest = request;
	file->status.pending++;
	file->status.commands++;
	if (!request->given_up && !timer_is_armed(&file->deadline))
		deadline_arm(file);
	return 0;
}

static void count_failed_put(struct file *file)
{
	file->status.unprotected++;
	file->failed_puts++;
}

/* While it is stalled a put is given up at once, and made all the same. */
static void send_or_answer(struct file *file, struct file_request *request, store_done_fn *done,
			   void *owner, uint64_t handle)
{
	int err = request ? 0 : -ERR_NO_MEMORY;

	if (!err) {
		request->done = done;
		request->owner = owner;
		request->handle = handle;
		request->given_up = is_put(request) && file->status.state == STORE_STALLED;
		bool is_given_up = request->given_up;
		err = request_send(file, request);
		if (!err && is_given_up) {
			count_failed_put(file);
			store_answer(done, owner, handle, -ERR_TIMEOUT);
		}
	}
	if (!err)
		return;
	if (request && is_put(request))
		count_failed_put(file);
	request_free(request);
	store_answer(done, owner, handle, err);
}

static void delete_again(struct file *file, struct file_request *request)
{
	if (file->grave_count >= file->pending_limit / 2) {
		file->status.forgotten++;
		request_free(request);
		return;
	}
	file->grave_count++;
	file_list_add(&file->graves, request);
}

/* --- state --- */

static void graves_send(struct file *file)
{
	struct file_request *request;

	for (uint32_t n = file->grave_count; n; n--) {
		request = file_list_take(&file->graves);
		file->grave_count--;
		if (request_send(file, request))
			delete_again(file, request);
	}
}

static void state_log(const struct file *file)
{
	const struct store_status *status = &file->status;

	if (status->state == STORE_UP)
		log_info(file->log, "store.up", "server=%s", status->server);
	else
		log_warn(file->log,
			 status->state == STORE_STALLED ? "store.stalled" : "store.refusing",
			 "server=%s reason=\"%s\" effect=\"calls go on unprotected\"",
			 status->server, status->reason);
}

/* Logged when it changes, and only then. */
static void state_set(struct file *file, enum store_state state, const char *reason)
{
	struct store_status *status = &file->status;
	bool changed = status->state != state;

	if (!changed && strcmp(status->reason, reason) == 0)
		return;
	status->state = state;
	slice_copy(slice_from(reason), status->reason, sizeof(status->reason));
	state_log(file);
	if (!changed)
		return;
	status->since_ms = loop_now_ms(file->loop);
	if (state != STORE_UP) {
		wheel_arm(loop_wheel(file->loop), &file->probe, status->since_ms + PROBE_MS,
			  on_probe);
		return;
	}
	wheel_cancel(loop_wheel(file->loop), &file->probe);
	graves_send(file);
	if (file->failed_puts && file->store.on_return) {
		file->failed_puts = 0;
		file->store.on_return(file->store.on_return_owner, false);
	}
}

static void on_probe(struct timer *timer, uint64_t now_ms)
{
	struct file *file = container_of(timer, struct file, probe);
	struct file_request *request = request_create(FILE_PROBE, SLICE("probe"));

	wheel_arm(loop_wheel(file->loop), timer, now_ms + PROBE_MS, on_probe);
	if (!request)
		return;
	request->given_up = true; /* nobody waits */
	if (request_send(file, request))
		request_free(request);
}

/* --- answers --- */

static struct slice next_text(struct slice *rows)
{
	size_t len;

	memcpy(&len, rows->data, sizeof(len));
	struct slice text = slice_sub(*rows, sizeof(len), len);
	*rows = slice_sub(*rows, sizeof(len) + len, SIZE_MAX);
	return text;
}

static void walk_end(struct file *file, const struct file_request *request, int err)
{
	file->is_walking = false;
	store_answer(request->done, request->owner, request->handle, err);
}

/* The next portion begins behind the last key of this one. */
static void walk_on(struct file *file, const struct file_request *request, struct slice last)
{
	struct file_request *next = request_create(FILE_SCAN, last);
	int err = next ? 0 : -ERR_NO_MEMORY;

	if (next) {
		next->prefix_len = request->prefix_len;
		next->done = request->done;
		next->owner = request->owner;
		next->handle = request->handle;
		next->given_up = true;
		err = request_send(file, next);
	}
	if (!err)
		return;
	request_free(next);
	walk_end(file, request, err);
}

static void scan_answered(struct file *file, const struct file_request *request)
{
	struct slice rows = buf_slice(&request->value), last = SLICE_NONE;
	bool goes_on = true;

	if (request->err) {
		walk_end(file, request, request->err);
		return;
	}
	while (rows.len && goes_on) {
		last = next_text(&rows);
		goes_on = store_each(&file->store, file->each, request->owner, last,
				     next_text(&rows));
	}
	if (!goes_on || !last.len)
		walk_end(file, request, 0);
	else
		walk_on(file, request, last);
}

static void put_count(struct file *file, const struct file_request *request, uint64_t took_ms)
{
	struct store_status *status = &file->status;

	if (request->err == -ERR_DENIED) {
		status->denied++;
	} else if (request->given_up) {
		status->late += request->err ? 0 : 1; /* counted when it was given up */
	} else if (request->err) {
		count_failed_put(file);
	} else {
		status->acknowledged++;
		status->ack_ms_total += took_ms;
		if (took_ms > status->ack_ms_max)
			status->ack_ms_max = took_ms;
	}
}

static void reason_get(struct file *file, char *out, size_t size)
{
	pthread_mutex_lock(&file->thread.lock);
	slice_copy(slice_from(file->thread.reason), out, size);
	pthread_mutex_unlock(&file->thread.lock);
}

static void state_learn(struct file *file, const struct file_request *request, uint64_t took_ms)
{
	char reason[sizeof(file->status.reason)];

	if (request->kind == FILE_GET || request->kind == FILE_SCAN)
		return; /* says nothing about writing */
	if (request->err == -ERR_REFUSED) {
		file->status.errors++;
		reason_get(file, reason, sizeof(reason));
		state_set(file, STORE_REFUSING, reason);
	} else if (took_ms <= file->timeout_ms) {
		state_set(file, STORE_UP, "");
	}
}

static void answered(struct file *file, struct file_request *request)
{
	uint64_t took_ms = loop_now_ms(file->loop) - request->sent_ms;
	int err = request->err;

	state_learn(file, request, took_ms);
	if (is_put(request))
		put_count(file, request, took_ms);
	if (request->kind == FILE_TAKE && err == -ERR_DENIED)
		file->status.denied++;
	if (request->kind == FILE_DELETE && err) {
		delete_again(file, request);
		return;
	}
	if (request->kind == FILE_SCAN)
		scan_answered(file, request);
	else if (!request->given_up && !err &&
		 (request->kind == FILE_GET || request->kind == FILE_TAKE))
		store_answer_value(&file->store, request->done, request->owner, request->handle,
				   buf_slice(&request->value));
	else if (!request->given_up)
		store_answer(request->done, request->owner, request->handle, err);
	request_free(request);
}

static void on_event(void *owner, int events)
{
	struct file *file = owner;
	struct file_list list;
	struct file_request *request;
	uint64_t count;
	(void)events;

	if (read(file->thread.event_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&file->thread.lock);
	list = file->thread.answered;
	file->thread.answered = (struct file_list){0};
	pthread_mutex_unlock(&file->thread.lock);
	while ((request = file_list_take(&list))) {
		file->oldest = request->flight;
		if (!file->oldest)
			file->youngest = NULL;
		file->status.pending--;
		answered(file, request);
	}
	deadline_arm(file);
}

static void on_deadline(struct timer *timer, uint64_t now_ms)
{
	struct file *file = container_of(timer, struct file, deadline);
	struct file_request *last = file->youngest; /* what done() sends is younger */
	char reason[64];

	snprintf(reason, sizeof(reason), "no answer within %u ms", file->timeout_ms);
	for (struct file_request *request = file->oldest; request; request = request->flight) {
		if (now_ms < request->sent_ms + file->timeout_ms)
			break;
		if (!request->given_up) {
			request->given_up = true;
			file->status.timeouts++;
			if (file->status.state == STORE_UP)
				state_set(file, STORE_STALLED, reason);
			if (is_put(request))
				count_failed_put(file);
			if (request->kind != FILE_DELETE)
				store_answer(request->done, request->owner, request->handle,
					     -ERR_TIMEOUT);
		}
		if (request == last)
			break;
	}
	deadline_arm(file);
}

/* --- verbs --- */

static struct file_request *put_create(enum file_kind kind, struct slice key, struct slice value,
				       uint32_t ttl_s)
{
	struct file_request *request = request_create(kind, key);
	struct timespec now;

	if (!request)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	request->expires_ms = ((uint64_t)now.tv_sec + ttl_s) * 1000;
	buf_add(&request->value, value);
	if (!buf_failed(&request->value))
		return request;
	request_free(request);
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
	struct file_request *request = request_create(FILE_TAKE, key);

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
	send_or_answer(file, request_create(FILE_GET, key), done, owner, handle);
}

static void file_remove(struct store *store, struct slice key)
{
	struct file *file = file_of(store);
	struct file_request *request = request_create(FILE_DELETE, key);

	file->status.deletes++;
	if (!request)
		file->status.forgotten++;
	else if (request_send(file, request))
		delete_again(file, request);
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
	walk_on(file, &first, prefix);
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
		request_free(request);
}

static void file_destroy(struct store *store)
{
	struct file *file = file_of(store);

	graves_send(file);
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
	err = loop_io_add(file->loop, file->thread.event_fd, LOOP_READ, on_event, file, &file->io);
	if (err) {
		file_thread_close(&file->thread);
		free(file);
		return err;
	}
	*out = &file->store;
	return 0;
}
