/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/asked.h"
#include "sbc/auth/header.h"
#include "sbc/topology/owned.h"

enum { EXPIRES_DEFAULT_S = 3600, PATH_MAX_BYTES = 2048, FLOW_MAX_BYTES = 512 };

void asked_free(struct asked *asked)
{
	owned_free(&asked->aor);
	owned_free(&asked->call_id);
	owned_free(&asked->path_set);
	for (uint32_t i = 0; i < asked->count; i++) {
		owned_free(&asked->contacts[i].uri);
		owned_free(&asked->contacts[i].parameters);
	}
	asked->count = 0;
}

/* "0.7" in thousandths (RFC 3261 25.1 qvalue). */
static uint16_t read_q(struct slice parameters)
{
	struct slice text;
	uint32_t value = 0, scale = BINDING_Q_MAX;

	if (!parameter_find(parameters, SLICE("q"), &text) || slice_is_empty(text))
		return BINDING_Q_MAX;
	if (text.data[0] == '1')
		return BINDING_Q_MAX;
	for (size_t i = 2; i < text.len && i < 5; i++) {
		scale /= 10;
		if (text.data[i] < '0' || text.data[i] > '9')
			break;
		value += (uint32_t)(text.data[i] - '0') * scale;
	}
	return (uint16_t)value;
}

/* RFC 5626 6: a binding with both is that flow's, whatever its URI. */
static void write_flow(struct slice parameters, struct buf *out)
{
	struct slice instance, reg_id;
	uint32_t number;

	if (!parameter_find(parameters, SLICE("+sip.instance"), &instance) || instance.len == 0 ||
	    instance.len > FLOW_MAX_BYTES ||
	    !parameter_find(parameters, SLICE("reg-id"), &reg_id) ||
	    slice_to_u32(reg_id, UINT32_MAX, &number) != 0 || number == 0)
		return;
	buf_add_text(out, ";+sip.instance=");
	buf_add(out, instance);
	buf_printf(out, ";reg-id=%u", number);
}

static bool is_bulk(const struct uri *uri)
{
	struct slice value;
	return slice_is_empty(uri->user) && uri_parameter(uri, SLICE("bnc"), &value);
}

static unsigned int read_contact(const struct binding_table *table, const struct contact *contact,
				 bool is_outbound, struct asked *asked)
{
	struct asked_contact *out = &asked->contacts[asked->count];
	struct uri uri;
	struct buf flow;

	if (asked->count == ASKED_CONTACTS_MAX)
		return 403;
	if (uri_parse(contact->address.uri, &uri) != 0)
		return 400;
	*out = (struct asked_contact){.has_expires = contact->has_expires,
				      .expires_s = contact->has_expires ? contact->expires_s
									: asked->expires_s,
				      .q = read_q(contact->address.parameters),
				      .is_bulk = is_bulk(&uri)};
	asked->count++;
	buf_init(&flow);
	if (is_outbound)
		write_flow(contact->address.parameters, &flow);
	asked->is_outbound = asked->is_outbound || flow.len > 0;
	asked->is_bulk = asked->is_bulk || out->is_bulk;
	int err = buf_failed(&flow) ? -ERR_NO_MEMORY : owned_set(&out->uri, contact->address.uri);
	if (!err)
		err = owned_set(&out->parameters, buf_slice(&flow));
	buf_free(&flow);
	if (err)
		return 500;
	out->id = binding_id(table, asked->aor, out->parameters.len ? out->parameters : out->uri);
	return 0;
}

static unsigned int read_contacts(const struct binding_table *table, const struct message *request,
				  struct asked *asked)
{
	bool is_outbound = message_has_option(request, HEADER_SUPPORTED, SLICE("outbound"));
	size_t count = message_contact_count(request);
	struct contact contact;

	for (size_t i = 0; message_contact(request, i, &contact); i++) {
		if (contact.star) {
			/* RFC 3261 10.2.2: alone, and with Expires: 0 */
			if (count != 1 || !asked->has_expires || asked->expires_s != 0)
				return 400;
			asked->star = true;
			return 0;
		}
		unsigned int status = read_contact(table, &contact, is_outbound, asked);
		if (status)
			return status;
	}
	return asked->count == count ? 0 : 400;
}

static int read_path(const struct message *request, struct asked *asked)
{
	struct slice member;
	struct buf text;

	buf_init(&text);
	for (size_t i = 0; message_member(request, HEADER_PATH, i, &member); i++) {
		if (text.len > 0)
			buf_add_text(&text, ", ");
		buf_add(&text, member);
	}
	int err = buf_failed(&text)           ? -ERR_NO_MEMORY
		  : text.len > PATH_MAX_BYTES ? -ERR_TOO_LARGE
					      : owned_set(&asked->path_set, buf_slice(&text));
	buf_free(&text);
	return err;
}

