/* client_health.c - which relays can be asked: pings, out of service and back, the choice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/asking.h"

#define PING_DOWN_MS  500 /* a relay out of service is asked more often, to have it back soon */
#define PING_ALIVE_MS 50  /* it has answered something else: nearly at once */
/* A host that says "nobody listens there" may be restarting its relay: for so long it is still
 * asked when there is no other. */
#define RESTART_MS 2000
/* Away for so long: it is not only restarting. */
#define LOST_MS 3000

static uint32_t ping_interval_ms(const struct ng_relay *relay)
{
	uint32_t ping_ms = relay->client->ping_ms;

	return !relay->in_service && ping_ms > PING_DOWN_MS ? PING_DOWN_MS : ping_ms;
}

static void on_ping(struct timer *timer, uint64_t now_ms)
{
	struct ng_relay *relay = container_of(timer, struct ng_relay, ping);
	struct ng_client *client = relay->client;
	struct ng_value since = {
		.type = NG_INTEGER, .key = SLICE("since"), .integer = relay->sequence};
	struct ng_value command = {
		.type = NG_STRING, .key = SLICE("command"), .string = SLICE("ping")};
	struct ng_value request = {.type = NG_DICT, .first = &command, .last = &command};
	struct ng_exchange *exchange;

	/* A plain relay would log the key as unknown. */
	if (relay->instance[0])
		command.next = &since;
	if (ng_exchange_start(client, relay, &request, &exchange)) {
		wheel_arm(client->wheel, timer, now_ms + ping_interval_ms(relay), on_ping);
		return;
	}
	exchange->is_ping = true;
}

void ng_relay_start_ping(struct ng_relay *relay)
{
	wheel_arm(relay->client->wheel, &relay->ping, ng_client_now_ms(relay->client), on_ping);
}

void ng_relay_fail(struct ng_relay *relay, const char *why, bool refused)
{
	struct ng_client *client = relay->client;

	if (!refused)
		relay->refused_ms = 0;
	if (!relay->in_service)
		return;
	relay->in_service = false;
	relay->down_ms = ng_client_now_ms(client);
	relay->refused_ms = refused ? ng_client_now_ms(client) : 0; /* the first time alone */
	log_warn(client->log, "ng.relay-down", "relay=%s reason=\"%s\"", relay->name, why);
	/* No ping under way: the next one comes sooner. */
	if (timer_is_armed(&relay->ping))
		wheel_arm(client->wheel, &relay->ping,
			  ng_client_now_ms(client) + ping_interval_ms(relay), on_ping);
	ng_relay_move_offers(relay);
}

void ng_relay_is_alive(struct ng_relay *relay)
{
	struct ng_client *client = relay->client;
	uint64_t soon_ms = ng_client_now_ms(client) + PING_ALIVE_MS;

	if (!relay->in_service && timer_is_armed(&relay->ping) && relay->ping.due_ms > soon_ms)
		wheel_arm(client->wheel, &relay->ping, soon_ms, on_ping);
}

static void report_ended(struct ng_relay *relay, const struct ng_value *dict)
{
	const struct ng_value *list = ng_get_list(dict, "ended");

	for (const struct ng_value *call = ng_first(list); call; call = call->next)
		if (call->type == NG_STRING && relay->client->ended)
			relay->client->ended(relay->client->ended_owner, relay->index,
					     call->string);
}

static void tell(struct ng_relay *relay, enum ng_news news)
{
	struct ng_client *client = relay->client;

	if (client->news)
		client->news(client->news_owner, relay->index, news);
}

/* Its calls are to be had elsewhere. */
static void give_up(struct ng_relay *relay)
{
	if (relay->is_lost || relay->in_service ||
	    ng_client_now_ms(relay->client) - relay->down_ms < LOST_MS)
		return;
	relay->is_lost = true;
	tell(relay, NG_NEWS_LOST);
	relay->state.calls = 0; /* after the owner was told, who may want to say how many */
}

