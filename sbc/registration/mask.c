/* mask.c - the REGISTER as the registrar sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registering.h"
#include "sbc/route/path.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"

/* The contact of ours that stands for one of the phone's. RFC 6140 5.1: a bulk contact has no user,
 * so that the registrar may put a number there; who it is for hides in a parameter. */
static void write_mask(const struct registrar *registrar, const struct registering *registering,
		       const struct asked_contact *contact, uint16_t listener, struct buf *out)
{
	char token[TOKEN_LENGTH];
	struct slice user = {token, TOKEN_LENGTH};

	worker_token(registrar->worker, TOKEN_CONTACT, contact->id << 2 | CONTACT_BINDING, token);
	if (!contact->is_bulk) {
		path_write_contact(registrar->worker, listener, registering->is_secure, user, out);
		return;
	}
	path_write_contact(registrar->worker, listener, registering->is_secure, SLICE_NONE, out);
	buf_add_text(out, ";bnc;" SHARD_BULK_PARAMETER "=");
	buf_add(out, user);
}

bool registering_unmask(const struct registrar *registrar, const struct uri *uri, uint64_t *id)
{
	struct slice user = uri->user;
	struct token token;

	(void)uri_parameter(uri, SLICE(SHARD_BULK_PARAMETER), &user);
	if (token_read(registrar->worker->token_key, TOKEN_CONTACT, user, &token) != 0 ||
	    token.worker != registrar->worker->index || (token.id & 3) != CONTACT_BINDING)
		return false;
	*id = token.id >> 2;
	return true;
}

int registering_aor(const struct registrar *registrar, uint32_t peer, struct slice uri,
		    struct buf *out)
{
	const struct config *config = registrar->worker->config;
	struct hosts_way way = {.config = config,
				.interface = (uint16_t)config->peers[peer].interface,
				.server = &config->peers[peer].servers[0].addr};
	struct buf mapped;
	struct uri aor;

	buf_init(&mapped);
	hosts_write_identity(&way, uri, &mapped);
	int err = buf_failed(&mapped) ? -ERR_NO_MEMORY : uri_parse(buf_slice(&mapped), &aor);
	if (!err && aor.scheme == URI_SIPS)
		aor.scheme = URI_SIP; /* RFC 5630: it changes no subscriber */
	if (!err)
		err = uri_canonical(&aor, out);
	buf_free(&mapped);
	return err;
}

/* Call-IDs and tags of the phone become ours, the same for the same phone, so that the registrar's
 * order rule (RFC 3261 10.3 step 7) holds; its CSeq goes on as it is. */
static void write_hidden(const struct registrar *registrar, struct slice text, struct buf *out)
{
	uint64_t key[2] = {registrar->secret[1], registrar->secret[0]};

	buf_printf(out, "%016llx%016llx", (unsigned long long)siphash(text, registrar->secret),
		   (unsigned long long)siphash(text, key));
}

static void write_contacts(const struct registrar *registrar, const struct registering *registering,
			   uint16_t listener, uint32_t expires_s, struct buf *out)
{
	const struct asked *asked = &registering->asked;

	if (asked->star) {
		builder_header(out, HEADER_CONTACT, SLICE("*"));
		return;
	}
	for (uint32_t i = 0; i < asked->count; i++) {
		const struct asked_contact *contact = &asked->contacts[i];
		struct buf uri, parameters;
		buf_init(&uri);
		buf_init(&parameters);
		write_mask(registrar, registering, contact, listener, &uri);
		if (contact->q < BINDING_Q_MAX)
			buf_printf(&parameters, ";q=0.%03u", contact->q);
		buf_printf(&parameters, ";expires=%u", contact->expires_s ? expires_s : 0);
		builder_address(out, HEADER_CONTACT, SLICE_NONE, buf_slice(&uri), SLICE_NONE,
				buf_slice(&parameters));
		out->failed = out->failed || buf_failed(&uri) || buf_failed(&parameters);
		buf_free(&uri);
		buf_free(&parameters);
	}
	if (asked->is_bulk) {
		builder_header(out, HEADER_REQUIRE, SLICE("gin"));
		builder_header(out, HEADER_PROXY_REQUIRE, SLICE("gin"));
	}
}

static void write_identity(const struct hosts_way *way, enum header_id id,
			   const struct name_addr *address, struct slice tag, struct buf *out)
{
	struct buf uri;

	buf_init(&uri);
	hosts_write_identity(way, address->uri, &uri);
	builder_address(out, id, address->display, buf_slice(&uri), tag, SLICE_NONE);
	out->failed = out->failed || buf_failed(&uri);
	buf_free(&uri);
}

int registering_write(const struct registrar *registrar, const struct registering *registering,
		      const struct message *request, const struct transport_path *path,
		      uint32_t expires_s, struct buf *out)
{
	const struct config *config = registrar->worker->config;
	const struct config_peer *peer = &config->peers[registering->rules.registrar];
	struct hosts_way way = {
		.config = config, .interface = path->interface, .server = &peer->servers[0].addr};
	struct crossing crossing = {
		.from_trusted = config->interfaces[registering->path.interface].trusted,
		.to_trusted = config->interfaces[path->interface].trusted,
	};
	struct buf tag, call_id;
	int forwards = message_max_forwards(request);

	buf_init(&tag);
	buf_init(&call_id);
	write_hidden(registrar, message_from_tag(request), &tag);
	write_hidden(registrar, message_call_id(request), &call_id);
	builder_header_number(out, HEADER_MAX_FORWARDS, forwards < 0 ? 70 : (uint64_t)forwards - 1);
	write_identity(&way, HEADER_FROM, message_from(request), buf_slice(&tag), out);
	write_identity(&way, HEADER_TO, message_to(request), SLICE_NONE, out);
	builder_header(out, HEADER_CALL_ID, buf_slice(&call_id));
	builder_cseq(out, message_cseq(request), SLICE("REGISTER"));
	write_contacts(registrar, registering, path->listener, expires_s, out);
	headers_copy(request, &crossing, out);
	builder_body(out, SLICE_NONE, SLICE_NONE);
	bool failed = buf_failed(&tag) || buf_failed(&call_id) || buf_failed(out);
	buf_free(&tag);
	buf_free(&call_id);
	return failed ? -ERR_NO_MEMORY : 0;
}
