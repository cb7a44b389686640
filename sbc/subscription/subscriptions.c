/* subscriptions.c - the table of one worker, and which request belongs where.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>
#include "sbc/registration/caller.h"
#include "sbc/route/refuse.h"
#include "sbc/subscription/internal.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

/* The last NOTIFY, and what is under way (RFC 6665 4.1.2.2, timer N: 64*T1). */
enum { GRACE_MS = 32000 };
#define SCRATCH_CHUNK ((size_t)16 * 1024)
#define SCRATCH_LIMIT ((size_t)1024 * 1024)

int subscriptions_create(const struct subscriptions_config *config, struct subscriptions **out)
{
	struct subscriptions *all = calloc(1, sizeof(*all));
	struct timespec now;
	if (!all)
		return -ERR_NO_MEMORY;

	all->config = *config;
	all->worker = config->worker;
	all->next_number = all->worker->first_id;
	random_fill(all->worker->random, all->secret, sizeof(all->secret));
	clock_gettime(CLOCK_REALTIME, &now);
	all->unix_offset_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 -
			      wheel_now_ms(all->worker->wheel);
	int err = table_init(&all->by_number, 64);
	if (!err)
		err = table_init(&all->passings, 64);
	if (!err)
		err = arena_create(SCRATCH_CHUNK, SCRATCH_LIMIT, &all->scratch);
	if (!err)
		err = subscriptions_open_store(all);
	if (err) {
		subscriptions_destroy(all);
		return err;
	}
	*out = all;
	return 0;
}

int subscription_share(struct subscription *subscription, struct slice subscriber)
{
	struct subscriptions *all = subscription->all;
	uint16_t *share = &all->shares[uri_hash(subscriber, all->secret) % SHARES];

	if (*share >= SHARE_MAX)
		return -ERR_TOO_MANY;
	++*share;
	subscription->share = share;
	return 0;
}

static void destroy(struct subscription *subscription)
{
	struct subscriptions *all = subscription->all;

	subscription_unkeep(subscription);
	if (subscription->share)
		--*subscription->share;
	wheel_cancel(all->worker->wheel, &subscription->expiry);
	table_remove(&all->by_number, &subscription->by_number);
	for (int side = 0; side < 2; side++)
		dialog_free(&subscription->sides[side].dialog);
	owned_free(&subscription->event);
	owned_free(&subscription->target);
	free(subscription);
}

void subscriptions_destroy(struct subscriptions *all)
{
	struct table_link *link;

	if (!all)
		return;
	all->is_closing = true;
	pursuits_destroy(all->pursuits);
	if (all->by_number.buckets)
		while ((link = table_next(&all->by_number, NULL)))
			destroy(container_of(link, struct subscription, by_number));
	if (all->passings.buckets) {
		while ((link = table_next(&all->passings, NULL))) {
			table_remove(&all->passings, link);
			passing_free(container_of(link, struct passing, by_number));
		}
	}
	table_free(&all->by_number);
	table_free(&all->passings);
	arena_destroy(all->scratch);
	free(all);
}

static uint64_t spread(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15u;
}

struct subscription *subscription_find(const struct subscriptions *all, uint64_t number)
{
	struct table_link *link = NULL;

	while ((link = table_find(&all->by_number, spread(number), link))) {
		struct subscription *found = container_of(link, struct subscription, by_number);
		if (found->number == number)
			return found;
	}
	return NULL;
}

static uint64_t next_name(struct subscriptions *all)
{
	const struct worker *worker = all->worker;

	all->next_number = (all->next_number + 1) & WORKER_NUMBER_MAX;
	return token_pack(&(struct token){
		.node = worker->node, .worker = worker->index, .id = all->next_number});
}

void subscription_token(const struct subscription *subscription, unsigned int bits,
			char out[TOKEN_LENGTH])
{
	struct token token = token_unpack(subscription->number);

	token.id = token.id << 2 | bits;
	token_make(subscription->all->worker->token_key, TOKEN_SUBSCRIPTION, &token, out);
}

int subscription_create(struct subscriptions *all, uint64_t name, struct subscription **out)
{
	if (all->by_number.count >= SUBSCRIPTIONS_MAX)
		return -ERR_TOO_MANY;
	struct subscription *subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return -ERR_NO_MEMORY;
	subscription->all = all;
	subscription->number = name ? name : next_name(all);
	subscription->epoch = 1;
	subscription->created_ms = wheel_now_ms(all->worker->wheel);
	random_fill(all->worker->random, subscription->session.seed,
		    sizeof(subscription->session.seed));
	table_insert(&all->by_number, &subscription->by_number, spread(subscription->number));
	*out = subscription;
	return 0;
}

/* The first of a fork stays while others have its tag on the notifier's side. */
void subscription_end(struct subscription *subscription)
{
	struct subscriptions *all = subscription->all;
	struct subscription *root =
		subscription->root ? subscription_find(all, subscription->root) : NULL;

	for (uint32_t i = 0; root && i < root->fork_count; i++)
		if (root->forks[i] == subscription->number)
			root->forks[i] = root->forks[--root->fork_count];
	for (uint32_t i = 0; i < subscription->fork_count; i++) {
		struct subscription *fork = subscription_find(all, subscription->forks[i]);
		if (fork)
			destroy(fork);
	}
	destroy(subscription);
}

