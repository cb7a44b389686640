/* redis_session.c - what answers, and their absence, say about the server.
 *
 *   down ──connect, greeting──► up ◄──a write answered in time──┐
 *     ▲                          │──no answer in timeout_ms──► stalled
 *     └──lost, or silent─────────┴──a write answered "-..."──► refusing
 *
 * While stalled, puts are sent but given up at once: a frozen server delays one burst of calls by
 * timeout_ms and no more. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "control/state/store_answer.h"

enum { PROBE_STALLED_MS = 100, PROBE_REFUSING_MS = 500 };

static void on_deadline(struct timer *timer, uint64_t now_ms);
static void on_probe(struct timer *timer, uint64_t now_ms);

/* --- state --- */

static void state_log(const struct redis *redis)
{
	static const char *const events[] = {
		[STORE_DOWN] = "store.down",
		[STORE_STALLED] = "store.stalled",
		[STORE_REFUSING] = "store.refusing",
		[STORE_UP] = "store.up",
	};
	const struct store_status *status = &redis->status;
	if (status->state == STORE_UP)
		log_info(redis->log, events[STORE_UP], "server=%s", status->server);
	else
		log_warn(redis->log, events[status->state],
			 "server=%s reason=\"%s\" effect=\"calls go on unprotected\"",
			 status->server, status->reason);
}

static uint64_t probe_interval_ms(const struct redis *redis)
{
	if (redis->status.state == STORE_STALLED)
		return PROBE_STALLED_MS;
	if (redis->status.state == STORE_REFUSING)
		return PROBE_REFUSING_MS;
	return redis->heartbeat_ms;
}

static void probe_arm(struct redis *redis)
{
	if (redis->is_ready)
		wheel_arm(loop_wheel(redis->loop), &redis->probe,
			  loop_now_ms(redis->loop) + probe_interval_ms(redis), on_probe);
}

static void owner_return(struct redis *redis)
{
	bool all = redis->is_another;
	if ((!redis->failed_puts && !all) || !redis->store.on_return)
		return;
	redis->failed_puts = 0;
	redis->is_another = false;
	redis->store.on_return(redis->store.on_return_owner, all);
}

static void graves_send(struct redis *redis)
{
	for (uint32_t n = redis->graves.count; n; n--)
		redis_send_delete(redis, redis_graves_take(&redis->graves));
}

/* Logged when the state or its reason changes, and only then. */
static void state_set(struct redis *redis, enum store_state state, const char *reason)
{
	struct store_status *status = &redis->status;
	bool changed = status->state != state;
	if (!changed && strncmp(status->reason, reason, sizeof(status->reason) - 1) == 0)
		return;
	status->state = state;
	if (changed)
		status->since_ms = loop_now_ms(redis->loop);
	slice_copy(slice_from(reason), status->reason, sizeof(status->reason));
	state_log(redis);
	if (!changed)
		return;
	probe_arm(redis);
	if (state != STORE_UP)
		return;
	graves_send(redis); /* first: the owner may put some of these keys again */
	owner_return(redis);
}

void redis_session_drop(struct redis *redis, enum store_state state, const char *reason)
{
	/* The server may still read what we sent on this connection, later than what we send on the
	 * next one; killing it there makes the order certain. */
	if (redis->is_ready && redis_queue_count(&redis->queue))
		redis->fence_id = redis->client_id;
	redis->close_state = state;
	redis_link_drop(&redis->link, reason);
}

/* --- what is sent without being asked for --- */

static int send_own(struct redis *redis, enum redis_kind kind, const struct slice *words,
		    uint32_t count)
{
	return redis_send(redis, &(struct redis_command){.kind = kind}, words, count);
}

/* A write, because a server that answers PING may still refuse writes. Without a heartbeat it is
 * one that changes nothing, but is refused as any other (read-only, out of memory). */
static int probe_send(struct redis *redis)
{
	char key[256], epoch[24], ttl[24];
	int err;
	if (redis->is_probing)
		return 0;
	snprintf(key, sizeof(key), "node:{%s}", redis->node ? redis->node : "");
	snprintf(epoch, sizeof(epoch), "%" PRIu64, redis->epoch);
	snprintf(ttl, sizeof(ttl), "%u", redis->heartbeat_ms * 3 / 1000 + 1);
	const struct slice beat[] = {SLICE("SET"), slice_from(key), slice_from(epoch), SLICE("EX"),
				     slice_from(ttl)};
	const struct slice none[] = {SLICE("SETRANGE"), SLICE("node:{}"), SLICE("0"), SLICE("")};
	if (redis->node)
		err = send_own(redis, REDIS_PROBE, beat, 5);
	else
		err = send_own(redis, REDIS_PROBE, none, 4);
	redis->is_probing = !err;
	return err;
}

