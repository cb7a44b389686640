/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/parts.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/multipart.h"
#include "sbc/topology/owned.h"

struct slice parts_sdp(const struct message *message)
{
	return multipart_sdp(message_content_type(message), message_body(message));
}

bool parts_are_in(const struct message *message)
{
	struct multipart multipart;
	return message_body(message).len > 0 &&
	       multipart_open(message_content_type(message), message_body(message), &multipart);
}

int parts_take(struct parts *parts, const struct call *call, uint8_t from,
	       const struct message *message)
{
	parts_clear(parts);
	if (!parts_are_in(message))
		return 0;
	int err = owned_set(&parts->type, message_content_type(message));
	if (!err)
		err = leg_keep_body(call, from, message, &parts->body);
	if (err)
		parts_clear(parts);
	return err;
}

void parts_clear(struct parts *parts)
{
	owned_free(&parts->type);
	owned_free(&parts->body);
}

struct slice parts_wrap(const struct parts *parts, struct slice sdp, struct buf *out,
			struct slice *type)
{
	*type = sdp.len > 0 ? SLICE("application/sdp") : SLICE_NONE;
	if (slice_is_empty(parts->body))
		return sdp;
	/* Parts without a description, and one to send: it goes alone. */
	if (sdp.len > 0 && multipart_set_sdp(parts->type, parts->body, sdp, out) != 0)
		return sdp;
	*type = parts->type;
	return sdp.len > 0 ? buf_slice(out) : parts->body;
}
