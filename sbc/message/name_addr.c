/* Values made of addresses, parameters and lists: From, To, Contact, Route, Via.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/uri.h"

#include "sbc/message/chars.h"

/* Length of the quoted string at the front (with both quotes), 0 = it does not end. */
static size_t quoted_length(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '"')
			return i + 1;
	}
	return 0;
}

bool list_next(struct slice *list, struct slice *member)
{
	bool inside = false; /* < > */
	size_t i = 0;

	if (list->len == 0)
		return false;
	while (i < list->len) {
		char c = list->data[i];
		if (c == '"') {
			size_t n = quoted_length(slice_sub(*list, i, list->len));
			i = n ? i + n : list->len;
			continue;
		}
		if (c == '<')
			inside = true;
		else if (c == '>')
			inside = false;
		else if (c == ',' && !inside)
			break;
		i++;
	}
	*member = slice_trim(slice_sub(*list, 0, i));
	*list = slice_sub(*list, i < list->len ? i + 1 : i, list->len);
	return true;
}

static bool cut_value(struct slice *rest, struct slice *value)
{
	skip_space(rest);
	if (rest->len && rest->data[0] == '"') {
		size_t n = quoted_length(*rest);
		*value = slice_sub(*rest, 0, n);
		*rest = slice_sub(*rest, n, rest->len);
		return n != 0;
	}
	size_t n = 0;
	while (n < rest->len && chars_has(CHARS_VALUE, rest->data[n]))
		n++;
	*value = slice_sub(*rest, 0, n);
	*rest = slice_sub(*rest, n, rest->len);
	return true;
}

bool parameter_next(struct slice *parameters, struct slice *name, struct slice *value)
{
	struct slice rest = *parameters;
	size_t n = 0;

	skip_space(&rest);
	if (rest.len == 0 || rest.data[0] != ';')
		return false;
	rest = slice_sub(rest, 1, rest.len);
	skip_space(&rest);
	/* Names of URI parameters may hold more than a token. */
	while (n < rest.len &&
	       (chars_has(CHARS_TOKEN, rest.data[n]) || chars_has(CHARS_PARAMETER, rest.data[n])))
		n++;
	if (n == 0)
		return false;
	struct slice found = slice_sub(rest, 0, n);
	struct slice what = SLICE_NONE;
	rest = slice_sub(rest, n, rest.len);
	skip_space(&rest);
	if (rest.len && rest.data[0] == '=') {
		rest = slice_sub(rest, 1, rest.len);
		if (!cut_value(&rest, &what))
			return false;
	}
	skip_space(&rest);
	if (rest.len && rest.data[0] != ';')
		return false;
	*parameters = rest;
	*name = found;
	*value = what;
	return true;
}

bool parameter_find(struct slice parameters, struct slice name, struct slice *value)
{
	struct slice one, what;
	while (parameter_next(&parameters, &one, &what)) {
		if (slice_equal_nocase(one, name)) {
			*value = what;
			return true;
		}
	}
	return false;
}

struct slice unquoted(struct slice s)
{
	if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"')
		return slice_sub(s, 1, s.len - 2);
	return s;
}

/* Length of the display name at the front: one quoted string, or tokens with spaces (bytes above
 * ASCII are let pass: many phones send UTF-8 without quotes). Ends at '<'. */
static int display_length(struct slice s, size_t *out)
{
	size_t n = 0;
	if (s.len && s.data[0] == '"') {
		n = quoted_length(s);
		if (n == 0)
			return -ERR_MALFORMED;
		while (n < s.len && char_is_space(s.data[n]))
			n++;
	} else {
		while (n < s.len && (chars_has(CHARS_TOKEN, s.data[n]) ||
				     char_is_space(s.data[n]) || (unsigned char)s.data[n] >= 0x80))
			n++;
	}
	*out = n;
	return n < s.len && s.data[n] == '<' ? 0 : -ERR_MALFORMED;
}

static int parse_bare(struct slice value, struct name_addr *out)
{
	/* RFC 3261 20: with a comma, semicolon or question mark < > are needed; so a semicolon
	 * starts the header's parameters, and the other two cannot be. */
	size_t end = 0;
	while (end < value.len && value.data[end] != ';' && !char_is_space(value.data[end]))
		end++;
	out->uri = slice_sub(value, 0, end);
	out->parameters = slice_sub(value, end, value.len);
	if (slice_find(out->uri, '?') < out->uri.len || slice_find(out->uri, ',') < out->uri.len ||
	    slice_find(out->uri, '"') < out->uri.len)
		return -ERR_MALFORMED;
	return 0;
}

int name_addr_parse(struct slice value, struct name_addr *out)
{
	struct name_addr found = {.raw = value};
	size_t open = 0;

	if (display_length(value, &open) == 0) {
		struct slice rest = slice_sub(value, open + 1, value.len);
		size_t close = slice_find(rest, '>');
		if (close == rest.len)
			return -ERR_MALFORMED;
		found.display = slice_trim(slice_sub(value, 0, open));
		found.uri = slice_sub(rest, 0, close);
		found.parameters = slice_sub(rest, close + 1, rest.len);
	} else if (value.len == 0 || value.data[0] == '"' || slice_find(value, '<') < value.len ||
		   parse_bare(value, &found)) {
		return -ERR_MALFORMED;
	}
	if (found.uri.len == 0)
		return -ERR_MALFORMED;

	struct slice rest = found.parameters, name, what;
	while (parameter_next(&rest, &name, &what))
		continue;
	skip_space(&rest);
	if (rest.len)
		return -ERR_MALFORMED;
	*out = found;
	return 0;
}
