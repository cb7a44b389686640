/* client.c - NG requests: encoded, matched with their replies, retransmitted, timed out, and taken
 * to another relay. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/client.h"
#include "control/ng/asking.h"
#include "control/ng/json.h"
#include <stdlib.h>

#define PATIENCE_MS 20    /* of a request that nobody waits for */
#define OFFER_TRIES 3     /* of a new call, while there is another relay */
#define MESSAGE_MAX 65507 /* payload of one UDP datagram over IPv4 */

uint64_t ng_client_now_ms(const struct ng_client *client)
{
	return client->own_clock ? wheel_now_ms(client->wheel) : loop_now_ms(client->loop);
}

static uint64_t cookie_hash(const struct ng_client *client, struct slice cookie)
{
	return siphash(cookie, client->key);
}

static void on_try_over(struct timer *timer, uint64_t now_ms);

static void arm_try(struct ng_exchange *exchange)
{
	struct ng_client *client = exchange->client;

	wheel_arm(client->wheel, &exchange->timer, ng_client_now_ms(client) + client->timeout_ms,
		  on_try_over);
}

/* Ask this relay, under a new cookie. */
static void assign(struct ng_exchange *exchange, struct ng_relay *relay)
{
	struct ng_client *client = exchange->client;

	exchange->relay = relay;
	exchange->tried |= 1ull << relay->index;
	exchange->tries = 1;
	exchange->sent_ms = ng_client_now_ms(client);
	random_text(client->random, exchange->message, NG_COOKIE_BYTES);
	struct slice cookie = {exchange->message, NG_COOKIE_BYTES};
	table_insert(&client->by_cookie, &exchange->by_cookie, cookie_hash(client, cookie));
	TAILQ_INSERT_TAIL(&relay->exchanges, exchange, of_relay);
	relay->pending++;
	relay->state.requests++;
	ng_exchange_queue(exchange);
	arm_try(exchange);
}

static void unassign(struct ng_exchange *exchange)
{
	struct ng_relay *relay = exchange->relay;

	wheel_cancel(exchange->client->wheel, &exchange->timer);
	table_remove(&exchange->client->by_cookie, &exchange->by_cookie);
	TAILQ_REMOVE(&relay->exchanges, exchange, of_relay);
	ng_exchange_dequeue(exchange);
	relay->pending--;
}

void ng_exchange_free(struct ng_exchange *exchange)
{
	unassign(exchange);
	exchange->client->pending--;
	free(exchange);
}

/* Over: tell whoever waits. The exchange is gone before, because he may ask again at once. */
static void finish(struct ng_exchange *exchange, int err, const struct ng_value *dict)
{
	ng_done_fn *done = exchange->done;
	void *owner = exchange->owner;
	uint64_t handle = exchange->handle;
	struct ng_relay *relay = exchange->relay;
	bool is_ping = exchange->is_ping;
	struct ng_reply reply = {.err = err, .relay = relay->index, .dict = dict};

	if (exchange->is_delete && relay->state.calls)
		relay->state.calls--;
	ng_exchange_free(exchange);
	if (is_ping)
		ng_relay_ping_done(relay, dict);
	else if (done)
		done(owner, handle, &reply);
}

int ng_exchange_start(struct ng_client *client, struct ng_relay *relay,
		      const struct ng_value *request, struct ng_exchange **out)
{
	if (client->pending >= client->max_pending)
		return -ERR_TOO_MANY;
	if (!ng_value_is_whole(request))
		return -ERR_NO_MEMORY;
	buf_clear(&client->scratch);
	bencode_write(&client->scratch, request);
	if (buf_failed(&client->scratch))
		return -ERR_NO_MEMORY;
	size_t len = NG_COOKIE_BYTES + 1 + client->scratch.len;
	if (len > MESSAGE_MAX)
		return -ERR_TOO_LARGE;
	struct slice call_id = ng_get_string(request, "call-id");
	struct ng_exchange *exchange = calloc(1, sizeof(*exchange) + len + call_id.len);
	if (!exchange)
		return -ERR_NO_MEMORY;
	exchange->client = client;
	exchange->len = len;
	exchange->message[NG_COOKIE_BYTES] = ' ';
	memcpy(exchange->message + NG_COOKIE_BYTES + 1, client->scratch.data, client->scratch.len);
	if (call_id.len)
		memcpy(exchange->message + len, call_id.data, call_id.len);
	exchange->call_id = (struct slice){exchange->message + len, call_id.len};
	client->pending++;
	assign(exchange, relay);
	*out = exchange;
	return 0;
}

