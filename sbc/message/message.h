/* message.h - an accepted message: the pre-scan's index plus libosip2's view of the headers that
 * have structure. Lives on the worker's arena and is valid during the handler only; whatever must
 * outlive it is copied. libosip2 is included under sbc/message/ alone.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "sbc/message/scan.h"

struct message;

/* Once per process, before any thread: sets libosip2's allocators to the thread's current arena
 * (malloc outside message_parse()) and initialises its parser. */
MUST_CHECK int message_init(void);

/* libosip2 sees the structured headers only, unfolded and in one spelling, never the body.
 * -ERR_MALFORMED: answer 400 (501 when the method is unknown); -ERR_NO_MEMORY. `scan` must stay. */
MUST_CHECK int message_parse(const struct scan *scan, struct arena *arena, struct message **out);

const struct scan *message_scan(const struct message *message);
bool message_is_request(const struct message *message);
enum method message_method(const struct message *message); /* of CSeq in a response */
struct slice message_method_text(const struct message *message);
struct slice message_request_uri(const struct message *message);
unsigned int message_status(const struct message *message);
struct slice message_call_id(const struct message *message);
uint32_t message_cseq(const struct message *message);
const struct name_addr *message_from(const struct message *message);
const struct name_addr *message_to(const struct message *message);
struct slice message_from_tag(const struct message *message);
struct slice message_to_tag(const struct message *message);
int message_max_forwards(const struct message *message); /* -1 = none */
bool message_expires(const struct message *message, uint32_t *out);
struct slice message_body(const struct message *message);
struct slice message_content_type(const struct message *message); /* "" = no body type */
bool message_has_sdp(const struct message *message); /* Content-Type application/sdp, body there */

struct contact {
	struct name_addr address;
	bool star;
	bool has_expires;
	uint32_t expires_s;
};
/* Contacts in order over all headers and list members; false = no more.
 * `index` starts at 0. */
bool message_contact(const struct message *message, size_t index, struct contact *out);
size_t message_contact_count(const struct message *message);
size_t message_via_count(const struct message *message);
/* The raw members ("<sip:a;lr>;x") of a list header, in order: Route, Record-Route, Path, ... */
bool message_member(const struct message *message, enum header_id id, size_t index,
		    struct slice *out);
size_t message_member_count(const struct message *message, enum header_id id);

/* First value of a header, "" when absent; by name also for headers without an id. */
struct slice message_value(const struct message *message, enum header_id id);
bool message_header(const struct message *message, struct slice name, struct slice *value);
/* All headers in the order received. */
size_t message_header_count(const struct message *message);
const struct header *message_header_at(const struct message *message, size_t index);
/* Does a list header (Require, Supported, Allow) hold this token? */
bool message_has_option(const struct message *message, enum header_id id, struct slice token);
