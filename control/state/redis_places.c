/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_places.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include "control/state/redis_private.h"

static int aim_set(struct redis_aim *aim, const char *unix_path, const struct addr *address)
{
	char text[ADDR_TEXT_SIZE];
	struct sockaddr_un path = {.sun_family = AF_UNIX};

	*aim = (struct redis_aim){0};
	if (!unix_path) {
		if (!addr_is_set(address))
			return -ERR_INVALID;
		aim->len = addr_to_sockaddr(address, &aim->address);
		slice_copy(slice_from(addr_text(address, text)), aim->text, sizeof(aim->text));
		return 0;
	}
	if (strlen(unix_path) >= sizeof(path.sun_path))
		return -ERR_TOO_LARGE;
	slice_copy(slice_from(unix_path), path.sun_path, sizeof(path.sun_path));
	memcpy(&aim->address, &path, sizeof(path));
	aim->len = sizeof(path);
	snprintf(aim->text, sizeof(aim->text), "unix:%s", path.sun_path);
	return 0;
}

static int servers_set(struct redis_places *places, const struct store_redis_config *config)
{
	int err = aim_set(&places->aims[places->count++], config->unix_path, &config->address);

	for (size_t i = 0; !err && i < config->other_count; i++)
		err = places->count == REDIS_PLACES_MAX
			      ? -ERR_TOO_MANY
			      : aim_set(&places->aims[places->count++], config->others[i].unix_path,
					&config->others[i].address);
	return err;
}

static int sentinels_set(struct redis_places *places, const struct redis_sentinels *sentinels)
{
	int err = 0;

	if (!sentinels->master)
		return -ERR_INVALID;
	places->master = slice_dup(slice_from(sentinels->master));
	if (sentinels->password)
		places->password = slice_dup(slice_from(sentinels->password));
	if (!places->master || (sentinels->password && !places->password))
		return -ERR_NO_MEMORY;
	places->is_asking = true;
	for (size_t i = 0; !err && i < sentinels->count; i++)
		err = aim_set(&places->aims[places->count++], NULL, &sentinels->servers[i]);
	return err;
}

int redis_places_init(struct redis_places *places, const struct store_redis_config *config)
{
	*places = (struct redis_places){0};
	int err = config->sentinels.count ? sentinels_set(places, &config->sentinels)
					  : servers_set(places, config);
	places->now = places->aims[0];
	return err;
}

void redis_places_free(struct redis_places *places)
{
	free(places->master);
	free(places->password);
}

bool redis_places_has_choice(const struct redis_places *places)
{
	return places->master || places->count > 1;
}

void redis_places_take_aim(struct redis *redis)
{
	const struct redis_aim *now = &redis->places.now;
	struct redis_link *link = &redis->link;

	/* The number of a connection means another one on another server. */
	if (link->config.server_len != now->len ||
	    memcmp(&link->server, &now->address, sizeof(now->address)) != 0)
		redis->fence_id = 0;
	link->server = now->address;
	link->config.server_len = now->len;
	slice_copy(slice_from(now->text), redis->status.server, sizeof(redis->status.server));
}

void redis_places_next(struct redis *redis)
{
	struct redis_places *places = &redis->places;

	if (!redis_places_has_choice(places))
		return;
	if (!places->master || places->is_asking)
		places->at = (places->at + 1) % places->count;
	places->is_asking = places->master != NULL;
	places->now = places->aims[places->at];
	redis_places_take_aim(redis);
}

/* --- Sentinel --- */

int redis_places_ask(struct redis *redis)
{
	const struct slice words[] = {SLICE("SENTINEL"), SLICE("get-master-addr-by-name"),
				      slice_from(redis->places.master)};
	int err = redis_reader_create(redis);

	if (!err && redis->places.password) {
		const struct slice login[] = {SLICE("AUTH"), slice_from(redis->places.password)};
		err = redis_send_own(redis, REDIS_LOGIN, login, 2);
	}
	return err ? err : redis_send_own(redis, REDIS_SENTINEL, words, 3);
}

static bool next_text(struct slice *list, struct slice *out)
{
	size_t len;

	if (list->len < sizeof(len))
		return false;
	memcpy(&len, list->data, sizeof(len));
	*out = slice_sub(*list, sizeof(len), len);
	*list = slice_sub(*list, sizeof(len) + len, SIZE_MAX);
	return true;
}

/* Host and port; Sentinel may be told to say names, which we do not look up. */
static int master_read(struct slice list, struct addr *out)
{
	struct slice host, port;
	uint32_t number;

	if (!next_text(&list, &host) || !next_text(&list, &port))
		return -ERR_MALFORMED;
	int err = addr_parse_ip(host, out);
	if (!err)
		err = slice_to_u32(port, UINT16_MAX, &number);
	if (!err)
		out->port = (uint16_t)number;
	return err;
}

void redis_places_answered(struct redis *redis, const struct redis_answer *answer)
{
	struct redis_places *places = &redis->places;
	struct addr master = {0};
	char reason[160];

	if (answer->kind == ANSWER_LIST && master_read(answer->text, &master) == 0 &&
	    aim_set(&places->now, NULL, &master) == 0) {
		places->is_asking = false;
		redis_places_take_aim(redis);
		redis_session_turn(redis);
		return;
	}
	if (answer->kind == ANSWER_NIL)
		snprintf(reason, sizeof(reason), "this Sentinel knows no master named \"%s\"",
			 places->master);
	else if (answer->kind == ANSWER_ERROR)
		snprintf(reason, sizeof(reason), "Sentinel: %.*s", SLICE_ARG(answer->text));
	else
		snprintf(reason, sizeof(reason),
			 "this Sentinel does not say the master's IP address");
	redis->status.errors++;
	redis_session_drop(redis, STORE_REFUSING, reason);
}
