/* granted.c - the registrar said yes: what it holds now, as bindings here and as the phone's own
 * contacts in the reply.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registering.h"
#include "sbc/route/shared.h"
#include "sbc/topology/hosts.h"

/* One day: what a registrar that says nothing sensible may bind us to. */
enum { EXPIRES_MAX_S = 86400, EXPIRES_DEFAULT_S = 3600 };

static const struct asked_contact *asked_of(const struct registering *registering, uint64_t id)
{
	for (uint32_t i = 0; i < registering->asked.count; i++)
		if (registering->asked.contacts[i].id == id)
			return &registering->asked.contacts[i];
	return NULL;
}

static uint32_t granted_s(const struct message *response, const struct contact *contact)
{
	uint32_t expires_s;

	if (contact->has_expires)
		expires_s = contact->expires_s;
	else if (!message_expires(response, &expires_s))
		expires_s = EXPIRES_DEFAULT_S;
	return expires_s < EXPIRES_MAX_S ? expires_s : EXPIRES_MAX_S;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* RFC 3608: the registrar's is kept for the calls of this phone; the phone sees ours. */
void registering_take_service_route(const struct message *response, struct buf *out)
{
	struct slice member;

	for (size_t i = 0; message_member(response, HEADER_SERVICE_ROUTE, i, &member); i++) {
		if (out->len + 2 + member.len > SERVICE_ROUTE_MAX)
			break;
		if (out->len > 0)
			buf_add_text(out, ", ");
		buf_add(out, member);
	}
}

static void keep(struct registrar *registrar, const struct registering *registering,
		 const struct asked_contact *want, uint32_t expires_s, struct slice service_route)
{
	const struct config_phones *phones = &registering->rules;
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	struct binding_facts facts;
	struct binding *binding;

	asked_facts(&registering->asked, want, &facts);
	facts.service_route = service_route;
	facts.registrar = phones->registrar;
	facts.registrar_until_ms = now + expires_s * 1000ull;
	facts.expires_s =
		least(least(expires_s, want->expires_s), phones->expires_device_ms / 1000);
	int err = binding_put(&registrar->bindings, registering->asked.aor, want->id, &facts,
			      &registering->path, &binding);
	if (err)
		log_warn(registrar->worker->log, "registration.not_kept", "aor=%.*s reason=\"%s\"",
			 SLICE_ARG(registering->asked.aor), err_text(err));
}

static void forget_others(struct registrar *registrar, struct slice aor, const uint64_t *seen,
			  size_t count)
{
	struct binding *binding = binding_of_aor(&registrar->bindings, aor, NULL);

	while (binding) {
		struct binding *next = binding_of_aor(&registrar->bindings, aor, binding);
		bool listed = false;
		for (size_t i = 0; i < count && !listed; i++)
			listed = seen[i] == binding->id;
		if (!listed)
			binding_remove(binding);
		binding = next;
	}
}

static bool id_of(const struct registrar *registrar, const struct contact *contact, uint64_t *id)
{
	struct uri uri;
	return !contact->star && uri_parse(contact->address.uri, &uri) == 0 &&
	       registering_unmask(registrar, &uri, id);
}

void registering_write_service_route(const struct registrar *registrar, uint16_t interface,
				     struct buf *out)
{
	struct buf own;

	buf_init(&own);
	buf_add_text(&own, "<sip:");
	hosts_write_own(registrar->worker->config, interface, &own);
	buf_add_text(&own, ";lr>");
	builder_header(out, HEADER_SERVICE_ROUTE, buf_slice(&own));
	out->failed = out->failed || buf_failed(&own);
	buf_free(&own);
}

void registering_granted(struct registrar *registrar, const struct registering *registering,
			 const struct message *response, struct buf *headers)
{
	uint64_t seen[SCAN_MEMBERS_MAX], id;
	struct buf service_route;
	struct contact contact;
	size_t count = 0;

	buf_init(&service_route);
	registering_take_service_route(response, &service_route);
	struct slice route = buf_failed(&service_route) ? SLICE_NONE : buf_slice(&service_route);
	for (size_t i = 0; count < SCAN_MEMBERS_MAX && message_contact(response, i, &contact);
	     i++) {
		if (!id_of(registrar, &contact, &id))
			continue; /* a desk phone of the same user: not this side's business */
		uint32_t expires_s = granted_s(response, &contact);
		const struct asked_contact *want = asked_of(registering, id);
		if (expires_s == 0)
			continue;
		if (want && want->expires_s > 0)
			keep(registrar, registering, want, expires_s, route);
		const struct binding *binding = binding_find(&registrar->bindings, id);
		if (binding && slice_equal(binding->aor, registering->asked.aor))
			seen[count++] = id;
	}
	forget_others(registrar, registering->asked.aor, seen, count);
	asked_write_contacts(&registrar->bindings, registering->asked.aor, headers);
	buf_add(headers, registering->extras);
	if (route.len > 0)
		registering_write_service_route(registrar, registering->path.interface, headers);
	buf_free(&service_route);
}
