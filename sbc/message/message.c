/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/message.h"

#include "sbc/message/osip.h"

/* Where the member after the last one asked for stands: who walks a list from its start to its end
 * reads it once, however long it is. */
struct cursor {
	enum header_id id;
	size_t index;
	int header; /* -1 = none */
	struct slice rest;
};

struct message {
	const struct scan *scan;
	struct cursor *cursor;
};

int message_init(void)
{
	return osip_reader_init();
}

int message_parse(const struct scan *scan, struct arena *arena, struct message **out)
{
	int err = osip_reader_agrees(scan, arena);
	if (err)
		return err;
	struct message *message = arena_zalloc(arena, sizeof(*message));
	struct cursor *cursor = arena_zalloc(arena, sizeof(*cursor));
	if (!message || !cursor)
		return -ERR_NO_MEMORY;
	cursor->header = -1;
	message->scan = scan;
	message->cursor = cursor;
	*out = message;
	return 0;
}

const struct scan *message_scan(const struct message *message)
{
	return message->scan;
}

bool message_is_request(const struct message *message)
{
	return message->scan->is_request;
}

enum method message_method(const struct message *message)
{
	return message->scan->method;
}

struct slice message_method_text(const struct message *message)
{
	return message->scan->method_text;
}

struct slice message_request_uri(const struct message *message)
{
	return message->scan->request_uri;
}

unsigned int message_status(const struct message *message)
{
	return message->scan->status;
}

struct slice message_call_id(const struct message *message)
{
	return message->scan->call_id;
}

uint32_t message_cseq(const struct message *message)
{
	return message->scan->cseq;
}

const struct name_addr *message_from(const struct message *message)
{
	return &message->scan->from;
}

const struct name_addr *message_to(const struct message *message)
{
	return &message->scan->to;
}

struct slice message_from_tag(const struct message *message)
{
	return message->scan->from_tag;
}

struct slice message_to_tag(const struct message *message)
{
	return message->scan->to_tag;
}

int message_max_forwards(const struct message *message)
{
	return message->scan->max_forwards;
}

bool message_expires(const struct message *message, uint32_t *out)
{
	struct slice value = scan_value(message->scan, HEADER_EXPIRES);
	return value.len && !slice_to_u32(value, UINT32_MAX, out);
}

struct slice message_body(const struct message *message)
{
	return message->scan->body;
}

struct slice message_content_type(const struct message *message)
{
	return scan_value(message->scan, HEADER_CONTENT_TYPE);
}

bool message_has_sdp(const struct message *message)
{
	struct slice type = message_content_type(message);
	return message->scan->body.len &&
	       slice_equal_nocase(slice_trim(slice_cut(&type, ';')), SLICE("application/sdp"));
}

/* --- lists over all headers of one id --- */

bool message_member(const struct message *message, enum header_id id, size_t index,
		    struct slice *out)
{
	const struct scan *scan = message->scan;
	struct cursor *cursor = message->cursor;
	struct slice member;

	if (cursor->header < 0 || cursor->id != id || cursor->index > index) {
		*cursor = (struct cursor){.id = id, .header = scan_header(scan, id, -1)};
		if (cursor->header >= 0)
			cursor->rest = scan->headers[cursor->header].value;
	}
	while (cursor->header >= 0) {
		while (list_next(&cursor->rest, &member)) {
			if (cursor->index++ == index) {
				*out = member;
				return true;
			}
		}
		cursor->header = scan_header(scan, id, cursor->header);
		if (cursor->header >= 0)
			cursor->rest = scan->headers[cursor->header].value;
	}
	return false;
}

size_t message_member_count(const struct message *message, enum header_id id)
{
	const struct scan *scan = message->scan;
	size_t count = 0;
	for (int at = scan_header(scan, id, -1); at >= 0; at = scan_header(scan, id, at)) {
		struct slice list = scan->headers[at].value, member;
		while (list_next(&list, &member))
			count++;
	}
	return count;
}

bool message_contact(const struct message *message, size_t index, struct contact *out)
{
	struct contact contact = {.star = false};
	struct slice member, value;

	if (!message_member(message, HEADER_CONTACT, index, &member))
		return false;
	contact.star = slice_equal(member, SLICE("*"));
	if (!contact.star && name_addr_parse(member, &contact.address))
		return false;
	if (parameter_find(contact.address.parameters, SLICE("expires"), &value))
		contact.has_expires =
			!slice_to_u32(unquoted(value), UINT32_MAX, &contact.expires_s);
	*out = contact;
	return true;
}

size_t message_contact_count(const struct message *message)
{
	return message_member_count(message, HEADER_CONTACT);
}

size_t message_via_count(const struct message *message)
{
	return message_member_count(message, HEADER_VIA);
}

/* --- any header --- */

struct slice message_value(const struct message *message, enum header_id id)
{
	return scan_value(message->scan, id);
}

bool message_header(const struct message *message, struct slice name, struct slice *value)
{
	const struct scan *scan = message->scan;
	enum header_id id = header_parse(name);

	for (uint16_t i = 0; i < scan->header_count; i++) {
		const struct header *header = &scan->headers[i];
		if (header->id != id ||
		    (id == HEADER_OTHER && !slice_equal_nocase(header->name, name)))
			continue;
		*value = header->value;
		return true;
	}
	return false;
}

size_t message_header_count(const struct message *message)
{
	return message->scan->header_count;
}

const struct header *message_header_at(const struct message *message, size_t index)
{
	return index < message->scan->header_count ? &message->scan->headers[index] : NULL;
}

bool message_has_option(const struct message *message, enum header_id id, struct slice token)
{
	struct slice member;
	for (size_t i = 0; message_member(message, id, i, &member); i++) {
		if (slice_equal_nocase(member, token))
			return true;
	}
	return false;
}
