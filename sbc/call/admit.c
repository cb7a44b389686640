/* admit.c - may this INVITE begin a call, and where does it go? Nothing is kept of one refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/verbs.h"
#include "sbc/registration/caller.h"
#include "sbc/route/hops.h"
#include "sbc/route/numbers.h"

static void refuse_with(struct admission *out, unsigned int status, struct slice headers)
{
	out->status = status;
	out->headers = headers;
}

/* Who calls: a peer, a registered phone, somebody with a password, or nobody we know. */
static bool identify(struct calls *calls, const struct message *request,
		     const struct transport_path *path, struct buf *headers, struct admission *out)
{
	struct caller caller;
	bool is_known = caller_identify(calls->registrar, request, path, headers, &caller);

	out->peer = caller.peer;
	out->is_silent = caller.is_silent;
	if (caller.status == 403)
		counter_add(&calls->counters.unknown_caller, 1);
	if (!is_known)
		refuse_with(out, caller.status, buf_slice(headers));
	return is_known;
}

/* The number that the caller's peer means by what it writes. */
static int read_called(const struct calls *calls, const struct message *request, int peer,
		       struct buf *called, struct buf *number)
{
	static const struct config_number_rules none;
	const struct config *config = calls->worker->config;

	int err = numbers_apply(peer >= 0 ? &config->peers[peer].numbers.in : &none,
				message_request_uri(request), called);
	return err ? err : number_of(buf_slice(called), number);
}

static void choose_route(struct calls *calls, struct slice called, struct slice number,
			 const struct uri *uri, struct admission *out)
{
	struct caller_query query = {
		.peer = out->peer,
		.called = called,
		.number = number,
		.uri = uri,
		.now = (time_t)((wheel_now_ms(calls->worker->wheel) + calls->unix_offset_ms) /
				1000),
		.lead = out->lead};
	struct caller_way way;

	unsigned int status = caller_find(calls->registrar, &query, &way);
	out->route = way.route;
	if (!status && way.route->to[0].type == CONFIG_END_REJECT)
		status = way.route->to[0].code;
	else if (!status && way.route->to_count == 1 &&
		 way.route->to[0].type == CONFIG_END_PHONES && !way.binding)
		status = 480;
	if (status)
		refuse_with(out, status, SLICE_NONE);
}

static void find_way(struct calls *calls, const struct message *request, struct admission *out)
{
	struct buf called, number;
	struct uri uri;

	buf_init(&called);
	buf_init(&number);
	int err = read_called(calls, request, out->peer, &called, &number);
	if (!err)
		err = uri_parse(buf_slice(&called), &uri);
	if (err)
		refuse_with(out,
			    err == -ERR_NO_MEMORY     ? 500
			    : err == -ERR_UNSUPPORTED ? 416
						      : 400,
			    SLICE_NONE);
	else
		choose_route(calls, buf_slice(&called), buf_slice(&number), &uri, out);
	buf_free(&called);
	buf_free(&number);
}

/* Where somebody is already there is no way to be found. */
static const struct config_route to_held = {.name = "transfer", .implicit = true};

static void find_way_out(struct calls *calls, const struct message *request, struct admission *out)
{
	if (out->replaced)
		out->route = &to_held;
	else
		find_way(calls, request, out);
}

/* Limits: the rate of who asks for it, and the calls of the side it is from. */
static void enter(struct calls *calls, const struct transport_path *path, uint16_t interface,
		  int peer, struct admission *out)
{
	bool is_emergency = out->route->priority == CONFIG_PRIORITY_EMERGENCY;

	if ((!is_emergency && limits_take(calls->limits, LIMIT_SETUP, path,
					  out->peer >= 0 ? LIMIT_PEER : LIMIT_PHONE, out->peer,
					  wheel_now_ms(calls->worker->wheel)) != 0) ||
	    limits_enter(calls->limits, interface, peer, is_emergency) != 0) {
		counter_add(&calls->counters.limited, 1);
		refuse_with(out, 503, SLICE("Retry-After: 5\r\n"));
	}
}