static uint64_t read_identity(const struct binding_table *table, const struct message *request)
{
	struct auth_fields fields;

	if (auth_fields_parse(message_value(request, HEADER_AUTHORIZATION), &fields) != 0 &&
	    auth_fields_parse(message_value(request, HEADER_PROXY_AUTHORIZATION), &fields) != 0)
		return 0;
	return siphash(fields.username, table->key) | 1;
}

/* RFC 5626 6: the first hop must keep the flow; we are it unless somebody stands between. */
static bool lacks_outbound(const struct message *request, const struct asked *asked)
{
	struct name_addr first;
	struct slice member, value;
	struct uri uri;

	if (!asked->is_outbound || message_via_count(request) < 2)
		return false;
	return !message_member(request, HEADER_PATH, 0, &member) ||
	       name_addr_parse(member, &first) != 0 || uri_parse(first.uri, &uri) != 0 ||
	       !uri_parameter(&uri, SLICE("ob"), &value);
}

static unsigned int check_options(const struct message *request, bool takes_bulk,
				  struct buf *headers)
{
	const struct slice known[] = {SLICE("path"), SLICE("outbound"), SLICE("gin")};
	struct buf unknown;

	buf_init(&unknown);
	bool bad = scan_unknown_options(message_scan(request), HEADER_REQUIRE, known,
					takes_bulk ? 3 : 2, &unknown) ||
		   scan_unknown_options(message_scan(request), HEADER_PROXY_REQUIRE, known,
					takes_bulk ? 3 : 2, &unknown);
	if (bad)
		builder_header(headers, HEADER_UNSUPPORTED, buf_slice(&unknown));
	buf_free(&unknown);
	return bad ? 420 : 0;
}

unsigned int asked_read(const struct binding_table *table, struct slice aor,
			const struct message *request, bool takes_bulk, struct asked *out,
			struct buf *headers)
{
	unsigned int status = check_options(request, takes_bulk, headers);
	if (status)
		return status;
	*out = (struct asked){.cseq = message_cseq(request),
			      .identity = read_identity(table, request)};
	out->has_expires = message_expires(request, &out->expires_s);
	if (!out->has_expires)
		out->expires_s = EXPIRES_DEFAULT_S;
	int err = owned_set(&out->aor, aor);
	if (!err)
		err = owned_set(&out->call_id, message_call_id(request));
	if (!err)
		err = read_path(request, out);
	if (err)
		return err == -ERR_TOO_LARGE ? 400 : 500;
	status = read_contacts(table, request, out);
	if (!status && lacks_outbound(request, out))
		status = 439;
	if (!status && out->is_bulk &&
	    (out->count != 1 || !message_has_option(request, HEADER_REQUIRE, SLICE("gin"))))
		status = 400; /* RFC 6140 5.1, 5.2 */
	return status;
}

bool asked_is_too_many(const struct binding_table *table, const struct asked *asked, uint32_t most)
{
	uint32_t count = binding_count(table, asked->aor);

	for (uint32_t i = 0; i < asked->count; i++) {
		bool is_there = binding_find(table, asked->contacts[i].id) != NULL;
		if (asked->contacts[i].expires_s > 0 && !is_there)
			count++;
		else if (asked->contacts[i].expires_s == 0 && is_there)
			count--;
	}
	return count > most;
}

void asked_facts(const struct asked *asked, const struct asked_contact *contact,
		 struct binding_facts *out)
{
	*out = (struct binding_facts){
		.contact = contact->uri,
		.parameters = contact->parameters,
		.call_id = asked->call_id,
		.path_set = asked->path_set,
		.identity = asked->identity,
		.cseq = asked->cseq,
		.expires_s = contact->expires_s,
		.q = contact->q,
		.is_bulk = contact->is_bulk,
		.registrar = BINDING_NO_PEER,
	};
}

void asked_write_contacts(const struct binding_table *table, struct slice aor, struct buf *out)
{
	struct binding *binding = NULL;
	struct buf parameters;

	while ((binding = binding_of_aor(table, aor, binding))) {
		buf_init(&parameters);
		buf_printf(&parameters, ";expires=%u", binding_left_s(binding));
		if (binding->facts.q < BINDING_Q_MAX)
			buf_printf(&parameters, ";q=0.%03u", binding->facts.q);
		buf_add(&parameters, binding->facts.parameters);
		builder_address(out, HEADER_CONTACT, SLICE_NONE, binding->facts.contact, SLICE_NONE,
				buf_slice(&parameters));
		out->failed = out->failed || buf_failed(&parameters);
		buf_free(&parameters);
	}
}

void asked_write_extras(const struct asked *asked, const struct message *request, struct buf *out)
{
	bool wants_path = message_has_option(request, HEADER_SUPPORTED, SLICE("path"));

	if (wants_path && asked->path_set.len > 0)
		builder_header(out, HEADER_PATH, asked->path_set);
	if (asked->is_outbound)
		builder_header(out, HEADER_REQUIRE, SLICE("outbound"));
	if (asked->is_bulk)
		builder_header(out, HEADER_SUPPORTED, SLICE("gin"));
}
