/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/parts.h"
#include "sbc/message/builder.h"

/* Option tags that a request may require of us. */
static const struct slice known[] = {
	{"100rel", 6},      /* RFC 3262 */
	{"timer", 5},       /* RFC 4028 */
	{"norefersub", 10}, /* RFC 4488; this and what follows is between the two ends */
	{"replaces", 8},    /* RFC 3891 */
	{"histinfo", 8},    /* RFC 7044 */
	{"uui", 3},         /* RFC 7433 */
	{"answermode", 10}, /* RFC 5373 */
	{"resource-priority", 17},
	{"pref", 4}, /* RFC 3840 */
};

bool check_is_secure(struct slice uri)
{
	struct slice scheme;
	return uri_scheme_of(uri, &scheme) == URI_SIPS;
}

unsigned int check_request(const struct message *request, struct buf *headers)
{
	struct slice scheme;
	struct buf unsupported;

	if (message_max_forwards(request) == 0)
		return 483;
	switch (uri_scheme_of(message_request_uri(request), &scheme)) {
	case URI_SIP:
	case URI_SIPS:
	case URI_TEL:
		break;
	case URI_OTHER:
		return 416;
	}
	buf_init(&unsupported);
	bool is_bad = scan_unknown_options(message_scan(request), HEADER_REQUIRE, known,
					   sizeof(known) / sizeof(known[0]), &unsupported);
	is_bad |= scan_unknown_options(message_scan(request), HEADER_PROXY_REQUIRE, NULL, 0,
				       &unsupported);
	if (is_bad)
		builder_header(headers, HEADER_UNSUPPORTED, buf_slice(&unsupported));
	buf_free(&unsupported);
	return is_bad ? 420 : 0;
}

unsigned int check_invite(const struct message *request, struct buf *headers)
{
	struct contact contact;
	struct uri target;

	/* Without a Contact it is an old one (RFC 2543): From stands in. */
	if (message_contact(request, 0, &contact) &&
	    (contact.star || uri_parse(contact.address.uri, &target) != 0))
		return 400;
	if (message_body(request).len > 0 && !message_has_sdp(request) && !parts_are_in(request)) {
		builder_header(headers, HEADER_ACCEPT, SLICE("application/sdp"));
		return 415;
	}
	return 0;
}
