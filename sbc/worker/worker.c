/* What one worker does with a message: guard, scan, shard; then it is its own and goes to the
 * transactions, or another worker's and goes there by ring.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/worker.h"

#include <stdlib.h>

#include "sbc/transport/reply_path.h"
#include "sbc/worker/internal.h"

/* Whose message a token belongs to, when it is sent for another worker. Transaction ids stay below.
 */
#define TOKEN_OWNER_SHIFT 56

/* --- from thread to thread --- */

int item_push(struct worker_slot *slot, struct ring *ring, const struct item *item,
	      struct slice data)
{
	struct item *copy = malloc(sizeof(*copy) + data.len);

	if (!copy)
		return -ERR_NO_MEMORY;
	*copy = *item;
	copy->len = data.len;
	if (data.len)
		memcpy(copy->data, data.data, data.len);
	if (!ring_push(ring, copy)) {
		free(copy);
		return -ERR_AGAIN;
	}
	loop_wake(slot->worker.loop);
	return 0;
}

static bool give(struct worker *from, uint8_t to, const struct item *item, struct slice data)
{
	struct worker_slot *slot = from->all->slots[to];
	int err = item_push(slot, slot->messages, item, data);

	if (err)
		counter_add(err == -ERR_AGAIN ? &from->counters.ring_full
					      : &from->counters.no_memory,
			    1);
	return err == 0;
}

/* --- a message --- */

static void answer_malformed(struct worker_slot *slot, const struct transport_path *path)
{
	struct worker *worker = &slot->worker;
	const struct scan *scan = &slot->scan;
	struct transport_path back;
	char tag[16];
	struct reply reply = {.status = scan->reply_code,
			      .reason = slice_from(scan->reply_reason),
			      .to_tag = {tag, sizeof(tag)}};

	random_text(worker->random, tag, sizeof(tag));
	buf_clear(&slot->out);
	builder_reply(&slot->out, scan, &path->remote, &reply);
	reply_path(scan, path, &back);
	if (buf_failed(&slot->out) || worker_send(worker, &back, buf_slice(&slot->out), 0))
		return;
	counter_add(&worker->counters.replied, 1);
}

static enum shard_source source_of(const struct worker *worker, const struct transport_path *path)
{
	if (worker_peer_of(worker, path) < 0)
		return SHARD_PHONE;
	return worker->config->interfaces[path->interface].trusted ? SHARD_PEER_TRUSTED
								   : SHARD_PEER_UNTRUSTED;
}

/* RFC 5923: a peer that says `alias` takes our requests on the connection it opened (scenario N9).
 * Known peers only: a stranger could divert what is meant for another one behind his address. */
static void note_alias(struct worker_slot *slot, const struct transport_path *path)
{
	struct worker *worker = &slot->worker;
	const struct via *via = &slot->scan.via;
	struct addr address = path->remote;
	struct slice value;

	if (!sip_transport_is_stream((enum sip_transport)path->transport) ||
	    !slot->scan.is_request || !parameter_find(via->parameters, SLICE("alias"), &value) ||
	    worker_peer_of(worker, path) < 0)
		return;
	address.port =
		via->port ? via->port : sip_transport_port((enum sip_transport)path->transport);
	if (!transport_alias(worker->transport, path, &address))
		return;
	struct item item = {.kind = ITEM_ALIAS, .path = *path};
	item.path.remote = address;
	for (uint8_t i = 0; i < worker->count; i++) {
		if (i == worker->index || !give(worker, i, &item, SLICE_NONE))
			continue;
		transport_follow(worker->transport, path->connection, i);
	}
}

