/* passing.c - one request on its way to the other side, and its answer on the way back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/route/path.h"
#include "sbc/subscription/internal.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/names.h"
#include "sbc/topology/owned.h"
#include "sbc/topology/rules.h"

static uint64_t spread(uint64_t id)
{
	return id * 0x9e3779b97f4a7c15u;
}

struct passing *passing_find(const struct subscriptions *all, uint64_t number)
{
	struct table_link *link = NULL;

	while ((link = table_find(&all->passings, spread(number), link))) {
		struct passing *passing = container_of(link, struct passing, by_number);
		if (passing->number == number)
			return passing;
	}
	return NULL;
}

void passing_free(struct passing *passing)
{
	if (!passing)
		return;
	dialog_free(&passing->dialog);
	owned_free(&passing->method_text);
	owned_free(&passing->uri);
	owned_free(&passing->lines);
	owned_free(&passing->content_type);
	owned_free(&passing->body);
	owned_free(&passing->record_routes);
	branches_leave(passing->branches);
	free(passing);
}

static void forget(struct passing *passing)
{
	struct subscriptions *all = passing->all;

	if (passing->peer >= 0)
		peers_end(all->config.peers, (uint32_t)passing->peer, &passing->attempt);
	table_remove(&all->passings, &passing->by_number);
	passing_free(passing);
}

struct crossing passing_crossing(const struct subscriptions *all, uint16_t from_interface,
				 int from_peer, uint16_t to_interface, int to_peer, bool with_body)
{
	const struct config *config = all->worker->config;
	const struct config_dialog *policy = to_peer >= 0
						     ? &config->peers[to_peer].dialog
						     : &config->interfaces[to_interface].dialog;
	bool to_trusted = config->interfaces[to_interface].trusted;
	bool identity = way_believes(all, from_peer) && way_believes(all, to_peer);

	return (struct crossing){
		.in = &rules_of(config, from_interface, from_peer)->in,
		.out = &rules_of(config, to_interface, to_peer)->out,
		.from_trusted = config->interfaces[from_interface].trusted,
		.to_trusted = to_trusted,
		.identity = identity,
		.with_body = with_body,
		.applies_privacy =
			policy->privacy == CONFIG_PRIVACY_APPLY && !to_trusted && !identity,
		.way = {.config = config,
			.interface = to_interface,
			.server = to_peer >= 0 ? &config->peers[to_peer].servers[0].addr : NULL},
	};
}

int passing_map_identity(struct slice *owned, const struct crossing *crossing, struct slice uri)
{
	struct buf mapped;

	buf_init(&mapped);
	hosts_write_identity(&crossing->way, uri, &mapped);
	int err = buf_failed(&mapped) ? -ERR_NO_MEMORY : owned_set(owned, buf_slice(&mapped));
	buf_free(&mapped);
	return err;
}

void passing_copy_routes(const struct message *request, struct buf *out)
{
	struct slice member;

	for (size_t i = 0; message_member(request, HEADER_RECORD_ROUTE, i, &member); i++)
		builder_header(out, HEADER_RECORD_ROUTE, member);
}

/* --- what it holds --- */

static int keep(struct slice *owned, struct buf *buf)
{
	int err = buf_failed(buf) ? -ERR_NO_MEMORY : owned_set(owned, buf_slice(buf));
	buf_free(buf);
	return err;
}

static int keep_body(struct passing *passing, const struct message *request,
		     const struct crossing *crossing)
{
	struct body_rules rules = {.crossing = *crossing,
				   .names = names_for(passing->all->config.conceal, crossing)};
	struct buf body;

	buf_init(&body);
	int err = bodies_rewrite(&rules, message_content_type(request),
				 message_value(request, HEADER_CONTENT_ENCODING),
				 message_body(request), &body);
	if (err) {
		buf_free(&body);
		return err;
	}
	err = owned_set(&passing->content_type, message_content_type(request));
	int second = keep(&passing->body, &body);
	return err ? err : second;
}

static int write_refer_to(const struct subscriptions *all, const struct message *refer,
			  const struct crossing *crossing, struct buf *out)
{
	struct buf mapped;

	buf_init(&mapped);
	int err = all->config.map_refer_to(all->config.owner, crossing,
					   message_value(refer, HEADER_REFER_TO), &mapped);
	if (!err)
		builder_header(out, HEADER_REFER_TO, buf_slice(&mapped));
	out->failed = out->failed || buf_failed(&mapped);
	buf_free(&mapped);
	return err;
}

static int keep_lines(struct passing *passing, const struct message *request,
		      const struct crossing *crossing)
{
	struct slice state = message_value(request, HEADER_SUBSCRIPTION_STATE);
	struct buf lines, routes;
	int first = 0;

	buf_init(&lines);
	buf_init(&routes);
	headers_copy(request, crossing, &lines);
	registrar_drop_credentials(passing->all->config.registrar, &lines);
	headers_options(request, HEADER_SUPPORTED, &lines);
	headers_options(request, HEADER_REQUIRE, &lines);
	if (state.len > 0)
		builder_header(&lines, HEADER_SUBSCRIPTION_STATE, state);
	if (passing->method == METHOD_REFER)
		first = write_refer_to(passing->all, request, crossing, &lines);
	passing_copy_routes(request, &routes);
	int err = keep(&passing->lines, &lines);
	int second = keep(&passing->record_routes, &routes);
	return first ? first : err ? err : second;
}

