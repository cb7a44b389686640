/* subscribe.c - a subscription from its SUBSCRIBE (or REFER) to its end: one dialog with the
 * subscriber, one with the notifier, nothing of the one visible in the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/hops.h"
#include "sbc/route/path.h"
#include "sbc/subscription/internal.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

/* RFC 6665 4.2.1.1 leaves it to the package; most say so. */
enum { EXPIRES_DEFAULT_S = 3600, EXPIRES_MAX_S = 366 * 86400 };

/* --- a side --- */

int side_set_contact(struct subscription *subscription, uint8_t side,
		     const struct transport_path *path)
{
	char user[TOKEN_LENGTH];
	struct buf uri;

	if (!subscription)
		return -ERR_NOT_FOUND;
	subscription_token(subscription, side, user);
	buf_init(&uri);
	path_write_contact(subscription->all->worker, path->listener, subscription->is_secure,
			   (struct slice){user, TOKEN_LENGTH}, &uri);
	int err = buf_failed(&uri) ? -ERR_NO_MEMORY
				   : owned_set(&subscription->sides[side].dialog.local_contact,
					       buf_slice(&uri));
	buf_free(&uri);
	return err;
}

void side_write_contact(const struct subscription *subscription, uint8_t side, struct buf *out)
{
	builder_address(out, HEADER_CONTACT, SLICE_NONE,
			subscription->sides[side].dialog.local_contact, SLICE_NONE, SLICE_NONE);
}

bool side_is_source(const struct subscription *subscription, uint8_t index,
		    const struct transport_path *path)
{
	const struct side *side = &subscription->sides[index];

	if (path->interface != side->interface)
		return false;
	if (side->is_trusted || addr_equal_ip(&side->path.remote, &path->remote))
		return true;
	if (side->peer >= 0)
		return worker_peer_of(subscription->all->worker, path) == side->peer;
	/* A phone that moved meanwhile, and registered from where it is. */
	return registrar_caller(subscription->all->config.registrar, side->dialog.remote_uri,
				path) != NULL;
}

/* A phone's registration knows best where it is: its NAT may have forgotten the binding of a
 * subscription that is refreshed once an hour. The contact tells which of its phones. */
static bool registered_way(const struct subscription *subscription, const struct side *side,
			   struct transport_path *out)
{
	struct registrar *registrar = subscription->all->config.registrar;
	const struct binding *binding = NULL;
	struct slice uri = side->dialog.remote_uri;

	while ((binding = registrar_lookup(registrar, uri, binding))) {
		if (!slice_equal(binding->facts.contact, side->dialog.remote_target) ||
		    binding->path.interface != side->interface)
			continue;
		*out = binding->path;
		return true;
	}
	return false;
}

void side_way(const struct subscription *subscription, uint8_t index, struct transport_path *out,
	      bool *is_named)
{
	const struct side *side = &subscription->sides[index];
	const struct worker *worker = subscription->all->worker;
	struct slice next = dialog_next_hop(&side->dialog);
	struct transport_path path;

	*out = side->path;
	*is_named = false;
	if (!side->is_trusted && side->peer < 0) {
		(void)registered_way(subscription, side, out);
		return;
	}
	if (path_is_named(next)) {
		*is_named = true;
		return;
	}
	if (path_to_uri(worker, side->interface, next, &path) != 0)
		return; /* no listener for it: back to where its last message came from */
	if (path.transport == side->path.transport && addr_equal(&path.remote, &side->path.remote))
		return; /* the same, and it knows the connection */
	if (side->is_trusted ||
	    (path.transport == side->path.transport && worker_peer_of(worker, &path) == side->peer))
		*out = path;
}

struct crossing side_crossing(const struct subscription *subscription, uint8_t from, bool with_body)
{
	const struct side *in = &subscription->sides[from];
	const struct side *out = &subscription->sides[from ^ 1];
	struct crossing crossing = passing_crossing(subscription->all, in->interface, in->peer,
						    out->interface, out->peer, with_body);

	crossing.session = (struct session_ids *)(uintptr_t)&subscription->session;
	crossing.from = from;
	return crossing;
}

/* --- the first SUBSCRIBE --- */

