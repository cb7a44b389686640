/* The first thing that looks at a message: one pass over the lines makes the header index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/scan.h"

#include "sbc/message/chars.h"
#include "sbc/message/scan_head.h"

static const char *const drop_texts[SCAN_DROP_COUNT] = {
#define X(name, text) [SCAN_DROP_##name] = text,
	FOREACH_SCAN_DROP(X)
#undef X
};

const char *scan_drop_text(enum scan_drop drop)
{
	return drop_texts[drop] ? drop_texts[drop] : "";
}

void scan_refuse(struct scan *scan, uint16_t code, const char *reason)
{
	if (scan->reply_code)
		return;
	scan->reply_code = code;
	scan->reply_reason = reason;
}

/* CR LF, spaces and NULs that keep a NAT binding open (RFC 5626 4.4.1). */
static bool is_keepalive(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\r' && data[i] != '\n' && data[i] != ' ' && data[i] != '\0')
			return false;
	}
	return true;
}

enum line { LINE_TEXT, LINE_EMPTY, LINE_NONE, LINE_BARE_LF };

/* The next line without its CRLF and with its folds turned into spaces; `*at` moves behind it. */
static enum line next_line(char *data, size_t len, size_t *at, struct slice *line)
{
	size_t start = *at, from = start;

	for (;;) {
		char *lf = from < len ? memchr(data + from, '\n', len - from) : NULL;
		if (!lf)
			return LINE_NONE;
		size_t end = (size_t)(lf - data);
		if (end == start || data[end - 1] != '\r')
			return LINE_BARE_LF;
		if (end - 1 > start && end + 1 < len && char_is_space(data[end + 1])) {
			data[end - 1] = ' ';
			data[end] = ' ';
			from = end + 1;
			continue;
		}
		*line = (struct slice){data + start, end - 1 - start};
		*at = end + 1;
		return line->len ? LINE_TEXT : LINE_EMPTY;
	}
}

/* Controls may stand escaped inside quotes only (RFC 4475 3.1.1.2). */
static bool controls_are_quoted(struct slice value)
{
	bool quoted = false;
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if (c == '"') {
			quoted = !quoted;
		} else if (c == '\\' && quoted) {
			i++;
			if (i < value.len && (value.data[i] == '\r' || value.data[i] == '\n'))
				return false;
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return false;
		}
	}
	return true;
}

static bool octets_are_good(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return controls_are_quoted(value);
	}
	return true;
}

static void add_header(struct scan *scan, struct slice line)
{
	size_t colon = slice_find(line, ':');
	struct slice name = slice_sub(line, 0, colon);

	while (name.len && char_is_space(name.data[name.len - 1]))
		name.len--;
	if (colon == line.len || name.len == 0 || !chars_all(CHARS_TOKEN, name)) {
		scan_refuse(scan, 400, "Malformed Header Line");
		return;
	}
	if (scan->header_count == SCAN_HEADERS_MAX) {
		scan_refuse(scan, 400, "Too Many Headers");
		return;
	}
	struct header *header = &scan->headers[scan->header_count++];
	header->id = header_parse(name);
	header->name = name;
	header->value = slice_trim(slice_sub(line, colon + 1, line.len));
	if (!octets_are_good(header->value))
		scan_refuse(scan, 400, "Forbidden Octet In Header");
}

static bool is_version(struct slice word)
{
	return slice_starts_nocase(word, SLICE("SIP/"));
}

static bool parse_status_line(struct scan *scan, struct slice line)
{
	struct slice version = slice_cut(&line, ' ');
	uint32_t status;

	if (!slice_equal_nocase(version, SLICE("SIP/2.0")))
		return false;
	struct slice code = slice_cut(&line, ' ');
	if (code.len != 3 || slice_to_u32(code, 699, &status) || status < 100)
		return false;
	scan->status = (uint16_t)status;
	scan->reason = line;
	return octets_are_good(line);
}

static void check_request_uri(struct scan *scan)
{
	struct uri uri;
	struct slice scheme;

	enum uri_scheme known = uri_scheme_of(scan->request_uri, &scheme);
	if (scheme.len == 0 || !scan_parameters_are_few(scan->request_uri) ||
	    uri_parse(scan->request_uri, &uri)) {
		scan_refuse(scan, 400, "Malformed Request-URI");
	} else if (known == URI_OTHER) {
		scan_refuse(scan, 416, NULL);
	} else if (uri.headers.len) {
		/* RFC 4475 3.1.2.11: headers may not be smuggled in by a Request-URI. */
		scan_refuse(scan, 400, "Headers In Request-URI");
	}
}

