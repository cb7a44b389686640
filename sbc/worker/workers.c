/* The set of workers: made and bound in the main thread, run, stopped in order, taken apart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config/reload.h"
#include "sbc/transport/crowd.h"
#include "sbc/worker/internal.h"

/* --- what the transactions ask of their worker --- */

static void make_branch(void *owner, uint64_t number, char out[TOKEN_LENGTH])
{
	worker_token(owner, TOKEN_BRANCH, number, out);
}

static bool made_branch(void *owner, struct slice number)
{
	struct worker *worker = owner;
	struct token token;
	return !token_read(worker->token_key, TOKEN_BRANCH, number, &token);
}

static int send_bytes(void *owner, const struct transport_path *path, struct slice bytes,
		      uint64_t token)
{
	return worker_send(owner, path, bytes, token);
}

static const char *sent_by(void *owner, uint16_t listener)
{
	struct worker *worker = owner;
	return transport_listener(worker->transport, listener)->sent_by;
}

static int large_by_stream(void *owner, const struct transport_path *path, uint16_t *listener)
{
	struct worker *worker = owner;
	const struct transport_interface *interface =
		transport_interface(worker->transport, path->interface);

	/* A phone that speaks UDP may have no TCP at all, or a NAT before it that lets no SYN in
	 * (scenario N8): only peers are asked. */
	if (!interface || !interface->large_by_tcp || worker_peer_of(worker, path) < 0)
		return -ERR_NOT_FOUND;
	return transport_listener_for(worker->transport, path->interface, SIP_TCP,
				      path->remote.family, listener);
}

static int locate(void *owner, const struct transport_path *from, struct slice hop, uint64_t number,
		  struct transaction_ways *out)
{
	struct worker *worker = owner;
	const struct worker_handlers *handlers = &worker->all->config.handlers;

	return handlers->locate ? handlers->locate(worker->core, from, hop, number, out)
				: -ERR_UNREACHABLE;
}

static void way_failed(void *owner, const struct transport_path *path)
{
	struct worker *worker = owner;

	if (worker->all->config.handlers.way_failed)
		worker->all->config.handlers.way_failed(worker->core, path);
}

/* --- making one --- */

static int make_transport(struct workers *workers, struct worker_slot *slot, struct buf *why)
{
	struct worker *worker = &slot->worker;
	struct transport_config config = {
		.loop = worker->loop,
		.log = worker->log,
		.worker = worker->index,
		.shared = worker->count > 1,
		.interfaces = workers->setup.interfaces,
		.interface_count = workers->setup.interface_count,
		.interface_room = workers->interface_room,
		.listeners = workers->setup.listeners,
		.listener_count = workers->setup.listener_count,
		.datagram_max = DATAGRAM_MAX,
		.stream_max = STREAM_MAX,
		.tls = workers->setup.tls,
		.timers = transport_timers_default,
		.on_message = worker_on_message,
		.on_error = worker_on_error,
		.relay = worker->count > 1 ? worker_relay : NULL,
		.admit = worker_admit,
		.on_closed = worker_on_closed,
		.owner = slot,
		.inherited = workers->config.inherited,
		.crowd = workers->crowd,
	};
	memcpy(config.hash_key, workers->hash_key, sizeof(config.hash_key));
	return transport_create(&config, why, &worker->transport);
}

static int make_guard(struct workers *workers, struct worker *worker)
{
	struct guard_config config = {
		.interfaces = workers->setup.guard_interfaces,
		.interface_count = workers->setup.interface_count,
		.peers = workers->setup.peers,
		.peer_count = workers->setup.peer_count,
		.sources_max = 65536,
		.meters = workers->meters,
	};
	memcpy(config.hash_key, workers->hash_key, sizeof(config.hash_key));
	return guard_create(&config, &worker->guard);
}

/* The core exists only after on_start: the transactions look it up when they call. */
static void on_request(void *user, struct transaction_handle handle, const struct message *request,
		       const struct transport_path *path)
{
	struct worker *worker = user;
	worker->all->config.handlers.transaction.on_request(worker->core, handle, request, path);
}

static void on_cancel(void *user, struct transaction_handle handle, const struct message *cancel)
{
	struct worker *worker = user;
	worker->all->config.handlers.transaction.on_cancel(worker->core, handle, cancel);
}

static bool on_unknown_cancel(void *user, const struct scan *cancel,
			      const struct transport_path *path)
{
	struct worker *worker = user;
	const struct transaction_handlers *handlers = &worker->all->config.handlers.transaction;
	return handlers->on_unknown_cancel &&
	       handlers->on_unknown_cancel(worker->core, cancel, path);
}

