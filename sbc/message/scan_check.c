/* What the pre-scanner asks of single headers: the grammar of those we act on, ranges of numbers,
 * single values, bounded lists. All linear.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/scan_head.h"

#include "sbc/message/chars.h"

#define CSEQ_MAX 0x7fffffffu /* RFC 3261 8.1.1.5 */

static bool contact_is_good(const struct scan *scan, struct slice member)
{
	struct name_addr address;
	struct slice expires;
	struct uri uri;
	uint32_t seconds;

	(void)scan;
	if (slice_equal(member, SLICE("*")))
		return true;
	if (name_addr_parse(member, &address))
		return false;
	if (uri_parse(address.uri, &uri))
		return false;
	return !parameter_find(address.parameters, SLICE("expires"), &expires) ||
	       !slice_to_u32(unquoted(expires), UINT32_MAX, &seconds);
}

static bool route_is_good(const struct scan *scan, struct slice member)
{
	struct name_addr address;
	struct uri uri;

	(void)scan;
	return !name_addr_parse(member, &address) && !uri_parse(address.uri, &uri);
}

static bool via_is_good(const struct scan *scan, struct slice member)
{
	struct via via;
	(void)scan;
	return !via_parse(member, &via);
}

/* Judged by whoever looks for its own words: only their number is bounded here. */
static bool word_is_good(const struct scan *scan, struct slice member)
{
	(void)scan, (void)member;
	return true;
}

typedef bool member_fn(const struct scan *scan, struct slice member);

struct list_rule {
	enum header_id id;
	member_fn *good;
	const char *fault;
};

static const struct list_rule list_rules[] = {
	{HEADER_VIA, via_is_good, "Malformed Via"},
	{HEADER_CONTACT, contact_is_good, "Malformed Contact"},
	{HEADER_ROUTE, route_is_good, "Malformed Route"},
	{HEADER_RECORD_ROUTE, route_is_good, "Malformed Record-Route"},
	{HEADER_PATH, route_is_good, "Malformed Path"},
	{HEADER_SERVICE_ROUTE, route_is_good, "Malformed Service-Route"},
	{HEADER_SUPPORTED, word_is_good, "Malformed Supported"},
	{HEADER_REQUIRE, word_is_good, "Malformed Require"},
	{HEADER_PROXY_REQUIRE, word_is_good, "Malformed Proxy-Require"},
	{HEADER_ALLOW, word_is_good, "Malformed Allow"},
};
#define LIST_RULES (sizeof(list_rules) / sizeof(list_rules[0]))

static const struct list_rule *rule_of(enum header_id id)
{
	for (size_t i = 0; i < LIST_RULES; i++) {
		if (list_rules[i].id == id)
			return &list_rules[i];
	}
	return NULL;
}

/* Semicolons bound the number of parameters from above, ampersands that of headers in a URI: of
 * either, libosip2's costs grow with the square. */
static size_t count_parameters(struct slice value)
{
	size_t n = 0;
	for (size_t i = 0; i < value.len; i++)
		n += value.data[i] == ';' || value.data[i] == '&';
	return n;
}

bool scan_parameters_are_few(struct slice value)
{
	return count_parameters(value) <= SCAN_PARAMETERS_MAX;
}

struct list_count { /* over all headers of one name */
	size_t members;
	size_t parameters;
};

static void check_list(struct scan *scan, const struct list_rule *rule, struct slice value,
		       struct list_count *count)
{
	struct slice member;

	/* "Supported:" and "Allow:" say that there is nothing (RFC 3261 20.5, 20.37) */
	if (value.len == 0 && rule->good != word_is_good)
		scan_refuse(scan, 400, rule->fault);
	count->parameters += count_parameters(value);
	while (list_next(&value, &member)) {
		if (++count->members > SCAN_MEMBERS_MAX ||
		    count->parameters > SCAN_LIST_PARAMETERS_MAX) {
			scan_refuse(scan, 400, "Too Many Values In Header");
			return;
		}
		if (!scan_parameters_are_few(member) || !rule->good(scan, member)) {
			scan_refuse(scan, 400, rule->fault);
			return;
		}
	}
}

