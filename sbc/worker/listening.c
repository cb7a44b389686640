/* Listeners that a reload adds and takes away. The main thread opens every new socket, one for each
 * worker, before anything is changed. One that is gone is drained: nothing begins there, what is
 * there goes on, and when no worker has a call over it the main thread has all of them close it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "sbc/worker/internal.h"

static uint64_t all_workers(const struct workers *workers)
{
	uint8_t count = workers->config.count;

	return count == 64 ? UINT64_MAX : (1ull << count) - 1;
}

static int *sockets_of(const struct workers *workers, size_t index)
{
	return &workers->sockets[index * workers->config.count];
}

static void keep(struct workers *workers, const struct transport_listener *info, const int *fds)
{
	struct listening *listening = &workers->listening[workers->listening_count];
	int *sockets = sockets_of(workers, workers->listening_count++);

	for (uint8_t i = 0; i < workers->config.count; i++)
		sockets[i] = fds ? fds[i] : -1;
	listening->info = *info;
	listening->info.sent_by = NULL; /* the workers' affair */
	listening->state = LISTENING_OPEN;
}

int listening_create(struct workers *workers)
{
	if (workers->setup.listener_count > TRANSPORT_LISTENERS_MAX)
		return -ERR_TOO_MANY;
	workers->listening = calloc(TRANSPORT_LISTENERS_MAX, sizeof(*workers->listening));
	workers->sockets = calloc((size_t)TRANSPORT_LISTENERS_MAX * workers->config.count,
				  sizeof(*workers->sockets));
	if (!workers->listening || !workers->sockets)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < workers->setup.listener_count; i++)
		keep(workers, &workers->setup.listeners[i], NULL);
	return 0;
}

void listening_opened(struct workers *workers, const struct worker *worker)
{
	for (size_t i = 0; i < workers->listening_count; i++)
		sockets_of(workers, i)[worker->index] =
			transport_listener_fd(worker->transport, (uint16_t)i);
}

uint32_t workers_sockets(const struct workers *workers, int *out, uint32_t max)
{
	uint32_t count = 0;

	for (size_t i = 0; i < workers->listening_count; i++) {
		const int *sockets = sockets_of(workers, i);
		for (uint8_t k = 0; k < workers->config.count; k++)
			if (workers->listening[i].state == LISTENING_OPEN && sockets[k] >= 0 &&
			    count < max)
				out[count++] = sockets[k];
	}
	return count;
}

void listening_destroy(struct workers *workers)
{
	free(workers->listening);
	free(workers->sockets);
}

/* --- what shall become of them ------------------------------------------------------------------
 */

static bool is_same_socket(const struct transport_listener *a, const struct transport_listener *b)
{
	return (a->transport == SIP_UDP) == (b->transport == SIP_UDP) &&
	       addr_equal(&a->address, &b->address) && addr_equal(&a->group, &b->group);
}

static bool is_same(const struct transport_listener *a, const struct transport_listener *b)
{
	return a->interface == b->interface && a->transport == b->transport &&
	       a->purpose == b->purpose && is_same_socket(a, b);
}

/* One that is not closed, or -1. */
static int find(const struct workers *workers, const struct transport_listener *wanted)
{
	for (size_t i = 0; i < workers->listening_count; i++)
		if (workers->listening[i].state != LISTENING_CLOSED &&
		    is_same(&workers->listening[i].info, wanted))
			return (int)i;
	return -1;
}

/* The socket is ours still, for something else. */
static bool is_ours(const struct workers *workers, const struct transport_listener *wanted)
{
	for (size_t i = 0; i < workers->listening_count; i++)
		if (workers->listening[i].state != LISTENING_CLOSED &&
		    is_same_socket(&workers->listening[i].info, wanted))
			return true;
	return false;
}

void listening_plan_free(struct listening_plan *plan)
{
	for (size_t i = 0; plan->fds && i < plan->fd_count; i++)
		if (plan->fds[i] >= 0)
			close(plan->fds[i]);
	for (size_t i = 0; plan->sent_by && i < plan->count; i++)
		free(plan->sent_by[i]);
	free(plan->states);
	free(plan->sent_by);
	free(plan->added);
	free(plan->fds);
	*plan = (struct listening_plan){0};
}

static int plan_create(const struct workers *workers, const struct setup *setup,
		       struct listening_plan *plan)
{
	size_t room = workers->listening_count + setup->listener_count + 1;

	*plan = (struct listening_plan){.known = workers->listening_count,
					.count = workers->listening_count};
	plan->states = calloc(room, sizeof(*plan->states));
	plan->sent_by = calloc(room, sizeof(*plan->sent_by));
	plan->added = calloc(setup->listener_count + 1, sizeof(*plan->added));
	plan->fds = calloc((setup->listener_count + 1) * workers->config.count, sizeof(*plan->fds));
	if (!plan->states || !plan->sent_by || !plan->added || !plan->fds)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < plan->known; i++)
		plan->states[i] = workers->listening[i].state == LISTENING_CLOSED
					  ? LISTENING_CLOSED
					  : LISTENING_DRAINING;
	return 0;
}

static int open_sockets(const struct workers *workers, const struct transport_listener *info,
			struct buf *why, struct listening_plan *plan)
{
	char text[ADDR_TEXT_SIZE];
	int err = 0;

