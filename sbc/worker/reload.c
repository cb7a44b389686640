/* A new configuration at work: made ready in the main thread, where it may still fail, then taken
 * by each worker between two messages. The slot holds one at a time: one that was not taken yet
 * gives way to a newer one. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/worker/internal.h"

void reload_release(struct reload *reload)
{
	if (!reload || atomic_fetch_sub(&reload->owners, 1) != 1)
		return;
	config_release(reload->config);
	setup_free(&reload->setup);
	free(reload);
}

int workers_reload(struct workers *workers, const struct config *config, struct buf *why)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int err = reload ? setup_policies(config, &reload->setup) : -ERR_NO_MEMORY;

	if (!err)
		err = setup_tls(config, why, &reload->setup.tls);
	if (err) {
		if (reload)
			setup_free(&reload->setup);
		free(reload);
		return err;
	}
	reload->config = config_hold(config);
	atomic_init(&reload->owners, workers->config.count);
	for (uint8_t i = 0; i < workers->config.count; i++) {
		struct worker_slot *slot = workers->slots[i];
		reload_release(atomic_exchange(&slot->reload, reload));
		loop_wake(slot->worker.loop);
	}
	return 0;
}

void reload_take(struct worker_slot *slot)
{
	struct reload *reload = atomic_exchange(&slot->reload, NULL);
	struct worker *worker = &slot->worker;
	const struct worker_handlers *handlers = &worker->all->config.handlers;

	if (!reload)
		return;
	const struct config *before = worker->config;
	const struct config_stats *old = &before->stats, *new = &reload->config->stats;
	if (guard_set_rules(worker->guard, reload->setup.guard_interfaces, reload->setup.peers,
			    reload->setup.peer_count) != 0) {
		log_error(worker->log, "reload.no_memory",
			  "worker=%u effect=\"it goes on as it was\"", worker->index);
		reload_release(reload);
		return;
	}
	transport_set_interfaces(worker->transport, reload->setup.interfaces);
	transport_set_tls(worker->transport, reload->setup.tls);
	if ((!addr_equal(&old->hep.to, &new->hep.to) || old->hep.id != new->hep.id) &&
	    worker_set_hep(worker, new) != 0)
		log_warn(worker->log, "reload.hep",
			 "worker=%u effect=\"copies go where they went\"", worker->index);
	worker->config = config_hold(reload->config);
	if (handlers->on_reload)
		handlers->on_reload(worker->core);
	config_release(before);
	reload_release(reload);
}
