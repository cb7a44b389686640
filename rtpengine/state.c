/* state.c - sessions beyond the process. SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <unistd.h>
#include "control/state/file.h"
#include "control/state/redis.h"
#include "control/state/seal.h"
#include "rtpengine/relay.h"
#include "rtpengine/session/keep.h"

static int open_redis(struct relay *relay, struct store **out)
{
	const struct config_state *state = &relay->config->state;
	struct redis_place others[REDIS_PLACES_MAX];
	struct store_redis_config redis = {
		.loop = relay->loop,
		.log = &relay->log,
		.unix_path = state->server.transport == CONFIG_UNIX ? state->server.path : NULL,
		.address = state->server.addr,
		.user = state->user,
		.password = state->password,
		.database = state->database,
	};

	for (size_t i = 1; i < state->server_count && i < REDIS_PLACES_MAX; i++)
		others[redis.other_count++] =
			(struct redis_place){.unix_path = state->servers[i].transport == CONFIG_UNIX
								  ? state->servers[i].path
								  : NULL,
					     .address = state->servers[i].addr};
	redis.others = others;
	redis.sentinels.master = state->sentinel.master;
	redis.sentinels.password = state->sentinel.password;
	for (size_t i = 0; i < state->sentinel.server_count; i++)
		redis_sentinels_add(&redis.sentinels, &state->sentinel.servers[i].addr);
	return store_redis_create(&redis, out);
}

static int open_file(struct relay *relay, struct store **out)
{
	const char *name = relay->config->user;
	/* Opened as root, used by whom we become. */
	const struct passwd *user = geteuid() == 0 && name ? getpwnam(name) : NULL;
	const struct store_file_config file = {.loop = relay->loop,
					       .log = &relay->log,
					       .path = relay->config->state.path,
					       .user = user ? user->pw_uid : 0,
					       .group = user ? user->pw_gid : 0};
	struct buf why;

	buf_init(&why);
	int err = store_file_create(&file, &why, out);
	if (err)
		log_error(&relay->log, "store.failed", "reason=\"%.*s\"", (int)why.len,
			  why.data ? why.data : "");
	buf_free(&why);
	return err;
}

static int open_store(struct relay *relay, struct store **out)
{
	const struct config_state *state = &relay->config->state;
	struct store *store;
	struct seal *seal;

	int err = state->store == CONFIG_STORE_FILE ? open_file(relay, &store)
						    : open_redis(relay, &store);
	if (err)
		return err;
	if (state->key) {
		err = seal_create(state->key, &relay->random.base, &relay->log, &seal);
		if (err) {
			store_destroy(store);
			return err;
		}
		store_seal(store, seal);
	}
	*out = store;
	return 0;
}

static void on_revived(void *owner)
{
	struct relay *relay = owner;

	relay->is_revived = true;
	loop_stop(relay->loop);
}

static void on_fetched(void *owner, uint64_t number)
{
	struct relay *relay = owner;

	if (relay->ng)
		ng_server_resume(relay->ng, number);
}

int relay_open_state(struct relay *relay)
{
	const struct config *config = relay->config;
	char mark[CONFIG_STORE_MARK_SIZE];
	struct keep_config keep = {
		.node = config->node,
		.mark = mark,
		.node_number = (uint16_t)config->node_number,
		.is_sealed = config->state.key != NULL,
		.keeps_ringing = config->state.protect == CONFIG_PROTECT_RINGING,
		.on_fetched = on_fetched,
		.owner = relay,
	};

	if (config->state.store == CONFIG_STORE_MEMORY)
		return 0;
	int err = open_store(relay, &keep.store);
	if (err)
		return err;
	config_store_mark(config, mark);
	err = sessions_keep(relay->sessions, &keep);
	if (err) {
		store_destroy(keep.store);
		return err;
	}
	if (!keep.is_sealed)
		log_warn(&relay->log, "keep.unsealed",
			 "effect=\"calls with SRTP or ICE do not survive this process\" "
			 "cure=\"set state.key\"");
	sessions_revive(relay->sessions, on_revived, relay);
	loop_run(relay->loop);
	return relay->is_revived ? 0 : -ERR_CLOSED;
}