	if (is_ours(workers, info)) {
		buf_printf(
			why,
			"%s %s still serves what it had before: first remove it, and put it there "
			"when its calls have ended\n",
			sip_transport_name(info->transport), addr_text(&info->address, text));
		return -ERR_EXISTS;
	}
	for (uint8_t i = 0; !err && i < workers->config.count; i++) {
		int fd = -1;
		if (!addr_is_set(&info->group) || i == 0)
			err = transport_bind(info, workers->config.count > 1, i == 0, why, &fd);
		if (!err)
			plan->fds[plan->fd_count++] = fd;
	}
	return err;
}

static int plan_one(const struct workers *workers, const struct transport_listener *wanted,
		    struct buf *why, struct listening_plan *plan)
{
	int index = find(workers, wanted);
	size_t at = index >= 0 ? (size_t)index : plan->count;

	plan->sent_by[at] = slice_dup(slice_from(wanted->sent_by));
	if (!plan->sent_by[at])
		return -ERR_NO_MEMORY;
	plan->states[at] = LISTENING_OPEN;
	if (index >= 0)
		return 0;
	plan->added[plan->count - plan->known] = *wanted;
	plan->added[plan->count - plan->known].sent_by = plan->sent_by[at];
	plan->count++;
	return open_sockets(workers, wanted, why, plan);
}

int listening_plan(struct workers *workers, const struct setup *setup, struct buf *why,
		   struct listening_plan *out)
{
	struct listening_plan plan;
	int err = plan_create(workers, setup, &plan);

	for (size_t i = 0; !err && i < setup->listener_count; i++)
		err = plan_one(workers, &setup->listeners[i], why, &plan);
	if (!err && plan.count > TRANSPORT_LISTENERS_MAX) {
		buf_add_text(why, "too many listeners have come and gone since the start (needs a "
				  "restart)\n");
		err = -ERR_TOO_MANY;
	}
	if (err) {
		listening_plan_free(&plan);
		return err;
	}
	*out = plan;
	return 0;
}

/* --- going over to it ---------------------------------------------------------------------------
 */

void listening_follow(struct workers *workers, const struct listening_plan *plan)
{
	for (size_t i = 0; i < plan->known; i++) {
		struct listening *listening = &workers->listening[i];
		if (plan->states[i] == LISTENING_DRAINING && listening->state == LISTENING_OPEN)
			atomic_store(&listening->users, all_workers(workers));
		listening->state = (enum listening_state)plan->states[i];
	}
	for (size_t i = plan->known; i < plan->count; i++)
		keep(workers, &plan->added[i - plan->known],
		     &plan->fds[(i - plan->known) * workers->config.count]);
}

int listening_take(struct worker *worker, struct listening_plan *plan)
{
	struct transport *transport = worker->transport;

	/* What was added before memory was short is there. */
	for (size_t i = transport_listener_count(transport); i < plan->count; i++) {
		size_t at = i - plan->known;
		int *fd = &plan->fds[at * worker->count + worker->index];
		int err = transport_add_listener(transport, &plan->added[at], *fd);
		if (err)
			return err;
		*fd = -1;
	}
	for (uint16_t i = 0; i < plan->known; i++) {
		transport_set_draining(transport, i, plan->states[i] != LISTENING_OPEN);
		if (plan->sent_by[i])
			transport_set_sent_by(transport, i, plan->sent_by[i]);
	}
	return 0;
}

/* --- draining -----------------------------------------------------------------------------------
 */

/* In a worker's thread. */
static void look(void *owner, uint64_t number, int err)
{
	struct worker *worker = owner;
	const struct worker_handlers *handlers = &worker->all->config.handlers;
	struct listening *listening = &worker->all->listening[number];
	uint64_t bit = 1ull << worker->index;

	(void)err;
	if (handlers->uses_listener && handlers->uses_listener(worker->core, (uint16_t)number))
		atomic_fetch_or(&listening->users, bit);
	else
		atomic_fetch_and(&listening->users, ~bit);
}

static void close_one(void *owner, uint64_t number, int err)
{
	struct worker *worker = owner;

	(void)err;
	transport_close_listener(worker->transport, (uint16_t)number);
}

static void say_closed(const struct workers *workers, const struct listening *listening)
{
	char text[ADDR_TEXT_SIZE];

	log_info(workers->config.log, "listener.closed", "transport=%s address=%s",
		 sip_transport_name(listening->info.transport),
		 addr_text(&listening->info.address, text));
}

static bool drain(struct workers *workers, size_t index)
{
	struct listening *listening = &workers->listening[index];

	if (listening->state == LISTENING_DRAINING && atomic_load(&listening->users) == 0) {
		listening->state = LISTENING_CLOSED;
		listening->untold = all_workers(workers);
		say_closed(workers, listening);
	}
	for (uint8_t i = 0; i < workers->config.count; i++) {
		struct worker *worker = &workers->slots[i]->worker;
		uint64_t bit = 1ull << i;
		/* A ring that is full is tried again. */
		if (listening->state == LISTENING_DRAINING) {
			if (worker_run(worker, look, worker, index, 0))
				break;
		} else if ((listening->untold & bit) &&
			   worker_run(worker, close_one, worker, index, 0) == 0) {
			listening->untold &= ~bit;
		}
	}
	return listening->state == LISTENING_DRAINING || listening->untold;
}

bool workers_drain(struct workers *workers)
{
	bool is_left = false;

	for (size_t i = 0; i < workers->listening_count; i++)
		is_left = drain(workers, i) || is_left;
	return is_left;
}