static int make_subscriber(struct subscription *subscription, const struct message *request,
			   const struct transport_path *path, int peer)
{
	struct side *side = &subscription->sides[SUBSCRIBER];
	struct dialog *dialog = &side->dialog;
	const struct name_addr *from = message_from(request);
	const struct name_addr *to = message_to(request);
	char tag[TOKEN_LENGTH];

	side->path = *path;
	side->interface = path->interface;
	side->peer = peer;
	side->is_trusted = subscription->all->worker->config->interfaces[path->interface].trusted;
	subscription_token(subscription, SUBSCRIBER, tag);
	int err = owned_set(&dialog->call_id, message_call_id(request));
	if (!err)
		err = owned_set(&dialog->local_tag, (struct slice){tag, TOKEN_LENGTH});
	if (!err)
		err = owned_set(&dialog->remote_tag, message_from_tag(request));
	if (!err)
		err = owned_set(&dialog->remote_display, from->display);
	if (!err)
		err = owned_set(&dialog->remote_uri, from->uri);
	if (!err)
		err = owned_set(&dialog->local_display, to->display);
	if (!err)
		err = owned_set(&dialog->local_uri, to->uri);
	if (!err)
		err = dialog_set_routes(dialog, request, false);
	if (!err)
		err = dialog_set_target(dialog, request);
	if (!err && slice_is_empty(dialog->remote_target))
		err = -ERR_MALFORMED; /* RFC 6665 4.1.1: there is nobody to notify */
	if (!err)
		err = side_set_contact(subscription, SUBSCRIBER, path);
	if (!err && !dialog_accept_cseq(dialog, message_cseq(request)))
		err = -ERR_MALFORMED;
	return err;
}

static int make_notifier(struct subscription *subscription, const struct message *request,
			 const struct crossing *crossing, const struct way *way)
{
	struct side *side = &subscription->sides[NOTIFIER];
	struct dialog *dialog = &side->dialog;
	const struct name_addr *from = message_from(request);
	const struct name_addr *to = message_to(request);
	bool is_hidden = headers_hide_user(request, crossing);
	char call_id[TOKEN_LENGTH], tag[TOKEN_LENGTH];

	side->path = way->path;
	side->interface = way->interface;
	side->peer = way->peer;
	side->is_trusted = crossing->to_trusted;
	subscription_token(subscription, SUBSCRIPTION_ID, call_id);
	subscription_token(subscription, NOTIFIER, tag);
	struct buf marked;
	buf_init(&marked);
	hops_write_tag(subscription->all->worker, TOKEN_SUBSCRIPTION, request,
		       &subscription->sides[SUBSCRIBER].path, (struct slice){tag, TOKEN_LENGTH},
		       &marked);
	int err = buf_failed(&marked) ? -ERR_NO_MEMORY
				      : owned_set(&dialog->local_tag, buf_slice(&marked));
	buf_free(&marked);
	if (!err)
		err = owned_set(&dialog->call_id, (struct slice){call_id, TOKEN_LENGTH});
	if (!err)
		err = owned_set(&dialog->local_display,
				is_hidden ? SLICE(HEADERS_ANONYMOUS_DISPLAY) : from->display);
	if (!err)
		err = passing_map_identity(&dialog->local_uri, crossing,
					   is_hidden ? SLICE(HEADERS_ANONYMOUS) : from->uri);
	if (!err)
		err = owned_set(&dialog->remote_display, to->display);
	if (!err)
		err = passing_map_identity(&dialog->remote_uri, crossing, to->uri);
	if (!err && way->peer < 0)
		err = owned_set(&dialog->remote_target, buf_slice(&way->target));
	return err ? err : dialog_preset_routes(dialog, buf_slice(&way->routes));
}

static uint32_t expires_asked(const struct message *request)
{
	uint32_t expires_s;

	if (!message_expires(request, &expires_s))
		return EXPIRES_DEFAULT_S;
	return expires_s > EXPIRES_MAX_S ? EXPIRES_MAX_S : expires_s;
}

static int begin(struct subscription *subscription, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path,
		 const struct way *way)
{
	struct subscriptions *all = subscription->all;
	struct passing *passing;

	struct slice scheme;
	subscription->is_secure = uri_scheme_of(message_request_uri(request), &scheme) == URI_SIPS;
	int err = way->from_peer < 0 ? subscription_share(subscription, message_from(request)->uri)
				     : 0;
	if (!err)
		err = make_subscriber(subscription, request, path, way->from_peer);
	if (err)
		return err;
	subscription->sides[NOTIFIER].interface = way->interface;
	subscription->sides[NOTIFIER].peer = way->peer;
	struct crossing crossing =
		side_crossing(subscription, SUBSCRIBER, message_body(request).len > 0);
	err = make_notifier(subscription, request, &crossing, way);
	if (!err)
		err = owned_set(&subscription->event, message_value(request, HEADER_EVENT));
	if (!err)
		err = owned_set(&subscription->target, message_request_uri(request));
	if (!err)
		err = passing_create(all, handle, request, &crossing, &passing);
	if (err)
		return err;
	subscription->asked_s = expires_asked(request);
	subscription_arm(subscription, 0);
	passing->subscription = subscription->number;
	passing->from = SUBSCRIBER;
	passing->is_first = true;
	passing->interface = way->interface;
	passing->peer = way->peer;
	passing->path = way->path;
	passing->back = side_crossing(subscription, NOTIFIER, false);
	passing->back.session = NULL; /* the subscription may have ended by then */
	return passing_send(passing);
}

