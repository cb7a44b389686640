/* core_store.c - the store of one worker, as the configuration says.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <unistd.h>
#include "control/state/file.h"
#include "control/state/memory.h"
#include "control/state/redis.h"
#include "control/state/seal.h"
#include "sbc/call/core.h"

static int open_redis(struct worker *worker, struct store **out)
{
	const struct config_state *state = &worker->config->state;
	struct redis_place others[REDIS_PLACES_MAX];
	struct store_redis_config redis = {
		.loop = worker->loop,
		.log = worker->log,
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

static int open_memory(struct worker *worker, struct store **out)
{
	struct store_memory_config memory = {.wheel = worker->wheel, .random = worker->random};

	return store_memory_create(&memory, out);
}

static int open_file(struct worker *worker, struct store **out)
{
	const struct config *config = worker->config;
	/* Opened as root, used by whom we become. */
	const struct passwd *user = geteuid() == 0 && config->user ? getpwnam(config->user) : NULL;
	struct store_file_config file = {.loop = worker->loop,
					 .log = worker->log,
					 .path = config->state.path,
					 .user = user ? user->pw_uid : 0,
					 .group = user ? user->pw_gid : 0};
	struct buf why;

	buf_init(&why);
	int err = store_file_create(&file, &why, out);
	if (err)
		log_error(worker->log, "store.failed", "reason=\"%.*s\"", (int)why.len,
			  why.data ? why.data : "");
	buf_free(&why);
	return err;
}

static int open_seal(struct worker *worker, struct store *store)
{
	const struct config_state *state = &worker->config->state;
	struct seal *seal;

	if (!state->key || state->store == CONFIG_STORE_MEMORY)
		return 0;
	int err = seal_create(state->key, worker->random, worker->log, &seal);
	if (!err)
		store_seal(store, seal);
	return err;
}

int core_open_store(struct worker *worker, struct store **out)
{
	static int (*const openers[])(struct worker * worker, struct store * *out) = {
		[CONFIG_STORE_MEMORY] = open_memory,
		[CONFIG_STORE_REDIS] = open_redis,
		[CONFIG_STORE_FILE] = open_file,
	};
	struct store *store;

	int err = openers[worker->config->state.store](worker, &store);
	if (err)
		return err;
	err = open_seal(worker, store);
	if (err) {
		store_destroy(store);
		return err;
	}
	*out = store;
	return 0;
}
