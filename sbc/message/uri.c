/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/uri.h"

#include "sbc/message/chars.h"

static bool host_is_numeric(struct slice host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (!char_is_digit(host.data[i]) && host.data[i] != '.')
			return false;
	}
	return true;
}

int host_addr(struct slice host, struct addr *out)
{
	size_t at = slice_find_slice(host, SLICE(":::"));
	if (at == host.len)
		return addr_parse_ip(host, out);

	/* "2001:db8:::192.0.2.1": the ABNF's old fault (RFC 5118 4.10); one colon goes. */
	char text[ADDR_TEXT_SIZE];
	if (host.len >= sizeof(text))
		return -ERR_MALFORMED;
	memcpy(text, host.data, at);
	memcpy(text + at, host.data + at + 1, host.len - at - 1);
	return addr_parse_ip((struct slice){text, host.len - 1}, out);
}

bool host_is_good(struct slice host, bool bracketed)
{
	struct addr addr;

	if (host.len == 0 || host.len > 255)
		return false;
	if (bracketed)
		return slice_find(host, ':') < host.len && !host_addr(host, &addr);
	if (!chars_all(CHARS_HOSTNAME, host))
		return false;
	if (host_is_numeric(host))
		return !addr_parse_ip(host, &addr);
	/* No empty label but the root's: "a..b" and ".a" are not names. */
	return host.data[0] != '.' && host.data[0] != '-' &&
	       slice_find_slice(host, SLICE("..")) == host.len;
}

static int port_cut(struct slice *text, uint16_t *port)
{
	size_t digits = 0;
	uint32_t value;

	while (digits < text->len && char_is_digit(text->data[digits]))
		digits++;
	if (digits > 5 || slice_to_u32(slice_sub(*text, 0, digits), 65535, &value) || value == 0)
		return -ERR_MALFORMED;
	*port = (uint16_t)value;
	*text = slice_sub(*text, digits, text->len - digits);
	return 0;
}

int host_port_cut(struct slice *text, struct slice *host, uint16_t *port)
{
	struct slice rest = *text;
	bool bracketed = rest.len && rest.data[0] == '[';
	size_t end;

	*port = 0;
	if (bracketed) {
		rest = slice_sub(rest, 1, rest.len - 1);
		end = slice_find(rest, ']');
		if (end == rest.len)
			return -ERR_MALFORMED;
	} else {
		end = 0;
		while (end < rest.len && chars_has(CHARS_HOSTNAME, rest.data[end]))
			end++;
	}
	*host = slice_sub(rest, 0, end);
	if (!host_is_good(*host, bracketed))
		return -ERR_MALFORMED;
	rest = slice_sub(rest, bracketed ? end + 1 : end, rest.len);
	*text = rest;

	/* The colon may have spaces around it in a Via (RFC 3261 25.1, COLON). */
	skip_space(&rest);
	if (rest.len == 0 || rest.data[0] != ':')
		return 0;
	rest = slice_sub(rest, 1, rest.len - 1);
	skip_space(&rest);
	if (port_cut(&rest, port))
		return -ERR_MALFORMED;
	*text = rest;
	return 0;
}