static void on_probe(struct timer *timer, uint64_t now_ms)
{
	struct redis *redis = container_of(timer, struct redis, probe);
	(void)now_ms;
	if (redis->status.state == STORE_UP)
		owner_return(redis); /* puts may have failed for want of room */
	int err = probe_send(redis);
	if (err)
		log_debug(redis->log, "store.probe", "error=\"%s\"", err_text(err));
	probe_arm(redis);
}

static int login_send(struct redis *redis)
{
	const struct slice login[] = {SLICE("AUTH"), slice_from(redis->user),
				      slice_from(redis->password)};
	const struct slice short_login[] = {login[0], login[2]};
	if (!redis->password)
		return 0;
	return redis->user ? send_own(redis, REDIS_LOGIN, login, 3)
			   : send_own(redis, REDIS_LOGIN, short_login, 2);
}

static int greeting_send(struct redis *redis)
{
	char database[16];
	snprintf(database, sizeof(database), "%u", redis->database);
	const struct slice choice[] = {SLICE("SELECT"), slice_from(database)};
	const struct slice name[] = {SLICE("CLIENT"), SLICE("SETNAME"), SLICE("postern")};
	const struct slice id[] = {SLICE("CLIENT"), SLICE("ID")};
	int err = redis_reader_create(redis);
	if (!err)
		err = login_send(redis);
	if (!err && redis->database)
		err = send_own(redis, REDIS_LOGIN, choice, 2);
	if (!err)
		err = send_own(redis, REDIS_NAME, name, 3);
	if (!err)
		err = send_own(redis, REDIS_CLIENT_ID, id, 2);
	return err ? err : probe_send(redis);
}

static void on_open(void *owner)
{
	struct redis *redis = owner;
	redis->refusal[0] = '\0';
	redis->client_id = 0;
	redis->heard_ms = loop_now_ms(redis->loop);
	redis->close_state = STORE_DOWN;
	int err = greeting_send(redis);
	if (err)
		redis_session_drop(redis, STORE_DOWN, err_text(err));
}

/* --- answers --- */

void redis_count_failed_put(struct redis *redis)
{
	redis->status.unprotected++;
	redis->failed_puts++;
}

static void greeted(struct redis *redis)
{
	redis->is_ready = true;
	redis_link_settle(&redis->link);
	redis->is_another = redis->is_another || redis->status.connects > 0;
	redis->status.connects++;
	if (redis->refusal[0])
		state_set(redis, STORE_REFUSING, redis->refusal);
	else
		state_set(redis, STORE_UP, "");
	probe_arm(redis);
}

static void fence_or_greeted(struct redis *redis)
{
	char id[24];
	/* Numbers only rise while a server lives; a lower one is a server that knows no such
	 * client. */
	bool needed = redis->fence_id && redis->client_id > redis->fence_id;
	snprintf(id, sizeof(id), "%" PRId64, redis->fence_id);
	redis->fence_id = 0;
	const struct slice words[] = {SLICE("CLIENT"), SLICE("KILL"), SLICE("ID"), slice_from(id)};
	if (!needed || send_own(redis, REDIS_FENCE, words, 4))
		greeted(redis);
}

static void write_accepted(struct redis *redis, bool in_time)
{
	if (redis->is_ready && in_time)
		state_set(redis, STORE_UP, "");
}

static void write_refused(struct redis *redis, struct slice text)
{
	char reason[sizeof(redis->status.reason)];
	redis->status.errors++;
	slice_copy(text, reason, sizeof(reason));
	if (redis->is_ready)
		state_set(redis, STORE_REFUSING, reason);
	else if (!redis->refusal[0])
		memcpy(redis->refusal, reason, sizeof(reason));
}

static void put_count(struct redis *redis, const struct redis_command *command, bool refused,
		      uint64_t took_ms)
{
	struct store_status *status = &redis->status;
	if (command->given_up) {
		status->late += refused ? 0 : 1; /* counted as unprotected when it was given up */
	} else if (refused) {
		redis_count_failed_put(redis);
	} else {
		status->acknowledged++;
		status->ack_ms_total += took_ms;
		if (took_ms > status->ack_ms_max)
			status->ack_ms_max = took_ms;
	}
}

