/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/refuse.h"

#include "sbc/transport/reply_path.h"

void refuse(struct worker *worker, struct transaction_handle handle, const struct message *request,
	    const struct transport_path *path, unsigned int status, struct slice headers)
{
	char tag[16];
	struct reply reply = {.status = status, .to_tag = {tag, sizeof(tag)}, .headers = headers};
	struct transport_path back;
	struct buf bytes;

	reply_path(message_scan(request), path, &back);
	random_text(worker->random, tag, sizeof(tag));
	buf_init(&bytes);
	builder_reply(&bytes, message_scan(request), &path->remote, &reply);
	if (buf_failed(&bytes) || worker_send(worker, &back, buf_slice(&bytes), 0) != 0)
		log_debug(worker->log, "request.not_answered", "status=%u", status);
	buf_free(&bytes);
	transaction_drop(worker->transactions, handle);
}

void refuse_silently(struct worker *worker, struct transaction_handle handle)
{
	transaction_drop(worker->transactions, handle);
}
