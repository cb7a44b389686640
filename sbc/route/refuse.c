/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/refuse.h"

#include "sbc/transport/reply_path.h"

static void send_refusal(struct worker *worker, const struct message *request,
			 const struct transport_path *path, struct reply *reply, bool is_brief)
{
	char tag[16];
	struct transport_path back;
	struct buf bytes;

	reply_path(message_scan(request), path, &back);
	random_text(worker->random, tag, sizeof(tag));
	reply->to_tag = (struct slice){tag, sizeof(tag)};
	buf_init(&bytes);
	builder_reply(&bytes, message_scan(request), &path->remote, reply);
	if (is_brief && bytes.len > message_scan(request)->message.len) {
		reply->headers = SLICE_NONE;
		buf_clear(&bytes);
		builder_reply(&bytes, message_scan(request), &path->remote, reply);
	}
	if (buf_failed(&bytes) || worker_send(worker, &back, buf_slice(&bytes), 0) != 0)
		log_debug(worker->log, "request.not_answered", "status=%u", reply->status);
	buf_free(&bytes);
}

void refuse(struct worker *worker, struct transaction_handle handle, const struct message *request,
	    const struct transport_path *path, unsigned int status, struct slice headers)
{
	struct reply reply = {.status = status, .headers = headers};

	send_refusal(worker, request, path, &reply, false);
	transaction_drop(worker->transactions, handle);
}

void refuse_briefly(struct worker *worker, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path,
		    unsigned int status, struct slice headers)
{
	struct reply reply = {.status = status, .headers = headers};

	send_refusal(worker, request, path, &reply, true);
	transaction_drop(worker->transactions, handle);
}

void refuse_silently(struct worker *worker, struct transaction_handle handle)
{
	transaction_drop(worker->transactions, handle);
}
