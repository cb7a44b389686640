/* admit.c - may this INVITE begin a call, and where does it go? Nothing is kept of one refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/verbs.h"

/* How far back a call is followed through our own hops. */
enum { ANCESTORS_MAX = 70 };

static void refuse_with(struct admission *out, unsigned int status, struct slice headers)
{
	out->status = status;
	out->headers = headers;
}

/* Who calls: a peer, a registered phone, or nobody we know. */
static bool identify(struct calls *calls, const struct message *request,
		     const struct transport_path *path, struct admission *out)
{
	out->peer = worker_peer_of(calls->worker, path);
	if (out->peer >= 0 && calls->worker->config->peers[out->peer].interface == path->interface)
		return true;
	out->peer = -1;
	if (registrar_caller(calls->registrar, message_from(request)->uri, path))
		return true;
	counter_add(&calls->counters.unknown_caller, 1);
	out->is_silent = !calls->worker->config->interfaces[path->interface].trusted;
	refuse_with(out, 403, SLICE_NONE);
	return false;
}

/* A From tag of ours: the call left here and came back (RFC 3261 16.3 step 4). It is a spiral while
 * its Request-URI changes, a loop when it comes round as it was. */
static bool is_loop(struct calls *calls, const struct message *request,
		    const struct transport_path *path, struct admission *out)
{
	struct token token;

	if (token_read(calls->worker->token_key, TOKEN_TAG, message_from_tag(request), &token) !=
		    0 ||
	    token.worker != calls->worker->index)
		return false;
	out->parent = token.id >> 2;
	const struct call *call = calls_find(calls, out->parent);
	for (int i = 0; call && i < ANCESTORS_MAX; i++) {
		if (call->legs[CALLER].interface == path->interface &&
		    slice_equal(call->callee, message_request_uri(request)))
			return true;
		call = call->parent ? calls_find(calls, call->parent) : NULL;
	}
	return false;
}

static void find_way(struct calls *calls, const struct message *request, struct admission *out)
{
	const struct config *config = calls->worker->config;
	struct route_query query = {.peer = out->peer};
	struct uri uri;

	if (uri_parse(message_request_uri(request), &uri) != 0) {
		refuse_with(out, 400, SLICE_NONE);
		return;
	}
	query.number = uri.user;
	const struct binding *binding = registrar_contact(calls->registrar, uri.user);
	if (!binding)
		binding = registrar_lookup(calls->registrar, message_request_uri(request), NULL);
	query.is_registered = binding != NULL;
	if (!binding && registrar_is_masked(calls->registrar, uri.user)) {
		refuse_with(out, 480, SLICE_NONE); /* the registrar has not heard yet */
		return;
	}
	out->route = route_find(config, &query);
	if (!out->route)
		refuse_with(out, 404, SLICE_NONE);
	else if (out->route->to[0].type == CONFIG_END_PHONES && !binding)
		refuse_with(out, 480, SLICE_NONE);
	else
		out->binding = out->route->to[0].type == CONFIG_END_PHONES ? binding : NULL;
}

void admit(struct calls *calls, const struct message *request, const struct transport_path *path,
	   struct buf *headers, struct admission *out)
{
	uint64_t now = wheel_now_ms(calls->worker->wheel);

	*out = (struct admission){.peer = -1};
	/* First who it is: a stranger who is told what is wrong knows that somebody is here. */
	if (!identify(calls, request, path, out))
		return;
	unsigned int status = check_request(request, headers);
	if (!status)
		status = check_invite(request, headers);
	if (status) {
		if (status == 483)
			counter_add(&calls->counters.too_many_hops, 1);
		refuse_with(out, status, buf_slice(headers));
		return;
	}
	if (calls->is_stopping) {
		refuse_with(out, 503, SLICE("Retry-After: 10\r\n"));
		return;
	}
	if (is_loop(calls, request, path, out)) {
		counter_add(&calls->counters.loops, 1);
		refuse_with(out, 482, SLICE_NONE);
		return;
	}
	find_way(calls, request, out);
	if (out->status)
		return;
	if (limits_take(calls->limits, LIMIT_SETUP, path, out->peer >= 0 ? LIMIT_PEER : LIMIT_PHONE,
			now) != 0 ||
	    limits_enter(calls->limits, path->interface) != 0) {
		counter_add(&calls->counters.limited, 1);
		refuse_with(out, 503, SLICE("Retry-After: 5\r\n"));
	}
}
