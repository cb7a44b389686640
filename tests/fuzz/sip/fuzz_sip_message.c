/* Any bytes through pre-scanner, libosip2, getters and reply builder. The first byte says how they
 * came. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/message/builder.h"
#include "sbc/message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fact)
{
	if (!fact)
		abort();
}

static bool inside(struct slice part, const char *data, size_t len)
{
	return part.len == 0 || (part.data >= data && part.data + part.len <= data + len);
}

static void ask_everything(const struct message *message, const char *data, size_t len)
{
	struct contact contact;
	struct slice member;
	struct via via;
	uint32_t expires;

	for (size_t i = 0; i < message_header_count(message); i++) {
		const struct header *header = message_header_at(message, i);
		check(inside(header->name, data, len) && inside(header->value, data, len));
		check(message_header(message, header->name, &member));
	}
	check(message_via_count(message) > 0);
	for (size_t i = 0; i < message_via_count(message); i++)
		check(message_member(message, HEADER_VIA, i, &member) && !via_parse(member, &via));
	for (size_t i = 0; i < message_contact_count(message); i++)
		check(message_contact(message, i, &contact));
	for (size_t i = 0; message_member(message, HEADER_ROUTE, i, &member); i++)
		check(inside(member, data, len));
	check(inside(message_body(message), data, len));
	check(message_call_id(message).len > 0);
	(void)message_expires(message, &expires);
	(void)message_has_sdp(message);
	(void)message_has_option(message, HEADER_REQUIRE, SLICE("100rel"));
}

/* What we answer must be a response that everybody can read, and no longer than reason allows. */
static void answer(const struct scan *request, bool accepted)
{
	const struct reply reply = {.status = 404, .to_tag = SLICE("ours")};
	struct scan_limits limits = {.message_max = 200000};
	struct scan *again = malloc(sizeof(*again));
	struct addr source = {.family = AF_INET, .port = 5060};
	struct buf out;

	check(again != NULL);
	buf_init(&out);
	builder_reply(&out, request, &source, &reply);
	if (!buf_failed(&out)) {
		check(out.len <= request->message.len + 4096);
		enum scan_verdict verdict = scan_message(out.data, out.len, &limits, again);
		check(verdict != SCAN_REPLY);
		/* Received and rport may be one parameter too many for the limit. */
		if (accepted && verdict != SCAN_ACCEPT)
			check(request->header_count > 4);
	}
	buf_free(&out);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scan scan;
	static struct arena *arena;
	struct message *message;

	if (!arena && (message_init() || arena_create(65536, 8 << 20, &arena)))
		abort();
	if (size < 1)
		return 0;
	struct scan_limits limits = {.message_max = data[0] & 4 ? 500 : 65536,
				     .stream = data[0] & 1,
				     .truncated = data[0] & 2};
	size_t len = size - 1;
	char *text = malloc(len ? len : 1); /* exactly so long: a read beyond it is seen */
	check(text != NULL);
	memcpy(text, data + 1, len);
	enum scan_verdict verdict = scan_message(text, len, &limits, &scan);
	check(verdict != SCAN_REPLY || (scan.is_request && scan.method != METHOD_ACK &&
					scan.reply_code >= 400 && scan.reply_code < 600));
	check(verdict != SCAN_DROP || scan.drop != SCAN_DROP_NONE);
	if (verdict == SCAN_ACCEPT) {
		arena_reset(arena);
		if (!message_parse(&scan, arena, &message))
			ask_everything(message, text, len);
	}
	if (verdict != SCAN_DROP)
		answer(&scan, verdict == SCAN_ACCEPT);
	free(text);
	return 0;
}