static void check_address(struct scan *scan, struct slice value, const char *fault,
			  struct name_addr *out, struct slice *tag)
{
	struct slice rest, name, what;
	struct uri uri;
	unsigned int tags = 0;

	if (!scan_parameters_are_few(value) || name_addr_parse(value, out)) {
		scan_refuse(scan, 400, fault);
		return;
	}
	/* A scheme that is not ours is not ours to judge (RFC 4475 3.3.4), but a URI it must be:
	 * what goes into a start line or a log holds no space. */
	if (uri_parse(out->uri, &uri))
		scan_refuse(scan, 400, fault);
	rest = out->parameters;
	while (parameter_next(&rest, &name, &what)) {
		if (!slice_equal_nocase(name, SLICE("tag")))
			continue;
		*tag = what;
		if (++tags > 1 || what.len == 0 || !chars_all(CHARS_TOKEN, what))
			scan_refuse(scan, 400, fault);
	}
}

static void check_cseq(struct scan *scan, struct slice value)
{
	struct slice number = SLICE_NONE, method = SLICE_NONE, more;

	if (!slice_next_word(&value, &number) || !slice_next_word(&value, &method) ||
	    slice_next_word(&value, &more) || slice_to_u32(number, CSEQ_MAX, &scan->cseq) ||
	    !chars_all(CHARS_TOKEN, method)) {
		scan_refuse(scan, 400, "Malformed CSeq");
		return;
	}
	if (!scan->is_request) {
		scan->method_text = method;
		scan->method = method_parse(method);
	} else if (!slice_equal(method, scan->method_text)) {
		scan_refuse(scan, 400, "CSeq Method Differs");
	}
}

static void check_call_id(struct scan *scan, struct slice value)
{
	size_t at = slice_find(value, '@');
	struct slice host = slice_sub(value, at + 1, value.len);

	scan->call_id = value;
	if (value.len == 0 || at == 0 || at + 1 == value.len || !chars_all(CHARS_WORD, value) ||
	    slice_find(host, '@') < host.len)
		scan_refuse(scan, 400, "Malformed Call-ID");
}

static void check_number(struct scan *scan, struct slice value, uint32_t max, const char *fault,
			 uint32_t *out)
{
	if (slice_to_u32(value, max, out))
		scan_refuse(scan, 400, fault);
}

static void check_single(struct scan *scan, const struct header *header)
{
	uint32_t number = 0;

	switch (header->id) {
	case HEADER_FROM:
		check_address(scan, header->value, "Malformed From", &scan->from, &scan->from_tag);
		break;
	case HEADER_TO:
		check_address(scan, header->value, "Malformed To", &scan->to, &scan->to_tag);
		break;
	case HEADER_CALL_ID:
		check_call_id(scan, header->value);
		break;
	case HEADER_CSEQ:
		check_cseq(scan, header->value);
		break;
	case HEADER_MAX_FORWARDS:
		check_number(scan, header->value, 255, "Malformed Max-Forwards", &number);
		scan->max_forwards = (int)number;
		break;
	case HEADER_EXPIRES:
	case HEADER_MIN_EXPIRES:
		check_number(scan, header->value, UINT32_MAX, "Malformed Expires", &number);
		break;
	default:
		break;
	}
}

static void find_top_via(struct scan *scan)
{
	struct slice list = scan_value(scan, HEADER_VIA), member;
	if (!list_next(&list, &member) || via_parse(member, &scan->via))
		scan_refuse(scan, 400, "Malformed Via");
}

static void check_missing(struct scan *scan, const uint16_t *seen)
{
	static const enum header_id needed[] = {HEADER_VIA, HEADER_FROM, HEADER_TO, HEADER_CALL_ID,
						HEADER_CSEQ};
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!seen[needed[i]])
			scan_refuse(scan, 400, "Missing Header");
	}
}

