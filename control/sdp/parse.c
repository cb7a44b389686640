/* parse.c - a session description from text: lines into sections, each checked as it comes.
 * One pass; each line costs its own length. Lines in a wrong order are put where RFC 8866 wants
 * them; unknown lines stay behind the line they followed. SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/lines.h"

struct parser {
	struct sdp *sdp;
	struct sdp_section *section;
	struct sdp_media *media;          /* NULL in the session part */
	struct sdp_line *tail[SDP_RANKS]; /* last line of each rank in this section */
	unsigned rank;                    /* of the line before */
	unsigned media_cap;
	unsigned lines;
	unsigned attributes;
	bool has_origin;
	bool has_name;
	bool has_connection; /* in the session part, while we are there */
	struct sdp_fault fault;
};

static int refuse(struct parser *parser, int err, const char *at, const char *reason)
{
	parser->fault = (struct sdp_fault){.at = at, .reason = reason};
	return err;
}

/* Append behind the last line of the same or an earlier rank. */
static void place(struct parser *parser, struct sdp_line *line)
{
	unsigned rank = sdp_line_rank(line->type);
	struct sdp_line *after = NULL;

	if (rank == SDP_RANK_UNKNOWN)
		rank = parser->rank;
	for (unsigned i = 0; i <= rank; i++)
		if (parser->tail[i])
			after = parser->tail[i];
	sdp_line_link(parser->section, after, line);
	parser->tail[rank] = line;
	parser->rank = rank;
}

static int parse_connection_line(struct parser *parser, struct sdp_line *line)
{
	if (!parser->media && parser->has_connection)
		return refuse(parser, -ERR_MALFORMED, line->value.data,
			      "second c= line in the session part");
	parser->has_connection = true;
	line->connection = arena_zalloc(parser->sdp->arena, sizeof(*line->connection));
	if (!line->connection)
		return refuse(parser, -ERR_NO_MEMORY, line->value.data, "out of memory");
	return sdp_read_connection(line->value, line->connection, &parser->fault);
}

static int parse_attribute_line(struct parser *parser, struct sdp_line *line)
{
	if (++parser->attributes > SDP_MAX_ATTRIBUTES)
		return refuse(parser, -ERR_TOO_MANY, line->value.data, "too many a= lines");
	int err = sdp_read_attribute(line->value, line, &parser->fault);
	if (!err && parser->media)
		err = sdp_check_media_attribute(parser->media, line, &parser->fault);
	return err;
}

/* A line of the sections: everything but v=, o=, s=, m=. */
static int parse_section_line(struct parser *parser, char type, struct slice value)
{
	struct sdp_line *line = arena_zalloc(parser->sdp->arena, sizeof(*line));
	int err = 0;

	if (!line)
		return refuse(parser, -ERR_NO_MEMORY, value.data, "out of memory");
	line->type = type;
	line->value = value;
	if (parser->media && strchr("ueptrz", type))
		return refuse(parser, -ERR_MALFORMED, value.data,
			      "line of the session part after an m= line");
	if (type == 'c')
		err = parse_connection_line(parser, line);
	else if (type == 'a')
		err = parse_attribute_line(parser, line);
	else if (type == 'b')
		err = sdp_check_bandwidth(value, &parser->fault);
	else if (type == 't')
		err = sdp_check_time(value, &parser->fault);
	if (err)
		return err;
	place(parser, line);
	return 0;
}

static int parse_media_line(struct parser *parser, struct slice value)
{
	struct sdp *sdp = parser->sdp;
	struct sdp_media media = {.sdp = sdp, .index = sdp->media_count};

	if (sdp->media_count == SDP_MAX_MEDIA)
		return refuse(parser, -ERR_TOO_MANY, value.data, "too many m= lines");
	int err = sdp_read_media(sdp->arena, value, &media, &parser->fault);
	if (err)
		return err;
	if (sdp->media_count == parser->media_cap) {
		unsigned cap = parser->media_cap ? parser->media_cap * 2 : 2;
		struct sdp_media *grown =
			arena_realloc(sdp->arena, sdp->media, parser->media_cap * sizeof(*grown),
				      cap * sizeof(*grown));
		if (!grown)
			return refuse(parser, -ERR_NO_MEMORY, value.data, "out of memory");
		sdp->media = grown;
		parser->media_cap = cap;
	}
	parser->media = &sdp->media[sdp->media_count++];
	*parser->media = media;
	parser->section = &parser->media->section;
	memset(parser->tail, 0, sizeof(parser->tail));
	parser->rank = 0;
	return 0;
}

static int parse_once(struct parser *parser, bool *seen, const char *at, const char *reason)
{
	if (*seen || parser->media)
		return refuse(parser, -ERR_MALFORMED, at, reason);
	*seen = true;
	return 0;
}

static int parse_line(struct parser *parser, char type, struct slice value)
{
	int err;

	switch (type) {
	case 'v':
		return refuse(parser, -ERR_MALFORMED, value.data, "v= line twice");
	case 'o':
		err = parse_once(parser, &parser->has_origin, value.data,
				 "o= line twice or after an m= line");
		return err ? err : sdp_read_origin(value, &parser->sdp->origin, &parser->fault);
	case 's':
		err = parse_once(parser, &parser->has_name, value.data,
				 "s= line twice or after an m= line");
		if (!err)
			parser->sdp->session_name = value;
		return err;
	case 'm':
		return parse_media_line(parser, value);
	default:
		return parse_section_line(parser, type, value);
	}
}