static void put_answered(struct redis *redis, const struct redis_command *command,
			 const struct redis_answer *answer, uint64_t took_ms)
{
	bool refused = answer->kind != ANSWER_OK;
	put_count(redis, command, refused, took_ms);
	if (!command->given_up)
		store_answer(command->done, command->owner, command->handle,
			     refused ? -ERR_DENIED : 0);
	if (refused)
		write_refused(redis, answer->text);
	else
		write_accepted(redis, took_ms <= redis->timeout_ms);
}

static void get_answered(struct redis *redis, const struct redis_command *command,
			 const struct redis_answer *answer)
{
	struct store_reply reply = {.value = SLICE_NONE};
	if (answer->kind == ANSWER_VALUE)
		reply.value = answer->text;
	else
		reply.err = answer->kind == ANSWER_NIL ? -ERR_NOT_FOUND : -ERR_DENIED;
	/* One key of a wrong type says nothing about the others: the state stays. */
	if (reply.err == -ERR_DENIED && redis->status.errors++ % 1024 == 0)
		log_warn(redis->log, "store.get_refused",
			 "server=%s reason=\"%.*s\" errors=%" PRIu64, redis->status.server,
			 SLICE_ARG(answer->text), redis->status.errors);
	if (!command->given_up && command->done)
		command->done(command->owner, command->handle, &reply);
}

static void delete_answered(struct redis *redis, const struct redis_command *command,
			    const struct redis_answer *answer)
{
	if (answer->kind != ANSWER_ERROR) {
		free(command->grave);
		return;
	}
	write_refused(redis, answer->text);
	if (!redis_graves_add(&redis->graves, command->grave))
		redis->status.forgotten++;
}

static void probe_answered(struct redis *redis, const struct redis_answer *answer, uint64_t took_ms)
{
	bool accepted = answer->kind == ANSWER_OK || answer->kind == ANSWER_NUMBER;
	redis->is_probing = false;
	if (!accepted)
		write_refused(redis, answer->text);
	else if (!redis->is_ready)
		redis->refusal[0] = '\0'; /* what else was refused is not needed for writing */
	if (!redis->is_ready)
		fence_or_greeted(redis);
	else if (accepted)
		write_accepted(redis, took_ms <= redis->timeout_ms);
}

static void login_answered(struct redis *redis, const struct redis_answer *answer)
{
	char reason[sizeof(redis->status.reason)];
	if (answer->kind == ANSWER_OK)
		return;
	redis->status.errors++;
	snprintf(reason, sizeof(reason), "login: %.*s", SLICE_ARG(answer->text));
	redis_session_drop(redis, STORE_REFUSING, reason);
}

static void small_answered(struct redis *redis, const struct redis_command *command,
			   const struct redis_answer *answer)
{
	if (command->kind == REDIS_CLIENT_ID && answer->kind == ANSWER_NUMBER)
		redis->client_id = answer->number;
	/* "max number of clients reached" comes as the answer to whatever was first. */
	if (answer->kind == ANSWER_ERROR && !redis->refusal[0])
		slice_copy(answer->text, redis->refusal, sizeof(redis->refusal));
	if (command->kind == REDIS_FENCE) {
		redis->refusal[0] = '\0';
		greeted(redis);
	}
}

static void deadline_arm(struct redis *redis);

void redis_session_answer(struct redis *redis, const struct redis_answer *answer)
{
	struct redis_command command;
	char reason[sizeof(redis->status.reason)];
	uint64_t now_ms = loop_now_ms(redis->loop);
	redis->heard_ms = now_ms;
	if (!redis_queue_pop(&redis->queue, &command)) {
		snprintf(reason, sizeof(reason), "answer to nothing: %.*s",
			 SLICE_ARG(answer->text));
		redis_session_drop(redis, STORE_REFUSING, reason);
		return;
	}
	deadline_arm(redis);
	uint64_t took_ms = now_ms - command.sent_ms;
	switch (command.kind) {
	case REDIS_PUT:
		put_answered(redis, &command, answer, took_ms);
		break;
	case REDIS_GET:
		get_answered(redis, &command, answer);
		break;
	case REDIS_DELETE:
		delete_answered(redis, &command, answer);
		break;
	case REDIS_PROBE:
		probe_answered(redis, answer, took_ms);
		break;
	case REDIS_LOGIN:
		login_answered(redis, answer);
		break;
	case REDIS_NAME:
	case REDIS_CLIENT_ID:
	case REDIS_FENCE:
		small_answered(redis, &command, answer);
		break;
	}
}