/* The registrar's names are ours to judge (RFC 3261 10.3): To of a REGISTER. */
static void check_register(struct scan *scan)
{
	struct slice scheme;
	if (scan->is_request && scan->method == METHOD_REGISTER && scan->to.uri.len &&
	    uri_scheme_of(scan->to.uri, &scheme) == URI_OTHER)
		scan_refuse(scan, 416, NULL);
}

void scan_check_headers(struct scan *scan)
{
	uint16_t seen[HEADER_COUNT] = {0};
	struct list_count counts[HEADER_COUNT] = {{0}};

	for (uint16_t i = 0; i < scan->header_count; i++) {
		const struct header *header = &scan->headers[i];
		const struct list_rule *rule = rule_of(header->id);
		if (seen[header->id]++ && header_is_single(header->id)) {
			scan_refuse(scan, 400, "Header Given Twice");
			continue; /* the first one stays for the answer */
		}
		if (rule)
			check_list(scan, rule, header->value, &counts[header->id]);
		else
			check_single(scan, header);
	}
	check_missing(scan, seen);
	if (seen[HEADER_VIA])
		find_top_via(scan);
	check_register(scan);
}

/* --- the body --- */

/* True when every part has at most one Content-Type: a second one is somebody's trick, and a memory
 * leak in parsers that take it (hostile-edge 2). */
static bool parts_are_good(struct slice body, struct slice boundary)
{
	struct slice line;
	bool in_head = false;
	unsigned int types = 0;

	while (slice_next_line(&body, &line)) {
		struct slice name = line;
		if (slice_starts(line, SLICE("--")) &&
		    slice_starts(slice_sub(line, 2, line.len), boundary)) {
			in_head = true;
			types = 0;
		} else if (line.len == 0) {
			in_head = false;
		} else if (in_head && slice_equal_nocase(slice_trim(slice_cut(&name, ':')),
							 SLICE("Content-Type"))) {
			if (++types > 1)
				return false;
		}
	}
	return true;
}

static void check_multipart(struct scan *scan)
{
	struct slice type = scan_value(scan, HEADER_CONTENT_TYPE), boundary;

	if (!slice_starts_nocase(type, SLICE("multipart/")))
		return;
	size_t at = slice_find(type, ';');
	if (!scan_parameters_are_few(type) ||
	    !parameter_find(slice_sub(type, at, type.len), SLICE("boundary"), &boundary) ||
	    unquoted(boundary).len == 0)
		scan_refuse(scan, 400, "Multipart Without Boundary");
	else if (!parts_are_good(scan->body, unquoted(boundary)))
		scan_refuse(scan, 400, "Content-Type Given Twice In A Part");
}

void scan_check_body(struct scan *scan, struct slice rest, const struct scan_limits *limits)
{
	int at = scan_header(scan, HEADER_CONTENT_LENGTH, -1);
	uint32_t length = 0;

	scan->body = rest;
	if (at < 0) {
		if (limits->stream) { /* nobody knows where the next message starts */
			scan->close = true;
			scan_refuse(scan, 400, "No Content-Length");
		}
	} else if (slice_to_u32(scan->headers[at].value, INT32_MAX, &length)) {
		scan->close = true;
		scan_refuse(scan, 400, "Malformed Content-Length");
	} else if (length > rest.len) {
		scan->close = true;
		scan_refuse(scan, 400, "Body Shorter Than Content-Length");
	} else {
		scan->body.len = length; /* what follows in a datagram is not a message (18.3) */
	}
	if (at >= 0 && scan_header(scan, HEADER_CONTENT_LENGTH, at) >= 0)
		scan->close = true; /* two lengths: request smuggling (RFC 4475 3.3.9) */
	scan->message.len = (size_t)(rest.data - scan->message.data) + scan->body.len;
	check_multipart(scan);
}
