/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/builder.h"

/* A text that could end its line and start another one is never written. */
static void add_checked(struct buf *buf, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '\r' || s.data[i] == '\n') {
			buf->failed = true;
			return;
		}
	}
	buf_add(buf, s);
}

/* NUL stays possible inside a quoted string that was received so (RFC 4475 3.1.1.2); in what goes
 * into a start line it is not. */
static void add_word(struct buf *buf, struct slice s)
{
	if (slice_find(s, '\0') < s.len || slice_find(s, ' ') < s.len)
		buf->failed = true;
	else
		add_checked(buf, s);
}

static void add_crlf(struct buf *buf)
{
	buf_add(buf, SLICE("\r\n"));
}

void builder_request_line(struct buf *buf, struct slice method, struct slice uri)
{
	add_word(buf, method);
	buf_add_char(buf, ' ');
	add_word(buf, uri);
	buf_add(buf, SLICE(" SIP/2.0\r\n"));
}

void builder_status_line(struct buf *buf, unsigned int status, struct slice reason)
{
	buf_add(buf, SLICE("SIP/2.0 "));
	buf_add_u64(buf, status);
	buf_add_char(buf, ' ');
	add_checked(buf, reason.len ? reason : slice_from(status_text(status)));
	add_crlf(buf);
}

void builder_via(struct buf *buf, struct slice transport, struct slice sent_by, struct slice branch,
		 bool alias)
{
	buf_add(buf, SLICE("Via: SIP/2.0/"));
	add_word(buf, transport);
	buf_add_char(buf, ' ');
	add_word(buf, sent_by);
	buf_add(buf, SLICE(";branch="));
	add_word(buf, branch);
	buf_add(buf, alias ? SLICE(";rport;alias\r\n") : SLICE(";rport\r\n"));
}

void builder_header_text(struct buf *buf, struct slice name, struct slice value)
{
	if (slice_find(name, ':') < name.len)
		buf->failed = true;
	add_word(buf, name);
	buf_add(buf, SLICE(": "));
	add_checked(buf, value);
	add_crlf(buf);
}

void builder_header(struct buf *buf, enum header_id id, struct slice value)
{
	builder_header_text(buf, header_text(id), value);
}

void builder_header_number(struct buf *buf, enum header_id id, uint64_t value)
{
	buf_add(buf, header_text(id));
	buf_add(buf, SLICE(": "));
	buf_add_u64(buf, value);
	add_crlf(buf);
}

void builder_address(struct buf *buf, enum header_id id, struct slice display, struct slice uri,
		     struct slice tag, struct slice parameters)
{
	buf_add(buf, header_text(id));
	buf_add(buf, SLICE(": "));
	if (display.len) {
		add_checked(buf, display);
		buf_add_char(buf, ' ');
	}
	buf_add_char(buf, '<');
	if (slice_find(uri, '>') < uri.len)
		buf->failed = true;
	add_word(buf, uri);
	buf_add_char(buf, '>');
	if (tag.len) {
		buf_add(buf, SLICE(";tag="));
		add_word(buf, tag);
	}
	add_checked(buf, parameters);
	add_crlf(buf);
}

void builder_cseq(struct buf *buf, uint32_t cseq, struct slice method)
{
	buf_add(buf, SLICE("CSeq: "));
	buf_add_u64(buf, cseq);
	buf_add_char(buf, ' ');
	add_word(buf, method);
	add_crlf(buf);
}

void builder_body(struct buf *buf, struct slice content_type, struct slice body)
{
	if (body.len)
		builder_header(buf, HEADER_CONTENT_TYPE, content_type);
	builder_header_number(buf, HEADER_CONTENT_LENGTH, body.len);
	add_crlf(buf);
	buf_add(buf, body);
}

/* The via-parm as received, with our received and rport in place of what it may have claimed. */
static void add_top_via(struct buf *buf, const struct via *via, const struct addr *source)
{
	struct slice rest = via->parameters, name, value;
	char text[ADDR_TEXT_SIZE];

	add_checked(buf,
		    (struct slice){via->raw.data, (size_t)(via->parameters.data - via->raw.data)});
	while (parameter_next(&rest, &name, &value)) {
		if (slice_equal_nocase(name, SLICE("received")) ||
		    slice_equal_nocase(name, SLICE("rport")))
			continue;
		buf_add_char(buf, ';');
		add_checked(buf, name);
		if (value.len) {
			buf_add_char(buf, '=');
			add_checked(buf, value);
		}
	}
	buf_add(buf, SLICE(";received="));
	buf_add_text(buf, addr_ip_text(source, text));
	if (via->rport) {
		buf_add(buf, SLICE(";rport="));
		buf_add_u64(buf, source->port);
	}
}

static void add_vias(struct buf *buf, const struct scan *request, const struct addr *source)
{
	bool top = true;

	for (int at = scan_header(request, HEADER_VIA, -1); at >= 0;
	     at = scan_header(request, HEADER_VIA, at)) {
		struct slice list = request->headers[at].value, member;
		buf_add(buf, SLICE("Via: "));
		if (top && list_next(&list, &member) && request->via.raw.len) {
			add_top_via(buf, &request->via, source);
			if (list.len)
				buf_add_char(buf, ',');
		} else {
			list = request->headers[at].value;
		}
		top = false;
		add_checked(buf, list);
		add_crlf(buf);
	}
}

void builder_reply_head(struct buf *buf, const struct scan *request, const struct addr *source,
			struct slice to_tag)
{
	/* To comes last: whoever keeps the head may append the tag. */
	static const enum header_id copied[] = {HEADER_FROM, HEADER_CALL_ID, HEADER_CSEQ,
						HEADER_TO};

	add_vias(buf, request, source);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		int at = scan_header(request, copied[i], -1);
		if (at < 0)
			continue;
		buf_add(buf, header_text(copied[i]));
		buf_add(buf, SLICE(": "));
		add_checked(buf, request->headers[at].value);
		/* A To that was not understood takes no tag. */
		if (copied[i] == HEADER_TO && to_tag.len && request->to.uri.len &&
		    !request->to_tag.len) {
			buf_add(buf, SLICE(";tag="));
			add_word(buf, to_tag);
		}
		add_crlf(buf);
	}
}

void builder_reply(struct buf *buf, const struct scan *request, const struct addr *source,
		   const struct reply *reply)
{
	builder_status_line(buf, reply->status, reply->reason);
	builder_reply_head(buf, request, source, reply->to_tag);
	buf_add(buf, reply->headers);
	builder_body(buf, reply->content_type, reply->body);
}