/* The form of any line, RFC 8866 section 5: a letter, '=', no NUL or CR in what follows. */
static int check_line(struct parser *parser, struct slice line)
{
	if (!line.len)
		return refuse(parser, -ERR_MALFORMED, line.data, "empty line");
	char c = (char)(line.data[0] | 0x20);
	if (c < 'a' || c > 'z')
		return refuse(parser, -ERR_MALFORMED, line.data,
			      "line starts without a type letter");
	if (line.len < 2 || line.data[1] != '=')
		return refuse(parser, -ERR_MALFORMED, line.data + 1,
			      "no '=' after the type letter");
	const char *bad = memchr(line.data, '\0', line.len);
	if (bad)
		return refuse(parser, -ERR_MALFORMED, bad, "NUL byte");
	bad = memchr(line.data, '\r', line.len);
	if (bad)
		return refuse(parser, -ERR_MALFORMED, bad, "carriage return inside a line");
	return 0;
}

static struct slice trim_end(struct slice text)
{
	while (text.len && (text.data[text.len - 1] == '\r' || text.data[text.len - 1] == '\n'))
		text.len--;
	return text;
}

static int parse_lines(struct parser *parser, struct slice text)
{
	struct slice rest = trim_end(text); /* blank lines pass at the end alone */
	struct slice line = {text.data, 0};
	int err = 0;

	while (!err && slice_next_line(&rest, &line)) {
		parser->lines++;
		err = check_line(parser, line);
		if (err)
			return err;
		struct slice value = {line.data + 2, line.len - 2};
		if (parser->lines == 1) {
			if (line.data[0] != 'v' || !slice_equal(slice_trim(value), SLICE("0")))
				err = refuse(parser, -ERR_MALFORMED, line.data,
					     "first line is not v=0");
		} else if (parser->lines > SDP_MAX_LINES) {
			err = refuse(parser, -ERR_TOO_MANY, line.data, "too many lines");
		} else {
			err = parse_line(parser, line.data[0], value);
		}
	}
	if (err)
		return err;
	if (!parser->lines)
		return refuse(parser, -ERR_MALFORMED, text.data, "empty body");
	if (!parser->has_origin)
		return refuse(parser, -ERR_MALFORMED, line.data, "no o= line");
	return 0;
}

/* Each stream in use needs an address, its own or the session's (RFC 8866 5.7). */
static int check_connections(struct parser *parser)
{
	const struct sdp *sdp = parser->sdp;
	const struct sdp_line *line = sdp->section.lines;

	while (line && line->type != 'c')
		line = line->next;
	for (unsigned i = 0; !line && i < sdp->media_count; i++) {
		const struct sdp_media *media = &sdp->media[i];
		const struct sdp_line *own = media->section.lines;

		while (own && own->type != 'c')
			own = own->next;
		if (!own && media->port)
			return refuse(parser, -ERR_MALFORMED, media->type.data,
				      "no c= line for this m= line");
	}
	return 0;
}

/* t= is mandatory, and some phones forget it. */
static int mend_time(struct parser *parser)
{
	const struct sdp_line *line = parser->sdp->section.lines;
	struct sdp_line *time;

	while (line && line->type != 't')
		line = line->next;
	if (line)
		return 0;
	time = arena_zalloc(parser->sdp->arena, sizeof(*time));
	if (!time)
		return refuse(parser, -ERR_NO_MEMORY, NULL, "out of memory");
	time->type = 't';
	time->value = SLICE("0 0");
	struct sdp_line *after = NULL;
	for (struct sdp_line *at = parser->sdp->section.lines; at; at = at->next)
		if (sdp_line_rank(at->type) <= sdp_line_rank('t'))
			after = at;
	sdp_line_link(&parser->sdp->section, after, time);
	return 0;
}

static unsigned line_of(struct slice text, const char *at, const char **start)
{
	struct slice rest = text;
	struct slice line;
	unsigned number = 0;

	*start = text.data;
	while (slice_next_line(&rest, &line) && line.data <= at) {
		number++;
		*start = line.data;
	}
	return number ? number : 1;
}

static void explain(const struct parser *parser, struct slice text, struct sdp_error *why)
{
	const char *start = text.data;
	const char *at = parser->fault.at;
	bool inside = at && text.data && at >= text.data && at <= text.data + text.len;

	if (!why)
		return;
	*why = (struct sdp_error){.line = 1, .column = 1, .reason = parser->fault.reason};
	if (!inside)
		return;
	why->line = line_of(text, at, &start);
	why->column = (unsigned)(at - start) + 1;
}

int sdp_parse(struct arena *arena, struct slice text, struct sdp **out, struct sdp_error *why)
{
	struct parser parser = {.rank = 0};
	int err;

	if (text.len > SDP_MAX_BYTES) {
		if (why)
			*why = (struct sdp_error){1, 1, "body too large"};
		return -ERR_TOO_LARGE;
	}
	struct slice copy = arena_copy(arena, text);
	parser.sdp = arena_zalloc(arena, sizeof(*parser.sdp));
	if ((text.len && !copy.data) || !parser.sdp) {
		if (why)
			*why = (struct sdp_error){1, 1, "out of memory"};
		return -ERR_NO_MEMORY;
	}
	parser.sdp->arena = arena;
	parser.section = &parser.sdp->section;
	err = parse_lines(&parser, copy);
	if (!err)
		err = check_connections(&parser);
	if (!err)
		err = mend_time(&parser);
	if (err) {
		explain(&parser, copy, why);
		return err;
	}
	*out = parser.sdp;
	return 0;
}
