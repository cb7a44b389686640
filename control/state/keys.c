/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/keys.h"
#include <stdio.h>
#include <stdlib.h>
#include "control/base/digest.h"
#include "control/base/table.h"
#include "control/state/sqlite.h"

#define HASH SLICE("postern:cluster")

enum { KEYS_HEX = 2 * sizeof(struct identity_keys), FIELD_SIZE = 16 };

/* The place where names have values: one who writes first wins. */
struct board {
	struct sqlite *sqlite; /* one of the two */
	struct redis_plain *redis;
};

void node_key(uint16_t number, struct buf *out)
{
	buf_printf(out, "node:{%u}", number);
}

void cluster_wipe(struct cluster *cluster)
{
	digest_wipe(&cluster->keys, sizeof(cluster->keys));
}

/* --- keys --- */

/* RFC 5869: extract, then the one block that is needed of each label. */
int cluster_derive(const char *secret, const char *label, void *out, size_t len)
{
	static const char salt[] = "postern cluster";
	uint8_t extracted[DIGEST_RAW_MAX];
	char info[64];
	int size = snprintf(info, sizeof(info), "%s\x01", label);

	int err = digest_mac(salt, sizeof(salt) - 1, slice_from(secret), extracted,
			     sizeof(extracted));
	if (!err)
		err = digest_mac(extracted, sizeof(extracted), (struct slice){info, (size_t)size},
				 out, len);
	digest_wipe(extracted, sizeof(extracted));
	return err;
}

static int keys_derive(const char *secret, struct identity_keys *out)
{
	int err = cluster_derive(secret, "token mac", out->token_mac, sizeof(out->token_mac));

	if (!err)
		err = cluster_derive(secret, "token cipher", out->token_cipher,
				     sizeof(out->token_cipher));
	return err ? err : cluster_derive(secret, "shard", out->shard, sizeof(out->shard));
}

