/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/server.h"
#include <stdlib.h>
#include "sbc/auth/header.h"

enum { NONCES_MAX = 131072, NAME_MAX_LENGTH = 255 };

int auth_server_init(struct auth_server *server, struct directory *directory, struct random *random)
{
	*server = (struct auth_server){.random = random};
	random_fill(random, server->secret, sizeof(server->secret));
	directory_reader_init(&server->reader, directory);
	return nonce_table_init(&server->nonces, random, NONCES_MAX);
}

void auth_server_free(struct auth_server *server)
{
	nonce_table_free(&server->nonces);
	directory_reader_free(&server->reader);
	digest_wipe(server->secret, sizeof(server->secret));
}

static bool is_offered(const struct auth_question *question, enum digest_algorithm algorithm)
{
	for (size_t i = 0; i < question->algorithm_count; i++)
		if (question->algorithms[i] == algorithm)
			return true;
	return false;
}

/* The credentials for our realm, with an algorithm that we offer. */
static bool find_credentials(const struct auth_question *question, const struct message *request,
			     struct auth_fields *out, enum digest_algorithm *algorithm)
{
	const struct scan *scan = message_scan(request);
	enum header_id id = question->is_proxy ? HEADER_PROXY_AUTHORIZATION : HEADER_AUTHORIZATION;
	bool session;

	for (int at = scan_header(scan, id, -1); at >= 0; at = scan_header(scan, id, at))
		if (!auth_fields_parse(scan->headers[at].value, out) &&
		    slice_equal_nocase(out->realm, question->realm) &&
		    !auth_algorithm(out->algorithm, algorithm, &session) && !session &&
		    is_offered(question, *algorithm))
			return true;
	return false;
}

/* RFC 7616 3.4: the URI of the digest is the request's; a proxy between may have written it
 * another way. */
static bool is_for_uri(struct slice digest_uri, struct slice request_uri)
{
	struct uri a, b;

	if (slice_equal(digest_uri, request_uri))
		return true;
	return !uri_parse(digest_uri, &a) && !uri_parse(request_uri, &b) && a.scheme == b.scheme &&
	       slice_equal(a.user, b.user) && slice_equal_nocase(a.host, b.host);
}

/* The same steps for those who exist and for those who do not. */
static int find_ha1(struct auth_server *server, const struct auth_question *question,
		    struct slice user, enum digest_algorithm algorithm, struct digest_hex *out,
		    bool *exists)
{
	struct slice real = SLICE_NONE;
	struct digest_hex chance;
	uint8_t mac[DIGEST_RAW_MAX];
	size_t len = digest_hex_length(algorithm);

	int err = digest_mac(server->secret, sizeof(server->secret), user, mac, sizeof(mac));
	const struct slice part = {(const char *)mac, sizeof(mac)};
	if (!err)
		err = digest_of(algorithm, &part, 1, &chance);
	if (err)
		return err;
	*exists = directory_find(&server->reader, question->realm, user, algorithm, &real);
	const char *from = *exists ? real.data : chance.text;
	memcpy(out->text, from, len);
	out->text[len] = '\0';
	return 0;
}

static int expected(const struct auth_fields *fields, enum digest_algorithm algorithm,
		    struct slice method, struct slice ha1, struct digest_hex *out)
{
	const struct slice second[] = {method, fields->uri};
	struct digest_hex ha2;

	int err = digest_of(algorithm, second, 2, &ha2);
	if (err)
		return err;
	if (slice_is_empty(fields->qop)) {
		const struct slice parts[] = {ha1, fields->nonce, slice_from(ha2.text)};
		return digest_of(algorithm, parts, 3, out);
	}
	const struct slice parts[] = {ha1,         fields->nonce,       fields->nc, fields->cnonce,
				      fields->qop, slice_from(ha2.text)};
	return digest_of(algorithm, parts, 6, out);
}

/* Eight hexadecimal digits (RFC 7616 3.4). */
static bool read_count(struct slice text, uint32_t *out)
{
	uint32_t value = 0;

	if (text.len != 8)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
				 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
				 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
							: 16;
		if (digit > 15)
			return false;
		value = value << 4 | digit;
	}
	*out = value;
	return value > 0;
}

static bool has_form(const struct auth_fields *fields, const struct message *request,
		     uint32_t *count)
{
	*count = 0;
	if (slice_is_empty(fields->username) || fields->username.len > NAME_MAX_LENGTH ||
	    slice_is_empty(fields->nonce) || slice_is_empty(fields->response) ||
	    !is_for_uri(fields->uri, message_request_uri(request)))
		return false;
	if (slice_is_empty(fields->qop))
		return true;
	return slice_equal_nocase(fields->qop, SLICE("auth")) && fields->cnonce.len > 0 &&
	       read_count(fields->nc, count);
}

enum auth_verdict auth_server_check(struct auth_server *server,
				    const struct auth_question *question,
				    const struct message *request, uint64_t now_ms,
				    struct slice *user)
{
	enum digest_algorithm algorithm = DIGEST_MD5;
	struct digest_hex ha1, right;
	struct auth_fields fields;
	uint32_t count;
	bool exists = false;

	if (!find_credentials(question, request, &fields, &algorithm))
		return AUTH_ABSENT;
	if (!has_form(&fields, request, &count))
		return AUTH_REFUSED;
	if (find_ha1(server, question, fields.username, algorithm, &ha1, &exists) != 0 ||
	    expected(&fields, algorithm, message_method_text(request), slice_from(ha1.text),
		     &right) != 0)
		return AUTH_REFUSED;
	bool same = digest_is_same(slice_from(right.text), fields.response);
	digest_wipe(&ha1, sizeof(ha1));
	if (!same || !exists)
		return AUTH_REFUSED;
	*user = fields.username;
	return nonce_use(&server->nonces, fields.nonce, count, now_ms) == 0 ? AUTH_ACCEPTED
									    : AUTH_STALE;
}

void auth_server_challenge(struct auth_server *server, const struct auth_question *question,
			   bool is_stale, uint64_t now_ms, struct buf *out)
{
	enum header_id id =
		question->is_proxy ? HEADER_PROXY_AUTHENTICATE : HEADER_WWW_AUTHENTICATE;
	char nonce[NONCE_LENGTH];

	if (nonce_make(&server->nonces, server->random, now_ms, nonce) != 0) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < question->algorithm_count; i++) {
		buf_add(out, header_text(id));
		buf_add_text(out, ": Digest realm=\"");
		buf_add(out, question->realm);
		buf_add_text(out, "\", nonce=\"");
		buf_add(out, (struct slice){nonce, NONCE_LENGTH});
		buf_add_text(out, "\", algorithm=");
		buf_add(out, digest_name(question->algorithms[i]));
		buf_add_text(out,
			     is_stale ? ", qop=\"auth\", stale=true\r\n" : ", qop=\"auth\"\r\n");
	}
}

bool auth_user_is(struct slice username, struct slice text)
{
	struct uri uri;
	size_t at = 0;

	if (uri_parse(text, &uri) != 0)
		return false;
	for (size_t i = 0; i < uri.user.len; i++, at++) {
		char c = uri.user.data[i];
		if (c == '%' && i + 2 < uri.user.len) {
			/* uri_parse() has seen that two digits follow */
			char digits[3] = {uri.user.data[i + 1], uri.user.data[i + 2], '\0'};
			c = (char)strtoul(digits, NULL, 16);
			i += 2;
		}
		if (at >= username.len || username.data[at] != c)
			return false;
	}
	return at == username.len;
}
