/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_plain.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_S = 2, WORDS_MAX = 16 };

struct redis_plain {
	struct redis_plain_config config; /* its texts are the caller's and live as long */
	redisContext *context;
	char reason[160];
};

static int failed(struct redis_plain *redis, int err, const char *reason)
{
	(void)snprintf(redis->reason, sizeof(redis->reason), "%s", reason);
	return err;
}

static int run_once(struct redis_plain *redis, const struct slice *words, size_t count,
		    redisReply **out)
{
	const char *texts[WORDS_MAX];
	size_t lengths[WORDS_MAX];

	if (count > WORDS_MAX)
		return -ERR_TOO_MANY;
	for (size_t i = 0; i < count; i++) {
		texts[i] = words[i].data ? words[i].data : "";
		lengths[i] = words[i].len;
	}
	redisReply *reply = redisCommandArgv(redis->context, (int)count, texts, lengths);
	if (!reply)
		return failed(redis, -ERR_CLOSED, redis->context->errstr);
	if (reply->type == REDIS_REPLY_ERROR) {
		int err = failed(redis, -ERR_DENIED, reply->str);
		freeReplyObject(reply);
		return err;
	}
	*out = reply;
	return 0;
}

static int say(struct redis_plain *redis, const struct slice *words, size_t count)
{
	redisReply *reply;

	int err = run_once(redis, words, count, &reply);
	if (!err)
		freeReplyObject(reply);
	return err;
}

static int log_in(struct redis_plain *redis)
{
	const struct redis_plain_config *config = &redis->config;
	struct slice words[3] = {SLICE("AUTH")};
	char number[12];
	size_t count = 1;
	int err = 0;

	if (config->password) {
		if (config->user)
			words[count++] = slice_from(config->user);
		words[count++] = slice_from(config->password);
		err = say(redis, words, count);
	}
	if (!err && config->database) {
		int len = snprintf(number, sizeof(number), "%u", config->database);
		words[0] = SLICE("SELECT");
		words[1] = (struct slice){number, (size_t)len};
		err = say(redis, words, 2);
	}
	return err;
}

static int connect_to(struct redis_plain *redis, const char *unix_path, const struct addr *address)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	char text[ADDR_TEXT_SIZE];

	if (redis->context)
		redisFree(redis->context);
	redis->context = unix_path ? redisConnectUnixWithTimeout(unix_path, wait)
				   : redisConnectWithTimeout(addr_ip_text(address, text),
							     address->port, wait);
	if (!redis->context)
		return failed(redis, -ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
	if (redis->context->err)
		return failed(redis, -ERR_CLOSED, redis->context->errstr);
	(void)redisSetTimeout(redis->context, wait);
	return 0;
}

static int master_read(const redisReply *reply, struct addr *out)
{
	uint32_t port;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING)
		return -ERR_NOT_FOUND;
	int err = addr_parse_ip(slice_from(reply->element[0]->str), out);
	if (!err)
		err = slice_to_u32(slice_from(reply->element[1]->str), UINT16_MAX, &port);
	if (!err)
		out->port = (uint16_t)port;
	return err;
}

static int ask_sentinel(struct redis_plain *redis, const struct addr *sentinel, struct addr *out)
{
	const struct slice words[] = {SLICE("SENTINEL"), SLICE("get-master-addr-by-name"),
				      slice_from(redis->config.sentinels.master)};
	redisReply *reply;

	const struct slice login[] = {SLICE("AUTH"), slice_from(redis->config.sentinels.password)};

	int err = connect_to(redis, NULL, sentinel);
	if (!err && redis->config.sentinels.password)
		err = say(redis, login, 2);
	if (!err)
		err = run_once(redis, words, 3, &reply);
	if (err)
		return err;
	err = master_read(reply, out);
	freeReplyObject(reply);
	return err ? failed(redis, -ERR_NOT_FOUND, "Sentinel does not know the master") : 0;
}

static int connect_now(struct redis_plain *redis)
{
	const struct redis_plain_config *config = &redis->config;
	struct addr master = config->address;
	int err = config->sentinels.count ? -ERR_NOT_FOUND : 0;

	for (size_t i = 0; err && i < config->sentinels.count; i++)
		err = ask_sentinel(redis, &config->sentinels.servers[i], &master);
	if (!err)
		err = connect_to(redis, config->unix_path, &master);
	return err ? err : log_in(redis);
}

int redis_plain_create(const struct redis_plain_config *config, struct buf *why,
		       struct redis_plain **out)
{
	struct redis_plain *redis = calloc(1, sizeof(*redis));
	if (!redis)
		return -ERR_NO_MEMORY;

	redis->config = *config;
	int err = connect_now(redis);
	if (err) {
		if (why)
			buf_printf(why, "redis: %s", redis->reason);
		redis_plain_destroy(redis);
		return err;
	}
	*out = redis;
	return 0;
}

void redis_plain_destroy(struct redis_plain *redis)
{
	if (!redis)
		return;
	if (redis->context)
		redisFree(redis->context);
	free(redis);
}

static int64_t number_of(const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	return reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
}

static int give_pairs(const redisReply *reply, redis_pair_fn *fn, void *owner)
{
	int err = 0;

	if (reply->type != REDIS_REPLY_ARRAY)
		return -ERR_MALFORMED;
	for (size_t i = 0; !err && i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i], *value = reply->element[i + 1];
		if (name->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
			return -ERR_MALFORMED;
		err = fn(owner, (struct slice){name->str, name->len},
			 (struct slice){value->str, value->len});
	}
	return err;
}

int redis_plain_run(struct redis_plain *redis, const struct slice *words, size_t count,
		    int64_t *number, redis_pair_fn *fn, void *owner)
{
	redisReply *reply;
	int err = !redis->context || redis->context->err ? connect_now(redis) : 0;

	if (!err) {
		err = run_once(redis, words, count, &reply);
		/* The server closed an idle connection: that is known only now. */
		if (err == -ERR_CLOSED && !connect_now(redis))
			err = run_once(redis, words, count, &reply);
	}
	if (err)
		return err;
	if (number)
		*number = number_of(reply);
	if (fn)
		err = give_pairs(reply, fn, owner);
	freeReplyObject(reply);
	return err;
}

const char *redis_plain_reason(const struct redis_plain *redis)
{
	return redis->reason;
}