static void keys_write(const struct identity_keys *keys, char out[KEYS_HEX + 1])
{
	const uint8_t *bytes = (const void *)keys;

	for (size_t i = 0; i < sizeof(*keys); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int keys_read(struct slice text, struct identity_keys *out)
{
	struct identity_keys keys;
	uint8_t *bytes = (void *)&keys;

	if (text.len != KEYS_HEX)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < sizeof(keys); i++) {
		int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return -ERR_MALFORMED;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = keys;
	return 0;
}

/* --- the board --- */

static int board_open(const struct cluster_config *config, struct buf *why, struct board *board)
{
	if (!config->path)
		return redis_plain_create(config->redis, why, &board->redis);
	int err = sqlite_create(config->path, true, why, &board->sqlite);
	if (err)
		return err;
	err = sqlite_run(board->sqlite,
			 "CREATE TABLE IF NOT EXISTS cluster(name TEXT PRIMARY KEY,value TEXT NOT "
			 "NULL) WITHOUT ROWID",
			 NULL, 0, NULL, NULL);
	if (!err)
		err = sqlite_give_away(config->path, config->user, config->group);
	if (err)
		buf_printf(why, "%s: %s", config->path, sqlite_reason(board->sqlite));
	return err;
}

static void board_close(struct board *board)
{
	sqlite_destroy(board->sqlite);
	redis_plain_destroy(board->redis);
}

/* `anew`: over what another one wrote. */
static int board_write(struct board *board, bool anew, struct slice name, struct slice value)
{
	const struct slice values[] = {name, value};
	const struct slice words[] = {anew ? SLICE("HSET") : SLICE("HSETNX"), HASH, name, value};

	if (board->redis)
		return redis_plain_run(board->redis, words, 4, NULL, NULL, NULL);
	return sqlite_run(board->sqlite,
			  anew ? "INSERT OR REPLACE INTO cluster(name,value) VALUES(?,?)"
			       : "INSERT OR IGNORE INTO cluster(name,value) VALUES(?,?)",
			  values, 2, NULL, NULL);
}

struct walk {
	redis_pair_fn *fn;
	void *owner;
};

static int on_row(void *owner, const struct slice *columns, size_t count)
{
	const struct walk *walk = owner;
	return count == 2 ? walk->fn(walk->owner, columns[0], columns[1]) : -ERR_MALFORMED;
}

static int board_read(struct board *board, redis_pair_fn *fn, void *owner)
{
	const struct slice words[] = {SLICE("HGETALL"), HASH};
	struct walk walk = {fn, owner};

	if (board->redis)
		return redis_plain_run(board->redis, words, 2, NULL, fn, owner);
	return sqlite_run(board->sqlite, "SELECT name,value FROM cluster", NULL, 0, on_row, &walk);
}

/* The file is of one node: nobody else lives there. */
static int board_lives(struct board *board, uint16_t number, int64_t *lives)
{
	struct buf key;

	*lives = 0;
	if (!board->redis)
		return 0;
	buf_init(&key);
	node_key(number, &key);
	const struct slice words[] = {SLICE("EXISTS"), buf_slice(&key)};
	int err = buf_failed(&key) ? -ERR_NO_MEMORY
				   : redis_plain_run(board->redis, words, 2, lives, NULL, NULL);
	buf_free(&key);
	return err;
}

/* A moment's heartbeat, so that who comes at the same time sees us; nodes.h goes on with it. */
static int board_live(struct board *board, uint16_t number)
{
	struct buf key;

	if (!board->redis)
		return 0;
	buf_init(&key);
	node_key(number, &key);
	const struct slice words[] = {SLICE("SET"), buf_slice(&key), SLICE("starting"), SLICE("EX"),
				      SLICE("3")};
	int err = buf_failed(&key) ? -ERR_NO_MEMORY
				   : redis_plain_run(board->redis, words, 5, NULL, NULL, NULL);
	buf_free(&key);
	return err;
}

/* --- what stands on it --- */

struct reading {
	const struct cluster_config *config;
	struct cluster *cluster;
	uint16_t mine;   /* number under our name; 0 = none */
	char holder[65]; /* of the number we are configured to have */
};

static int on_pair(void *owner, struct slice name, struct slice value)
{
	struct reading *reading = owner;
	uint32_t number;

	if (slice_equal(name, SLICE("keys")))
		return reading->config->secret ? 0 : keys_read(value, &reading->cluster->keys);
	if (slice_to_u32(name, NODE_NUMBER_MAX, &number) != 0 || number == 0)
		return 0; /* of a later version */
	reading->cluster->is_member[number] = true;
	if (slice_equal(value, slice_from(reading->config->name)) && reading->mine == 0)
		reading->mine = (uint16_t)number;
	if (number == reading->config->number)
		slice_copy(value, reading->holder, sizeof(reading->holder));
	return 0;
}

static int board_take_in(struct board *board, struct reading *reading)
{
	reading->mine = 0;
	reading->holder[0] = '\0';
	return board_read(board, on_pair, reading);
}

static int number_claim(struct board *board, const struct cluster_config *config, bool anew,
			uint16_t number)
{
	char field[FIELD_SIZE];
	int len = snprintf(field, sizeof(field), "%u", number);

	return board_write(board, anew, (struct slice){field, (size_t)len},
			   slice_from(config->name));
}

/* The one of the configuration: another name's when nobody lives under it. */
static int number_configured(struct board *board, struct reading *reading, struct buf *why)
{
	const struct cluster_config *config = reading->config;
	int64_t lives = 0;

	int err = number_claim(board, config, false, config->number);
	if (!err)
		err = board_take_in(board, reading);
	if (err || strcmp(reading->holder, config->name) == 0)
		return err;
	err = board_lives(board, config->number, &lives);
	if (!err && lives) {
		buf_printf(why, "node.number %u is that of the node %s, which is running",
			   config->number, reading->holder);
		return -ERR_EXISTS;
	}
	return err ? err : number_claim(board, config, true, config->number);
}

/* The one it had, or a free one; another node may be faster, then the next one. */
static int number_find(struct board *board, struct reading *reading, struct buf *why)
{
	int err = 0;

	for (uint16_t number = 1; !err && !reading->mine && number <= NODE_NUMBER_MAX; number++) {
		if (reading->cluster->is_member[number])
			continue;
		err = number_claim(board, reading->config, false, number);
		if (!err)
			err = board_take_in(board, reading);
	}
	if (!err && !reading->mine) {
		buf_add_text(why, "all 255 node numbers are taken (HDEL postern:cluster NUMBER "
				  "gives one back)");
		err = -ERR_TOO_MANY;
	}
	return err;
}

static int write_keys(struct board *board, const struct cluster *cluster)
{
	char keys[KEYS_HEX + 1];

	keys_write(&cluster->keys, keys);
	int err = board_write(board, false, SLICE("keys"), (struct slice){keys, KEYS_HEX});
	digest_wipe(keys, sizeof(keys));
	return err;
}

static int join(const struct cluster_config *config, struct board *board, struct buf *why,
		struct cluster *cluster)
{
	struct reading reading = {.config = config, .cluster = cluster};
	int err = 0;

	if (!config->secret)
		err = write_keys(board, cluster);
	if (!err)
		err = board_take_in(board, &reading);
	if (!err)
		err = config->number ? number_configured(board, &reading, why)
				     : number_find(board, &reading, why);
	if (err)
		return err;
	cluster->number = config->number ? config->number : reading.mine;
	cluster->is_member[cluster->number] = true;
	cluster->is_lasting = true;
	return board_live(board, cluster->number);
}

static const char *board_reason(const struct board *board)
{
	return board->redis ? redis_plain_reason(board->redis) : sqlite_reason(board->sqlite);
}

int cluster_rewrite(const struct cluster_config *config, struct buf *why,
		    const struct cluster *cluster)
{
	struct board board = {0};

	int err = board_open(config, why, &board);
	if (!err) {
		if (!config->secret)
			err = write_keys(&board, cluster);
		if (!err)
			err = number_claim(&board, config, false, cluster->number);
		if (err)
			buf_printf(why, "%s", board_reason(&board));
	}
	board_close(&board);
	return err;
}

/* Without a store to ask: one that another node hardly has. */
static uint16_t number_of_name(const char *name)
{
	static const uint64_t key[2] = {0};
	return (uint16_t)(1 + siphash(slice_from(name), key) % NODE_NUMBER_MAX);
}

int cluster_join(const struct cluster_config *config, struct random *random, struct buf *why,
		 struct cluster *out)
{
	struct cluster cluster = {.number = config->number};
	struct board board = {0};
	int err = 0;

	if (config->secret)
		err = keys_derive(config->secret, &cluster.keys);
	else
		random_fill(random, &cluster.keys, sizeof(cluster.keys));
	cluster.is_lasting = config->secret && !err;
	if (!err && (config->path || config->redis)) {
		err = board_open(config, why, &board);
		if (!err) {
			size_t said = why->len;
			err = join(config, &board, why, &cluster);
			if (err && why->len == said)
				buf_printf(why, "%s", board_reason(&board));
		}
		board_close(&board);
	} else if (!cluster.number) {
		cluster.number = 1;
	}
	if (!cluster.number)
		cluster.number = number_of_name(config->name);
	cluster.is_member[cluster.number] = true;
	if (err != -ERR_EXISTS)
		*out = cluster;
	cluster_wipe(&cluster);
	return err;
}
