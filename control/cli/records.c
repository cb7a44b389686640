/* postern records: what the store holds, and whose it is, with or without a Postern that runs. Only
 * what stands clear in front of each record is looked at (control/state/record_head.h): nothing of
 * who speaks with whom, no key is needed and none is shown. SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "control/base/loop.h"
#include "control/state/file.h"
#include "control/state/keys.h"
#include "control/state/record.h"
#include "control/state/record_head.h"
#include "control/state/redis.h"

enum { WAIT_MS = 3000, POLL_MS = 20, NAME_SIZE = 40 };

/* Kinds in the order they are shown; those who live come first, as they have names. */
static const char *const kinds[] = {"node", "call", "sub", "media", "aor", "trunk"};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]), KIND_NODE = 0 };

struct listing {
	struct loop *loop;
	struct log log;
	struct store *store;
	struct timer poll;
	uint64_t until_ms;
	bool lists; /* each record, not their number alone */
	size_t kind;
	uint64_t counts[KIND_COUNT];
	uint64_t foreign; /* without a head, or of a later version */
	char names[NODE_NUMBER_MAX + 1][NAME_SIZE];
	int status;
};

/* --- one record --- */

static const char *state_text(uint8_t state)
{
	static const char *const texts[] = {[RECORD_RINGING] = "ringing",
					    [RECORD_ANSWERED] = "answered",
					    [RECORD_ENDING] = "ending",
					    [RECORD_SUBSCRIPTION] = "up"};

	return state < sizeof(texts) / sizeof(texts[0]) && texts[state] ? texts[state] : "-";
}

/* A heartbeat: the name is its first line. */
static void show_node(struct listing *listing, struct slice id, struct slice value)
{
	uint32_t number;
	struct slice name;

	if (slice_to_u32(id, NODE_NUMBER_MAX, &number) != 0 || !slice_next_line(&value, &name))
		return;
	slice_copy(name, listing->names[number], NAME_SIZE);
	if (listing->lists)
		printf("node   %-28u %s lives\n", number, listing->names[number]);
}

static void show_owned(struct listing *listing, struct slice id, struct slice value)
{
	struct record_head head;

	if (record_head_read(value, &head) != 0) {
		listing->foreign++;
		if (listing->lists)
			printf("%-6s %-28.*s -\n", kinds[listing->kind], SLICE_ARG(id));
		return;
	}
	if (!listing->lists)
		return;
	const char *name = head.node <= NODE_NUMBER_MAX ? listing->names[head.node] : "";
	printf("%-6s %-28.*s node=%u%s%s%s epoch=%llu worker=%u state=%s bytes=%zu%s\n",
	       kinds[listing->kind], SLICE_ARG(id), head.node, *name ? " (" : "", name,
	       *name ? ")" : " (does not live)", (unsigned long long)head.epoch, head.worker,
	       state_text(head.state), value.len,
	       value.data[1] == RECORD_HEAD_SEALED ? " sealed" : "");
}

/* What stands in the braces. */
static struct slice id_of(struct slice key)
{
	size_t begin = slice_find(key, '{') + 1;
	struct slice rest = slice_sub(key, begin, SIZE_MAX);

	return slice_sub(rest, 0, slice_find(rest, '}'));
}

static bool on_each(void *owner, struct slice key, struct slice value)
{
	struct listing *listing = owner;

	listing->counts[listing->kind]++;
	if (listing->kind == KIND_NODE)
		show_node(listing, id_of(key), value);
	else if (strcmp(kinds[listing->kind], "aor") != 0)
		show_owned(listing, id_of(key), value);
	else if (listing->lists)
		printf("aor    %-28.*s bytes=%zu\n", SLICE_ARG(id_of(key)), value.len);
	return true;
}

/* --- one kind after the other --- */

static void scan(struct listing *listing);

static void finish(struct listing *listing, int status)
{
	listing->status = status;
	loop_stop(listing->loop);
}

static void on_scanned(void *owner, uint64_t handle, const struct store_reply *reply)
{
	struct listing *listing = owner;
	(void)handle;

	if (reply->err) {
		fprintf(stderr, "postern: records: the store was lost (%s)\n",
			err_text(reply->err));
		finish(listing, CLI_NO_ANSWER);
	} else if (++listing->kind == KIND_COUNT) {
		finish(listing, CLI_OK);
	} else {
		scan(listing);
	}
}

static void scan(struct listing *listing)
{
	char prefix[16];
	int len = snprintf(prefix, sizeof(prefix), "%s:", kinds[listing->kind]);

	store_scan(listing->store, (struct slice){prefix, (size_t)len}, on_each, on_scanned,
		   listing, 0);
}