static void dispatch(struct worker_slot *slot, const struct transport_path *path)
{
	struct worker *worker = &slot->worker;
	uint8_t owner = shard_of(worker->shard, &slot->scan, source_of(worker, path));

	/* Who keeps where a phone is wants to hear when it is there no more. */
	if (path->connection && slot->scan.is_request && slot->scan.method == METHOD_REGISTER)
		transport_follow(worker->transport, path->connection, owner);
	if (owner == worker->index) {
		arena_reset(worker->arena);
		transactions_receive(worker->transactions, &slot->scan, path);
		return;
	}
	struct item item = {.kind = ITEM_MESSAGE, .path = *path};
	if (give(worker, owner, &item, slot->scan.message))
		counter_add(&worker->counters.handed_over, 1);
}

static bool contains_nocase(struct slice text, struct slice word)
{
	for (size_t i = 0; i + word.len <= text.len; i++)
		if (slice_equal_nocase(slice_sub(text, i, word.len), word))
			return true;
	return false;
}

/* A stranger whose User-Agent is one of those that look for open doors. */
static bool is_scanner(const struct worker_slot *slot, const struct transport_path *path)
{
	const struct worker *worker = &slot->worker;
	const struct config_security *rules = &worker->config->interfaces[path->interface].security;

	if (rules->scanner_count == 0 || !slot->scan.is_request ||
	    worker_peer_of(worker, path) >= 0)
		return false;
	struct slice agent = scan_value(&slot->scan, HEADER_USER_AGENT);
	for (size_t i = 0; agent.len && i < rules->scanner_count; i++)
		if (contains_nocase(agent, slice_from(rules->scanners[i])))
			return true;
	return false;
}

/* To a group: what looks for a registrar or a server (RFC 3261 10.2.6, 18.1.1); nothing else is
 * answered, or one datagram would make everybody in the group speak. */
static bool is_for_group(const struct scan *scan)
{
	return scan->is_request &&
	       (scan->method == METHOD_REGISTER || scan->method == METHOD_OPTIONS);
}

bool worker_admit(void *owner, const struct transport_path *path)
{
	struct worker_slot *slot = owner;
	struct worker *worker = &slot->worker;

	return guard_admit(worker->guard, path->interface, &path->remote,
			   loop_now_ms(worker->loop)) == GUARD_PASS;
}

void worker_on_message(void *owner, struct transport_message *message)
{
	struct worker_slot *slot = owner;
	struct worker *worker = &slot->worker;
	const struct transport_path *path = &message->path;
	uint64_t now_ms = loop_now_ms(worker->loop);
	bool stream = sip_transport_is_stream((enum sip_transport)path->transport);
	struct scan_limits limits = {.message_max = path->connection ? STREAM_MAX : DATAGRAM_MAX,
				     .stream = stream,
				     .truncated = message->truncated};

	if (guard_admit(worker->guard, path->interface, &path->remote, now_ms) != GUARD_PASS)
		return;
	counter_add(&worker->counters.messages, 1);
	if (worker->hep)
		worker_copy_in(worker, message);
	enum scan_verdict verdict = scan_message(message->data, message->len, &limits, &slot->scan);
	if (verdict == SCAN_ACCEPT && is_scanner(slot, path)) {
		struct addr banned;
		uint64_t until_ms = guard_scanner(worker->guard, path->interface, &path->remote,
						  now_ms, &banned);
		counter_add(&worker->counters.scanners, 1);
		if (until_ms)
			worker_ban(worker, path->interface, &banned, until_ms, GUARD_SCANNER);
		return;
	}
	if (message->multicast && (verdict != SCAN_ACCEPT || !is_for_group(&slot->scan))) {
		counter_add(&worker->counters.group_drops, 1);
		return;
	}
	if (verdict == SCAN_ACCEPT) {
		note_alias(slot, path);
		dispatch(slot, path);
		return;
	}
	if (verdict == SCAN_REPLY)
		answer_malformed(slot, path);
	else
		counter_add(&worker->counters.scan_drops[slot->scan.drop], 1);
	if (slot->scan.drop == SCAN_DROP_KEEPALIVE)
		return;
	struct addr banned;
	uint64_t until_ms =
		guard_bad_message(worker->guard, path->interface, &path->remote, now_ms, &banned);
	if (until_ms)
		worker_ban(worker, path->interface, &banned, until_ms, GUARD_BAD_MESSAGES);
	if (path->connection && slot->scan.close)
		transport_close(worker->transport, path->connection);
}