/* What only our own relays say: who they are, and which calls ended by themselves. */
static void take_news(struct ng_relay *relay, const struct ng_value *dict)
{
	struct ng_client *client = relay->client;
	struct slice instance = ng_get_string(dict, "instance");
	int64_t sequence = 0;

	if (!instance.len || instance.len >= sizeof(relay->instance)) {
		relay->instance[0] = '\0';
		return;
	}
	if (ng_get_integer(dict, "sequence", &sequence))
		sequence = 0;
	bool known = relay->instance[0] != '\0';
	bool same = known && slice_equal(instance, slice_from(relay->instance));
	(void)slice_copy(instance, relay->instance, sizeof(relay->instance));
	relay->sequence = sequence;
	if (same) {
		report_ended(relay, dict);
		return;
	}
	if (!known) {
		tell(relay, NG_NEWS_KNOWN);
		return;
	}
	log_warn(client->log, "ng.relay-restarted", "relay=%s", relay->name);
	tell(relay, NG_NEWS_RESTARTED);
	relay->state.calls = 0; /* after the owner was told */
}

void ng_relay_ping_done(struct ng_relay *relay, const struct ng_value *dict)
{
	struct ng_client *client = relay->client;
	bool pong = slice_equal(ng_get_string(dict, "result"), SLICE("pong"));

	if (pong && !relay->in_service) {
		relay->in_service = true;
		relay->is_lost = false;
		relay->refused_ms = 0;
		log_info(client->log, "ng.relay-up", "relay=%s", relay->name);
	}
	if (pong)
		take_news(relay, dict);
	else
		ng_relay_fail(relay, dict ? "ping not answered with pong" : "no answer to ping",
			      false);
	give_up(relay);
	wheel_arm(client->wheel, &relay->ping, ng_client_now_ms(client) + ping_interval_ms(relay),
		  on_ping);
}

static bool may_be_restarting(const struct ng_relay *relay)
{
	return relay->refused_ms &&
	       ng_client_now_ms(relay->client) - relay->refused_ms < RESTART_MS;
}

struct ng_relay *ng_relay_choose(struct ng_client *client, uint64_t tried)
{
	struct ng_relay *best = NULL;
	struct ng_relay *spare = NULL;
	unsigned start = client->turn++;

	for (unsigned i = 0; i < client->relay_count; i++) {
		struct ng_relay *relay = &client->relays[(start + i) % client->relay_count];

		if (tried >> relay->index & 1)
			continue;
		if (!relay->in_service) {
			if (may_be_restarting(relay))
				spare = relay;
			continue;
		}
		if (!best ||
		    relay->state.calls + relay->pending < best->state.calls + best->pending)
			best = relay;
	}
	return best ? best : spare;
}

unsigned ng_client_relay_count(const struct ng_client *client)
{
	return client->relay_count;
}

void ng_client_relays(const struct ng_client *client, unsigned relay, struct ng_relay_state *out)
{
	const struct ng_relay *from = &client->relays[relay];

	*out = from->state;
	out->name = from->name;
	out->endpoint = from->endpoint;
	out->in_service = from->in_service;
	out->is_ours = from->instance[0] != '\0';
	out->instance = from->instance;
	out->pending = from->pending;
}

bool ng_client_relay_serves(const struct ng_client *client, int relay)
{
	for (unsigned i = 0; i < client->relay_count; i++)
		if (client->relays[i].in_service && (relay < 0 || relay == (int)i))
			return true;
	return false;
}

bool ng_client_relay_is_ours(const struct ng_client *client, int relay)
{
	return relay >= 0 && relay < (int)client->relay_count &&
	       client->relays[relay].instance[0] != '\0';
}

bool ng_client_relays_are_ours(const struct ng_client *client)
{
	unsigned ours = 0;

	while (ours < client->relay_count && client->relays[ours].instance[0])
		ours++;
	return ours == client->relay_count;
}