void subscription_lose(struct subscription *subscription)
{
	struct subscriptions *all = subscription->all;

	counter_add(&all->counters.lost, 1);
	pursuits_lost_one(all->pursuits);
	subscription->is_kept = false;
	subscription->fork_count = 0; /* each has an owner of its own */
	subscription_end(subscription);
}

static void on_expiry(struct timer *timer, uint64_t now_ms)
{
	struct subscription *subscription = container_of(timer, struct subscription, expiry);
	(void)now_ms;

	counter_add(&subscription->all->counters.expired, 1);
	subscription_end(subscription);
}

void subscription_arm(struct subscription *subscription, uint64_t expires_s)
{
	struct worker *worker = subscription->all->worker;

	subscription->granted_s = (uint32_t)expires_s;
	subscription->ends_ms = wheel_now_ms(worker->wheel) + expires_s * 1000;
	wheel_arm(worker->wheel, &subscription->expiry, subscription->ends_ms + GRACE_MS,
		  on_expiry);
}

void subscription_refuse(struct subscriptions *all, struct transaction_handle handle,
			 const struct message *request, const struct transport_path *path,
			 unsigned int status, struct slice headers)
{
	counter_add(&all->counters.refused, 1);
	/* Without the challenge nobody could ever show who he is. */
	if (status != 401 && status != 407 &&
	    caller_may_be_forged(all->config.registrar, request, path))
		refuse_briefly(all->worker, handle, request, path, status, headers);
	else
		refuse(all->worker, handle, request, path, status, headers);
}