/* --- another worker's connection --- */

bool worker_relay(void *owner, const struct transport_path *path, struct slice bytes,
		  uint64_t token)
{
	struct worker *worker = owner;
	uint8_t to = (uint8_t)(path->connection >> TOKEN_OWNER_SHIFT);
	struct item item = {.kind = ITEM_SEND, .path = *path};

	if (to >= worker->count)
		return false;
	if (token)
		item.token = (uint64_t)(worker->index + 1u) << TOKEN_OWNER_SHIFT | token;
	return give(worker, to, &item, bytes);
}

void worker_on_error(void *owner, const struct transport_path *path, uint64_t token, int err)
{
	struct worker *worker = owner;
	uint64_t sender = token >> TOKEN_OWNER_SHIFT;

	if (!sender) {
		arena_reset(worker->arena);
		transactions_transport_error(worker->transactions, token, err);
		return;
	}
	struct item item = {.kind = ITEM_ERROR,
			    .path = *path,
			    .token = token & ((1ull << TOKEN_OWNER_SHIFT) - 1),
			    .err = err};
	/* When it cannot be told, the transaction's own timer tells. */
	(void)give(worker, (uint8_t)(sender - 1), &item, SLICE_NONE);
}

void worker_on_closed(void *owner, uint64_t connection, uint64_t followers)
{
	struct worker *worker = owner;
	const struct worker_handlers *handlers = &worker->all->config.handlers;
	struct item item = {.kind = ITEM_CLOSED, .path = {.connection = connection}};

	for (uint8_t i = 0; i < worker->count; i++) {
		if (!(followers >> i & 1))
			continue;
		/* When it cannot be told, what is sent there next tells. */
		if (i != worker->index)
			(void)give(worker, i, &item, SLICE_NONE);
		else if (handlers->on_flow_closed)
			handlers->on_flow_closed(worker->core, connection);
	}
}

/* --- what the others gave us --- */

static void taken_message(struct worker_slot *slot, struct item *item)
{
	struct worker *worker = &slot->worker;
	struct scan_limits limits = {.message_max = STREAM_MAX};

	counter_add(&worker->counters.taken_over, 1);
	/* Accepted once already: this finds the places again, in our copy. */
	if (scan_message(item->data, item->len, &limits, &slot->scan) != SCAN_ACCEPT)
		return;
	arena_reset(worker->arena);
	transactions_receive(worker->transactions, &slot->scan, &item->path);
}

static void taken(struct worker_slot *slot, struct item *item)
{
	struct worker *worker = &slot->worker;
	const struct worker_handlers *handlers = &worker->all->config.handlers;

	switch (item->kind) {
	case ITEM_MESSAGE:
		taken_message(slot, item);
		break;
	case ITEM_SEND: {
		int err = transport_send(worker->transport, &item->path,
					 (struct slice){item->data, item->len}, item->token);
		if (err && item->token)
			worker_on_error(worker, &item->path, item->token, err);
		break;
	}
	case ITEM_ERROR:
		worker_on_error(worker, &item->path, item->token, item->err);
		break;
	case ITEM_ALIAS:
		transport_alias_elsewhere(worker->transport, &item->path, &item->path.remote);
		break;
	case ITEM_CLOSED:
		transport_forget_elsewhere(worker->transport, item->path.connection);
		if (handlers->on_flow_closed)
			handlers->on_flow_closed(worker->core, item->path.connection);
		break;
	case ITEM_COMMAND:
		handlers->on_command(worker->core, item->command);
		break;
	case ITEM_RUN:
		item->run(item->command, item->token, item->err);
		break;
	case ITEM_BAN:
		guard_ban(worker->guard, item->path.interface, &item->path.remote, item->token,
			  loop_now_ms(worker->loop), (enum guard_cause)item->err);
		break;
	case ITEM_STOP:
		/* What is open may end in order; whoever comes now goes elsewhere. */
		transport_stop_accepting(worker->transport);
		handlers->on_stop(worker->core);
		break;
	}
}

