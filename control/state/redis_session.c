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

enum { PROBE_STALLED_MS = 100, PROBE_REFUSING_MS = 500, MARK_S = 60 };

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
	return redis->probe_ms;
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

/* Logged when the state or its reason changes, and only then. */
void redis_state_set(struct redis *redis, enum store_state state, const char *reason)
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
	redis_bury(redis); /* first: the owner may put some of these keys again */
	owner_return(redis);
	redis_session_mark(redis);
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

int redis_send_own(struct redis *redis, enum redis_kind kind, const struct slice *words,
		   uint32_t count)
{
	return redis_send(redis, &(struct redis_command){.kind = kind}, words, count);
}

/* A write, because a server that answers PING may still refuse writes. While greeting, one that
 * changes nothing, but is refused as any other (read-only, out of memory). Then a mark that this
 * connection keeps there: where it is gone before its time, somebody has flushed the server. Each
 * has a mark of its own, by the name that the server gave it; one that would say nothing while it
 * wanted a password is asked again. */
static int probe_send(struct redis *redis)
{
	uint64_t now_ms = loop_now_ms(redis->loop);
	const struct slice nothing[] = {SLICE("SETRANGE"), SLICE("node:{}"), SLICE("0"), SLICE("")};
	const struct slice id[] = {SLICE("CLIENT"), SLICE("ID")};
	bool is_marking = redis->is_ready && redis->client_id;
	char key[40], seconds[12];

	if (redis->is_probing)
		return 0;
	/* No write was taken for long: it may be over. */
	if (redis->marked_ms && now_ms - redis->marked_ms > (MARK_S - 10) * 1000)
		redis->marked_ms = 0;
	int len = snprintf(key, sizeof(key), "node:{}%" PRId64, redis->client_id);
	int seconds_len = snprintf(seconds, sizeof(seconds), "%d", MARK_S);
	const struct slice mark[] = {SLICE("SET"),
				     {key, (size_t)len},
				     SLICE(""),
				     SLICE("EX"),
				     {seconds, (size_t)seconds_len},
				     SLICE("XX")};
	int err = is_marking ? redis_send_own(redis, REDIS_PROBE, mark, redis->marked_ms ? 6 : 5)
			     : redis_send_own(redis, REDIS_PROBE, nothing, 4);
	redis->is_probing = !err;
	redis->is_marking = is_marking;
	if (!err && redis->is_ready && !is_marking)
		err = redis_send_own(redis, REDIS_CLIENT_ID, id, 2);
	return err;
}

void redis_session_mark(struct redis *redis)
{
	if (probe_send(redis) != 0)
		log_debug(redis->log, "store.probe", "server=%s", redis->status.server);
}

void redis_session_wiped(struct redis *redis)
{
	log_warn(redis->log, "store.wiped", "server=%s effect=\"all records are written again\"",
		 redis->status.server);
	redis->marked_ms = 0;
	redis->is_another = true;
	redis_session_mark(redis); /* a new one */
	owner_return(redis);
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
	return redis->user ? redis_send_own(redis, REDIS_LOGIN, login, 3)
			   : redis_send_own(redis, REDIS_LOGIN, short_login, 2);
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
		err = redis_send_own(redis, REDIS_LOGIN, choice, 2);
	if (!err)
		err = redis_send_own(redis, REDIS_NAME, name, 3);
	if (!err)
		err = redis_send_own(redis, REDIS_CLIENT_ID, id, 2);
	return err ? err : probe_send(redis);
}

static void on_open(void *owner)
{
	struct redis *redis = owner;
	redis->refusal[0] = '\0';
	redis->client_id = 0;
	redis->heard_ms = loop_now_ms(redis->loop);
	redis->close_state = STORE_DOWN;
	int err = redis->places.is_asking ? redis_places_ask(redis) : greeting_send(redis);
	if (err)
		redis_session_drop(redis, STORE_DOWN, err_text(err));
}

/* --- up --- */

void redis_session_greeted(struct redis *redis)
{
	redis->is_ready = true;
	redis->marked_ms = 0;
	redis_link_settle(&redis->link);
	redis->is_another = redis->is_another || redis->status.connects > 0;
	redis->status.connects++;
	if (redis->refusal[0])
		redis_state_set(redis, STORE_REFUSING, redis->refusal);
	else
		redis_state_set(redis, STORE_UP, "");
	probe_arm(redis);
}

/* --- the absence of answers --- */

static void command_give_up(struct redis *redis, struct redis_command *command, int err)
{
	struct redis_command copy = *command; /* done() may grow the ring */
	command->given_up = true;
	if (copy.given_up)
		return;
	if (copy.kind == REDIS_PUT || copy.kind == REDIS_PUT_OWNED)
		redis_count_failed_put(redis);
	if (copy.kind == REDIS_PUT || copy.kind == REDIS_GET || copy.kind == REDIS_PUT_OWNED ||
	    copy.kind == REDIS_TAKE)
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
		redis_state_set(redis, STORE_REFUSING, redis->refusal);
	else
		redis_state_set(redis, state, reason);
	redis->refusal[0] = '\0';
	redis_places_next(redis);
	while (redis_queue_pop(&redis->queue, &command)) {
		if (command.kind != REDIS_DELETE)
			command_give_up(redis, &command, -ERR_CLOSED);
		else if (!redis_graves_add(&redis->graves, command.grave))
			redis->status.forgotten++;
		free(command.words);
	}
	redis_scan_lost(redis, -ERR_CLOSED);
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

void redis_session_heard(struct redis *redis)
{
	redis->heard_ms = loop_now_ms(redis->loop);
	deadline_arm(redis);
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
			redis_state_set(redis, STORE_STALLED, reason);
		command_give_up(redis, command, -ERR_TIMEOUT);
	}
	deadline_arm(redis);
}

/* --- beginning and end --- */

void redis_session_start(struct redis *redis)
{
	const struct redis_link_config link = {
		.loop = redis->loop,
		.server = &redis->places.now.address,
		.server_len = redis->places.now.len,
		.connect_timeout_ms = redis->dead_ms,
		.on_open = on_open,
		.on_bytes = redis_reader_feed,
		.on_close = on_close,
		.owner = redis,
	};
	redis_link_init(&redis->link, &link);
	redis_places_take_aim(redis);
	redis->status.since_ms = loop_now_ms(redis->loop);
	slice_copy(SLICE("connecting"), redis->status.reason, sizeof(redis->status.reason));
	redis_link_start(&redis->link);
}

void redis_session_turn(struct redis *redis)
{
	wheel_cancel(loop_wheel(redis->loop), &redis->deadline);
	redis_reader_destroy(redis);
	redis_link_turn(&redis->link);
}

void redis_session_stop(struct redis *redis)
{
	redis_bury(redis);
	wheel_cancel(loop_wheel(redis->loop), &redis->burial);
	redis_link_stop(&redis->link);
	wheel_cancel(loop_wheel(redis->loop), &redis->deadline);
	wheel_cancel(loop_wheel(redis->loop), &redis->probe);
	redis_reader_destroy(redis);
	redis->is_ready = false;
}
