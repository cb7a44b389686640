/* The canonical form of an identity: what AORs, digest, store keys, policy and logs compare.
 * Escapes are decoded once where they need not be, and written in one way where they must: "%61"
 * and "a" are one, "%40" never becomes the '@' of another address, and %00 or %0D%0A never become
 * bytes that cut or split what holds them. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/uri.h"

#include "control/base/table.h"
#include "sbc/message/chars.h"

static void add_escaped(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";
	buf_add_char(out, '%');
	buf_add_char(out, hex[c >> 4]);
	buf_add_char(out, hex[c & 15]);
}

static void add_canonical_user(struct buf *out, struct slice user)
{
	for (size_t i = 0; i < user.len; i++) {
		unsigned char c = (unsigned char)user.data[i];
		if (c == '%') { /* uri_parse() has seen the two digits */
			c = (unsigned char)(char_hex(user.data[i + 1]) << 4 |
					    char_hex(user.data[i + 2]));
			i += 2;
			/* A reserved character and its escape differ (RFC 3261 19.1.4). */
			if (chars_has(CHARS_UNRESERVED, (char)c))
				buf_add_char(out, (char)c);
			else
				add_escaped(out, c);
		} else if (c == '#') { /* not allowed bare, but sent */
			add_escaped(out, c);
		} else {
			buf_add_char(out, (char)c);
		}
	}
}

static void add_lower(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
}

static void add_number(struct buf *out, struct slice number)
{
	for (size_t i = 0; i < number.len; i++) {
		char c = number.data[i];
		if (c != '-' && c != '.' && c != '(' && c != ')')
			add_lower(out, (struct slice){&c, 1});
	}
}

static void add_host(struct buf *out, const struct uri *uri)
{
	struct addr addr;
	struct slice host = uri->host;
	uint16_t standard = uri->scheme == URI_SIPS ? 5061 : 5060;

	if (host_addr(host, &addr) == 0) {
		addr_add_host(out, &addr);
	} else {
		/* The root's dot says nothing. */
		if (host.len > 1 && host.data[host.len - 1] == '.')
			host.len--;
		add_lower(out, host);
	}
	if (uri->port && uri->port != standard) {
		buf_add_char(out, ':');
		buf_add_u64(out, uri->port);
	}
}

int uri_canonical(const struct uri *uri, struct buf *out)
{
	if (uri->scheme == URI_TEL) {
		struct slice context;
		buf_add_text(out, "tel:");
		add_number(out, uri->user);
		/* A local number means nothing without its context (RFC 3966 5.1.5). */
		if (uri->user.data[0] != '+' &&
		    uri_parameter(uri, SLICE("phone-context"), &context)) {
			buf_add_text(out, ";phone-context=");
			add_lower(out, context);
		}
	} else if (uri->scheme == URI_SIP || uri->scheme == URI_SIPS) {
		buf_add_text(out, uri->scheme == URI_SIPS ? "sips:" : "sip:");
		if (uri->user.len) {
			add_canonical_user(out, uri->user);
			buf_add_char(out, '@');
		}
		add_host(out, uri);
	} else {
		return -ERR_UNSUPPORTED;
	}
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}

int uri_canonical_text(struct slice text, struct buf *out)
{
	struct uri uri;
	int err = uri_parse(text, &uri);
	return err ? err : uri_canonical(&uri, out);
}

uint64_t uri_hash(struct slice text, const uint64_t key[2])
{
	struct buf canonical;
	buf_init(&canonical);
	int err = uri_canonical_text(text, &canonical);
	uint64_t hash = siphash(err ? text : buf_slice(&canonical), key);
	buf_free(&canonical);
	return hash;
}
