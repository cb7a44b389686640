/* outside.c - a request outside any dialog: to one place, or a MESSAGE to each phone of a user.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/subscription/internal.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

/* Call-ID and tag become ours, the same for the same ones, so that what belongs together there
 * (PUBLISH and its refreshes, RFC 3903) still does. */
static int hide(const struct subscriptions *all, struct slice *owned, struct slice text)
{
	uint64_t key[2] = {all->secret[1], all->secret[0]};
	struct buf hidden;

	buf_init(&hidden);
	buf_printf(&hidden, "%016llx%016llx", (unsigned long long)siphash(text, all->secret),
		   (unsigned long long)siphash(text, key));
	int err = buf_failed(&hidden) ? -ERR_NO_MEMORY : owned_set(owned, buf_slice(&hidden));
	buf_free(&hidden);
	return err;
}

static int fill_dialog(struct passing *passing, const struct message *request,
		       const struct crossing *crossing, const struct way *way)
{
	const struct subscriptions *all = passing->all;
	struct dialog *dialog = &passing->dialog;
	bool is_hidden = headers_hide_user(request, crossing);
	const struct name_addr *from = message_from(request);
	const struct name_addr *to = message_to(request);

	int err = hide(all, &dialog->call_id, message_call_id(request));
	if (!err)
		err = hide(all, &dialog->local_tag, message_from_tag(request));
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
	if (!err)
		err = dialog_preset_routes(dialog, buf_slice(&way->routes));
	dialog->local_cseq = message_cseq(request) - 1;
	return err;
}

/* --- to several phones --- */

/* A 2xx of one is the answer; else the best of what they all say (RFC 3261 16.7). */
struct branches {
	uint32_t held;    /* by requests on their way, and who sends them */
	uint32_t awaited; /* answers */
	bool is_answered;
	unsigned int status;  /* the best one; 0 = none */
	struct slice headers; /* owned */
};

static void branches_join(struct branches *branches, struct passing *passing)
{
	passing->branches = branches;
	branches->held++;
}

void branches_leave(struct branches *branches)
{
	if (!branches || --branches->held > 0)
		return;
	owned_free(&branches->headers);
	free(branches);
}

/* The lowest is the best. */
static int rank_of(unsigned int status)
{
	if (status >= 600)
		return 0;
	if (status == 401 || status == 407 || status == 415 || status == 420)
		return 1;
	if (status == 408 || status == 430 || status == 480)
		return 3;
	return status < 500 ? 2 : 4;
}

bool branches_hear(struct branches *branches, const struct reply *reply, struct reply *out)
{
	branches->awaited--;
	if (branches->is_answered)
		return false;
	if (reply->status < 300) {
		branches->is_answered = true;
		*out = *reply;
		return true;
	}
	if (!branches->status || rank_of(reply->status) < rank_of(branches->status)) {
		branches->status = reply->status;
		if (owned_set(&branches->headers, reply->headers) != 0)
			owned_free(&branches->headers);
	}
	if (branches->awaited > 0)
		return false;
	branches->is_answered = true;
	*out = (struct reply){.status = branches->status, .headers = branches->headers};
	return true;
}

/* To where `way` points. */
static int pass_one(struct subscriptions *all, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path,
		    const struct way *way, struct branches *branches)
{
	struct crossing crossing =
		passing_crossing(all, path->interface, way->from_peer, way->interface, way->peer,
				 message_body(request).len > 0);
	struct passing *passing;

	int err = passing_create(all, handle, request, &crossing, &passing);
	if (err)
		return err;
	passing->back = passing_crossing(all, way->interface, way->peer, path->interface,
					 way->from_peer, false);
	passing->interface = way->interface;
	passing->peer = way->peer;
	passing->path = way->path;
	err = fill_dialog(passing, request, &crossing, way);
	if (err) {
		passing_free(passing);
		return err;
	}
	if (branches)
		branches_join(branches, passing);
	return passing_send(passing);
}

/* Each phone gets it once. */
static int pass_to_all(struct subscriptions *all, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path,
		       const struct way *first, const struct binding *contacts, size_t count)
{
	struct branches *branches = calloc(1, sizeof(*branches));
	int err = -ERR_NO_MEMORY;
	if (!branches)
		return err;

	branches->held = 1;
	for (size_t i = 0; i < count; i++) {
		struct way way = {.from_peer = first->from_peer, .peer = -1};
		buf_init(&way.target);
		buf_init(&way.routes);
		buf_init(&way.headers);
		way_to_phone(&contacts[i], message_request_uri(request), &way);
		int failed = way.status ? -ERR_NO_MEMORY
					: pass_one(all, handle, request, path, &way, branches);
		if (!failed)
			branches->awaited++;
		else if (branches->awaited == 0)
			err = failed;
		way_free(&way);
	}
	if (branches->awaited > 0)
		err = 0;
	branches_leave(branches);
	return err;
}

void passing_outside(struct subscriptions *all, struct transaction_handle handle,
		     const struct message *request, const struct transport_path *path,
		     const struct way *way)
{
	struct slice uri = message_request_uri(request), scheme;
	struct binding *contacts;
	size_t count = 0;

	if (way->peer < 0 && message_method(request) == METHOD_MESSAGE)
		count = way_contacts(all, uri, uri_scheme_of(uri, &scheme) == URI_SIPS, &contacts);
	int err = count > 1 ? pass_to_all(all, handle, request, path, way, contacts, count)
			    : pass_one(all, handle, request, path, way, NULL);
	if (err)
		subscription_refuse_error(all, handle, request, path, err);
}