/* False: this is not a SIP request at all. */
static bool parse_request_line(struct scan *scan, struct slice line)
{
	struct slice trimmed = slice_trim(line);
	size_t at = trimmed.len;

	while (at && trimmed.data[at - 1] != ' ')
		at--;
	struct slice version = slice_sub(trimmed, at, trimmed.len);
	if (at == 0 || !is_version(version))
		return false;
	scan->is_request = true;
	struct slice rest = line;
	scan->method_text = slice_cut(&rest, ' ');
	scan->request_uri = slice_cut(&rest, ' ');
	scan->method = method_parse(scan->method_text);
	if (scan->method_text.len == 0 || !chars_all(CHARS_TOKEN, scan->method_text))
		scan_refuse(scan, 400, "Malformed Request Line");
	else if (slice_equal(rest, version) && !slice_equal_nocase(version, SLICE("SIP/2.0")))
		scan_refuse(scan, 505, NULL);
	else if (!slice_equal(rest, version))
		scan_refuse(scan, 400, "Malformed Request Line");
	else
		check_request_uri(scan);
	return true;
}

/* A refusal is an answer to a request that can be answered, and silence otherwise. */
static enum scan_verdict verdict(struct scan *scan)
{
	if (!scan->reply_code)
		return SCAN_ACCEPT;
	if (!scan->is_request)
		scan->drop = SCAN_DROP_BAD_RESPONSE;
	else if (scan->method == METHOD_ACK)
		scan->drop = SCAN_DROP_BAD_ACK;
	else if (scan_header(scan, HEADER_VIA, -1) < 0)
		scan->drop = SCAN_DROP_NO_RETURN;
	else
		return SCAN_REPLY;
	return SCAN_DROP;
}

static enum scan_verdict drop(struct scan *scan, enum scan_drop why)
{
	scan->drop = why;
	return SCAN_DROP;
}

/* The header array is not cleared: header_count says what is there. */
static void scan_clear(struct scan *scan)
{
	memset(scan, 0, offsetof(struct scan, headers));
	memset(&scan->reply_code, 0, sizeof(*scan) - offsetof(struct scan, reply_code));
	scan->max_forwards = -1;
}

enum scan_verdict scan_message(char *data, size_t len, const struct scan_limits *limits,
			       struct scan *out)
{
	struct scan *scan = out;
	size_t at = 0;
	struct slice line;
	enum line kind;

	scan_clear(scan);
	if (is_keepalive(data, len))
		return drop(scan, SCAN_DROP_KEEPALIVE);
	/* Empty lines before the start line (RFC 3261 7.5). */
	while (at + 1 < len && data[at] == '\r' && data[at + 1] == '\n')
		at += 2;
	scan->message = (struct slice){data + at, len - at};
	if (next_line(data, len, &at, &line) != LINE_TEXT)
		return drop(scan, SCAN_DROP_NOT_SIP);
	if (is_version(line)) {
		if (!parse_status_line(scan, line))
			return drop(scan, SCAN_DROP_BAD_RESPONSE);
	} else if (!parse_request_line(scan, line)) {
		return drop(scan, SCAN_DROP_NOT_SIP);
	}

	while ((kind = next_line(data, len, &at, &line)) == LINE_TEXT)
		add_header(scan, line);
	if (limits->truncated || scan->message.len > limits->message_max) {
		scan->close = true;
		scan_refuse(scan, 513, NULL);
	}
	if (kind != LINE_EMPTY)
		scan_refuse(scan, 400,
			    kind == LINE_NONE ? "No End Of Headers" : "Line Without CRLF");
	scan_check_headers(scan);
	scan_check_body(scan, (struct slice){data + at, len - at}, limits);
	return verdict(scan);
}

int scan_header(const struct scan *scan, enum header_id id, int after)
{
	for (int i = after + 1; i < scan->header_count; i++) {
		if (scan->headers[i].id == id)
			return i;
	}
	return -1;
}

struct slice scan_value(const struct scan *scan, enum header_id id)
{
	int at = scan_header(scan, id, -1);
	return at < 0 ? SLICE_NONE : scan->headers[at].value;
}

static bool is_known(struct slice option, const struct slice *known, size_t known_count)
{
	for (size_t i = 0; i < known_count; i++) {
		if (slice_equal_nocase(option, known[i]))
			return true;
	}
	return false;
}

bool scan_unknown_options(const struct scan *scan, enum header_id id, const struct slice *known,
			  size_t known_count, struct buf *unsupported)
{
	bool found = false;
	for (int at = scan_header(scan, id, -1); at >= 0; at = scan_header(scan, id, at)) {
		struct slice list = scan->headers[at].value, option;
		while (list_next(&list, &option)) {
			if (option.len == 0 || is_known(option, known, known_count))
				continue;
			if (unsupported->len)
				buf_add_text(unsupported, ", ");
			buf_add(unsupported, option);
			found = true;
		}
	}
	return found;
}
