/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/limits.h"
#include <stdlib.h>
#include "control/base/table.h"
#include "sbc/route/shared.h"

/* Sources remembered; a new one takes the place of what stood there. */
enum { SOURCES = 8192, KINDS = 2 };
/* Answers remembered that were ended, and for how long: longer than their retransmissions. */
enum { STRAYS = 256, STRAY_MS = 40000 };

/* A leaky bucket: it fills by one a request and empties with time. */
struct bucket {
	uint64_t level_us; /* filled so far, in time it takes to leak */
	uint64_t at_ms;
};

struct source {
	struct addr addr;
	struct bucket buckets[KINDS];
};

struct interface {
	uint32_t calls;
	struct bucket buckets[KINDS];
};

struct stray {
	uint64_t key; /* of both tags */
	uint64_t until_ms;
};

struct limits {
	const struct worker *worker;
	struct interface *interfaces;
	struct source *sources;
	uint64_t key[2];
	struct stray strays[STRAYS];
	struct bucket stray_ends;
	struct bucket stray_acks;
};

int limits_create(const struct worker *worker, struct limits **out)
{
	struct limits *limits = calloc(1, sizeof(*limits));
	if (!limits)
		return -ERR_NO_MEMORY;
	limits->worker = worker;
	random_fill(worker->random, limits->key, sizeof(limits->key));
	limits->interfaces =
		calloc(worker->config->interface_count + 1, sizeof(*limits->interfaces));
	limits->sources = calloc(SOURCES, sizeof(*limits->sources));
	if (!limits->interfaces || !limits->sources) {
		limits_destroy(limits);
		return -ERR_NO_MEMORY;
	}
	*out = limits;
	return 0;
}

void limits_destroy(struct limits *limits)
{
	if (!limits)
		return;
	free(limits->interfaces);
	free(limits->sources);
	free(limits);
}

int limits_enter(struct limits *limits, uint16_t interface)
{
	uint32_t most = limits->worker->config->interfaces[interface].limits.calls;
	struct shared *shared = limits->worker->shared;
	struct interface *at = &limits->interfaces[interface];

	uint32_t before = shared ? atomic_fetch_add(&shared->calls[interface], 1) : at->calls;
	if (most > 0 && before >= most) {
		if (shared)
			atomic_fetch_sub(&shared->calls[interface], 1);
		return -ERR_TOO_MANY;
	}
	at->calls++;
	return 0;
}

void limits_leave(struct limits *limits, uint16_t interface)
{
	struct shared *shared = limits->worker->shared;

	if (shared)
		atomic_fetch_sub(&shared->calls[interface], 1);
	limits->interfaces[interface].calls--;
}

uint32_t limits_calls(const struct limits *limits, uint16_t interface)
{
	return limits->interfaces[interface].calls;
}

/* One request fills the bucket by period/count; a burst of a whole period's count fits in. */
static bool pour(struct bucket *bucket, struct config_rate rate, uint32_t parts, uint64_t now_ms)
{
	if (rate.count == 0)
		return true;
	/* in microseconds, so that 2000/s has a step */
	uint64_t step = (uint64_t)rate.period_ms * 1000 * parts / rate.count;
	uint64_t room = (uint64_t)rate.period_ms * 1000;
	uint64_t leaked = (now_ms - bucket->at_ms) * 1000;

	bucket->level_us = bucket->level_us > leaked ? bucket->level_us - leaked : 0;
	bucket->at_ms = now_ms;
	if (bucket->level_us > 0 && bucket->level_us + step > room)
		return false;
	bucket->level_us += step;
	return true;
}

static struct source *source_of(struct limits *limits, const struct addr *addr)
{
	struct addr host = *addr;

	host.port = 0;
	struct source *source = &limits->sources[addr_hash(&host, limits->key) % SOURCES];
	if (!addr_equal_ip(&source->addr, &host))
		*source = (struct source){.addr = host};
	return source;
}

int limits_take(struct limits *limits, enum limit_kind kind, const struct transport_path *path,
		enum limit_source who, uint64_t now_ms)
{
	const struct config_limits *config =
		&limits->worker->config->interfaces[path->interface].limits;
	struct config_rate all = kind == LIMIT_SETUP ? config->setup_rate : config->register_rate;
	struct config_rate one = kind == LIMIT_SETUP ? config->per_source.setup_rate
						     : config->per_source.register_rate;

	if (who != LIMIT_PEER && one.count > 0 &&
	    !pour(&source_of(limits, &path->remote)->buckets[kind], one, 1, now_ms))
		return -ERR_BUSY;
	/* Strangers begin no calls: what they can use up is the registrations. */
	if (!(kind == LIMIT_REGISTER && who == LIMIT_PHONE) &&
	    !pour(&limits->interfaces[path->interface].buckets[kind], all, limits->worker->count,
		  now_ms))
		return -ERR_BUSY;
	return 0;
}

int limits_take_stray(struct limits *limits, struct slice from_tag, struct slice to_tag,
		      uint64_t now_ms)
{
	static const struct config_rate acks = {.count = 200, .period_ms = 1000};
	static const struct config_rate ends = {.count = 20, .period_ms = 1000};
	uint64_t key = siphash(from_tag, limits->key) * 3 + siphash(to_tag, limits->key);
	struct stray *stray = &limits->strays[key % STRAYS];

	if (!pour(&limits->stray_acks, acks, 1, now_ms))
		return -ERR_BUSY;
	if (stray->key == key && now_ms < stray->until_ms)
		return -ERR_EXISTS;
	if (!pour(&limits->stray_ends, ends, 1, now_ms))
		return -ERR_BUSY;
	*stray = (struct stray){.key = key, .until_ms = now_ms + STRAY_MS};
	return 0;
}