static void on_patience(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	ng_client_flush(container_of(timer, struct ng_client, patience));
}

/* Waking the relay costs more than the request: it goes with the next one, or soon. */
static void let_wait(struct ng_exchange *exchange)
{
	struct ng_client *client = exchange->client;

	ng_exchange_dequeue(exchange);
	exchange->can_wait = true;
	ng_exchange_queue(exchange);
	if (!timer_is_armed(&client->patience))
		wheel_arm(client->wheel, &client->patience, ng_client_now_ms(client) + PATIENCE_MS,
			  on_patience);
}

int ng_client_request(struct ng_client *client, int relay, const struct ng_value *request,
		      ng_done_fn *done, void *owner, uint64_t handle)
{
	struct slice command = ng_get_string(request, "command");
	struct ng_exchange *exchange;

	if (!command.len || relay >= (int)client->relay_count)
		return -ERR_INVALID;
	struct ng_relay *target = relay < 0 ? ng_relay_choose(client, 0) : &client->relays[relay];
	if (!target)
		return -ERR_UNREACHABLE;
	int err = ng_exchange_start(client, target, request, &exchange);
	if (err)
		return err;
	exchange->done = done;
	exchange->owner = owner;
	exchange->handle = handle;
	exchange->is_new_offer = relay < 0 && slice_equal(command, SLICE("offer"));
	exchange->is_delete = slice_equal(command, SLICE("delete"));
	if (exchange->is_delete && !done)
		let_wait(exchange);
	return 0;
}

/* A relay that did not answer may have worked all the same: what it built for a call that lives
 * elsewhere now must not keep its ports until the media time-out. */
static void delete_orphan(struct ng_exchange *moved, struct ng_relay *from)
{
	struct ng_client *client = moved->client;
	/* Without it Sipwise's relay keeps a deleted call for 30 s. */
	struct ng_value delay = {.type = NG_INTEGER, .key = SLICE("delete delay")};
	struct ng_value call_id = {.type = NG_STRING,
				   .key = SLICE("call-id"),
				   .string = moved->call_id,
				   .next = &delay};
	struct ng_value command = {.type = NG_STRING,
				   .key = SLICE("command"),
				   .string = SLICE("delete"),
				   .next = &call_id};
	struct ng_value request = {.type = NG_DICT, .first = &command, .last = &delay};
	struct ng_exchange *exchange;

	if (ng_exchange_start(client, from, &request, &exchange))
		log_warn(client->log, "ng.orphan", "relay=%s call_id=%.*s", from->name,
			 SLICE_ARG(moved->call_id));
}

/* False: there is no other relay to ask. */
static bool fail_over(struct ng_exchange *exchange, bool unanswered)
{
	struct ng_relay *from = exchange->relay;
	struct ng_relay *to = NULL;

	if (exchange->is_new_offer)
		to = ng_relay_choose(exchange->client, exchange->tried);
	if (!to)
		return false;
	from->state.failovers++;
	unassign(exchange);
	assign(exchange, to);
	if (unanswered)
		delete_orphan(exchange, from);
	log_info(exchange->client->log, "ng.fail-over", "from=%s to=%s", from->name, to->name);
	return true;
}

void ng_relay_move_offers(struct ng_relay *relay)
{
	struct ng_exchange *exchange = TAILQ_FIRST(&relay->exchanges);

	while (exchange) {
		struct ng_exchange *next = TAILQ_NEXT(exchange, of_relay);

		(void)fail_over(exchange, true);
		exchange = next;
	}
}

/* How often to send before giving up on this relay. */
static uint32_t tries_allowed(const struct ng_exchange *exchange)
{
	const struct ng_client *client = exchange->client;

	/* A relay out of service is knocked at, not besieged. */
	if (exchange->is_ping && !exchange->relay->in_service)
		return 1;
	/* A caller waits, and another relay would answer him at once. */
	if (exchange->is_new_offer && client->max_tries > OFFER_TRIES &&
	    ng_relay_choose(exchange->client, exchange->tried))
		return OFFER_TRIES;
	return client->max_tries;
}