bool subscribe_try_next(struct passing *passing)
{
	struct subscription *subscription = subscription_find(passing->all, passing->subscription);
	struct binding *contacts;
	struct way way = {.peer = -1};

	if (!subscription || !passing->is_first || passing->peer >= 0)
		return false;
	struct side *side = &subscription->sides[NOTIFIER];
	size_t count = way_contacts(passing->all, passing->uri, passing->is_secure, &contacts);
	/* What crosses was chosen for its side. A NOTIFY made its dialog already: it is there. */
	do {
		if (++passing->contact >= count || side->dialog.remote_tag.len > 0)
			return false;
	} while (contacts[passing->contact].path.interface != side->interface);
	buf_init(&way.target);
	buf_init(&way.routes);
	buf_init(&way.headers);
	way_to_phone(&contacts[passing->contact], passing->uri, &way);
	int err = way.status ? -ERR_NO_MEMORY
			     : owned_set(&side->dialog.remote_target, buf_slice(&way.target));
	if (!err)
		err = dialog_preset_routes(&side->dialog, buf_slice(&way.routes));
	side->path = passing->path = way.path;
	way_free(&way);
	return !err && passing_send_now(passing) == 0;
}

void subscribe_receive(struct subscriptions *all, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path,
		       const struct way *way)
{
	struct subscription *subscription;

	if (hops_came_round(all->worker, TOKEN_SUBSCRIPTION, request, path)) {
		counter_add(&all->counters.loops, 1);
		subscription_refuse(all, handle, request, path, 482, SLICE_NONE);
		return;
	}
	int err = subscription_create(all, 0, &subscription);
	if (!err) {
		err = begin(subscription, handle, request, path, way);
		if (err)
			subscription_end(subscription);
	}
	if (err)
		subscription_refuse_error(all, handle, request, path, err);
	else
		counter_add(&all->counters.subscribed, 1);
}

/* --- in the dialogs --- */

static bool is_terminated(const struct message *notify)
{
	struct slice state = message_value(notify, HEADER_SUBSCRIPTION_STATE);
	return slice_equal_nocase(slice_trim(slice_sub(state, 0, slice_find(state, ';'))),
				  SLICE("terminated"));
}

/* What a NOTIFY says of the time that is left. */
static void take_state(struct subscription *subscription, const struct message *notify)
{
	struct slice state = message_value(notify, HEADER_SUBSCRIPTION_STATE), value;
	uint32_t expires_s;

	if (parameter_find(slice_sub(state, slice_find(state, ';'), state.len), SLICE("expires"),
			   &value) &&
	    slice_to_u32(unquoted(value), UINT32_MAX, &expires_s) == 0)
		subscription_arm(subscription,
				 expires_s > EXPIRES_MAX_S ? EXPIRES_MAX_S : expires_s);
}

static int pass_inside(struct subscription *subscription, uint8_t from,
		       struct transaction_handle handle, const struct message *request)
{
	struct crossing crossing = side_crossing(subscription, from, message_body(request).len > 0);
	struct passing *passing;

	int err = passing_create(subscription->all, handle, request, &crossing, &passing);
	if (err)
		return err;
	passing->subscription = subscription->number;
	passing->from = from;
	passing->is_last = from == NOTIFIER && is_terminated(request);
	passing->back = side_crossing(subscription, from ^ 1, false);
	passing->back.session = NULL;
	side_way(subscription, from ^ 1, &passing->path, &passing->is_named);
	return passing_send(passing);
}

/* Where it is, and wants to be reached. */
static int take_place(struct subscription *subscription, struct side *side,
		      const struct message *request, const struct transport_path *path)
{
	struct contact contact;
	bool is_news = !addr_equal(&side->path.remote, &path->remote) ||
		       (message_contact(request, 0, &contact) &&
			!slice_equal(contact.address.uri, side->dialog.remote_target));

	side->path = *path;
	if (is_news)
		subscription_keep(subscription);
	return dialog_set_target(&side->dialog, request);
}

