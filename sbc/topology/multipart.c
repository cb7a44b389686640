/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/multipart.h"
#include "sbc/message/uri.h"

enum { BOUNDARY_MAX = 70 }; /* RFC 2046 5.1.1 */

static struct slice bare_type(struct slice content_type)
{
	return slice_trim(slice_sub(content_type, 0, slice_find(content_type, ';')));
}

bool content_type_is(struct slice content_type, struct slice type)
{
	return slice_equal_nocase(bare_type(content_type), type);
}

bool multipart_open(struct slice content_type, struct slice body, struct multipart *out)
{
	struct slice boundary;
	size_t semicolon = slice_find(content_type, ';');

	if (!slice_starts_nocase(slice_trim(content_type), SLICE("multipart/")) ||
	    !parameter_find(slice_sub(content_type, semicolon, content_type.len), SLICE("boundary"),
			    &boundary))
		return false;
	boundary = unquoted(boundary);
	if (boundary.len == 0 || boundary.len > BOUNDARY_MAX)
		return false;
	*out = (struct multipart){.boundary = boundary, .body = body};
	return true;
}

/* Where a line "--boundary" begins at or after `from`; `after` is behind its line end. A line that
 * closes ("--boundary--") is told. -1 = none. */
static bool find_delimiter(const struct multipart *multipart, size_t from, size_t *start,
			   size_t *after, bool *closes)
{
	struct slice body = multipart->body, walk, line;
	size_t least = from + 2; /* where a boundary may stand, behind its dashes */

	while (least < body.len) {
		walk = slice_sub(body, least, body.len);
		size_t found = slice_find_slice(walk, multipart->boundary);
		if (found == walk.len)
			return false;
		size_t at = least + found - 2;
		least += found + 1;
		if (body.data[at] != '-' || body.data[at + 1] != '-' ||
		    (at > from && body.data[at - 1] != '\n'))
			continue;
		walk = slice_sub(body, at, body.len);
		(void)slice_next_line(&walk, &line);
		struct slice tail = slice_sub(line, 2 + multipart->boundary.len, line.len);
		*closes = slice_starts(tail, SLICE("--"));
		if (*closes || slice_trim(tail).len == 0) {
			*start = at;
			*after = body.len - walk.len;
			return true;
		}
	}
	return false;
}

/* The line end before a delimiter belongs to it. */
static size_t before_line_end(struct slice body, size_t at, size_t least)
{
	if (at > least && body.data[at - 1] == '\n')
		at--;
	if (at > least && body.data[at - 1] == '\r')
		at--;
	return at;
}

static void read_headers(struct slice all, struct part *part, size_t *headers_len,
			 size_t *content_at)
{
	struct slice rest = all, line;

	*headers_len = 0;
	*content_at = all.len;
	while (slice_next_line(&rest, &line)) {
		size_t line_end = all.len - rest.len;
		if (line.len == 0) {
			*content_at = line_end;
			return;
		}
		*headers_len = line_end;
		if ((line.data[0] | 0x20) != 'c' && line.data[0] != ' ' && line.data[0] != '\t')
			continue; /* none of those below */
		struct slice name = slice_trim(slice_sub(line, 0, slice_find(line, ':')));
		struct slice value =
			slice_trim(slice_sub(line, slice_find(line, ':') + 1, line.len));
		if (slice_equal_nocase(name, SLICE("Content-Type")) ||
		    slice_equal_nocase(name, SLICE("c")))
			part->type = value;
		else if ((slice_equal_nocase(name, SLICE("Content-Transfer-Encoding")) &&
			  !slice_equal_nocase(value, SLICE("binary")) &&
			  !slice_equal_nocase(value, SLICE("8bit")) &&
			  !slice_equal_nocase(value, SLICE("7bit"))) ||
			 (slice_equal_nocase(name, SLICE("Content-Encoding")) &&
			  !slice_equal_nocase(value, SLICE("identity"))))
			part->encoding = value;
	}
}

bool multipart_next(struct multipart *multipart, struct part *out)
{
	struct part part = {.type = SLICE_NONE};
	size_t start, after, next, next_after, headers_len, content_at;
	bool closes;

	if (multipart->count == MULTIPART_PARTS_MAX ||
	    !find_delimiter(multipart, multipart->at, &start, &after, &closes) || closes ||
	    !find_delimiter(multipart, after, &next, &next_after, &closes))
		return false;
	multipart->count++;
	multipart->at = next;
	part.start = after;
	part.end = before_line_end(multipart->body, next, after);
	struct slice all = slice_sub(multipart->body, part.start, part.end - part.start);
	read_headers(all, &part, &headers_len, &content_at);
	part.headers = slice_sub(all, 0, headers_len);
	part.content = slice_sub(all, content_at, all.len);
	*out = part;
	return true;
}

static struct slice find_sdp(struct slice type, struct slice body, int depth)
{
	struct multipart multipart;
	struct part part;

	if (content_type_is(type, SLICE("application/sdp")))
		return body;
	if (depth == MULTIPART_DEPTH_MAX || !multipart_open(type, body, &multipart))
		return SLICE_NONE;
	while (multipart_next(&multipart, &part)) {
		if (part.encoding.len > 0)
			continue;
		struct slice found = find_sdp(part.type, part.content, depth + 1);
		if (found.len > 0)
			return found;
	}
	return SLICE_NONE;
}

struct slice multipart_sdp(struct slice content_type, struct slice body)
{
	return find_sdp(content_type, body, 0);
}

void multipart_write_part(const struct part *part, struct slice content, struct buf *out)
{
	struct slice rest = part->headers, line;

	while (slice_next_line(&rest, &line)) {
		if (slice_starts_nocase(line, SLICE("Content-Length")))
			buf_printf(out, "Content-Length: %zu\r\n", content.len);
		else {
			buf_add(out, line);
			buf_add_text(out, "\r\n");
		}
	}
	buf_add_text(out, "\r\n");
	buf_add(out, content);
}

static int set_sdp(struct slice type, struct slice body, struct slice sdp, int depth,
		   struct buf *out)
{
	struct multipart multipart;
	struct part part;

	if (content_type_is(type, SLICE("application/sdp"))) {
		buf_add(out, sdp);
		return 0;
	}
	if (depth == MULTIPART_DEPTH_MAX || !multipart_open(type, body, &multipart))
		return -ERR_NOT_FOUND;
	while (multipart_next(&multipart, &part)) {
		struct buf content;
		if (part.encoding.len > 0)
			continue;
		buf_init(&content);
		int err = set_sdp(part.type, part.content, sdp, depth + 1, &content);
		if (!err) {
			buf_add(out, slice_sub(body, 0, part.start));
			multipart_write_part(&part, buf_slice(&content), out);
			buf_add(out, slice_sub(body, part.end, body.len));
		}
		if (buf_failed(&content))
			out->failed = true;
		buf_free(&content);
		if (err != -ERR_NOT_FOUND)
			return err;
	}
	return -ERR_NOT_FOUND;
}

int multipart_set_sdp(struct slice content_type, struct slice body, struct slice sdp,
		      struct buf *out)
{
	int err = set_sdp(content_type, body, sdp, 0, out);
	return err ? err : buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
