/* client_life.c - a client begins and ends, and its hooks. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/asking.h"

#include <stdlib.h>

#define TIMEOUT_MS  1000
#define TRIES       5
#define PING_MS     5000
#define MAX_PENDING 65536
#define ARENA_FIRST (64u << 10)
#define ARENA_LIMIT (16u << 20)

static int relay_init(struct ng_client *client, const struct ng_relay_config *config)
{
	struct ng_relay *relay = &client->relays[client->relay_count];

	*relay = (struct ng_relay){
		.client = client,
		.index = (int)client->relay_count++,
		.endpoint = config->endpoint,
		.fd = -1,
		.in_service = true,
	};
	relay->endpoint.path = NULL;
	TAILQ_INIT(&relay->exchanges);
	TAILQ_INIT(&relay->queue);
	buf_init(&relay->stream.in);
	buf_init(&relay->stream.out);
	relay->name = slice_dup(slice_from(config->name ? config->name : "relay"));
	if (!relay->name)
		return -ERR_NO_MEMORY;
	if (config->endpoint.transport == NG_UNIX) {
		if (!config->endpoint.path)
			return -ERR_INVALID;
		relay->endpoint.path = slice_dup(slice_from(config->endpoint.path));
		if (!relay->endpoint.path)
			return -ERR_NO_MEMORY;
	}
	int err = ng_relay_open(relay);
	if (!err)
		ng_relay_start_ping(relay);
	return err;
}

static void flush(struct ng_client *client, bool all)
{
	/* Twice: what fails while it is sent may move to a relay that had its turn. */
	for (unsigned i = 0; i < 2 * client->relay_count; i++) {
		struct ng_relay *relay = &client->relays[i % client->relay_count];

		if (relay->urgent || (all && !TAILQ_EMPTY(&relay->queue)))
			ng_relay_send_queued(relay);
	}
}

static void flush_hook(void *owner)
{
	flush(owner, false);
}

static int client_init(struct ng_client *client, const struct ng_client_config *config)
{
	client->loop = config->loop;
	client->own_clock = config->wheel != NULL;
	client->wheel = config->wheel ? config->wheel : loop_wheel(config->loop);
	client->log = config->log;
	client->random = config->random;
	client->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS;
	client->max_tries = config->tries ? config->tries : TRIES;
	client->ping_ms = config->ping_ms ? config->ping_ms : PING_MS;
	client->max_pending = config->max_pending ? config->max_pending : MAX_PENDING;
	buf_init(&client->scratch);
	random_fill(client->random, client->key, sizeof(client->key));
	int err = arena_create(ARENA_FIRST, ARENA_LIMIT, &client->arena);
	if (!err)
		err = table_init(&client->by_cookie, 256);
	if (!err)
		err = ng_burst_create(&client->burst);
	return err;
}

int ng_client_create(const struct ng_client_config *config, struct ng_client **out)
{
	if (config->relay_count > NG_MAX_RELAYS)
		return -ERR_TOO_MANY;
	struct ng_client *client = calloc(1, sizeof(*client));
	if (!client)
		return -ERR_NO_MEMORY;
	int err = client_init(client, config);
	if (err)
		goto fail;
	client->relays = calloc(config->relay_count + 1, sizeof(client->relays[0]));
	err = client->relays ? 0 : -ERR_NO_MEMORY;
	for (unsigned i = 0; !err && i < config->relay_count; i++)
		err = relay_init(client, &config->relays[i]);
	if (!err)
		err = loop_on_burst_end(client->loop, flush_hook, client);
	if (err)
		goto fail;
	*out = client;
	return 0;
fail:
	ng_client_destroy(client);
	return err;
}

/* What waited for company goes now; nobody is told of answers any more. */
static void say_goodbye(struct ng_client *client)
{
	struct ng_exchange *exchange;

	client->ended = NULL;
	client->news = NULL;
	for (unsigned i = 0; i < client->relay_count; i++)
		TAILQ_FOREACH(exchange, &client->relays[i].exchanges, of_relay)
		{
			exchange->done = NULL;
		}
	flush(client, true);
}

void ng_client_destroy(struct ng_client *client)
{
	if (!client)
		return;
	say_goodbye(client);
	for (unsigned i = 0; i < client->relay_count; i++) {
		struct ng_relay *relay = &client->relays[i];

		struct ng_exchange *exchange = TAILQ_FIRST(&relay->exchanges);
		while (exchange) {
			struct ng_exchange *next = TAILQ_NEXT(exchange, of_relay);

			ng_exchange_free(exchange);
			exchange = next;
		}
		wheel_cancel(client->wheel, &relay->ping);
		ng_relay_close(relay);
		buf_free(&relay->stream.in);
		buf_free(&relay->stream.out);
		free((char *)(uintptr_t)relay->endpoint.path);
		free(relay->name);
	}
	wheel_cancel(client->wheel, &client->patience);
	free(client->relays);
	table_free(&client->by_cookie);
	ng_burst_destroy(client->burst);
	arena_destroy(client->arena);
	buf_free(&client->scratch);
	free(client);
}

void ng_client_flush(struct ng_client *client)
{
	flush(client, true);
}

void ng_client_on_ended(struct ng_client *client, ng_ended_fn *fn, void *owner)
{
	client->ended = fn;
	client->ended_owner = owner;
}

void ng_client_on_news(struct ng_client *client, ng_news_fn *fn, void *owner)
{
	client->news = fn;
	client->news_owner = owner;
}
