/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/client.h"
#include "sbc/auth/header.h"
#include "sbc/topology/owned.h"

enum { CNONCE_LENGTH = 20 };

void auth_client_free(struct auth_client *client)
{
	owned_free(&client->challenge);
	*client = (struct auth_client){0};
}

bool auth_client_is_ready(const struct auth_client *client)
{
	return client->challenge.len > 0;
}

/* How good a challenge is: 0 = not for us. */
static int worth(const struct auth_identity *identity, struct slice value,
		 struct auth_fields *fields)
{
	enum digest_algorithm algorithm;
	bool session;

	if (auth_fields_parse(value, fields) != 0 || slice_is_empty(fields->nonce) ||
	    !fields->realm.data || auth_algorithm(fields->algorithm, &algorithm, &session) != 0)
		return 0;
	if (!slice_is_empty(identity->realm) && !slice_equal_nocase(identity->realm, fields->realm))
		return 0;
	if (!slice_is_empty(fields->qop) && !auth_list_has(fields->qop, SLICE("auth")) &&
	    !auth_list_has(fields->qop, SLICE("auth-int")))
		return 0;
	if (!auth_is_quotable(fields->realm) || !auth_is_quotable(fields->nonce) ||
	    !auth_is_quotable(fields->opaque))
		return 0;
	return 1 + (int)algorithm;
}

int auth_client_challenged(struct auth_client *client, const struct auth_identity *identity,
			   const struct message *response, bool answered)
{
	bool is_proxy = message_status(response) == 407;
	enum header_id id = is_proxy ? HEADER_PROXY_AUTHENTICATE : HEADER_WWW_AUTHENTICATE;
	const struct scan *scan = message_scan(response);
	struct slice best = SLICE_NONE;
	struct auth_fields fields;
	int most = 0;
	bool stale = false;

	for (int at = scan_header(scan, id, -1); at >= 0; at = scan_header(scan, id, at)) {
		int now = worth(identity, scan->headers[at].value, &fields);
		if (now <= most)
			continue;
		most = now;
		best = scan->headers[at].value;
		stale = slice_equal_nocase(fields.stale, SLICE("true"));
	}
	if (most == 0)
		return -ERR_NOT_FOUND;
	if (answered && !stale)
		return -ERR_DENIED;
	int err = owned_set(&client->challenge, best);
	if (err)
		return err;
	client->count = 0;
	client->is_proxy = is_proxy;
	return 0;
}

struct working {
	struct auth_fields fields;
	enum digest_algorithm algorithm;
	struct slice qop; /* empty = none */
	struct slice count;
	struct slice cnonce;
};

static int first_half(const struct working *working, const struct auth_identity *identity,
		      bool session, struct digest_hex *out)
{
	int err = digest_ha1(working->algorithm, identity->user, working->fields.realm,
			     identity->password, out);
	if (err || !session)
		return err;
	const struct slice parts[] = {slice_from(out->text), working->fields.nonce,
				      working->cnonce};
	struct digest_hex mixed;
	err = digest_of(working->algorithm, parts, 3, &mixed);
	if (!err)
		*out = mixed;
	return err;
}

static int second_half(const struct working *working, const struct auth_request *request,
		       struct digest_hex *out)
{
	struct slice parts[3] = {request->method, request->uri};
	struct digest_hex body;
	size_t count = 2;

	if (slice_equal(working->qop, SLICE("auth-int"))) {
		int err = digest_of(working->algorithm, &request->body, 1, &body);
		if (err)
			return err;
		parts[count++] = slice_from(body.text);
	}
	return digest_of(working->algorithm, parts, count, out);
}

static int respond(const struct working *working, const struct digest_hex *ha1,
		   const struct digest_hex *ha2, struct digest_hex *out)
{
	struct slice parts[6] = {slice_from(ha1->text), working->fields.nonce};
	size_t count = 2;

	if (!slice_is_empty(working->qop)) {
		parts[count++] = working->count;
		parts[count++] = working->cnonce;
		parts[count++] = working->qop;
	}
	parts[count++] = slice_from(ha2->text);
	return digest_of(working->algorithm, parts, count, out);
}

static void write_quoted(struct buf *out, const char *name, struct slice value)
{
	buf_printf(out, ", %s=\"", name);
	buf_add(out, value);
	buf_add_char(out, '"');
}

static void write_line(const struct auth_client *client, const struct working *working,
		       const struct auth_identity *identity, struct slice uri,
		       const struct digest_hex *response, struct buf *out)
{
	buf_add(out,
		header_text(client->is_proxy ? HEADER_PROXY_AUTHORIZATION : HEADER_AUTHORIZATION));
	buf_add_text(out, ": Digest username=\"");
	buf_add(out, identity->user);
	buf_add_char(out, '"');
	write_quoted(out, "realm", working->fields.realm);
	write_quoted(out, "nonce", working->fields.nonce);
	write_quoted(out, "uri", uri);
	write_quoted(out, "response", slice_from(response->text));
	if (!slice_is_empty(working->fields.algorithm)) {
		buf_add_text(out, ", algorithm=");
		buf_add(out, working->fields.algorithm);
	}
	if (!slice_is_empty(working->qop)) {
		buf_add_text(out, ", qop=");
		buf_add(out, working->qop);
		buf_add_text(out, ", nc=");
		buf_add(out, working->count);
	}
	if (!slice_is_empty(working->cnonce))
		write_quoted(out, "cnonce", working->cnonce);
	if (working->fields.opaque.data)
		write_quoted(out, "opaque", working->fields.opaque);
	buf_add_text(out, "\r\n");
}

int auth_client_write(struct auth_client *client, const struct auth_identity *identity,
		      const struct auth_request *request, struct random *random, struct buf *out)
{
	struct working working = {.algorithm = DIGEST_MD5};
	char cnonce[CNONCE_LENGTH], count[12];
	struct digest_hex ha1, ha2, response;
	bool session;

	int err = auth_fields_parse(client->challenge, &working.fields);
	if (!err)
		err = auth_algorithm(working.fields.algorithm, &working.algorithm, &session);
	if (err || !auth_is_quotable(identity->user) || !auth_is_quotable(request->uri))
		return err ? err : -ERR_MALFORMED;
	struct buf text;
	buf_init(&text);
	buf_printf(&text, "%08x", ++client->count);
	working.count = (struct slice){count, slice_copy(buf_slice(&text), count, sizeof(count))};
	buf_free(&text);
	if (auth_list_has(working.fields.qop, SLICE("auth")))
		working.qop = SLICE("auth");
	else if (!slice_is_empty(working.fields.qop))
		working.qop = SLICE("auth-int");
	if (session || !slice_is_empty(working.qop)) {
		random_text(random, cnonce, sizeof(cnonce));
		working.cnonce = (struct slice){cnonce, sizeof(cnonce)};
	}
	err = first_half(&working, identity, session, &ha1);
	if (!err)
		err = second_half(&working, request, &ha2);
	if (!err)
		err = respond(&working, &ha1, &ha2, &response);
	if (!err)
		write_line(client, &working, identity, request->uri, &response, out);
	digest_wipe(&ha1, sizeof(ha1));
	return err ? err : buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