static void on_try_over(struct timer *timer, uint64_t now_ms)
{
	struct ng_exchange *exchange = container_of(timer, struct ng_exchange, timer);
	struct ng_relay *relay = exchange->relay;

	(void)now_ms;
	if (exchange->tries < tries_allowed(exchange)) {
		exchange->tries++;
		relay->state.retransmits++;
		relay->urgent += exchange->can_wait && exchange->queued;
		exchange->can_wait = false;
		ng_exchange_queue(exchange);
		arm_try(exchange);
		return;
	}
	relay->state.timeouts++;
	/* Silence to one request alone does not make a relay dead. */
	if (relay->state.last_reply_ms < exchange->sent_ms || !relay->state.replies)
		ng_relay_fail(relay, "timeout", false);
	/* That has moved this exchange too, when it may go elsewhere. */
	if (exchange->relay != relay || fail_over(exchange, true))
		return;
	finish(exchange, -ERR_TIMEOUT, NULL);
}

/* The words by which a relay says that it is full: ng-contract, the capability rule. */
static bool is_refusal(const struct ng_value *dict)
{
	static const char *const reasons[] = {
		"Parallel session limit reached", "CPU usage limit exceeded", "Load limit exceeded",
		"Bandwidth limit exceeded",       "Ran out of ports",
	};
	struct slice result = ng_get_string(dict, "result");
	struct slice reason = ng_get_string(dict, "error-reason");

	if (slice_equal_nocase(result, SLICE("load limit")))
		return true;
	if (!slice_equal_nocase(result, SLICE("error")))
		return false;
	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (slice_equal_nocase(reason, slice_from(reasons[i])))
			return true;
	return false;
}

static void measure(struct ng_exchange *exchange)
{
	struct ng_relay_state *state = &exchange->relay->state;
	uint64_t now_ms = ng_client_now_ms(exchange->client);

	state->replies++;
	state->last_reply_ms = now_ms;
	/* After a retransmission nobody knows which one was answered (Karn, Partridge 1987). */
	if (exchange->tries > 1)
		return;
	uint64_t rtt_us = (now_ms - exchange->sent_ms) * 1000;
	if (rtt_us > UINT32_MAX)
		rtt_us = UINT32_MAX;
	state->rtt_us = state->rtt_us ? (uint32_t)(((uint64_t)state->rtt_us * 7 + rtt_us) / 8)
				      : (uint32_t)rtt_us;
}

static struct ng_exchange *find_exchange(const struct ng_client *client, struct slice cookie)
{
	uint64_t hash = cookie_hash(client, cookie);
	struct table_link *link = NULL;

	while ((link = table_find(&client->by_cookie, hash, link))) {
		struct ng_exchange *exchange = container_of(link, struct ng_exchange, by_cookie);
		struct slice own = {exchange->message, NG_COOKIE_BYTES};

		if (slice_equal(own, cookie))
			return exchange;
	}
	return NULL;
}

void ng_client_take_reply(struct ng_relay *relay, struct slice message)
{
	struct ng_client *client = relay->client;
	struct slice document = message;
	struct slice cookie = slice_cut(&document, ' ');
	struct ng_exchange *exchange = find_exchange(client, cookie);
	struct ng_value *dict = NULL;

	/* Late, twice, or not from whom we asked. */
	if (!exchange || exchange->relay != relay)
		return;
	arena_reset(client->arena);
	bool is_json = document.len && document.data[0] == '{';
	int err = is_json ? ng_json_read(client->arena, document, &dict)
			  : bencode_read(client->arena, document, &dict);
	if (!err && dict->type != NG_DICT)
		err = -ERR_MALFORMED;
	measure(exchange);
	if (!exchange->is_ping)
		ng_relay_is_alive(relay);
	if (err) {
		log_warn(client->log, "ng.bad-reply", "relay=%s error=\"%s\"", relay->name,
			 err_text(err));
		finish(exchange, err, NULL);
		return;
	}
	if (exchange->is_new_offer) {
		bool refused = is_refusal(dict);

		relay->state.refused += refused;
		if (refused && fail_over(exchange, false))
			return;
		if (slice_equal(ng_get_string(dict, "result"), SLICE("ok")))
			relay->state.calls++;
	}
	finish(exchange, 0, dict);
}
