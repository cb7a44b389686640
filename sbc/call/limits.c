/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/limits.h"
#include <stdlib.h>
#include "config/reload.h"
#include "control/base/table.h"
#include "sbc/route/shared.h"

/* Answers remembered that were ended, and for how long: longer than their retransmissions. */
enum { STRAYS = 256, STRAY_MS = 40000 };

struct stray {
	uint64_t key; /* of both tags */
	uint64_t until_ms;
};

struct limits {
	const struct worker *worker;
	struct shared *own; /* without other workers */
	uint32_t *calls;    /* at once, of this worker, per interface */
	uint64_t key[2];
	struct stray strays[STRAYS];
	struct rate stray_ends;
	struct rate stray_acks;
};

int limits_create(const struct worker *worker, struct limits **out)
{
	struct limits *limits = calloc(1, sizeof(*limits));
	if (!limits)
		return -ERR_NO_MEMORY;
	limits->worker = worker;
	random_fill(worker->random, limits->key, sizeof(limits->key));
	size_t room = worker->config->interface_count + RELOAD_INTERFACES_MORE;
	limits->calls = calloc(room, sizeof(*limits->calls));
	int err = limits->calls ? 0 : -ERR_NO_MEMORY;
	if (!err && !worker->shared)
		err = shared_create(worker->config, worker->random, &limits->own);
	if (err) {
		limits_destroy(limits);
		return err;
	}
	*out = limits;
	return 0;
}

void limits_destroy(struct limits *limits)
{
	if (!limits)
		return;
	shared_destroy(limits->own);
	free(limits->calls);
	free(limits);
}

static struct shared *shared_of(const struct limits *limits)
{
	return limits->worker->shared ? limits->worker->shared : limits->own;
}

int limits_enter(struct limits *limits, uint16_t interface, int peer, bool is_emergency)
{
	const struct config *config = limits->worker->config;
	struct shared *shared = shared_of(limits);
	struct shared_interface *side = &shared->interfaces[interface];

	if (is_emergency) {
		atomic_fetch_add(&side->emergencies, 1);
	} else {
		if (!shared_enter(&side->calls, config->interfaces[interface].limits.calls))
			return -ERR_TOO_MANY;
		if (peer >= 0 &&
		    !shared_enter_peer(&shared->peers[peer], config->peers[peer].limits.calls)) {
			shared_leave(&side->calls);
			return -ERR_TOO_MANY;
		}
	}
	limits->calls[interface]++;
	return 0;
}

void limits_enter_again(struct limits *limits, uint16_t interface, int peer, bool is_emergency)
{
	struct shared *shared = shared_of(limits);

	if (is_emergency) {
		atomic_fetch_add(&shared->interfaces[interface].emergencies, 1);
	} else {
		atomic_fetch_add(&shared->interfaces[interface].calls, 1);
		if (peer >= 0)
			atomic_fetch_add(&shared->peers[peer].calls, 1);
	}
	limits->calls[interface]++;
}

void limits_leave(struct limits *limits, uint16_t interface, int peer, bool is_emergency)
{
	struct shared *shared = shared_of(limits);

	if (is_emergency) {
		atomic_fetch_sub(&shared->interfaces[interface].emergencies, 1);
	} else {
		shared_leave(&shared->interfaces[interface].calls);
		if (peer >= 0)
			shared_leave(&shared->peers[peer].calls);
	}
	limits->calls[interface]--;
}

uint32_t limits_calls(const struct limits *limits, uint16_t interface)
{
	return limits->calls[interface];
}

/* The source's own rate first: one must not use up what all share. */
static bool take_setup(struct limits *limits, const struct transport_path *path,
		       enum limit_source who, int peer, uint64_t now_ms)
{
	const struct config *config = limits->worker->config;
	const struct config_limits *side = &config->interfaces[path->interface].limits;
	struct shared *shared = shared_of(limits);

	if (who == LIMIT_PEER) {
		if (peer >= 0 && !rate_take(&shared->peers[peer].setups,
					    config->peers[peer].limits.setup_rate, now_ms))
			return false;
	} else if (side->per_source.setup_rate.count > 0 &&
		   !rate_take(&shared_source_of(shared, &path->remote)->setups,
			      side->per_source.setup_rate, now_ms)) {
		return false;
	}
	return rate_take(&shared->interfaces[path->interface].setups, side->setup_rate, now_ms);
}

static bool take_register(struct limits *limits, const struct transport_path *path,
			  enum limit_source who, uint64_t now_ms)
{
	const struct config_limits *side =
		&limits->worker->config->interfaces[path->interface].limits;
	struct shared *shared = shared_of(limits);

	if (who != LIMIT_PEER && side->per_source.register_rate.count > 0 &&
	    !rate_take(&shared_source_of(shared, &path->remote)->registers,
		       side->per_source.register_rate, now_ms))
		return false;
	/* Strangers begin no calls: what they can use up is the registrations. */
	return who == LIMIT_PHONE || rate_take(&shared->interfaces[path->interface].registers,
					       side->register_rate, now_ms);
}

int limits_take(struct limits *limits, enum limit_kind kind, const struct transport_path *path,
		enum limit_source who, int peer, uint64_t now_ms)
{
	bool may = kind == LIMIT_SETUP ? take_setup(limits, path, who, peer, now_ms)
				       : take_register(limits, path, who, now_ms);
	return may ? 0 : -ERR_BUSY;
}

int limits_take_stray(struct limits *limits, struct slice from_tag, struct slice to_tag,
		      uint64_t now_ms)
{
	static const struct config_rate acks = {.count = 200, .period_ms = 1000};
	static const struct config_rate ends = {.count = 20, .period_ms = 1000};
	uint64_t key = siphash(from_tag, limits->key) * 3 + siphash(to_tag, limits->key);
	struct stray *stray = &limits->strays[key % STRAYS];

	if (!rate_take(&limits->stray_acks, acks, now_ms))
		return -ERR_BUSY;
	if (stray->key == key && now_ms < stray->until_ms)
		return -ERR_EXISTS;
	if (!rate_take(&limits->stray_ends, ends, now_ms))
		return -ERR_BUSY;
	*stray = (struct stray){.key = key, .until_ms = now_ms + STRAY_MS};
	return 0;
}
