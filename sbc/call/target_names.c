/* target_names.c - what a target is called by: the URIs of leg B, by the number rules of both sides
 * and as the target's side may see them. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/route/numbers.h"
#include "sbc/route/shared.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"
#include "sbc/topology/owned.h"

const struct config_numbers *target_numbers(const struct call *call, int peer)
{
	static const struct config_numbers none;
	return peer >= 0 ? &call_policies(call, peer)->peers[peer].numbers : &none;
}

/* The server's name stands for its address, where it has one. */
static const struct config_server *named_server(const struct call *call,
						const struct hunt_target *target)
{
	const struct config *config = call->calls->worker->config;

	if (target->type != CONFIG_END_PEER)
		return NULL;
	const struct config_server *server =
		&config->peers[target->peer].servers[call->hunt.attempt.server];
	return server->addr.family ? NULL : server;
}

static void write_named(const struct config_server *server, struct slice text, bool is_target,
			struct buf *out)
{
	struct slice value;
	struct uri uri;

	if (uri_parse(text, &uri) != 0)
		return;
	buf_add_text(out, uri.scheme == URI_SIPS ? "sips:" : "sip:");
	if (uri.user.len > 0) {
		buf_add(out, uri.user);
		buf_add_char(out, '@');
	}
	buf_add_text(out, server->host);
	if (is_target && server->port)
		buf_printf(out, ":%u", server->port);
	if (uri_parameter(&uri, SLICE("user"), &value) && value.len > 0) {
		buf_add_text(out, ";user=");
		buf_add(out, value);
	}
}

static bool has_host_of_ours(const struct config *config, struct slice text)
{
	struct addr literal;
	struct uri uri;

	return uri_parse(text, &uri) == 0 && (uri.scheme == URI_SIP || uri.scheme == URI_SIPS) &&
	       (addr_parse_ip(uri.host, &literal) == 0 || hosts_is_own(config, uri.host));
}

/* A URI as the target's side is shown it. */
static int set_mapped(const struct call *call, const struct hunt_target *target, bool is_target,
		      struct slice uri, struct slice *owned)
{
	const struct config *config = call->calls->worker->config;
	struct hosts_way way = {.config = config, .interface = target->interface};
	const struct config_server *named = named_server(call, target);
	struct buf mapped;

	if (target->type != CONFIG_END_PHONES)
		way.server = &target->path.remote;
	buf_init(&mapped);
	if (named && has_host_of_ours(config, uri))
		write_named(named, uri, is_target, &mapped);
	else if (is_target)
		hosts_write_target(&way, uri, &mapped);
	else
		hosts_write_identity(&way, uri, &mapped);
	int err = buf_failed(&mapped) ? -ERR_NO_MEMORY : owned_set(owned, buf_slice(&mapped));
	buf_free(&mapped);
	return err;
}

/* One way in, one way out. */
static int set_number(const struct call *call, const struct hunt_target *target,
		      const struct config_number_rules *in, const struct config_number_rules *rules,
		      bool is_target, struct slice uri, struct slice *owned)
{
	struct buf came, goes;

	buf_init(&came);
	buf_init(&goes);
	int err = numbers_apply(in, uri, &came);
	if (!err)
		err = numbers_apply(rules, buf_slice(&came), &goes);
	if (!err)
		err = set_mapped(call, target, is_target, buf_slice(&goes), owned);
	buf_free(&came);
	buf_free(&goes);
	return err;
}

/* RFC 3608 6.1: a phone's calls to its registrar go the way that the registrar asked for, and ours
 * to one where we are registered the way that it asked us for. What one target had is not the next
 * one's. */
int target_set_route(struct call *call, const struct hunt_target *target)
{
	const struct leg *caller = &call->legs[CALLER];
	const struct binding *binding = NULL;
	struct slice list = SLICE_NONE;
	struct buf ours;

	if (target->type == CONFIG_END_PHONES) /* has its Path */
		return 0;
	if (target->type == CONFIG_END_PEER)
		binding = registrar_caller(call->calls->registrar, caller->dialog.remote_uri,
					   &caller->path);
	if (binding && (int)binding->facts.registrar == target->peer)
		list = binding->facts.service_route;
	buf_init(&ours);
	if (list.len == 0 && target->type == CONFIG_END_PEER) {
		shared_add_service_route(peers_shared(call->calls->peers), (uint32_t)target->peer,
					 call_now(call), &ours);
		list = buf_slice(&ours);
	}
	int err = buf_failed(&ours) ? -ERR_NO_MEMORY
				    : dialog_preset_routes(&call->legs[CALLEE].dialog, list);
	buf_free(&ours);
	return err;
}

int target_name(struct call *call, const struct hunt_target *target)
{
	static const struct config_number_rules none;
	struct dialog *dialog = &call->legs[CALLEE].dialog;
	const struct dialog *caller = &call->legs[CALLER].dialog;
	const struct config_numbers *in = target_numbers(call, call->legs[CALLER].peer);
	const struct config_numbers *out = target_numbers(call, target->peer);
	struct slice callee = target->uri.len > 0 ? target->uri : call->target;
	bool is_hidden = call->wants_privacy && leg_crossing(call, CALLER, false).applies_privacy;

	int err = owned_set(&dialog->local_display,
			    is_hidden ? SLICE(HEADERS_ANONYMOUS_DISPLAY) : caller->remote_display);
	if (!err && is_hidden)
		err = owned_set(&dialog->local_uri, SLICE(HEADERS_ANONYMOUS));
	else if (!err)
		err = set_number(call, target, &in->caller_in, &out->caller_out, false,
				 caller->remote_uri, &dialog->local_uri);
	if (!err)
		err = owned_set(&dialog->remote_display, caller->local_display);
	if (!err)
		err = set_number(call, target, &in->in, &out->out, false, caller->local_uri,
				 &dialog->remote_uri);
	if (!err && target->type != CONFIG_END_PHONES)
		err = set_number(call, target, &none, &out->out, true, callee,
				 &dialog->remote_target);
	return err;
}
