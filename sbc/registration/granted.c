/* granted.c - the registrar said yes: what it holds now, as bindings here and as the phone's own
 * contacts in the reply.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registering.h"
#include <stdio.h>

/* One day: what a registrar that says nothing sensible may bind us to. */
enum { EXPIRES_MAX_S = 86400, EXPIRES_DEFAULT_S = 3600 };

static const struct asked_contact *asked(const struct registering *registering, uint64_t id)
{
	for (uint32_t i = 0; i < registering->contact_count; i++)
		if (registering->contacts[i].id == id)
			return &registering->contacts[i];
	return NULL;
}

/* The identifier in a contact of ours; false when it is somebody else's. */
static bool contact_id(const struct registrar *registrar, const struct contact *contact,
		       uint64_t *out)
{
	struct token token;
	struct uri uri;

	if (contact->star || uri_parse(contact->address.uri, &uri) != 0 ||
	    token_read(registrar->worker->token_key, TOKEN_CONTACT, uri.user, &token) != 0 ||
	    token.worker != registrar->worker->index || (token.id & 3) != CONTACT_BINDING)
		return false;
	*out = token.id >> 2;
	return true;
}

static uint32_t expires_of(const struct registering *registering, const struct message *response,
			   const struct contact *contact)
{
	uint32_t expires_s;

	if (contact->has_expires)
		expires_s = contact->expires_s;
	else if (!message_expires(response, &expires_s))
		expires_s = registering->expires_s ? registering->expires_s : EXPIRES_DEFAULT_S;
	return expires_s < EXPIRES_MAX_S ? expires_s : EXPIRES_MAX_S;
}

static void write_contact(struct slice uri, uint32_t expires_s, struct buf *out)
{
	char parameters[32];

	int len = snprintf(parameters, sizeof(parameters), ";expires=%u", expires_s);
	builder_address(out, HEADER_CONTACT, SLICE_NONE, uri, SLICE_NONE,
			(struct slice){parameters, (size_t)len});
}

/* The way to this contact: its connection, and no other where none can be opened to it (RFC 5626
 * 5.3): over TLS and WebSocket, and behind a NAT. A host that says its own address over TCP is
 * found at its port. */
static struct transport_path way_to(const struct transport_path *path, struct slice contact)
{
	struct transport_path way = *path;
	struct addr address;
	struct uri uri;

	if (!path->connection)
		return way;
	way.flow = path->transport != SIP_TCP || uri_parse(contact, &uri) != 0 ||
		   uri_host_addr(&uri, sip_transport_port(SIP_TCP), &address) != 0 ||
		   !addr_equal_ip(&address, &path->remote);
	if (!way.flow)
		way.remote.port = address.port;
	return way;
}

static void keep(struct registrar *registrar, const struct registering *registering,
		 const struct asked_contact *want, uint32_t expires_s)
{
	struct binding *binding;
	struct transport_path way = way_to(&registering->path, want->uri);

	int err = binding_put(&registrar->bindings, registering->aor, want->uri, expires_s, &way,
			      &binding);
	if (err) {
		log_warn(registrar->worker->log, "registration.not_kept", "aor=%.*s reason=\"%s\"",
			 SLICE_ARG(registering->aor), err_text(err));
		return;
	}
	binding->registrar = registering->phones.registrar;
}

static void forget_others(struct registrar *registrar, const struct registering *registering,
			  const uint64_t *seen, size_t count)
{
	struct binding *binding = binding_of_aor(&registrar->bindings, registering->aor, NULL);

	while (binding) {
		struct binding *next =
			binding_of_aor(&registrar->bindings, registering->aor, binding);
		bool listed = false;
		for (size_t i = 0; i < count && !listed; i++)
			listed = seen[i] == binding->id;
		if (!listed)
			binding_remove(binding);
		binding = next;
	}
}

void registering_granted(struct registrar *registrar, const struct registering *registering,
			 const struct message *response, struct buf *contacts)
{
	uint64_t seen[SCAN_MEMBERS_MAX];
	size_t count = 0;
	struct contact contact;

	for (size_t i = 0; count < SCAN_MEMBERS_MAX && message_contact(response, i, &contact);
	     i++) {
		uint64_t id;
		if (!contact_id(registrar, &contact, &id))
			continue; /* a desk phone of the same user: not this side's business */
		uint32_t expires_s = expires_of(registering, response, &contact);
		const struct asked_contact *want = asked(registering, id);
		if (expires_s == 0)
			continue;
		if (want)
			keep(registrar, registering, want, expires_s);
		const struct binding *binding = binding_find(&registrar->bindings, id);
		if (!binding || !slice_equal(binding->aor, registering->aor))
			continue;
		seen[count++] = id;
		write_contact(binding->contact, expires_s, contacts);
	}
	forget_others(registrar, registering, seen, count);
}
