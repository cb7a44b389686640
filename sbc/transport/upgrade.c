/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/upgrade.h"

#include "sbc/message/chars.h"
#include "sbc/transport/tls.h"

enum { HEADERS_MAX = 64 };

struct upgrade {
	struct slice host, origin, key, version;
	unsigned int hosts, origins, keys, versions;
	bool upgrades;   /* Upgrade: websocket */
	bool connection; /* Connection: upgrade */
	bool sip;        /* Sec-WebSocket-Protocol: sip */
	bool has_body;
};

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!chars_has(CHARS_TOKEN, text.data[i]))
			return false;
	return text.len != 0;
}

/* "a, b": is `word` one of them, in any case? */
static bool has_word(struct slice list, struct slice word)
{
	while (list.len)
		if (slice_equal_nocase(slice_trim(slice_cut(&list, ',')), word))
			return true;
	return false;
}

static bool is_printable(struct slice text, bool with_space)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c == 0x7f || (c < 0x20 && c != '\t') || (!with_space && c <= 0x20))
			return false;
	}
	return true;
}

static void take_header(struct upgrade *upgrade, struct slice name, struct slice value)
{
	if (slice_equal_nocase(name, SLICE("Host"))) {
		upgrade->host = value;
		upgrade->hosts++;
	} else if (slice_equal_nocase(name, SLICE("Origin"))) {
		upgrade->origin = value;
		upgrade->origins++;
	} else if (slice_equal_nocase(name, SLICE("Sec-WebSocket-Key"))) {
		upgrade->key = value;
		upgrade->keys++;
	} else if (slice_equal_nocase(name, SLICE("Sec-WebSocket-Version"))) {
		upgrade->version = value;
		upgrade->versions++;
	} else if (slice_equal_nocase(name, SLICE("Upgrade"))) {
		upgrade->upgrades |= has_word(value, SLICE("websocket"));
	} else if (slice_equal_nocase(name, SLICE("Connection"))) {
		upgrade->connection |= has_word(value, SLICE("upgrade"));
	} else if (slice_equal_nocase(name, SLICE("Sec-WebSocket-Protocol"))) {
		upgrade->sip |= has_word(value, SLICE("sip"));
	} else if (slice_equal_nocase(name, SLICE("Transfer-Encoding")) ||
		   (slice_equal_nocase(name, SLICE("Content-Length")) &&
		    !slice_equal(value, SLICE("0")))) {
		upgrade->has_body = true;
	}
}

/* Every line ends in CRLF; folded ones are refused (RFC 9112 5.2). */
static bool cut_line(struct slice *head, struct slice *line)
{
	size_t at = slice_find_slice(*head, SLICE("\r\n"));

	if (at == head->len)
		return false;
	*line = slice_sub(*head, 0, at);
	*head = slice_sub(*head, at + 2, head->len);
	return true;
}

static bool read_headers(struct slice head, struct upgrade *out)
{
	struct slice line;

	for (int count = 0; cut_line(&head, &line) && line.len; count++) {
		struct slice name = slice_cut(&line, ':');
		if (count == HEADERS_MAX || !is_token(name) || !is_printable(line, true))
			return false;
		take_header(out, name, slice_trim(line));
	}
	return true;
}

static bool origin_may(const struct upgrade_policy *policy, struct slice origin)
{
	for (size_t i = 0; i < policy->origin_count; i++)
		if (slice_equal_nocase(origin, slice_from(policy->origins[i])))
			return true;
	return policy->origin_count == 0;
}

static int refuse(struct buf *answer, const char *status, const char *headers)
{
	buf_printf(answer, "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n",
		   status, headers);
	return -ERR_DENIED;
}

static int judge(const struct upgrade_policy *policy, struct slice line,
		 const struct upgrade *upgrade, struct buf *answer)
{
	struct slice method = slice_cut(&line, ' '), target = slice_cut(&line, ' ');
	char accept[WEBSOCKET_ACCEPT_SIZE];

	if (!is_token(method) || !target.len || !is_printable(target, false) ||
	    !slice_starts(line, SLICE("HTTP/")))
		return refuse(answer, "400 Bad Request", "");
	if (!slice_equal(line, SLICE("HTTP/1.1")))
		return refuse(answer, "505 HTTP Version Not Supported", "");
	if (!slice_equal(method, SLICE("GET")))
		return refuse(answer, "405 Method Not Allowed", "Allow: GET\r\n");
	if (upgrade->hosts != 1 || !upgrade->host.len || upgrade->has_body || upgrade->origins > 1)
		return refuse(answer, "400 Bad Request", "");
	if (!upgrade->upgrades || !upgrade->connection)
		return refuse(answer, "426 Upgrade Required",
			      "Upgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n");
	if (upgrade->versions != 1 || !slice_equal(upgrade->version, SLICE("13")))
		return refuse(answer, "426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n");
	if (upgrade->keys != 1 || tls_websocket_accept(upgrade->key, accept) != 0)
		return refuse(answer, "400 Bad Request", "");
	if (!upgrade->sip)
		return refuse(answer, "400 Bad Request", "Sec-WebSocket-Protocol: sip\r\n");
	if (!origin_may(policy, upgrade->origin))
		return refuse(answer, "403 Forbidden", "");
	buf_printf(answer,
		   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
		   "Sec-WebSocket-Protocol: sip\r\n\r\n",
		   accept);
	return 0;
}

int upgrade_read(const struct upgrade_policy *policy, struct slice data, size_t *used,
		 struct buf *answer)
{
	struct upgrade upgrade = {0};
	struct slice line;
	size_t at = slice_find_slice(data, SLICE("\r\n\r\n"));

	if (at == data.len && data.len < UPGRADE_MAX) {
		/* What cannot become a request is not waited for. */
		if (data.len && !chars_has(CHARS_TOKEN, data.data[0]))
			return refuse(answer, "400 Bad Request", "");
		return -ERR_AGAIN;
	}
	if (at + 4 > UPGRADE_MAX)
		return refuse(answer, "431 Request Header Fields Too Large", "");
	*used = at + 4;
	struct slice head = slice_sub(data, 0, *used);
	if (!cut_line(&head, &line) || !read_headers(head, &upgrade))
		return refuse(answer, "400 Bad Request", "");
	return judge(policy, line, &upgrade, answer);
}