int passing_create(struct subscriptions *all, struct transaction_handle server,
		   const struct message *request, const struct crossing *crossing,
		   struct passing **out)
{
	int forwards = message_max_forwards(request);

	if (all->passings.count >= PASSINGS_MAX)
		return -ERR_TOO_MANY;
	struct passing *passing = calloc(1, sizeof(*passing));
	if (!passing)
		return -ERR_NO_MEMORY;
	passing->all = all;
	passing->number = ++all->next_passing;
	passing->server = server;
	passing->method = message_method(request);
	passing->max_forwards = forwards < 0 ? 70 : forwards - 1;
	passing->peer = -1;
	struct slice scheme;
	passing->is_secure = uri_scheme_of(message_request_uri(request), &scheme) == URI_SIPS;
	int err = owned_set(&passing->method_text, message_method_text(request));
	if (!err)
		err = owned_set(&passing->uri, message_request_uri(request));
	if (!err)
		err = keep_lines(passing, request, crossing);
	if (!err && message_body(request).len > 0)
		err = keep_body(passing, request, crossing);
	if (err) {
		passing_free(passing);
		return err;
	}
	*out = passing;
	return 0;
}

/* --- the way there --- */

/* The dialog it is sent in. NULL: its subscription has ended meanwhile. */
static struct dialog *dialog_of(struct passing *passing)
{
	if (!passing->subscription)
		return &passing->dialog;
	struct subscription *subscription = subscription_find(passing->all, passing->subscription);
	return subscription ? &subscription->sides[passing->from ^ 1].dialog : NULL;
}

/* Request-URI and way to the server whose turn it is. */
static int aim_at_server(struct passing *passing, struct dialog *dialog)
{
	struct subscriptions *all = passing->all;
	const struct config *config = all->worker->config;
	struct buf target;

	int err = peers_next(all->config.peers, (uint32_t)passing->peer, &passing->attempt,
			     &passing->path);
	if (err)
		return err;
	if (passing->is_secure &&
	    !sip_transport_is_secure((enum sip_transport)passing->path.transport))
		return -ERR_DENIED;
	struct hosts_way way = {
		.config = config, .interface = passing->interface, .server = &passing->path.remote};
	buf_init(&target);
	hosts_write_target(&way, passing->uri, &target);
	return keep(&dialog->remote_target, &target);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path);
static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err);
static const struct client_handlers client_handlers = {on_response, on_failure};

static bool makes_dialog(const struct passing *passing)
{
	return passing->subscription || passing->method == METHOD_NOTIFY;
}

/* Contact of a request: the dialog's, or of a NOTIFY without one just us. */
static void write_contact(const struct passing *passing, struct buf *out)
{
	const struct subscription *subscription =
		passing->subscription ? subscription_find(passing->all, passing->subscription)
				      : NULL;
	struct buf uri;

	if (!makes_dialog(passing))
		return;
	if (subscription) {
		side_write_contact(subscription, passing->from ^ 1, out);
		return;
	}
	buf_init(&uri);
	path_write_contact(passing->all->worker, passing->path.listener, passing->is_secure,
			   SLICE("notifier"), &uri);
	builder_address(out, HEADER_CONTACT, SLICE_NONE, buf_slice(&uri), SLICE_NONE, SLICE_NONE);
	out->failed = out->failed || buf_failed(&uri);
	buf_free(&uri);
}

int passing_send_now(struct passing *passing)
{
	struct subscriptions *all = passing->all;
	struct client_request request = {
		.handlers = &client_handlers, .owner = all, .context = passing->number};
	struct dialog *dialog = dialog_of(passing);
	struct transaction_handle handle;
	struct buf bytes;

	if (!dialog)
		return -ERR_NOT_FOUND;
	int err = passing->peer >= 0 ? aim_at_server(passing, dialog) : 0;
	if (!err && passing->is_first)
		err = side_set_contact(subscription_find(all, passing->subscription), NOTIFIER,
				       &passing->path);
	if (err)
		return err;
	buf_init(&bytes);
	dialog_write_request(dialog, passing->method_text, ++dialog->local_cseq,
			     passing->max_forwards, &bytes);
	write_contact(passing, &bytes);
	buf_add(&bytes, passing->lines);
	builder_body(&bytes, passing->content_type, passing->body);
	request.bytes = buf_slice(&bytes);
	request.path = passing->path;
	if (passing->is_named)
		request.hop = dialog_next_hop(dialog);
	err = buf_failed(&bytes)
		      ? -ERR_NO_MEMORY
		      : transaction_request(all->worker->transactions, &request, &handle);
	buf_free(&bytes);
	return err;
}