/* --- the absence of answers --- */

static void command_give_up(struct redis *redis, struct redis_command *command, int err)
{
	struct redis_command copy = *command; /* done() may grow the ring */
	command->given_up = true;
	if (copy.given_up)
		return;
	if (copy.kind == REDIS_PUT)
		redis_count_failed_put(redis);
	if (copy.kind == REDIS_PUT || copy.kind == REDIS_GET)
		store_answer(copy.done, copy.owner, copy.handle, err);
}

static void on_close(void *owner, const char *reason)
{
	struct redis *redis = owner;
	struct redis_command command;
	enum store_state state = redis->close_state;
	bool was_greeting = !redis->is_ready;
	wheel_cancel(loop_wheel(redis->loop), &redis->deadline);
	wheel_cancel(loop_wheel(redis->loop), &redis->probe);
	redis_reader_destroy(redis);
	redis->is_ready = false;
	redis->is_probing = false;
	redis->close_state = STORE_DOWN;
	if (was_greeting && redis->refusal[0])
		state_set(redis, STORE_REFUSING, redis->refusal);
	else
		state_set(redis, state, reason);
	redis->refusal[0] = '\0';
	while (redis_queue_pop(&redis->queue, &command)) {
		if (command.kind != REDIS_DELETE)
			command_give_up(redis, &command, -ERR_CLOSED);
		else if (!redis_graves_add(&redis->graves, command.grave))
			redis->status.forgotten++;
	}
}

static uint64_t silent_since_ms(struct redis *redis, const struct redis_command *head)
{
	return head->sent_ms > redis->heard_ms ? head->sent_ms : redis->heard_ms;
}

static void deadline_arm(struct redis *redis)
{
	const struct redis_command *head = redis_queue_head(&redis->queue);
	const struct redis_command *waiting = redis_queue_waiting(&redis->queue);
	if (!head) {
		wheel_cancel(loop_wheel(redis->loop), &redis->deadline);
		return;
	}
	uint64_t due_ms = silent_since_ms(redis, head) + redis->dead_ms;
	if (waiting && waiting->sent_ms + redis->timeout_ms < due_ms)
		due_ms = waiting->sent_ms + redis->timeout_ms;
	wheel_arm(loop_wheel(redis->loop), &redis->deadline, due_ms, on_deadline);
}

void redis_session_sent(struct redis *redis)
{
	if (!timer_is_armed(&redis->deadline))
		deadline_arm(redis);
}

static void on_deadline(struct timer *timer, uint64_t now_ms)
{
	struct redis *redis = container_of(timer, struct redis, deadline);
	struct redis_command *command = redis_queue_head(&redis->queue);
	char reason[64];
	if (command && now_ms >= silent_since_ms(redis, command) + redis->dead_ms) {
		snprintf(reason, sizeof(reason), "no answer for %u ms", redis->dead_ms);
		redis_session_drop(redis, STORE_DOWN, reason);
		return;
	}
	snprintf(reason, sizeof(reason), "no answer within %u ms", redis->timeout_ms);
	/* redis_queue_waiting() finds only this moment's overdue: what done() sends is newer. */
	while ((command = redis_queue_waiting(&redis->queue)) &&
	       now_ms >= command->sent_ms + redis->timeout_ms) {
		redis->status.timeouts++;
		if (redis->is_ready && redis->status.state == STORE_UP)
			state_set(redis, STORE_STALLED, reason);
		command_give_up(redis, command, -ERR_TIMEOUT);
	}
	deadline_arm(redis);
}

/* --- beginning and end --- */

void redis_session_start(struct redis *redis, const struct redis_link_config *config)
{
	struct redis_link_config mine = *config;
	mine.loop = redis->loop;
	mine.connect_timeout_ms = redis->dead_ms;
	mine.on_open = on_open;
	mine.on_bytes = redis_reader_feed;
	mine.on_close = on_close;
	mine.owner = redis;
	redis_link_init(&redis->link, &mine);
	redis->status.since_ms = loop_now_ms(redis->loop);
	slice_copy(SLICE("connecting"), redis->status.reason, sizeof(redis->status.reason));
	redis_link_start(&redis->link);
}

void redis_session_stop(struct redis *redis)
{
	redis_link_stop(&redis->link);
	wheel_cancel(loop_wheel(redis->loop), &redis->deadline);
	wheel_cancel(loop_wheel(redis->loop), &redis->probe);
	redis_reader_destroy(redis);
	redis->is_ready = false;
}