enum uri_scheme uri_scheme_of(struct slice text, struct slice *scheme_text)
{
	size_t colon = slice_find(text, ':');
	*scheme_text = SLICE_NONE;
	if (colon == text.len || colon == 0)
		return URI_OTHER;
	for (size_t i = 0; i < colon; i++) {
		char c = text.data[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		if (!letter && (i == 0 || !(char_is_digit(c) || c == '+' || c == '-' || c == '.')))
			return URI_OTHER;
	}
	*scheme_text = slice_sub(text, 0, colon);
	if (slice_equal_nocase(*scheme_text, SLICE("sip")))
		return URI_SIP;
	if (slice_equal_nocase(*scheme_text, SLICE("sips")))
		return URI_SIPS;
	if (slice_equal_nocase(*scheme_text, SLICE("tel")))
		return URI_TEL;
	return URI_OTHER;
}

static bool parameters_are_good(struct slice parameters)
{
	while (parameters.len) { /* always at a semicolon */
		parameters = slice_sub(parameters, 1, parameters.len - 1);
		size_t end = slice_find(parameters, ';');
		struct slice one = slice_sub(parameters, 0, end);
		struct slice name = slice_cut(&one, '=');
		if (name.len == 0 || !chars_all(CHARS_PARAMETER, name) ||
		    !chars_all(CHARS_PARAMETER, one))
			return false;
		parameters = slice_sub(parameters, end, parameters.len);
	}
	return true;
}

static int parse_userinfo(struct slice info, struct uri *out)
{
	struct slice rest = info;
	out->user = slice_cut(&rest, ':');
	out->password = rest;
	if (out->user.len == 0 || !chars_all(CHARS_USER, out->user) ||
	    !chars_all(CHARS_PASSWORD, out->password))
		return -ERR_MALFORMED;
	return 0;
}

static int parse_sip(struct slice rest, struct uri *out)
{
	size_t at = slice_find(rest, '@');
	if (at < rest.len) {
		if (parse_userinfo(slice_sub(rest, 0, at), out))
			return -ERR_MALFORMED;
		rest = slice_sub(rest, at + 1, rest.len);
	}
	if (host_port_cut(&rest, &out->host, &out->port))
		return -ERR_MALFORMED;
	size_t question = slice_find(rest, '?');
	out->parameters = slice_sub(rest, 0, question);
	out->headers = slice_sub(rest, question + 1, rest.len);
	if (question + 1 == rest.len) /* "?" and nothing */
		return -ERR_MALFORMED;
	if (out->parameters.len && out->parameters.data[0] != ';')
		return -ERR_MALFORMED;
	if (!parameters_are_good(out->parameters) || !chars_all(CHARS_URI, out->headers))
		return -ERR_MALFORMED;
	return 0;
}

static int parse_tel(struct slice rest, struct uri *out)
{
	size_t end = slice_find(rest, ';');
	bool digit = false;

	out->user = slice_sub(rest, 0, end);
	out->parameters = slice_sub(rest, end, rest.len);
	for (size_t i = 0; i < out->user.len; i++) {
		char c = out->user.data[i];
		/* Local numbers may hold A to F, * and # (RFC 3966 3). */
		if (char_hex(c) >= 0 || c == '*' || c == '#')
			digit = true;
		else if (c != '-' && c != '.' && c != '(' && c != ')' && !(c == '+' && i == 0))
			return -ERR_MALFORMED;
	}
	return digit && parameters_are_good(out->parameters) ? 0 : -ERR_MALFORMED;
}

int uri_parse(struct slice text, struct uri *out)
{
	struct uri uri = {.raw = text};
	uri.scheme = uri_scheme_of(text, &uri.scheme_text);
	if (uri.scheme_text.len == 0 || uri.scheme_text.len + 1 >= text.len)
		return -ERR_MALFORMED;
	struct slice rest = slice_sub(text, uri.scheme_text.len + 1, text.len);
	int err = 0;
	if (uri.scheme == URI_TEL)
		err = parse_tel(rest, &uri);
	else if (uri.scheme != URI_OTHER)
		err = parse_sip(rest, &uri);
	else if (!chars_all(CHARS_URI, rest))
		err = -ERR_MALFORMED;
	if (!err && uri.scheme != URI_OTHER && !escapes_are_good(rest))
		err = -ERR_MALFORMED;
	if (err)
		return err;
	*out = uri;
	return 0;
}

bool uri_parameter(const struct uri *uri, struct slice name, struct slice *value)
{
	return parameter_find(uri->parameters, name, value);
}

int uri_host_addr(const struct uri *uri, uint16_t default_port, struct addr *out)
{
	struct addr addr;
	if (uri->host.len == 0 || host_addr(uri->host, &addr))
		return -ERR_NOT_FOUND;
	addr.port = uri->port ? uri->port : default_port;
	*out = addr;
	return 0;
}