/* A server that only reads will do. */
static void on_poll(struct timer *timer, uint64_t now_ms)
{
	struct listing *listing = container_of(timer, struct listing, poll);
	struct store_status status;

	store_status(listing->store, &status);
	if (status.state == STORE_UP || (status.state == STORE_REFUSING && status.connects > 0)) {
		scan(listing);
	} else if (now_ms >= listing->until_ms) {
		fprintf(stderr, "postern: records: %s: %s\n", status.server,
			status.reason[0] ? status.reason : "no answer");
		finish(listing, CLI_NO_ANSWER);
	} else {
		wheel_arm(loop_wheel(listing->loop), timer, now_ms + POLL_MS, on_poll);
	}
}

static void sum_up(const struct listing *listing)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		printf("%s%s %llu", i ? "  " : "", kinds[i],
		       (unsigned long long)listing->counts[i]);
	if (listing->foreign)
		printf("  of which %llu are not as this version writes them",
		       (unsigned long long)listing->foreign);
	putchar('\n');
}

/* --- the store --- */

static int open_redis(struct listing *listing, const struct config_state *state)
{
	struct redis_place others[REDIS_PLACES_MAX];
	struct store_redis_config redis = {
		.loop = listing->loop,
		.log = &listing->log,
		.unix_path = state->server.transport == CONFIG_UNIX ? state->server.path : NULL,
		.address = state->server.addr,
		.user = state->user,
		.password = state->password,
		.database = state->database,
		.sentinels = {.master = state->sentinel.master,
			      .password = state->sentinel.password},
		.timeout_ms = WAIT_MS,
		.others = others};

	for (size_t i = 1; i < state->server_count && i < REDIS_PLACES_MAX; i++)
		others[redis.other_count++] =
			(struct redis_place){.unix_path = state->servers[i].transport == CONFIG_UNIX
								  ? state->servers[i].path
								  : NULL,
					     .address = state->servers[i].addr};
	for (size_t i = 0; i < state->sentinel.server_count; i++)
		redis_sentinels_add(&redis.sentinels, &state->sentinel.servers[i].addr);
	return store_redis_create(&redis, &listing->store);
}

/* Nothing is made that is not there. */
static int open_file(struct listing *listing, const struct config *config, struct buf *why)
{
	const struct passwd *user = geteuid() == 0 && config->user ? getpwnam(config->user) : NULL;
	struct store_file_config file = {.loop = listing->loop,
					 .log = &listing->log,
					 .path = config->state.path,
					 .user = user ? user->pw_uid : 0,
					 .group = user ? user->pw_gid : 0,
					 .timeout_ms = WAIT_MS};

	if (access(config->state.path, R_OK) == 0)
		return store_file_create(&file, why, &listing->store);
	buf_printf(why, "%s cannot be read", config->state.path);
	return -ERR_NOT_FOUND;
}

static int open_store(struct listing *listing, const struct config *config)
{
	struct buf why;
	int err;

	buf_init(&why);
	if (config->state.store == CONFIG_STORE_REDIS) {
		err = open_redis(listing, &config->state);
	} else if (config->state.store == CONFIG_STORE_FILE) {
		err = open_file(listing, config, &why);
	} else {
		buf_add_text(&why, "`state: {store: memory}` keeps none");
		err = -ERR_NOT_FOUND;
	}
	if (err)
		fprintf(stderr, "postern: records: %.*s\n",
			why.len ? (int)why.len : (int)strlen(err_text(err)),
			why.len ? why.data : err_text(err));
	buf_free(&why);
	return err;
}

static int list(const struct config *config, bool lists)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	int status = CLI_NO_ANSWER;

	if (!listing)
		return CLI_NO_ANSWER;
	listing->log = (struct log){.level = LOG_ERROR, .fd = STDERR_FILENO, .program = "records"};
	listing->lists = lists;
	int err = loop_create(&listing->loop);
	if (!err)
		err = open_store(listing, config);
	if (!err) {
		struct wheel *wheel = loop_wheel(listing->loop);
		listing->until_ms = wheel_now_ms(wheel) + WAIT_MS;
		wheel_arm(wheel, &listing->poll, wheel_now_ms(wheel), on_poll);
		loop_run(listing->loop);
		store_destroy(listing->store);
		status = listing->status;
	}
	if (status == CLI_OK)
		sum_up(listing);
	if (listing->loop)
		loop_destroy(listing->loop);
	free(listing);
	return status;
}

int records_command(int argc, char **argv)
{
	const char *file = NULL;
	struct config *config;
	bool counts = false;
	struct buf why;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--count") == 0)
			counts = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			file = argv[++i];
		else
			return cli_usage("records takes [--count] -c FILE");
	}
	if (!file)
		return cli_usage("records takes [--count] -c FILE");
	buf_init(&why);
	if (config_load(file, &config, &why) != 0) {
		cli_write(STDERR_FILENO, &why);
		buf_free(&why);
		return CLI_WRONG;
	}
	buf_free(&why);
	int status = list(config, !counts);
	config_release(config);
	return status;
}
