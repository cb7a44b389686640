/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/headers.h"
#include "sbc/message/builder.h"

static void reason_member(struct slice member, struct buf *out)
{
	size_t cut = slice_find(member, ';');
	struct slice parameters = slice_sub(member, cut, member.len);
	struct slice name, value;

	buf_add(out, slice_trim(slice_sub(member, 0, cut)));
	while (parameter_next(&parameters, &name, &value)) {
		if (!slice_equal_nocase(name, SLICE("cause")))
			continue;
		buf_add_text(out, ";cause=");
		buf_add(out, value);
	}
}

void headers_reason(struct slice value, struct buf *out)
{
	struct slice member;
	bool more = false;

	while (list_next(&value, &member)) {
		if (more)
			buf_add_text(out, ", ");
		reason_member(member, out);
		more = true;
	}
}

static void copy_reason(const struct header *header, struct buf *out)
{
	struct buf reason;

	buf_init(&reason);
	headers_reason(header->value, &reason);
	if (buf_failed(&reason))
		out->failed = true;
	else if (reason.len > 0)
		builder_header_text(out, header->name, buf_slice(&reason));
	buf_free(&reason);
}

void headers_copy(const struct message *message, const struct crossing *crossing, struct buf *out)
{
	size_t count = message_header_count(message);

	for (size_t i = 0; i < count; i++) {
		const struct header *header = message_header_at(message, i);
		/* Compact and odd spellings come out in full. */
		struct slice name =
			header->id == HEADER_OTHER ? header->name : header_text(header->id);
		if (!policy_header_crosses(name, crossing))
			continue;
		if (!crossing->to_trusted && policy_header_rule(name) == RULE_REASON)
			copy_reason(header, out);
		else
			builder_header_text(out, name, header->value);
	}
}