void worker_on_wake(void *owner)
{
	struct worker_slot *slot = owner;
	struct item *item;
	/* Looked at first: what the others gave us before they were empty is still taken. */
	bool is_over = atomic_load(&slot->force);

	reload_take(slot);
	while ((item = ring_pop(slot->messages))) {
		reload_take(slot); /* what the giver knew of: its listeners and interfaces */
		taken(slot, item);
		free(item);
	}
	while ((item = ring_pop(slot->commands))) {
		taken(slot, item);
		free(item);
	}
	if (is_over)
		loop_stop(slot->worker.loop);
}

/* --- verbs --- */

int worker_post(struct worker *worker, void *command)
{
	struct worker_slot *slot = slot_of(worker);
	struct item item = {.kind = ITEM_COMMAND, .command = command};
	return item_push(slot, slot->commands, &item, SLICE_NONE);
}

int worker_run(struct worker *worker, worker_fn *fn, void *owner, uint64_t number, int err)
{
	struct worker_slot *slot = slot_of(worker);
	struct item item = {
		.kind = ITEM_RUN, .run = fn, .command = owner, .token = number, .err = err};
	return item_push(slot, slot->messages, &item, SLICE_NONE);
}

void worker_ban(struct worker *worker, uint16_t interface, const struct addr *source,
		uint64_t until_ms, enum guard_cause cause)
{
	struct item item = {.kind = ITEM_BAN,
			    .path = {.interface = interface, .remote = *source},
			    .token = until_ms,
			    .err = (int)cause};
	char text[ADDR_TEXT_SIZE];

	guard_ban(worker->guard, interface, source, until_ms, loop_now_ms(worker->loop), cause);
	for (uint8_t i = 0; i < worker->count; i++)
		if (i != worker->index)
			(void)give(worker, i, &item, SLICE_NONE);
	log_warn(worker->log, "guard.banned", "interface=%s source=%s cause=\"%s\" for_s=%llu",
		 worker->config->interfaces[interface].name,
		 source->port ? addr_text(source, text) : addr_ip_text(source, text),
		 guard_cause_text(cause),
		 (unsigned long long)(until_ms - loop_now_ms(worker->loop)) / 1000);
}

/* It goes on serving: its sockets and connections bring what other workers wait for. */
void worker_finish(struct worker *worker)
{
	struct worker_slot *slot = slot_of(worker);

	if (slot->is_empty)
		return;
	slot->is_empty = true;
	workers_one_empty(worker->all);
}

int worker_send(struct worker *worker, const struct transport_path *path, struct slice bytes,
		uint64_t token)
{
	const struct worker_handlers *handlers =
		worker->core ? &worker->all->config.handlers : NULL;

	if (handlers && handlers->may_leave && !handlers->may_leave(worker->core, path, bytes))
		return -ERR_DENIED;
	int err = transport_send(worker->transport, path, bytes, token);
	if (!err && worker->hep)
		worker_copy_out(worker, path, bytes);
	return err;
}

void worker_token(const struct worker *worker, enum token_kind kind, uint64_t id,
		  char out[TOKEN_LENGTH])
{
	struct token token = {.node = worker->node, .worker = worker->index, .id = id};
	token_make(worker->token_key, kind, &token, out);
}

uint64_t worker_first_id(uint64_t unix_ms)
{
	return unix_ms / 2 & WORKER_NUMBER_MAX;
}

int worker_peer_of(const struct worker *worker, const struct transport_path *path)
{
	return guard_peer_of(worker->guard, path->interface, &path->remote);
}
