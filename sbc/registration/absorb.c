/* absorb.c - refreshes of a phone whose registration still lasts at the registrar behind us: the
 * phone is told a short time so that its NAT stays open, the registrar a long one.
 * A refresh is one that can change nothing: the same Call-ID and a later CSeq (RFC 3261 10.2.4),
 * the same contacts, over the path that the registrar's own yes came back by. Whoever forged it
 * would keep alive what is there, and no longer than the registrar's yes lasts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/registering.h"

/* `kept` is the way to it: over a connection perhaps another port of the same host. */
static bool is_same_path(const struct transport_path *kept, const struct transport_path *path)
{
	return kept->interface == path->interface && kept->transport == path->transport &&
	       kept->connection == path->connection &&
	       (path->connection ? addr_equal_ip(&kept->remote, &path->remote)
				 : addr_equal(&kept->remote, &path->remote));
}

/* The registrar is asked again in time: with a tenth of what it granted left, and for at least two
 * more refreshes that may get lost. */
static bool lasts(const struct binding *binding, uint32_t device_s, uint32_t registrar_s,
		  uint64_t now)
{
	uint64_t margin_s = registrar_s / 10 > 2 * device_s ? registrar_s / 10 : 2 * device_s;

	return binding->facts.registrar_until_ms > now + margin_s * 1000;
}

static struct binding *refreshed(const struct registrar *registrar, const struct asked *asked,
				 const struct asked_contact *contact,
				 const struct transport_path *path)
{
	struct binding *binding = binding_find(&registrar->bindings, contact->id);

	if (!binding || binding->is_lost || !slice_equal(binding->aor, asked->aor) ||
	    contact->expires_s == 0 || !slice_equal(binding->facts.contact, contact->uri) ||
	    !slice_equal(binding->facts.call_id, asked->call_id) ||
	    !slice_equal(binding->facts.path_set, asked->path_set) ||
	    asked->cseq <= binding->facts.cseq || binding->facts.q != contact->q ||
	    (asked->identity && asked->identity != binding->facts.identity) ||
	    !is_same_path(&binding->path, path))
		return NULL;
	return binding;
}

static void answer(struct registrar *registrar, struct transaction_handle handle,
		   const struct message *request, const struct asked *asked)
{
	const struct binding *first = binding_find(&registrar->bindings, asked->contacts[0].id);
	struct reply reply = {.status = 200};
	struct buf lines;

	buf_init(&lines);
	asked_write_contacts(&registrar->bindings, asked->aor, &lines);
	asked_write_extras(asked, request, &lines);
	if (first && first->facts.service_route.len > 0)
		registering_write_service_route(registrar, first->path.interface, &lines);
	if (buf_failed(&lines))
		reply.status = 500;
	else
		reply.headers = buf_slice(&lines);
	if (transaction_reply(registrar->worker->transactions, handle, &reply) != 0)
		log_debug(registrar->worker->log, "registration.not_answered", NULL);
	buf_free(&lines);
}

bool absorb(struct registrar *registrar, struct transaction_handle handle,
	    const struct message *request, const struct transport_path *path,
	    const struct asked *asked, const struct config_phones *rules)
{
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	uint32_t device_s = rules->expires_device_ms / 1000;
	uint32_t registrar_s = rules->expires_registrar_ms / 1000;

	if (asked->star || asked->count == 0 || asked->is_bulk || device_s >= registrar_s)
		return false;
	for (uint32_t i = 0; i < asked->count; i++) {
		const struct binding *binding =
			refreshed(registrar, asked, &asked->contacts[i], path);
		if (!binding || !lasts(binding, device_s, registrar_s, now))
			return false;
	}
	for (uint32_t i = 0; i < asked->count; i++) {
		const struct asked_contact *contact = &asked->contacts[i];
		struct binding *binding = binding_find(&registrar->bindings, contact->id);
		if (binding)
			binding_refresh(binding, asked->cseq,
					contact->expires_s < device_s ? contact->expires_s
								      : device_s);
	}
	counter_add(&registrar->counters.absorbed, 1);
	answer(registrar, handle, request, asked);
	return true;
}
