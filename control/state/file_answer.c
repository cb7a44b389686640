/* file_answer.c - what answers, or their absence, say about the file, and to whom they go.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/file_private.h"
#include <stdio.h>
#include <unistd.h>
#include "control/state/store_answer.h"

enum { PROBE_MS = 500 };

static void on_probe(struct timer *timer, uint64_t now_ms);

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
	file_graves_send(file);
	if (file->failed_puts && file->store.on_return) {
		file->failed_puts = 0;
		file->store.on_return(file->store.on_return_owner, false);
	}
}

static void on_probe(struct timer *timer, uint64_t now_ms)
{
	struct file *file = container_of(timer, struct file, probe);
	struct file_request *request = file_request_create(FILE_PROBE, SLICE("probe"));

	wheel_arm(loop_wheel(file->loop), timer, now_ms + PROBE_MS, on_probe);
	if (!request)
		return;
	request->given_up = true; /* nobody waits */
	if (file_request_send(file, request))
		file_request_free(request);
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
void file_walk_on(struct file *file, const struct file_request *request, struct slice last)
{
	struct file_request *next = file_request_create(FILE_SCAN, last);
	int err = next ? 0 : -ERR_NO_MEMORY;

	if (next) {
		next->prefix_len = request->prefix_len;
		next->done = request->done;
		next->owner = request->owner;
		next->handle = request->handle;
		next->given_up = true;
		err = file_request_send(file, next);
	}
	if (!err)
		return;
	file_request_free(next);
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
		file_walk_on(file, request, last);
}

static void put_count(struct file *file, const struct file_request *request, uint64_t took_ms)
{
	struct store_status *status = &file->status;

	if (request->err == -ERR_DENIED) {
		status->denied++;
	} else if (request->given_up) {
		status->late += request->err ? 0 : 1; /* counted when it was given up */
	} else if (request->err) {
		file_count_failed_put(file);
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
	if (file_is_put(request))
		put_count(file, request, took_ms);
	if (request->kind == FILE_TAKE && err == -ERR_DENIED)
		file->status.denied++;
	if (request->kind == FILE_DELETE && err) {
		file_delete_again(file, request);
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
	file_request_free(request);
}

void file_on_event(void *owner, int events)
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
	file_deadline_arm(file);
}

void file_on_deadline(struct timer *timer, uint64_t now_ms)
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
			if (file_is_put(request))
				file_count_failed_put(file);
			if (request->kind != FILE_DELETE)
				store_answer(request->done, request->owner, request->handle,
					     -ERR_TIMEOUT);
		}
		if (request == last)
			break;
	}
	file_deadline_arm(file);
}
