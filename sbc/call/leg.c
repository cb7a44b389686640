/* leg.c - one side of a call: its names, its way, what it may be told.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/leg.h"
#include "sbc/call/credentials.h"
#include "sbc/call/check.h"
#include "sbc/call/verbs.h"
#include "sbc/route/locate.h"
#include "sbc/route/path.h"
#include "sbc/route/refuse.h"
#include "sbc/topology/names.h"
#include "sbc/topology/owned.h"
#include "sbc/topology/rules.h"

void leg_free(struct leg *leg)
{
	dialog_free(&leg->dialog);
	owned_free(&leg->ack);
	credentials_free(leg->credentials);
	leg->credentials = NULL;
}

int leg_name(struct call *call, uint8_t index)
{
	char tag[TOKEN_LENGTH];

	call_token(call, TOKEN_TAG, index, tag);
	return owned_set(&call->legs[index].dialog.local_tag, (struct slice){tag, TOKEN_LENGTH});
}

int leg_set_contact(struct call *call, uint8_t index, const struct transport_path *path)
{
	const struct worker *worker = call->calls->worker;
	char user[TOKEN_LENGTH];
	struct buf uri;

	call_token(call, TOKEN_CONTACT, index == CALLER ? CONTACT_CALLER : CONTACT_CALLEE, user);
	buf_init(&uri);
	path_write_contact(worker, path->listener, check_is_secure(call->callee),
			   (struct slice){user, TOKEN_LENGTH}, &uri); /* RFC 3261 8.1.1.8, 12.1.1 */
	int err = buf_failed(&uri)
			  ? -ERR_NO_MEMORY
			  : owned_set(&call->legs[index].dialog.local_contact, buf_slice(&uri));
	buf_free(&uri);
	return err;
}

static bool same_place(struct slice a, struct slice b)
{
	struct uri first, second;

	return uri_parse(a, &first) == 0 && uri_parse(b, &second) == 0 &&
	       slice_equal(first.user, second.user) &&
	       slice_equal_nocase(first.host, second.host) && first.port == second.port;
}

/* A phone that is reached by its connection, lost it and came back since the call began: it has
 * registered the contact that it has in the dialog, over another one. */
static const struct binding *find_moved(const struct call *call, const struct leg *leg,
					const struct dialog *dialog)
{
	const struct binding *binding = NULL;

	/* After a restart of ours no connection is there. */
	if (!sip_transport_is_reliable((enum sip_transport)leg->path.transport) || leg->peer >= 0)
		return NULL;
	while ((binding = registrar_lookup(call->calls->registrar, dialog->remote_uri, binding)))
		if (binding->path.flow && binding->path.connection != leg->path.connection &&
		    binding->path.interface == leg->interface &&
		    (int64_t)(binding->refreshed_ms - call->created_ms) > 0 &&
		    same_place(binding->facts.contact, dialog->remote_target))
			return binding;
	return NULL;
}

void leg_way(const struct call *call, uint8_t index, const struct dialog *dialog,
	     struct transport_path *out, struct slice *hop)
{
	const struct leg *leg = &call->legs[index];
	const struct worker *worker = call->calls->worker;
	struct slice next = dialog_next_hop(dialog);
	struct transport_path path;

	const struct binding *moved = find_moved(call, leg, dialog);

	*out = moved ? moved->path : leg->path;
	*hop = SLICE_NONE;
	/* Of a phone it is what its NAT made of it that counts. */
	if (moved || (!leg->is_trusted && leg->peer < 0))
		return;
	if (path_is_named(next)) {
		*hop = next;
		return;
	}
	if (path_to_uri(worker, leg->interface, next, &path) != 0)
		return; /* no listener for it: back to where its last message came from */
	if (path.transport == leg->path.transport && addr_equal(&path.remote, &leg->path.remote))
		return; /* the same, and it knows the connection */
	if (leg->is_trusted ||
	    (path.transport == leg->path.transport && worker_peer_of(worker, &path) == leg->peer))
		*out = path;
}

void leg_way_now(const struct call *call, uint8_t index, struct transport_path *out)
{
	struct slice hop;

	leg_way(call, index, &call->legs[index].dialog, out, &hop);
	if (hop.len > 0)
		locate_now(call->calls->worker, hop, out);
}

void leg_seen(struct call *call, uint8_t index, const struct transport_path *path)
{
	call->legs[index].path = *path;
}

bool leg_is_source(const struct call *call, uint8_t index, const struct transport_path *path)
{
	const struct leg *leg = &call->legs[index];

	if (path->interface != leg->interface)
		return false;
	if (leg->is_trusted || addr_equal_ip(&leg->path.remote, &path->remote))
		return true;
	return leg->peer >= 0 && worker_peer_of(call->calls->worker, path) == leg->peer;
}

struct media_end leg_media(const struct call *call, uint8_t index)
{
	const struct leg *leg = &call->legs[index];
	const struct config *config = call_policies(call, leg->peer);
	const struct config_media *media = leg->peer >= 0
						   ? &config->peers[leg->peer].media
						   : &config->interfaces[leg->interface].media;