int passing_send(struct passing *passing)
{
	struct subscriptions *all = passing->all;

	table_insert(&all->passings, &passing->by_number, spread(passing->number));
	int err;
	do {
		err = passing_send_now(passing);
	} while (err && passing->peer >= 0 && err != -ERR_UNREACHABLE && err != -ERR_NO_MEMORY);
	if (err) {
		forget(passing);
		return err;
	}
	counter_add(&all->counters.passed, 1);
	return 0;
}

static bool try_next(struct passing *passing, const char *why)
{
	if (passing->peer < 0)
		return false;
	peers_failed(passing->all->config.peers, (uint32_t)passing->peer, passing->attempt.server,
		     why);
	int err;
	do {
		err = passing_send_now(passing);
	} while (err && err != -ERR_UNREACHABLE && err != -ERR_NO_MEMORY && err != -ERR_NOT_FOUND);
	return err == 0;
}

/* --- the way back --- */

void passing_answer(struct passing *passing, const struct reply *reply)
{
	struct reply best;

	if (passing->branches) {
		if (!branches_hear(passing->branches, reply, &best))
			return;
		reply = &best;
	}
	if (transaction_reply(passing->all->worker->transactions, passing->server, reply) != 0)
		log_debug(passing->all->worker->log, "request.not_answered", "status=%u",
			  reply->status);
}

static struct slice own_tag(const struct passing *passing)
{
	const struct subscription *subscription =
		passing->subscription ? subscription_find(passing->all, passing->subscription)
				      : NULL;
	return subscription ? subscription->sides[passing->from].dialog.local_tag : SLICE_NONE;
}

/* What the sender is told about a final answer (RFC 3261 16.7 step 6). */
static unsigned int status_to_pass(unsigned int status)
{
	if (status >= 300 && status < 400)
		return 480; /* its targets are the other side's */
	return status;
}

static void pass_back(struct passing *passing, const struct message *response, struct buf *own)
{
	struct slice tag = own_tag(passing);
	struct reply reply = {.status = status_to_pass(message_status(response)), .to_tag = tag};
	struct body_rules rules = {.crossing = passing->back,
				   .names =
					   names_for(passing->all->config.conceal, &passing->back)};
	struct subscription *subscription =
		passing->subscription ? subscription_find(passing->all, passing->subscription)
				      : NULL;
	struct buf body;

	if (subscription) {
		rules.crossing.session = &subscription->session;
		rules.crossing.from = passing->from ^ 1;
	}
	buf_init(&body);
	/* A body that cannot be made fit is left out: the answer is its status. */
	rules.crossing.with_body = message_body(response).len > 0 &&
				   bodies_rewrite(&rules, message_content_type(response),
						  message_value(response, HEADER_CONTENT_ENCODING),
						  message_body(response), &body) == 0 &&
				   body.len > 0;
	headers_copy(response, &rules.crossing, own);
	headers_options(response, HEADER_SUPPORTED, own);
	if (rules.crossing.with_body) {
		reply.content_type = message_content_type(response);
		reply.body = buf_slice(&body);
	}
	reply.headers = buf_slice(own);
	if (buf_failed(own) || buf_failed(&body))
		reply = (struct reply){.status = 500, .to_tag = tag};
	passing_answer(passing, &reply);
	buf_free(&body);
}

/* This phone is not there; another one may be. */
static bool is_absence(unsigned int status)
{
	return status == 404 || status == 408 || status == 430 || status == 480 || status == 503;
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct passing *passing = passing_find(owner, context);
	unsigned int status = message_status(response);
	struct buf own;
	(void)handle;

	if (!passing || status < 200)
		return;
	if ((status == 503 && try_next(passing, "answers 503")) ||
	    (is_absence(status) && subscribe_try_next(passing)))
		return;
	if (passing->peer >= 0 && status != 503)
		peers_worked(passing->all->config.peers, (uint32_t)passing->peer,
			     passing->attempt.server);
	buf_init(&own);
	if (passing->subscription)
		subscription_answered(passing, response, path, &own);
	pass_back(passing, response, &own);
	buf_free(&own);
	struct subscription *subscription =
		passing->subscription ? subscription_find(passing->all, passing->subscription)
				      : NULL;
	if (subscription && passing->is_last)
		subscription_end(subscription);
	forget(passing);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct passing *passing = passing_find(owner, context);
	(void)handle;

	if (!passing || try_next(passing, err_text(err)) || subscribe_try_next(passing))
		return;
	unsigned int status = err == -ERR_TIMEOUT ? 408 : 503;
	struct reply reply = {.status = status,
			      .to_tag = own_tag(passing),
			      .headers = status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE};
	counter_add(&passing->all->counters.failed, 1);
	passing_answer(passing, &reply);
	if (passing->subscription)
		subscription_unanswered(passing, status);
	forget(passing);
}
