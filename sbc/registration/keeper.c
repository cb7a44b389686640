/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/keeper.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "control/base/table.h"
#include "control/state/kept.h"
#include "sbc/topology/owned.h"

enum { RING = 65536, BATCH = 4096, PERIOD_MS = 5000, RETRY_MS = 1000, PENDING_MAX = 1 << 20 };

struct job {
	struct table_link link; /* in `pending`, by name */
	struct worker *worker;
	uint64_t number;
	bool is_removal;
	bool at_once;
	struct slice name, value; /* owned */
};

struct receiver {
	keeper_done_fn *fn;
	void *owner;
};

struct keeper {
	struct kept *kept;
	const struct log *log;
	struct ring *ring;
	struct receiver receivers[WORKERS_MAX];
	int event;
	pthread_t thread;
	bool is_running;
	_Atomic bool is_ending;
	/* of the thread alone */
	struct table pending; /* what waits for its time, or for the store */
	uint64_t key[2];
	uint64_t due_ms;
	bool is_failing;
};

bool keeper_is_wanted(const struct config *config)
{
	for (size_t i = 0; i < config->domain_count; i++)
		if (config->domains[i].keep != CONFIG_KEEP_NEVER)
			return true;
	return false;
}

/* Beside the subscribers: "subscribers.db" gives "subscribers.db.locations". */
static int open_store(struct keeper *keeper, const struct registry_config *config, struct buf *why)
{
	const struct config_state *state = &config->config->state;
	struct kept_config kept = {
		.redis = {.address = state->server.addr,
			  .unix_path = state->server.transport == CONFIG_UNIX ? state->server.path
									      : NULL,
			  .user = state->user,
			  .password = state->password,
			  .database = state->database},
		.node = config->config->node,
		.user = config->user,
		.group = config->group,
	};
	struct buf path;

	kept.redis.sentinels.master = state->sentinel.master;
	kept.redis.sentinels.password = state->sentinel.password;
	for (size_t i = 0; i < state->sentinel.server_count; i++)
		redis_sentinels_add(&kept.redis.sentinels, &state->sentinel.servers[i].addr);
	buf_init(&path);
	if (config->config->subscribers.store == CONFIG_SUBSCRIBERS_FILE) {
		buf_printf(&path, "%s.locations", config->config->subscribers.path);
		kept.path = path.data;
	}
	int err = buf_failed(&path) ? -ERR_NO_MEMORY : kept_create(&kept, why, &keeper->kept);
	buf_free(&path);
	return err;
}

int keeper_create(const struct registry_config *config, struct buf *why, struct keeper **out)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	struct random_system random;
	if (!keeper)
		return -ERR_NO_MEMORY;

	keeper->log = config->log;
	random_system_init(&random);
	random_fill(&random.base, keeper->key, sizeof(keeper->key));
	keeper->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = keeper->event < 0 ? -ERR_SYSTEM : ring_create(RING, &keeper->ring);
	if (!err)
		err = table_init(&keeper->pending, 256);
	if (!err)
		err = open_store(keeper, config, why);
	if (err) {
		keeper_destroy(keeper);
		return err;
	}
	*out = keeper;
	return 0;
}

static void job_free(struct job *job)
{
	owned_free(&job->name);
	owned_free(&job->value);
	free(job);
}

int keeper_give(struct keeper *keeper, const struct keeper_job *from)
{
	uint64_t one = 1;
	struct job *job = calloc(1, sizeof(*job));
	if (!job)
		return -ERR_NO_MEMORY;

	*job = (struct job){.worker = from->worker,
			    .number = from->number,
			    .is_removal = from->is_removal,
			    .at_once = from->at_once};
	int err = owned_set(&job->name, from->name);
	if (!err)
		err = owned_set(&job->value, from->value);
	if (!err && !ring_push(keeper->ring, job))
		err = -ERR_AGAIN;
	if (err) {
		job_free(job);
		return err;
	}
	/* A counter that is full has woken the thread already. */
	if (write(keeper->event, &one, sizeof(one)) < 0)
		return 0;
	return 0;
}

void keeper_on_done(struct keeper *keeper, uint8_t worker, keeper_done_fn *fn, void *owner)
{
	keeper->receivers[worker] = (struct receiver){fn, owner};
}

int keeper_each(struct keeper *keeper, keeper_fn *fn, void *owner)
{
	return kept_each(keeper->kept, fn, owner);
}

/* --- the thread --- */

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct job *find_pending(const struct keeper *keeper, struct slice name, uint64_t hash)
{
	struct table_link *link = NULL;

	while ((link = table_find(&keeper->pending, hash, link))) {
		struct job *job = container_of(link, struct job, link);
		if (slice_equal(job->name, name))
			return job;
	}
	return NULL;
}

/* The newest of a name stands for all. */
static void put_aside(struct keeper *keeper, struct job *job)
{
	uint64_t hash = siphash(job->name, keeper->key);
	struct job *old = find_pending(keeper, job->name, hash);

	if (old) {
		table_remove(&keeper->pending, &old->link);
		job_free(old);
	}
	if (keeper->pending.count >= PENDING_MAX)
		job_free(job); /* the store has been away for a long time */
	else
		table_insert(&keeper->pending, &job->link, hash);
}

