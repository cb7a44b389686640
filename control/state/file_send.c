/* file_send.c - requests of a worker on their way to the thread of its file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/file_private.h"
#include <stdlib.h>

void file_request_free(struct file_request *request)
{
	if (request)
		buf_free(&request->value);
	free(request);
}

struct file_request *file_request_create(enum file_kind kind, struct slice key)
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

void file_deadline_arm(struct file *file)
{
	const struct file_request *request = file->oldest;

	while (request && request->given_up)
		request = request->flight;
	if (request)
		wheel_arm(loop_wheel(file->loop), &file->deadline,
			  request->sent_ms + file->timeout_ms, file_on_deadline);
	else
		wheel_cancel(loop_wheel(file->loop), &file->deadline);
}

/* Takes the request, unless it fails. */
int file_request_send(struct file *file, struct file_request *request)
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
		file_deadline_arm(file);
	return 0;
}

void file_count_failed_put(struct file *file)
{
	file->status.unprotected++;
	file->failed_puts++;
}

void file_delete_again(struct file *file, struct file_request *request)
{
	if (file->grave_count >= file->pending_limit / 2) {
		file->status.forgotten++;
		file_request_free(request);
		return;
	}
	file->grave_count++;
	file_list_add(&file->graves, request);
}

void file_graves_send(struct file *file)
{
	struct file_request *request;

	for (uint32_t n = file->grave_count; n; n--) {
		request = file_list_take(&file->graves);
		file->grave_count--;
		if (file_request_send(file, request))
			file_delete_again(file, request);
	}
}