void subscription_receive(struct subscription *subscription, uint8_t from,
			  struct transaction_handle handle, const struct message *request,
			  const struct transport_path *path)
{
	struct subscriptions *all = subscription->all;
	struct side *side = &subscription->sides[from];
	bool is_notify = message_method(request) == METHOD_NOTIFY;

	/* Each speaks its part: nothing else belongs into such a dialog. */
	if (message_method(request) != (from == NOTIFIER ? METHOD_NOTIFY : METHOD_SUBSCRIBE)) {
		subscription_refuse(all, handle, request, path, 405,
				    from == NOTIFIER ? SLICE("Allow: NOTIFY\r\n")
						     : SLICE("Allow: SUBSCRIBE\r\n"));
		return;
	}
	if (!dialog_accept_cseq(&side->dialog, message_cseq(request))) {
		subscription_refuse(all, handle, request, path, 500, SLICE_NONE);
		return;
	}
	int err = take_place(subscription, side, request, path);
	if (!err && !is_notify && from == SUBSCRIBER && !subscription->is_up)
		err = -ERR_BUSY; /* its notifier has not answered yet */
	if (!err)
		err = pass_inside(subscription, from, handle, request);
	if (err) {
		subscription_refuse_error(all, handle, request, path, err);
		return;
	}
	if (is_notify) {
		counter_add(&all->counters.notified, 1);
		take_state(subscription, request);
		if (subscription->granted_s > 0)
			subscription_follow(subscription);
	} else {
		subscription->asked_s = expires_asked(request);
	}
}

/* --- answers --- */

/* The notifier's 2xx: its dialog, if no NOTIFY made it before. */
static void take_notifier(struct subscription *subscription, const struct message *response,
			  const struct transport_path *path)
{
	struct side *side = &subscription->sides[NOTIFIER];
	struct dialog *dialog = &side->dialog;
	int err = 0;

	side->path = *path;
	if (slice_is_empty(dialog->remote_tag)) {
		err = owned_set(&dialog->remote_tag, message_to_tag(response));
		if (!err)
			err = dialog_set_routes(dialog, response, true);
	} else if (!slice_equal_nocase(dialog->remote_tag, message_to_tag(response))) {
		return; /* of another fork, which its NOTIFY will bring */
	}
	if (!err)
		err = dialog_set_target(dialog, response);
	subscription->is_up = true;
	if (err)
		log_warn(subscription->all->worker->log, "subscription.incomplete", "reason=\"%s\"",
			 err_text(err));
}

/* The subscriber's dialog, in the 2xx to its SUBSCRIBE. */
static void write_subscriber(const struct passing *passing, const struct subscription *subscription,
			     struct buf *own)
{
	if (passing->is_first)
		buf_add(own, passing->record_routes);
	side_write_contact(subscription, SUBSCRIBER, own);
}

static void subscribe_answered(struct passing *passing, struct subscription *subscription,
			       const struct message *response, const struct transport_path *path,
			       struct buf *own)
{
	unsigned int status = message_status(response);
	uint32_t expires_s = subscription->asked_s;

	if (status < 300) {
		take_notifier(subscription, response, path);
		(void)message_expires(response, &expires_s);
		/* 0: it was an end, or a look; one NOTIFY is still to come. */
		subscription_arm(subscription,
				 expires_s > EXPIRES_MAX_S ? EXPIRES_MAX_S : expires_s);
		subscription_keep(subscription);
		write_subscriber(passing, subscription, own);
	} else if (passing->is_first) {
		/* An answer that asks for credentials, or says no: nothing began. */
		passing->is_last = true;
	} else if (status == 481 || status == 404 || status == 410 || status == 416 ||
		   status == 480 || status == 482 || status == 484 || status == 485 ||
		   status == 489 || status == 501 || status == 604) {
		passing->is_last = true; /* RFC 5057 5.1: these end it */
	}
}

void subscription_answered(struct passing *passing, const struct message *response,
			   const struct transport_path *path, struct buf *own)
{
	struct subscription *subscription = subscription_find(passing->all, passing->subscription);
	unsigned int status = message_status(response);

	if (!subscription)
		return;
	if (passing->from == SUBSCRIBER) {
		subscribe_answered(passing, subscription, response, path, own);
		return;
	}
	subscription->sides[SUBSCRIBER].path = *path;
	if (status == 481 || status == 489 || status == 404 || status == 410 || status == 501)
		passing->is_last = true; /* the subscriber does not want it any more */
	if (status < 300)
		side_write_contact(subscription, NOTIFIER, own);
}

/* RFC 6665 4.2.2: a NOTIFY without an answer ends it. A refresh may be tried again while the old
 * time runs. */
void subscription_unanswered(struct passing *passing, unsigned int status)
{
	struct subscription *subscription = subscription_find(passing->all, passing->subscription);
	(void)status;

	if (subscription && (passing->is_first || passing->from == NOTIFIER))
		subscription_end(subscription);
}