static int write_job(struct keeper *keeper, const struct job *job)
{
	return job->is_removal ? kept_remove(keeper->kept, job->name)
			       : kept_put(keeper->kept, job->name, job->value);
}

static int write_all(struct keeper *keeper, struct job *const *jobs, size_t count)
{
	if (count == 0)
		return 0;
	int err = kept_begin(keeper->kept);
	for (size_t i = 0; !err && i < count; i++)
		err = write_job(keeper, jobs[i]);
	if (!err)
		err = kept_commit(keeper->kept);
	if (err)
		kept_abort(keeper->kept);
	if ((err != 0) != keeper->is_failing) {
		keeper->is_failing = err != 0;
		if (err)
			log_warn(keeper->log, "locations.not_kept", "reason=\"%s\"", err_text(err));
		else
			log_info(keeper->log, "locations.kept_again", NULL);
	}
	return err;
}

static void tell(const struct keeper *keeper, const struct job *job, int err)
{
	if (job->number == 0)
		return;
	const struct receiver *receiver = &keeper->receivers[job->worker->index];
	/* Its ring is full: the worker's own timer tells then. */
	if (receiver->fn &&
	    worker_run(job->worker, receiver->fn, receiver->owner, job->number, err))
		log_warn(keeper->log, "locations.not_told", "worker=%u", job->worker->index);
}

static void settle(struct keeper *keeper, struct job **jobs, size_t count, int err)
{
	for (size_t i = 0; i < count; i++) {
		tell(keeper, jobs[i], err);
		jobs[i]->number = 0;
		if (err)
			put_aside(keeper, jobs[i]);
		else
			job_free(jobs[i]);
	}
}

/* What came in: at once what shall be, the rest aside. True: there is more. */
static bool take_batch(struct keeper *keeper, struct job **jobs)
{
	struct job *job;
	size_t count = 0;

	while (count < BATCH && (job = ring_pop(keeper->ring))) {
		if (job->at_once)
			jobs[count++] = job;
		else
			put_aside(keeper, job);
	}
	settle(keeper, jobs, count, write_all(keeper, jobs, count));
	return count == BATCH;
}

static int write_pending(struct keeper *keeper, struct job **jobs)
{
	int err = 0;

	while (!err && keeper->pending.count > 0) {
		struct table_link *link = NULL;
		size_t count = 0;
		while (count < BATCH && (link = table_next(&keeper->pending, link)))
			jobs[count++] = container_of(link, struct job, link);
		for (size_t i = 0; i < count; i++)
			table_remove(&keeper->pending, &jobs[i]->link);
		err = write_all(keeper, jobs, count);
		settle(keeper, jobs, count, err);
	}
	return err;
}

static void wait_for_work(struct keeper *keeper)
{
	struct pollfd poll_fd = {.fd = keeper->event, .events = POLLIN};
	uint64_t now = now_ms(), count;
	int wait = keeper->due_ms > now ? (int)(keeper->due_ms - now) : 0;

	if (poll(&poll_fd, 1, wait) > 0 && read(keeper->event, &count, sizeof(count)) < 0)
		return;
}

static void *thread_main(void *owner)
{
	struct keeper *keeper = owner;
	struct job **jobs = calloc(BATCH, sizeof(*jobs));

	if (!jobs) {
		log_error(keeper->log, "locations.no_memory", NULL);
		return NULL;
	}
	keeper->due_ms = now_ms() + PERIOD_MS;
	while (true) {
		bool is_ending = atomic_load(&keeper->is_ending); /* looked at first */
		while (take_batch(keeper, jobs))
			;
		if (is_ending)
			break;
		if (now_ms() >= keeper->due_ms)
			keeper->due_ms =
				now_ms() + (write_pending(keeper, jobs) ? RETRY_MS : PERIOD_MS);
		wait_for_work(keeper);
	}
	if (write_pending(keeper, jobs) != 0)
		log_warn(keeper->log, "locations.lost", "count=%u", keeper->pending.count);
	free(jobs);
	return NULL;
}

int keeper_run(struct keeper *keeper)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&keeper->thread, NULL, thread_main, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	keeper->is_running = !failed;
	return failed ? err_from_errno(failed) : 0;
}

void keeper_stop(struct keeper *keeper)
{
	uint64_t one = 1;

	if (!keeper->is_running)
		return;
	atomic_store(&keeper->is_ending, true);
	if (write(keeper->event, &one, sizeof(one)) < 0)
		log_warn(keeper->log, "locations.wake", NULL); /* it wakes by itself */
	pthread_join(keeper->thread, NULL);
	keeper->is_running = false;
}

void keeper_destroy(struct keeper *keeper)
{
	struct table_link *link;
	struct job *job;

	if (!keeper)
		return;
	keeper_stop(keeper);
	while (keeper->ring && (job = ring_pop(keeper->ring)))
		job_free(job);
	while (keeper->pending.buckets && (link = table_next(&keeper->pending, NULL))) {
		table_remove(&keeper->pending, link);
		job_free(container_of(link, struct job, link));
	}
	table_free(&keeper->pending);
	ring_destroy(keeper->ring);
	kept_destroy(keeper->kept);
	if (keeper->event >= 0)
		close(keeper->event);
	free(keeper);
}
