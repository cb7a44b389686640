/* A new configuration at work: made ready in the main thread, where it may still fail, then taken
 * by each worker between two messages. None takes it before each has it in its slot, so that
 * whoever is given a message by another one can know what that one knows.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "sbc/worker/internal.h"

enum { TAKEN_WITHIN_MS = 2000 };

void reload_release(struct reload *reload)
{
	if (!reload || atomic_fetch_sub(&reload->owners, 1) != 1)
		return;
	config_release(reload->config);
	setup_free(&reload->setup);
	listening_plan_free(&reload->plan);
	free(reload);
}

static bool is_taken(const struct workers *workers)
{
	for (uint8_t i = 0; i < workers->config.count; i++)
		if (atomic_load(&workers->slots[i]->reload))
			return false;
	return true;
}

/* The main thread has nothing better to do; a worker takes it with its next wake-up. */
static int wait_until_taken(const struct workers *workers)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < TAKEN_WITHIN_MS; i++) {
		if (is_taken(workers))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return -ERR_BUSY;
}

static int prepare(struct workers *workers, const struct config *config, struct buf *why,
		   struct reload *reload)
{
	int err = wait_until_taken(workers);

	if (err) {
		buf_add_text(why, "a worker is still busy with the last reload: try again\n");
		return err;
	}
	err = setup_create(config, why, &reload->setup);
	if (!err)
		err = listening_plan(workers, &reload->setup, why, &reload->plan);
	return err;
}

int workers_reload(struct workers *workers, const struct config *config, struct buf *why)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int err = reload ? prepare(workers, config, why, reload) : -ERR_NO_MEMORY;

	if (err) {
		if (reload)
			setup_free(&reload->setup);
		free(reload);
		return err;
	}
	reload->config = config_hold(config);
	atomic_init(&reload->owners, workers->config.count);
	listening_follow(workers, &reload->plan);
	for (uint8_t i = 0; i < workers->config.count; i++)
		atomic_store(&workers->slots[i]->reload, reload);
	atomic_store(&reload->is_ready, true);
	for (uint8_t i = 0; i < workers->config.count; i++)
		loop_wake(workers->slots[i]->worker.loop);
	return 0;
}

void reload_take(struct worker_slot *slot)
{
	struct reload *reload = atomic_load(&slot->reload);
	struct worker *worker = &slot->worker;
	const struct worker_handlers *handlers = &worker->all->config.handlers;

	if (!reload || !atomic_load(&reload->is_ready))
		return;
	/* First: indexes of listeners are the same everywhere. Without memory it is tried again
	 * with each wake-up, and the main thread makes no other meanwhile. */
	if (listening_take(worker, &reload->plan) != 0)
		return;
	const struct config *before = worker->config;
	const struct config_stats *old = &before->stats, *new = &reload->config->stats;
	if (guard_set_rules(worker->guard, reload->setup.guard_interfaces,
			    reload->setup.interface_count, reload->setup.peers,
			    reload->setup.peer_count) != 0) {
		log_error(worker->log, "reload.no_memory",
			  "worker=%u effect=\"it goes on as it was\"", worker->index);
		atomic_store(&slot->reload, NULL);
		reload_release(reload);
		return;
	}
	transport_set_interfaces(worker->transport, reload->setup.interfaces,
				 reload->setup.interface_count);
	transport_set_tls(worker->transport, reload->setup.tls);
	if ((!addr_equal(&old->hep.to, &new->hep.to) || old->hep.id != new->hep.id) &&
	    worker_set_hep(worker, new) != 0)
		log_warn(worker->log, "reload.hep",
			 "worker=%u effect=\"copies go where they went\"", worker->index);
	worker->config = config_hold(reload->config);
	if (handlers->on_reload)
		handlers->on_reload(worker->core);
	config_release(before);
	atomic_store(&slot->reload, NULL); /* the next one may come */
	reload_release(reload);
}
