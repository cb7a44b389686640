/* mask.c - the REGISTER as the registrar sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registering.h"
#include "sbc/route/path.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"

void registering_mask(const struct registrar *registrar, uint64_t id, char user[TOKEN_LENGTH])
{
	worker_token(registrar->worker, TOKEN_CONTACT, id << 2 | CONTACT_BINDING, user);
}

int registering_aor(const struct registrar *registrar, uint32_t peer, struct slice uri,
		    struct buf *out)
{
	const struct config *config = registrar->worker->config;
	struct hosts_way way = {.config = config,
				.interface = (uint16_t)config->peers[peer].interface,
				.server = &config->peers[peer].servers[0].addr};
	struct buf mapped;

	buf_init(&mapped);
	hosts_write_identity(&way, uri, &mapped);
	int err =
		buf_failed(&mapped) ? -ERR_NO_MEMORY : uri_canonical_text(buf_slice(&mapped), out);
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
			   const struct message *request, uint16_t listener, struct buf *out)
{
	struct contact contact;
	struct slice q;
	uint32_t at = 0;

	if (registering->star) {
		builder_header(out, HEADER_CONTACT, SLICE("*"));
		return;
	}
	for (size_t i = 0; at < registering->contact_count && message_contact(request, i, &contact);
	     i++) {
		char user[TOKEN_LENGTH];
		struct buf uri, parameters;

		buf_init(&uri);
		buf_init(&parameters);
		registering_mask(registrar, registering->contacts[at].id, user);
		path_write_contact(registrar->worker, listener, (struct slice){user, TOKEN_LENGTH},
				   &uri);
		if (parameter_find(contact.address.parameters, SLICE("q"), &q)) {
			buf_add_text(&parameters, ";q=");
			buf_add(&parameters, q);
		}
		buf_printf(&parameters, ";expires=%u", registering->contacts[at].expires_s);
		builder_address(out, HEADER_CONTACT, SLICE_NONE, buf_slice(&uri), SLICE_NONE,
				buf_slice(&parameters));
		out->failed = out->failed || buf_failed(&uri) || buf_failed(&parameters);
		buf_free(&uri);
		buf_free(&parameters);
		at++;
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
		      struct buf *out)
{
	const struct config *config = registrar->worker->config;
	const struct config_peer *peer = &config->peers[registering->phones.registrar];
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
	write_contacts(registrar, registering, request, path->listener, out);
	headers_copy(request, &crossing, out);
	builder_body(out, SLICE_NONE, SLICE_NONE);
	bool failed = buf_failed(&tag) || buf_failed(&call_id) || buf_failed(out);
	buf_free(&tag);
	buf_free(&call_id);
	return failed ? -ERR_NO_MEMORY : 0;
}
