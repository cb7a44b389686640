/* redis_answer.c - what an answer means to who asked, and what it says about the server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "control/state/store_answer.h"

void redis_count_failed_put(struct redis *redis)
{
	redis->status.unprotected++;
	redis->failed_puts++;
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
	if (!needed || redis_send_own(redis, REDIS_FENCE, words, 4))
		redis_session_greeted(redis);
}

static void write_accepted(struct redis *redis, bool in_time)
{
	if (redis->is_ready && in_time)
		redis_state_set(redis, STORE_UP, "");
}

/* A member of a cluster sends us elsewhere for most keys. */
static void reason_write(struct slice text, char *out, size_t size)
{
	bool is_cluster = slice_starts(text, SLICE("MOVED ")) ||
			  slice_starts(text, SLICE("ASK ")) ||
			  slice_starts(text, SLICE("CLUSTERDOWN"));

	snprintf(out, size, "%s%.*s",
		 is_cluster ? "a Redis Cluster, of which only one that has all slots will do: "
			    : "",
		 SLICE_ARG(text));
}

/* true: the connection was ended, for another server. */
static bool write_refused(struct redis *redis, struct slice text)
{
	char reason[sizeof(redis->status.reason)];

	redis->status.errors++;
	reason_write(text.len > 0 ? text : SLICE("an answer that Redis does not give"), reason,
		     sizeof(reason));
	if (slice_starts(text, SLICE("READONLY")) && redis_places_has_choice(&redis->places)) {
		redis_session_drop(redis, STORE_REFUSING, reason);
		return true;
	}
	if (redis->is_ready)
		redis_state_set(redis, STORE_REFUSING, reason);
	else if (!redis->refusal[0])
		memcpy(redis->refusal, reason, sizeof(reason));
	return false;
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
			     refused ? -ERR_REFUSED : 0);
	if (refused)
		(void)write_refused(redis, answer->text);
	else
		write_accepted(redis, took_ms <= redis->timeout_ms);
}

static void get_answered(struct redis *redis, const struct redis_command *command,
			 const struct redis_answer *answer)
{
	int err = answer->kind == ANSWER_NIL ? -ERR_NOT_FOUND : -ERR_REFUSED;
	/* One key of a wrong type says nothing about the others: the state stays. */
	if (answer->kind == ANSWER_ERROR && redis->status.errors++ % 1024 == 0)
		log_warn(redis->log, "store.get_refused",
			 "server=%s reason=\"%.*s\" errors=%" PRIu64, redis->status.server,
			 SLICE_ARG(answer->text), redis->status.errors);
	if (command->given_up)
		return;
	if (answer->kind == ANSWER_VALUE)
		store_answer_value(&redis->store, command->done, command->owner, command->handle,
				   answer->text);
	else
		store_answer(command->done, command->owner, command->handle, err);
}

/* Of the verbs that look at the owner: 1, or the value; 0 when it is another one's. */
static void put_owned_answered(struct redis *redis, struct redis_command *command,
			       const struct redis_answer *answer, uint64_t took_ms)
{
	bool is_denied = answer->kind == ANSWER_NUMBER && answer->number == 0;

	if (!is_denied) {
		const struct redis_answer plain = {
			.kind = answer->kind == ANSWER_NUMBER ? ANSWER_OK : answer->kind,
			.text = answer->text};
		put_answered(redis, command, &plain, took_ms);
		return;
	}
	redis->status.denied++;
	write_accepted(redis, took_ms <= redis->timeout_ms);
	if (!command->given_up)
		store_answer(command->done, command->owner, command->handle, -ERR_DENIED);
}

static void take_answered(struct redis *redis, const struct redis_command *command,
			  const struct redis_answer *answer)
{
	if (answer->kind != ANSWER_NUMBER) {
		get_answered(redis, command, answer);
		return;
	}
	redis->status.denied++;
	if (!command->given_up)
		store_answer(command->done, command->owner, command->handle, -ERR_DENIED);
}

static void script_answered(struct redis *redis, struct redis_command *command,
			    const struct redis_answer *answer, uint64_t took_ms)
{
	if (redis_script_again(redis, command, answer))
		return;
	if (command->kind == REDIS_TAKE)
		take_answered(redis, command, answer);
	else
		put_owned_answered(redis, command, answer, took_ms);
	free(command->words);
}

/* DEL is answered by a number; something else that answers on a server's port deletes nothing. */
static void delete_answered(struct redis *redis, const struct redis_command *command,
			    const struct redis_answer *answer)
{
	if (answer->kind == ANSWER_NUMBER) {
		free(command->grave);
		return;
	}
	(void)write_refused(redis, answer->text);
	if (!redis_graves_add(&redis->graves, command->grave))
		redis->status.forgotten++;
}

static void probe_answered(struct redis *redis, const struct redis_answer *answer, uint64_t took_ms)
{
	bool accepted = answer->kind == ANSWER_OK || answer->kind == ANSWER_NUMBER;
	redis->is_probing = false;
	if (answer->kind == ANSWER_NIL && redis->marked_ms) {
		redis_session_wiped(redis);
		accepted = true;
	} else if (accepted && redis->is_marking) {
		redis->marked_ms = loop_now_ms(redis->loop);
	}
	if (!accepted && write_refused(redis, answer->text))
		return;
	if (accepted && !redis->is_ready)
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
	snprintf(reason, sizeof(reason), "%slogin: %.*s",
		 redis->places.is_asking ? "Sentinel: " : "", SLICE_ARG(answer->text));
	redis_session_drop(redis, STORE_REFUSING, reason);
}

static void small_answered(struct redis *redis, const struct redis_command *command,
			   const struct redis_answer *answer)
{
	if (command->kind == REDIS_CLIENT_ID && answer->kind == ANSWER_NUMBER) {
		redis->client_id = answer->number;
		if (redis->is_ready)
			redis_session_mark(redis);
	}
	/* "max number of clients reached" comes as the answer to whatever was first. */
	if (answer->kind == ANSWER_ERROR && !redis->is_ready && !redis->refusal[0])
		slice_copy(answer->text, redis->refusal, sizeof(redis->refusal));
	if (command->kind == REDIS_FENCE) {
		redis->refusal[0] = '\0';
		redis_session_greeted(redis);
	}
}

void redis_answered(struct redis *redis, const struct redis_answer *answer)
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
	redis_session_heard(redis);
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
	case REDIS_PUT_OWNED:
	case REDIS_TAKE:
		script_answered(redis, &command, answer, took_ms);
		break;
	case REDIS_SCAN:
	case REDIS_SCAN_GET:
		redis_scan_answered(redis, &command, answer);
		break;
	case REDIS_PROBE:
		probe_answered(redis, answer, took_ms);
		break;
	case REDIS_SENTINEL:
		redis_places_answered(redis, answer);
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