static void on_server_failure(void *user, struct transaction_handle handle, int err)
{
	struct worker *worker = user;
	worker->all->config.handlers.transaction.on_server_failure(worker->core, handle, err);
}

static void on_orphan_response(void *user, const struct message *response,
			       const struct transport_path *path)
{
	struct worker *worker = user;
	worker->all->config.handlers.transaction.on_orphan_response(worker->core, response, path);
}

static int make_transactions(struct workers *workers, struct worker *worker)
{
	struct transactions_config config = {
		.wheel = worker->wheel,
		.arena = worker->arena,
		.random = worker->random,
		.log = worker->log,
		.timers = workers->config.timers,
		.limit = TRANSACTIONS_MAX,
		.branch = make_branch,
		.made = made_branch,
		.send = send_bytes,
		.sent_by = sent_by,
		.large = large_by_stream,
		.locate = locate,
		.way_failed = way_failed,
		.handlers = &workers->transaction_handlers,
		.owner = worker,
		.user = worker,
	};
	return transactions_create(&config, &worker->transactions);
}

static void flush(void *owner)
{
	struct worker *worker = owner;
	transport_flush(worker->transport);
	if (worker->hep)
		hep_flush(worker->hep);
}

static uint64_t unix_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int slot_create(struct workers *workers, uint8_t index, struct buf *why)
{
	const struct workers_config *config = &workers->config;
	struct worker_slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return -ERR_NO_MEMORY;
	workers->slots[index] = slot;
	random_system_init(&slot->random);
	buf_init(&slot->out);
	struct worker *worker = &slot->worker;
	worker->index = index;
	worker->count = config->count;
	worker->node = config->node;
	worker->first_id = worker_first_id(unix_ms());
	worker->random = &slot->random.base;
	worker->log = config->log;
	worker->config = config_hold(config->config);
	worker->shared = config->shared;
	worker->token_key = &workers->token_key;
	worker->shard = &workers->shard;
	worker->all = workers;
	int err = loop_create(&worker->loop);
	if (err)
		return err;
	worker->wheel = loop_wheel(worker->loop);
	loop_on_wake(worker->loop, worker_on_wake, slot);
	err = arena_create(ARENA_FIRST, ARENA_LIMIT, &worker->arena);
	if (!err)
		err = ring_create(MESSAGE_RING, &slot->messages);
	if (!err)
		err = ring_create(COMMAND_RING, &slot->commands);
	if (!err)
		err = make_guard(workers, worker);
	if (!err)
		err = make_transport(workers, slot, why);
	if (!err)
		err = make_transactions(workers, worker);
	if (!err)
		err = worker_set_hep(worker, &config->config->stats);
	if (!err)
		err = config->handlers.on_start(worker, &worker->core);
	/* Once more after the upper half's own hooks: what their answers set off goes out too. */
	if (!err)
		err = loop_on_burst_end(worker->loop, flush, worker);
	return err;
}

static void drain(struct ring *ring)
{
	void *item;
	while (ring && (item = ring_pop(ring)))
		free(item);
	ring_destroy(ring);
}

static void slot_destroy(struct workers *workers, struct worker_slot *slot)
{
	if (!slot)
		return;
	struct worker *worker = &slot->worker;
	if (worker->core)
		workers->config.handlers.on_destroy(worker->core);
	transactions_destroy(worker->transactions);
	transport_destroy(worker->transport);
	guard_destroy(worker->guard);
	hep_destroy(worker->hep);
	drain(slot->messages);
	drain(slot->commands);
	arena_destroy(worker->arena);
	loop_destroy(worker->loop);
	buf_free(&slot->out);
	reload_release(atomic_load(&slot->reload));
	config_release(worker->config);
	free(slot);
}

/* --- all of them --- */

static int check(const struct workers_config *config)
{
	return config->count >= 1 && config->count <= WORKERS_MAX ? 0 : -ERR_INVALID;
}