void subscription_refuse_error(struct subscriptions *all, struct transaction_handle handle,
			       const struct message *request, const struct transport_path *path,
			       int err)
{
	unsigned int status = err == -ERR_MALFORMED ? 400 : err == -ERR_NO_MEMORY ? 500 : 503;

	subscription_refuse(all, handle, request, path, status,
			    status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
}

/* --- who gets what --- */

/* Hops, scheme, options, package: 0, or what to answer. */
static unsigned int check(const struct message *request, const struct transport_path *path,
			  struct buf *headers)
{
	enum method method = message_method(request);
	struct slice scheme;
	struct buf unsupported;

	if (message_max_forwards(request) == 0)
		return 483;
	switch (uri_scheme_of(message_request_uri(request), &scheme)) {
	case URI_SIP:
	case URI_TEL:
		break;
	case URI_SIPS: /* RFC 3261 26.2.2: secured on every hop, this one too */
		if (sip_transport_is_secure((enum sip_transport)path->transport))
			break;
		return 416;
	case URI_OTHER:
		return 416;
	}
	buf_init(&unsupported);
	bool is_bad = headers_unsupported(request, &unsupported);
	if (is_bad)
		builder_header(headers, HEADER_UNSUPPORTED, buf_slice(&unsupported));
	buf_free(&unsupported);
	if (is_bad)
		return 420;
	if ((method == METHOD_SUBSCRIBE || method == METHOD_NOTIFY || method == METHOD_PUBLISH) &&
	    slice_is_empty(message_value(request, HEADER_EVENT)))
		return 489;
	return message_body(request).len > BODY_MAX ? 513 : 0;
}

/* Is it checked, and good? It is answered otherwise. */
static bool is_good(struct subscriptions *all, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path)
{
	struct buf headers;

	buf_init(&headers);
	unsigned int status = check(request, path, &headers);
	if (status)
		subscription_refuse(all, handle, request, path, status, buf_slice(&headers));
	buf_free(&headers);
	return status == 0;
}

/* 0, or what to say of a request whose way is known. */
static unsigned int may_pass(const struct subscriptions *all, const struct way *way,
			     enum method method, const struct transport_path *path)
{
	/* A method that nobody here knows, and nobody beyond is there for. */
	if (way->status)
		return method == METHOD_UNKNOWN ? 501 : way->status;
	/* RFC 6665 knows none without a subscription; PBXs send them to phones (message-summary,
	 * check-sync), and to phones alone: from outside it would be anybody's word. */
	if (method == METHOD_NOTIFY && !all->worker->config->interfaces[path->interface].trusted)
		return 481;
	return 0;
}

static void pass(struct subscriptions *all, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path,
		 const struct way *way)
{
	enum method method = message_method(request);
	unsigned int status = may_pass(all, way, method, path);

	if (!status && method == METHOD_REFER)
		status = way_may_refer(all, request, path, way->from_peer);
	if (status == 501)
		subscription_refuse(all, handle, request, path, status,
				    SLICE("Allow: " ALLOWED_METHODS "\r\n"));
	else if (status)
		subscription_refuse(all, handle, request, path, status, buf_slice(&way->headers));
	else if (method == METHOD_SUBSCRIBE || method == METHOD_REFER)
		subscribe_receive(all, handle, request, path, way);
	else
		passing_outside(all, handle, request, path, way);
}

/* False: an OPTIONS that leads to nobody beyond is for us (RFC 3261 11). One in the name of a user
 * of ours wants his password first, whomever it is for. */
static bool receive_outside(struct subscriptions *all, struct transaction_handle handle,
			    const struct message *request, const struct transport_path *path)
{
	enum method method = message_method(request);
	struct way way;

	way_find(all, request, path, &way);
	bool is_ours = method == METHOD_OPTIONS && way.status && way.status != 407;
	/* First who it is: a stranger who is told what is wrong knows that somebody is here. */
	if (!is_ours && way.is_silent && method != METHOD_UNKNOWN) {
		counter_add(&all->counters.strangers, 1);
		refuse_silently(all->worker, handle);
	} else if (!is_ours && is_good(all, handle, request, path)) {
		pass(all, handle, request, path, &way);
	}
	way_free(&way);
	return !is_ours;
}

static bool is_token(const struct subscriptions *all, struct slice text, struct token *out)
{
	return token_read(all->worker->token_key, TOKEN_SUBSCRIPTION,
			  slice_sub(text, 0, TOKEN_LENGTH), out) == 0;
}

/* It is in the store and not here: true = the request waits for it. */
static bool waits(struct subscriptions *all, uint64_t name, struct subscription *first,
		  struct transaction_handle handle, const struct message *request,
		  const struct transport_path *path)
{
	uint64_t fork;

	if (!first)
		return pursuits_wait(all->pursuits, name, handle, request, path);
	while ((fork = notify_missing(first, request))) {
		if (pursuits_wait(all->pursuits, fork, handle, request, path))
			return true;
		notify_forget(first, fork);
	}
	return false;
}

static void receive_inside(struct subscriptions *all, const struct token *token,
			   struct transaction_handle handle, const struct message *request,
			   const struct transport_path *path)
{
	struct token own = {.node = token->node, .worker = token->worker, .id = token->id >> 2};
	uint64_t name = token_pack(&own);
	struct subscription *subscription = subscription_find(all, name);
	uint8_t from = (uint8_t)(token->id & 1);

	if ((!subscription || from == NOTIFIER) &&
	    waits(all, name, subscription, handle, request, path))
		return;
	if (subscription && from == NOTIFIER)
		subscription = notify_match(subscription, request, path);
	else if (subscription && !dialog_matches(&subscription->sides[from].dialog, request))
		subscription = NULL;
	if (subscription && !side_is_source(subscription, from, path)) {
		counter_add(&all->counters.foreign_source, 1);
		subscription = NULL;
	}
	if (!subscription) {
		counter_add(&all->counters.unknown_dialog, 1);
		subscription_refuse(all, handle, request, path,
				    message_max_forwards(request) == 0 ? 483 : 481, SLICE_NONE);
		return;
	}
	if (is_good(all, handle, request, path))
		subscription_receive(subscription, from, handle, request, path);
}

static bool has_user(const struct message *request)
{
	struct uri uri;
	return uri_parse(message_request_uri(request), &uri) == 0 && uri.user.len > 0;
}

bool subscriptions_receive(struct subscriptions *all, struct transaction_handle handle,
			   const struct message *request, const struct transport_path *path)
{
	struct token token;

	if (message_to_tag(request).len > 0) {
		if (message_method(request) == METHOD_ACK ||
		    !is_token(all, message_to_tag(request), &token))
			return false;
		receive_inside(all, &token, handle, request, path);
		return true;
	}
	switch (message_method(request)) {
	case METHOD_SUBSCRIBE:
	case METHOD_NOTIFY:
	case METHOD_REFER:
	case METHOD_MESSAGE:
	case METHOD_PUBLISH:
	case METHOD_UNKNOWN:
		return receive_outside(all, handle, request, path);
	case METHOD_OPTIONS:
		return has_user(request) && receive_outside(all, handle, request, path);
	default:
		return false;
	}
}

/* --- looking at it --- */

const struct subscription_counters *subscriptions_counters(const struct subscriptions *all)
{
	return &all->counters;
}

uint32_t subscriptions_count(const struct subscriptions *all)
{
	return all->by_number.count;
}

uint32_t subscriptions_pending(const struct subscriptions *all)
{
	return all->passings.count;
}

const void *subscriptions_next(const struct subscriptions *all, const void *at,
			       struct subscription_info *out)
{
	const struct subscription *last = at;
	struct table_link *link = table_next(&all->by_number, last ? &last->by_number : NULL);

	if (!link)
		return NULL;
	const struct subscription *next = container_of(link, struct subscription, by_number);
	*out = (struct subscription_info){
		.event = next->event,
		.subscriber = next->sides[SUBSCRIBER].dialog.remote_uri,
		.target = next->target,
		.interfaces = {next->sides[0].interface, next->sides[1].interface},
		.created_ms = next->created_ms,
		.expires_ms = next->expiry.due_ms,
		.is_up = next->is_up,
		.is_protected = next->is_kept && next->is_protected,
	};
	subscription_write_id(all, next->number, out->id);
	return next;
}