	return (struct media_end){
		/* Of the caller: the one it has in all its early dialogs. */
		.tag = slice_sub(leg->dialog.local_tag, 0, TOKEN_LENGTH),
		.interface = leg->interface,
		.source = leg->path.remote,
		.is_trusted = leg->is_trusted,
		.policy = media,
		.codecs = {media->codecs, media->codec_count},
		.agreed = call->session.agreed[index].received,
	};
}

const struct config_dialog *leg_policy(const struct call *call, uint8_t index)
{
	const struct leg *leg = &call->legs[index];
	const struct config *config = call_policies(call, leg->peer);

	return leg->peer >= 0 ? &config->peers[leg->peer].dialog
			      : &config->interfaces[leg->interface].dialog;
}

void leg_learn(struct call *call, uint8_t index, const struct message *message)
{
	if (!slice_is_empty(message_value(message, HEADER_ALLOW)))
		call->legs[index].allows_update =
			message_has_option(message, HEADER_ALLOW, SLICE("UPDATE"));
}

struct body_origin *leg_origin(struct call *call, uint8_t index, uint8_t id)
{
	struct early *early = index == CALLER && id ? early_find(call, id) : NULL;
	return early ? &early->origin : &call->legs[index].origin;
}

static bool believes(const struct call *call, const struct leg *leg)
{
	const struct config *config = call_policies(call, leg->peer);
	return leg->peer >= 0 ? config->peers[leg->peer].identity_trusted : false;
}

/* Whose address stands for those that mean nothing on its side. */
static const struct addr *server_of(const struct config *config, const struct leg *leg)
{
	if (leg->peer < 0)
		return NULL;
	const struct addr *addr = &config->peers[leg->peer].servers[0].addr;
	return addr_is_set(addr) ? addr : &leg->path.remote; /* a name */
}

struct crossing leg_crossing(const struct call *call, uint8_t from, bool with_body)
{
	const struct leg *in = &call->legs[from];
	const struct leg *out = &call->legs[other_leg(from)];

	const struct config *config = call->calls->worker->config;
	bool identity = believes(call, in) && believes(call, out);

	return (struct crossing){
		.in = &rules_of(call_policies(call, in->peer), in->interface, in->peer)->in,
		.out = &rules_of(call_policies(call, out->peer), out->interface, out->peer)->out,
		.from_trusted = in->is_trusted,
		.to_trusted = out->is_trusted,
		.identity = identity,
		.with_body = with_body,
		.applies_privacy =
			!out->is_trusted && !identity &&
			leg_policy(call, other_leg(from))->privacy == CONFIG_PRIVACY_APPLY,
		.way = {.config = config,
			.interface = out->interface,
			.server = server_of(config, out)},
		.session = (struct session_ids *)(uintptr_t)&call->session_ids,
		.from = from,
	};
}

int leg_keep_body(const struct call *call, uint8_t from, const struct message *message,
		  struct slice *owned)
{
	struct body_rules rules = {.crossing = leg_crossing(call, from, true)};
	struct buf body;

	if (message_has_sdp(message) || message_body(message).len == 0)
		return owned_set(owned, message_body(message));
	rules.names = names_for(call->calls->conceal, &rules.crossing);
	buf_init(&body);
	int err = bodies_rewrite(&rules, message_content_type(message),
				 message_value(message, HEADER_CONTENT_ENCODING),
				 message_body(message), &body);
	if (!err)
		err = owned_set(owned, buf_slice(&body));
	buf_free(&body);
	return err;
}

void leg_write_contact(const struct call *call, uint8_t index, struct buf *out)
{
	builder_address(out, HEADER_CONTACT, SLICE_NONE, call->legs[index].dialog.local_contact,
			SLICE_NONE, SLICE_NONE);
}

void leg_write_allow(const struct call *call, uint8_t index, struct buf *out)
{
	struct slice list = SLICE(ALLOWED_METHODS), method;
	bool no_update = call->state == CALL_SETUP && !call->legs[other_leg(index)].allows_update;
	const char *separator = "Allow: ";

	while (list_next(&list, &method)) {
		if (no_update && slice_equal(method, SLICE("UPDATE")))
			continue;
		buf_add_text(out, separator);
		buf_add(out, method);
		separator = ", ";
	}
	buf_add_text(out, "\r\n");
}

int leg_write(const struct call *call, uint8_t index, const struct dialog *dialog,
	      const struct leg_request *request, struct buf *out)
{
	bool is_invite = slice_equal(request->method, SLICE("INVITE"));

	dialog_write_request(dialog, request->method, request->cseq, request->max_forwards, out);
	if (is_invite || slice_equal(request->method, SLICE("UPDATE"))) {
		leg_write_contact(call, index, out);
		builder_header(out, HEADER_ALLOW, SLICE(ALLOWED_METHODS));
	}
	credentials_write(call, index, request->method, dialog_request_uri(dialog), request->body,
			  out);
	buf_add(out, request->own);
	buf_add(out, request->headers);
	builder_body(out, request->body.len > 0 ? request->content_type : SLICE_NONE,
		     request->body);
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