int workers_create(const struct workers_config *config, struct buf *why, struct workers **out)
{
	struct random_system random;
	int err = check(config);
	if (err)
		return err;
	struct workers *workers = calloc(1, sizeof(*workers));
	if (!workers)
		return -ERR_NO_MEMORY;
	workers->config = *config;
	workers->transaction_handlers =
		(struct transaction_handlers){.on_request = on_request,
					      .on_cancel = on_cancel,
					      .on_unknown_cancel = on_unknown_cancel,
					      .on_server_failure = on_server_failure,
					      .on_orphan_response = on_orphan_response};
	random_system_init(&random);
	random_fill(&random.base, workers->hash_key, sizeof(workers->hash_key));
	workers->shard = (struct shard){.key = &workers->token_key, .workers = config->count};
	if (config->keys) {
		workers->token_key = config->keys->token;
		memcpy(workers->shard.hash_key, config->keys->shard, sizeof(config->keys->shard));
	} else {
		token_key_random(&random.base, &workers->token_key);
		random_fill(&random.base, workers->shard.hash_key, sizeof(workers->shard.hash_key));
	}
	workers->interface_room = config->config->interface_count + RELOAD_INTERFACES_MORE;
	workers->slots = calloc(config->count, sizeof(struct worker_slot *));
	err = workers->slots ? message_init() : -ERR_NO_MEMORY;
	if (!err)
		err = setup_create(config->config, why, &workers->setup);
	if (!err)
		err = meters_create(workers->interface_room,
				    config->config->peer_count + RELOAD_PEERS_MORE,
				    workers->hash_key, &workers->meters);
	if (!err)
		err = crowd_create(workers->interface_room, &workers->crowd);
	if (!err)
		err = listening_create(workers);
	for (uint8_t i = 0; !err && i < config->count; i++)
		err = slot_create(workers, i, why);
	for (uint8_t i = 0; !err && i < config->count; i++)
		listening_opened(workers, &workers->slots[i]->worker);
	if (err) {
		workers_destroy(workers);
		return err;
	}
	*out = workers;
	return 0;
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	for (uint8_t i = 0; workers->slots && i < workers->config.count; i++)
		slot_destroy(workers, workers->slots[i]);
	setup_free(&workers->setup);
	meters_destroy(workers->meters);
	crowd_destroy(workers->crowd);
	listening_destroy(workers);
	free(workers->slots);
	free(workers);
}

static void *run(void *argument)
{
	struct worker_slot *slot = argument;
	loop_run(slot->worker.loop);
	transport_flush(slot->worker.transport); /* the last words */
	return NULL;
}

int workers_run(struct workers *workers)
{
	sigset_t all, before;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = 0;
	for (uint8_t i = 0; !err && i < workers->config.count; i++) {
		struct worker_slot *slot = workers->slots[i];
		char name[16];
		err = err_from_errno(pthread_create(&slot->thread, NULL, run, slot));
		slot->started = !err;
		snprintf(name, sizeof(name), "sip-%u", i);
		if (!err)
			pthread_setname_np(slot->thread, name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		workers_stop(workers, 0);
	return err;
}

static void end(struct worker_slot *slot)
{
	atomic_store(&slot->force, true);
	loop_wake(slot->worker.loop);
}

void workers_one_empty(struct workers *workers)
{
	if (atomic_fetch_sub(&workers->busy, 1) != 1)
		return;
	for (uint8_t i = 0; i < workers->config.count; i++)
		end(workers->slots[i]);
}

static void join(struct worker_slot *slot, const struct timespec *until)
{
	if (pthread_timedjoin_np(slot->thread, NULL, until)) {
		end(slot);
		pthread_join(slot->thread, NULL);
	}
	slot->started = false;
}

void workers_stop(struct workers *workers, uint32_t limit_ms)
{
	struct item item = {.kind = ITEM_STOP};
	struct timespec until;
	unsigned int busy = 0;

	for (uint8_t i = 0; i < workers->config.count; i++)
		busy += workers->slots[i]->started;
	atomic_store(&workers->busy, busy);
	for (uint8_t i = 0; i < workers->config.count; i++) {
		struct worker_slot *slot = workers->slots[i];
		if (slot->started && item_push(slot, slot->commands, &item, SLICE_NONE))
			workers_one_empty(workers); /* not even that: it is not waited for */
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += limit_ms / 1000;
	until.tv_nsec += (long)(limit_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	for (uint8_t i = 0; i < workers->config.count; i++) {
		if (workers->slots[i]->started)
			join(workers->slots[i], &until);
	}
}

void workers_leave(struct workers *workers)
{
	for (uint8_t i = 0; i < workers->config.count; i++)
		if (workers->slots[i]->started)
			end(workers->slots[i]);
	for (uint8_t i = 0; i < workers->config.count; i++) {
		if (workers->slots[i]->started)
			pthread_join(workers->slots[i]->thread, NULL);
		workers->slots[i]->started = false;
	}
}

uint8_t workers_count(const struct workers *workers)
{
	return workers->config.count;
}

struct worker *workers_at(struct workers *workers, uint8_t index)
{
	return index < workers->config.count ? &workers->slots[index]->worker : NULL;
}