int admit_reliability(const struct config_dialog *policy, const struct message *request,
		      enum reliability *out)
{
	bool is_required = message_has_option(request, HEADER_REQUIRE, SLICE("100rel"));
	bool is_supported =
		is_required || message_has_option(request, HEADER_SUPPORTED, SLICE("100rel"));

	*out = RELIABLE_NEVER;
	if (policy->reliable == CONFIG_RELIABLE_NEVER)
		return is_required ? -ERR_UNSUPPORTED : 0;
	if (policy->reliable == CONFIG_RELIABLE_REQUIRE && !is_supported)
		return -ERR_REFUSED;
	if (is_required || (is_supported && policy->reliable == CONFIG_RELIABLE_REQUIRE))
		*out = RELIABLE_REQUIRED;
	else if (is_supported)
		*out = RELIABLE_SUPPORTED;
	return 0;
}

/* RFC 3261 8.2.2.2, RFC 5393 5, RFC 4028, RFC 3262: what an INVITE must be beside well formed. */
static unsigned int check_setup(struct calls *calls, const struct message *request,
				const struct transport_path *path, struct buf *headers,
				struct admission *out)
{
	const struct config *config = calls->worker->config;
	const struct config_dialog *policy = out->peer >= 0
						     ? &config->peers[out->peer].dialog
						     : &config->interfaces[path->interface].dialog;
	struct slice breadth;
	uint32_t left = 0;

	if (exchange_is_merged(calls, request)) {
		counter_add(&calls->counters.merged, 1);
		return 482;
	}
	if (message_header(request, SLICE("Max-Breadth"), &breadth)) {
		if (slice_to_u32(slice_trim(breadth), UINT32_MAX, &left) != 0)
			return 400;
		if (left == 0)
			return 440;
	}
	unsigned int status = session_timer_check(policy, request, headers);
	if (status)
		return status;
	int err = admit_reliability(policy, request, &out->reliability);
	if (err == -ERR_UNSUPPORTED)
		builder_header(headers, HEADER_UNSUPPORTED, SLICE("100rel"));
	if (err == -ERR_REFUSED)
		builder_header(headers, HEADER_REQUIRE, SLICE("100rel"));
	return !err ? 0 : err == -ERR_REFUSED ? 421 : 420;
}

void admit(struct calls *calls, const struct message *request, const struct transport_path *path,
	   struct buf *headers, struct admission *out)
{
	*out = (struct admission){.peer = -1};
	/* First who it is: a stranger who is told what is wrong knows that somebody is here. */
	if (!identify(calls, request, path, headers, out))
		return;
	unsigned int status = check_request(request, headers);
	if (!status && check_is_secure(message_request_uri(request)) &&
	    !sip_transport_is_secure((enum sip_transport)path->transport))
		status = 416;
	if (!status)
		status = check_invite(request, headers);
	if (!status)
		status = check_setup(calls, request, path, headers, out);
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
	if (hops_came_round(calls->worker, TOKEN_TAG, request, path)) {
		counter_add(&calls->counters.loops, 1);
		refuse_with(out, 482, SLICE_NONE);
		return;
	}
	status = replaces_find(calls, request, path, out);
	if (status)
		refuse_with(out, status, SLICE_NONE);
	else
		find_way_out(calls, request, out);
	if (!out->status && !out->replaced && calls_are_draining(calls) &&
	    out->route->priority != CONFIG_PRIORITY_EMERGENCY)
		refuse_with(out, 503, SLICE("Retry-After: 10\r\n"));
	if (!out->status)
		enter(calls, path, path->interface, out->peer, out);
}

void admit_transfer(const struct call *call, uint8_t leg, const struct message *request,
		    struct admission *out)
{
	struct calls *calls = call->calls;
	const struct leg *asks = &call->legs[leg], *remains = &call->legs[other_leg(leg)];

	out->peer = asks->peer;
	if (calls->is_stopping)
		refuse_with(out, 503, SLICE_NONE);
	else
		find_way_out(calls, request, out);
	if (!out->status)
		enter(calls, &asks->path, remains->interface, remains->peer, out);
	out->peer = remains->peer;
}
